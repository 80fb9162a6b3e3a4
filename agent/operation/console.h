/* slice.console. */
#ifndef SLICENODE_OPERATION_CONSOLE_H
#define SLICENODE_OPERATION_CONSOLE_H

#include "model/arguments.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>

/* Its arguments; false when they are wrong. */
bool console_args(const struct task *task, struct console_args *args);

#endif
