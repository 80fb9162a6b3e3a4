/* A slice has changed by itself: entered in the store and told. */
#ifndef SLICENODE_WATCH_CHANGE_H
#define SLICENODE_WATCH_CHANGE_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <stdbool.h>

/* Whether it had a domain when it was last seen. */
bool slice_has_domain(const struct slice *slice);
/* What the slice printed last, for an event; the caller frees it. NULL when that cannot be read. */
char *slice_last_lines(struct agent *agent, const char *slice);
/* Keeps the slice's new state and tells of it; `error` and `console` may be NULL. */
void slice_changed(struct agent *agent, const struct slice *slice, const char *reason,
                   const struct err *error, const char *console);
/* Stops the slice, which stays failed for that reason. */
void slice_fail(struct agent *agent, struct slice *slice, const struct err *error);

#endif
