/* What is wrong with the node now: entered, reported and cleared. */
#ifndef SLICENODE_NODE_PROBLEM_H
#define SLICENODE_NODE_PROBLEM_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct agent;

/* The protocol's maxItems: a hundred disks that are somebody else's leave room for what else is
 * wrong. Of ten times as many the last place says that there are more. */
#define PROBLEMS_MAX 256

/* Something that is wrong now, under a key that later news of the same matter replace. */
struct problem {
    char key[64];
    struct err error;
};

void problem_set(struct agent *agent, const char *key, const struct err *error);
void problem_clear(struct agent *agent, const char *key);
bool problem_known(const struct agent *agent, const char *key);
json_t *problems_json(const struct agent *agent);

#endif
