/* The event loop: descriptors and timers, one thread, poll(2). Callbacks may watch, unwatch, start
 * and cancel anything, themselves included. */
#ifndef SLICENODE_PROCESS_LOOP_H
#define SLICENODE_PROCESS_LOOP_H

#include <stdint.h>

struct loop;

/* `events` are poll(2)'s revents. */
typedef void loop_fd_function(void *context, int fd, short events);
typedef void loop_timer_function(void *context);

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Calls `function` when one of `events` is there; watching a descriptor again replaces what was. */
void loop_watch(struct loop *loop, int fd, short events, loop_fd_function *function, void *context);
void loop_unwatch(struct loop *loop, int fd);

/* Calls `function` once after `delay_ms`. The number is never 0, so 0 can stand for "no timer". */
unsigned loop_timer(struct loop *loop, uint64_t delay_ms, loop_timer_function *function,
                    void *context);
/* Harmless for a timer that has fired or for 0. */
void loop_cancel(struct loop *loop, unsigned timer);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
