/* How often a slice has crashed lately; `note` counts one more. */
#ifndef SLICENODE_WATCH_CRASHES_H
#define SLICENODE_WATCH_CRASHES_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

/* Then it is left alone. At ten times as many slices that cannot run would keep the node busy. */
#define CRASHES_MAX 5
#define CRASHES_WITHIN_MS (10 * 60 * 1000)
unsigned crashes_recent(struct agent *agent, const char *slice);
unsigned crashes_note(struct agent *agent, const char *slice);
void crashes_forget(struct agent *agent, const char *slice);

#endif
