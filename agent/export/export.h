/* One snapshot's way out: volume -> format -> compression -> SHA-256 -> pipe. */
#ifndef SLICENODE_EXPORT_EXPORT_H
#define SLICENODE_EXPORT_EXPORT_H

#include "base/err.h"
#include "export/map.h"
#include "export/sink.h"

#include <stdint.h>

/* `map` is taken over, also by a failure; after both export_close is to be called. */
int export_open(struct export *export, const struct export_options *options, struct export_map *map,
                int volume, int output, struct err *err);
/* What will be sent: 0 when it is not known, because it is compressed. */
uint64_t export_length(const struct export *export);
/* Sends everything. Then sent_bytes and sha256 are the result. */
int export_run(struct export *export, struct err *err);
void export_close(struct export *export);

#endif
