/* What a snapshot can be sent as. */
#ifndef SLICENODE_EXPORT_FORMATS_H
#define SLICENODE_EXPORT_FORMATS_H

#include "base/err.h"
#include "export/sink.h"

#include <stdint.h>

struct export_format {
    const char *name;
    /* Bytes before compression; the map is there. */
    uint64_t (*length)(const struct export *export);
    int (*run)(struct export *export, struct err *err);
};

extern const struct export_format export_raw, export_vhd, export_delta;

#endif
