/* Watches slices boot: a boot loader that found nothing to boot is told from a kernel that runs. */
#ifndef SLICENODE_WATCH_BOOTS_H
#define SLICENODE_WATCH_BOOTS_H

#include "base/err.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <stdbool.h>
#include <stdint.h>

/* A domain starts. `console_bytes` is the console log's size before the domain's start. */
void boots_begin(void *agent, const char *slice, uint64_t console_bytes);
/* Since this process started its domain; UINT64_MAX when it was another one. */
uint64_t boots_age_ms(const struct agent *agent, const char *slice);
/* The domain has ended: whether it had only come to a boot loader that found nothing to boot. */
bool boots_failed(const struct agent *agent, const char *slice, struct err *err);
void boots_forget(struct agent *agent, const char *slice);
void boots_close(struct agent *agent);

#endif
