/* What the commands have in common: their words, their calls, and a request that is followed to
 * its end. */
#ifndef SLICENODE_CTL_REQUEST_H
#define SLICENODE_CTL_REQUEST_H

#include "ctl/link.h"

/* Sends a request and stays until it has ended, telling its steps; gives the exit code. `id` and
 * `slice` may be NULL; `args` is taken over. */
int carry_out(struct control *control, const char *operation, const char *id, const char *slice,
              json_t *args);
/* Calls a method and prints what it gives. Takes `params` over. */
int call_and_print(struct control *control, const char *method, json_t *params,
                   void (*print)(const json_t *));
/* Takes `--NAME VALUE` or, without `value`, `--NAME` out of the words. */
bool take_option(int *count, char **words, const char *name, const char **value);
/* What the word says; exits with a message that begins with `what` when it is no number. */
json_t *number_of(const char *what, const char *word);

/* Shows a request's steps, as `notified` of struct control. */
void show_progress(struct control *control, const char *method, const json_t *params);
/* Prints how a request ended; gives the exit code. */
int print_end(struct control *control, const json_t *request);

#endif
