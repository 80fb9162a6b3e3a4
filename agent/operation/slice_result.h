/* A slice's new state, and the slice as an answer. */
#ifndef SLICENODE_OPERATION_SLICE_RESULT_H
#define SLICENODE_OPERATION_SLICE_RESULT_H

#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "operation/type.h"

#include <jansson.h>

/* Enters the slice's new state and tells it; `slice` is released. */
void slice_set_state(struct task *task, struct slice *slice, enum slice_state state,
                     const char *reason);
/* The request's slice as the protocol shows it; NULL when it is gone. */
json_t *task_slice_result(struct task *task);

#endif
