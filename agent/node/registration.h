/* The registration: what the node is, in as many parts as its slices, snapshots and volumes take.
 * All parts are of one moment. */
#ifndef SLICENODE_NODE_REGISTRATION_H
#define SLICENODE_NODE_REGISTRATION_H

#include "base/err.h"
#include "base/ident.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct registration {
    char set[UUID_TEXT_BYTES]; /* what its parts have in common */
    char **parts;              /* JSON texts, without their places in the set */
    size_t count;              /* at least 1 */
};

/* -1 when the node has more than the parts that are allowed can tell. The caller frees it. */
int registration_make(struct agent *agent, struct registration *registration, struct err *err);
/* The body of one part, a registration by itself when it is the only one; the caller owns it. */
json_t *registration_part(const struct registration *registration, size_t index);
void registration_free(struct registration *registration);

/* For node.report: the first part, of one that is dropped. Sets whether it is all. */
int registration_report(struct agent *agent, json_t **report, bool *whole, struct err *err);

#endif
