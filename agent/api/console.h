/* The terminal of a slice's console. */
#ifndef SLICENODE_API_CONSOLE_H
#define SLICENODE_API_CONSOLE_H

#include "api/socket.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>

/* {slice} -> {tty}, its path. */
void console_tty(struct agent *agent, struct api_call *call, const json_t *params);

#endif
