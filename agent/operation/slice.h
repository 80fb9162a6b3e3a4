/* What operations on a slice have in common: what is checked before, what the store learns, and
 * the end. */
#ifndef SLICENODE_OPERATION_SLICE_H
#define SLICENODE_OPERATION_SLICE_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/steps.h"

#include <jansson.h>
#include <stdbool.h>

/* Whether the slice has a domain now, and whether that has ended. */
int task_find_domain(struct task *task, const char *slice, struct plan_facts *facts,
                     struct err *err);
/* Whether there is memory for its domain, and storage. */
int slice_admit_start(struct task *task, const struct slice *slice, struct err *err);
/* It is to run or not from now on, and all is well with it. */
void slice_wish(struct task *task, struct slice *slice, bool running);

/* As in struct operation_type. */
int slice_end_step(struct task *task, const struct step *step, const json_t *output,
                   struct err *err);
void slice_done(struct task *task, json_t **result);
void slice_failed(struct task *task);

#endif
