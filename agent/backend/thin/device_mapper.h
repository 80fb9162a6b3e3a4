/* Device mapper requests, one call each; private to this room. Only device_mapper.c includes
 * libdevmapper.h. */
#ifndef SLICENODE_BACKEND_THIN_DEVICE_MAPPER_H
#define SLICENODE_BACKEND_THIN_DEVICE_MAPPER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Of a table or status of the pool: some numbers and words. A longer one is an error. */
#define MAPPER_PARAMS_BYTES 512
#define SECTOR_BYTES 512

struct mapper_device {
    bool exists;
    bool suspended;
    bool read_only;
    unsigned open_count;
    unsigned major;
    unsigned minor;
    /* Of its only target; "" when it has none or several. */
    char target[32];
    char params[MAPPER_PARAMS_BYTES];
    uint64_t sectors;
};

/* One linear extent of one target; the table of a device. */
struct mapper_table {
    const char *target;
    const char *params;
    uint64_t sectors;
    bool read_only;
};

/* To be called once before the others: no udev, errors to the log. */
void mapper_prepare(void);

/* The functions below return 0, or -1 with `err` filled and errno as the kernel gave it. */

/* The device's state with its table's parameters; an absent one is no error (`exists`). */
int mapper_inspect(const char *name, struct mapper_device *device, struct err *err);
/* The same with the target's status line in `params`. */
int mapper_status(const char *name, struct mapper_device *device, struct err *err);

int mapper_message(const char *name, const char *message, struct err *err);
/* Creates the device with its node /dev/mapper/NAME. */
int mapper_create(const char *name, const struct mapper_table *table, struct err *err);
/* Loads a table that the next resume puts in the place of the present one. */
int mapper_reload(const char *name, const struct mapper_table *table, struct err *err);
/* Waits for I/O under way and holds back what comes until mapper_resume. */
int mapper_suspend(const char *name, struct err *err);
int mapper_resume(const char *name, struct err *err);
int mapper_remove(const char *name, struct err *err);
/* Makes the node again if somebody lost it. */
int mapper_make_node(const char *name, struct err *err);

#endif
