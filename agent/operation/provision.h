/* slice.provision. */
#ifndef SLICENODE_OPERATION_PROVISION_H
#define SLICENODE_OPERATION_PROVISION_H

#include "base/err.h"
#include "operation/task.h"

int provision_prepare(struct task *task, struct err *err);
int provision_enter_clone(struct task *task, struct err *err);
void provision_failed(struct task *task);

#endif
