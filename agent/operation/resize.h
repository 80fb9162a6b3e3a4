/* slice.resize. */
#ifndef SLICENODE_OPERATION_RESIZE_H
#define SLICENODE_OPERATION_RESIZE_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "plan/facts.h"
#include "plan/steps.h"

#include <jansson.h>

int task_prepare_resize(struct task *task, struct slice *slice, struct plan_facts *facts,
                        struct err *err);
void task_apply_resized(struct task *task, const struct step *step, const json_t *output);
void task_apply_resize_done(struct task *task, json_t **result);
void task_apply_resize_failed(struct task *task);

#endif
