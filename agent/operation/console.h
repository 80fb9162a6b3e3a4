/* slice.console: the answer. */
#ifndef SLICENODE_OPERATION_CONSOLE_H
#define SLICENODE_OPERATION_CONSOLE_H

#include "base/err.h"
#include "operation/task.h"

#include <jansson.h>

int console_answer(struct task *task, json_t **result, struct err *err);

#endif
