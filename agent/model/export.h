/* The arguments of snapshot.export. Pure. */
#ifndef SLICENODE_MODEL_EXPORT_H
#define SLICENODE_MODEL_EXPORT_H

#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "model/image.h"

#include <jansson.h>

/* More are refused. At ten times as many a server would refuse them (8 KiB in all is usual). */
#define EXPORT_HEADERS_MAX 16
#define EXPORT_VHD_LIMIT_BYTES (2040 * GIB) /* what the format's tools accept */

enum export_format { EXPORT_RAW, EXPORT_VHD };

struct export_args {
    char snapshot[UUID_TEXT_BYTES];
    char since[UUID_TEXT_BYTES]; /* "" for the whole disk */
    char url[URL_BYTES];         /* "" for the local socket's descriptor */
    enum export_format format;
    enum compression compression;
    unsigned stall_seconds; /* given up after so long without a byte taken */
    const json_t *headers;  /* of the HTTP request, `NAME: VALUE`; the arguments', NULL for none */
};

/* Refuses what cannot be: VHD of a difference, compression by xz, a URL that is not https, headers
 * that are curl's business. `args` must outlive `export`. */
int export_parse(const json_t *args, struct export_args *export, struct err *err);

const char *export_format_name(const struct export_args *export); /* raw, vhd or delta */
const char *export_compression_name(const struct export_args *export);

#endif
