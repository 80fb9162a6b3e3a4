#include "process/loop.h"

#include "base/clock.h"
#include "base/memory.h"

#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

struct watch {
    int fd; /* -1: removed, the place is free again after the round */
    short events;
    loop_fd_function *function;
    void *context;
};

struct timer {
    unsigned number;
    uint64_t due_ms;
    loop_timer_function *function;
    void *context;
    struct timer *next; /* sorted by due_ms */
};

struct loop {
    struct watch *watches;
    size_t watch_count;
    size_t watch_allocated;
    struct pollfd *polled;
    size_t polled_allocated;
    struct timer *timers;
    unsigned last_number;
    bool stopped;
};

struct loop *loop_new(void)
{
    return xcalloc(1, sizeof(struct loop));
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->timers) {
        struct timer *timer = loop->timers;
        loop->timers = timer->next;
        free(timer);
    }
    free(loop->watches);
    free(loop->polled);
    free(loop);
}

void loop_watch(struct loop *loop, int fd, short events, loop_fd_function *function, void *context)
{
    struct watch watch = {.fd = fd, .events = events, .function = function, .context = context};
    for (size_t i = 0; i < loop->watch_count; i++) {
        if (loop->watches[i].fd == fd) {
            loop->watches[i] = watch;
            return;
        }
    }
    if (loop->watch_count == loop->watch_allocated) {
        loop->watch_allocated = loop->watch_allocated ? loop->watch_allocated * 2 : 16;
        loop->watches = xrealloc(loop->watches, loop->watch_allocated * sizeof(*loop->watches));
    }
    loop->watches[loop->watch_count++] = watch;
}

void loop_unwatch(struct loop *loop, int fd)
{
    for (size_t i = 0; i < loop->watch_count; i++)
        if (fd >= 0 && loop->watches[i].fd == fd)
            loop->watches[i].fd = -1;
}

unsigned loop_timer(struct loop *loop, uint64_t delay_ms, loop_timer_function *function,
                    void *context)
{
    struct timer *timer = xcalloc(1, sizeof(*timer));
    if (++loop->last_number == 0)
        loop->last_number = 1;
    timer->number = loop->last_number;
    timer->due_ms = monotonic_ms() + delay_ms;
    timer->function = function;
    timer->context = context;
    struct timer **place = &loop->timers;
    while (*place && (*place)->due_ms <= timer->due_ms)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
    return timer->number;
}

void loop_cancel(struct loop *loop, unsigned number)
{
    for (struct timer **place = &loop->timers; number && *place; place = &(*place)->next) {
        if ((*place)->number == number) {
            struct timer *timer = *place;
            *place = timer->next;
            free(timer);
            return;
        }
    }
}

/* Timers that a callback starts with no delay wait for the next round, so that descriptors get
 * their turn in between. */
static void run_timers(struct loop *loop)
{
    uint64_t now = monotonic_ms();
    unsigned newest = loop->last_number;
    while (loop->timers && loop->timers->due_ms <= now && !loop->stopped) {
        struct timer *timer = loop->timers;
        if (timer->number > newest)
            return;
        loop->timers = timer->next;
        loop_timer_function *function = timer->function;
        void *context = timer->context;
        free(timer);
        function(context);
    }
}

static int next_timeout(const struct loop *loop)
{
    if (!loop->timers)
        return -1;
    uint64_t now = monotonic_ms();
    if (loop->timers->due_ms <= now)
        return 0;
    uint64_t wait = loop->timers->due_ms - now;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

static size_t fill_polled(struct loop *loop)
{
    size_t kept = 0;
    for (size_t i = 0; i < loop->watch_count; i++)
        if (loop->watches[i].fd >= 0)
            loop->watches[kept++] = loop->watches[i];
    loop->watch_count = kept;
    if (loop->polled_allocated < kept) {
        loop->polled_allocated = loop->watch_allocated;
        loop->polled = xrealloc(loop->polled, loop->polled_allocated * sizeof(*loop->polled));
    }
    for (size_t i = 0; i < kept; i++)
        loop->polled[i] =
            (struct pollfd){.fd = loop->watches[i].fd, .events = loop->watches[i].events};
    return kept;
}

void loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        run_timers(loop);
        if (loop->stopped)
            return;
        size_t count = fill_polled(loop);
        int ready = poll(loop->polled, count, next_timeout(loop));
        if (ready <= 0)
            continue; /* a timer is due, or a signal came */
        for (size_t i = 0; i < count && !loop->stopped; i++) {
            /* A callback may have replaced the watch: what poll saw is for the old one only when
             * the descriptor is still the same. */
            struct watch watch = loop->watches[i];
            if (loop->polled[i].revents && watch.fd == loop->polled[i].fd)
                watch.function(watch.context, watch.fd, loop->polled[i].revents);
        }
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
