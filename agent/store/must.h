/* For failures that leave no way on: a store that cannot be written. The supervisor starts the
 * agent again and recovery goes on from what is recorded. */
#ifndef SLICENODE_STORE_MUST_H
#define SLICENODE_STORE_MUST_H

#include "base/err.h"

/* Returns `result` when it is not negative; else logs `err` and exits. */
int must(int result, const struct err *err);

#endif
