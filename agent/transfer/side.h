/* One of the programs that move data, and what it has said. The children are not trusted: what they
 * say has a closed form, too. */
#ifndef SLICENODE_TRANSFER_SIDE_H
#define SLICENODE_TRANSFER_SIDE_H

#include "base/err.h"
#include "base/json.h"
#include "process/child.h"
#include "process/wire.h"

#include <stdbool.h>
#include <stddef.h>

#define SIDE_TICK_MS 1000
/* The two children of a transfer. */
#define SIDES_MAX 2

struct side {
    struct child child;
    struct wire wire;
    bool ended; /* said "done" or "error", or went away */
    struct err err;
};

#define SIDE_NONE ((struct side){.child = CHILD_NONE})

/* Takes a message that is no error; reads the fields and ends with fields_end. */
typedef int side_reader(void *context, struct side *side, struct fields *fields, const char *type);

/* Starts LIBEXEC/ARGV[0]. */
int side_start(struct side *side, const char *libexec, const char *const argv[],
               const int *descriptors, size_t count, struct err *err);

/* Waits, at most for `timeout_ms`, for one of them to say something; a side that has ended, or was
 * not started, is not listened to. One that breaks the rules, or left without a last word, has
 * failed. */
int side_wait(struct side *const sides[], size_t count, unsigned timeout_ms, side_reader *reader,
              void *context, struct err *err);

bool side_failed(const struct side *side);

/* One message of a side, checked; -1 when it breaks the rules. */
int side_read(struct side *side, const json_t *message, side_reader *reader, void *context,
              struct err *err);

/* Ends the program, if it runs. */
void side_stop(struct side *side);

#endif
