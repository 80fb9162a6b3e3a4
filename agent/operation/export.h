/* snapshot.export. */
#ifndef SLICENODE_OPERATION_EXPORT_H
#define SLICENODE_OPERATION_EXPORT_H

#include "base/err.h"
#include "operation/task.h"
#include "step/worker.h"

#include <jansson.h>
#include <stdbool.h>

int task_prepare_export(struct task *task, struct err *err);
/* What the worker needs of it; false for another operation. */
bool task_load_export(struct task *task, struct worker_export *export);
json_t *task_export_result(struct task *task);

#endif
