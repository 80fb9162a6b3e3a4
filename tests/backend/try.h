/* A few lines of harness for the programs that exercise the real backends. */
#ifndef TESTS_BACKEND_TRY_H
#define TESTS_BACKEND_TRY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Counts one check and prints it when it failed, with the message in `err` (which may be NULL) and
 * clears `err`. Returns `ok`. */
bool try_check(bool ok, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Checks that a call failed with `code` and that its message contains `words`. */
bool try_refused(int result, struct err *err, enum err_code code, const char *words);

/* Prints how long something took. */
void try_time(const char *what, uint64_t started_ms);

/* The closing line; the exit status of the program. */
int try_end(const char *program);

#endif
