/* Who the node is to its controller, on disk. */
#ifndef SLICENODE_NODE_IDENTITY_H
#define SLICENODE_NODE_IDENTITY_H

#include "base/err.h"

#include <stdbool.h>

/* Who the node is to its controller; "" where unknown. */
struct identity {
    char *folder;
    char *node_id;
    char *key;
    char *csr;
    char *certificate;
    char *ca;
    char *controller; /* the parameter as it was at enrolment */
};

int identity_load(struct identity *identity, const char *folder, struct err *err);
int identity_save(const struct identity *identity, struct err *err);
void identity_free(struct identity *identity);
bool identity_enrolled(const struct identity *identity);
/* Forgets the controller and keeps the key. */
void identity_forget(struct identity *identity);
/* Tells the boot's scripts who the node is (RUN_DIR/node-id): they note it on the disks. */
void identity_tell(const struct identity *identity, const char *run_dir);
/* Who the node was, by the label on one of its disks (RUN_DIR/previous-node), when it is nobody
 * now; NULL else. The caller frees it. */
char *identity_lost(const struct identity *identity, const char *run_dir);
void identity_set(char **field, const char *value);

#endif
