/* The arguments of the short operations. What is optional gets its default; on failure nothing
 * is left for the caller to free. */
#ifndef SLICENODE_MODEL_ARGUMENTS_H
#define SLICENODE_MODEL_ARGUMENTS_H

#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "model/request.h"
#include "model/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* All of a console that is kept in one file (CONSOLE_ROTATE_BYTES). More is refused: the answer is
 * one event, which is 2 MiB at most by its escapes. */
#define CONSOLE_BYTES_LIMIT (1u << 20)

struct stop_args {
    unsigned timeout_seconds;
    bool force;
};
struct resize_args { /* 0: stays as it is */
    unsigned vcpus;
    uint64_t memory_mib;
    uint64_t disk_gib;
};
struct console_args {
    unsigned bytes;
    unsigned follow_seconds; /* 0: once */
};
struct snapshot_args {
    char snapshot[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    bool restart;
    bool memory;
};

int stop_parse(const json_t *args, struct stop_args *stop, struct err *err);
int resize_parse(const json_t *args, struct resize_args *resize, struct err *err);
int snapshot_parse(enum operation operation, const json_t *args, struct snapshot_args *snapshot,
                   struct err *err);
int console_parse(const json_t *args, struct console_args *console, struct err *err);
/* node.drain: whether the node is to take no new work, or to take it again. */
int drain_parse(const json_t *args, bool *drain, struct err *err);
/* request.cancel's: the request that is to be cancelled. */
int cancel_parse(const json_t *args, char request[static UUID_TEXT_BYTES], struct err *err);
/* For the operations without arguments. */
int no_args_parse(const json_t *args, struct err *err);

/* A name of a slice, snapshot or volume. */
int name_read(struct fields *fields, const char *name, char to[static SLICE_NAME_BYTES]);

#endif
