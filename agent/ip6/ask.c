#include "ip6/ask.h"

#include <stddef.h>

/* RTR_SOLICITATION_INTERVAL, MAX_RTR_SOLICITATIONS and RFC 7559's MRT: nobody is asked more than
 * once in four seconds, and a network that gets its first router later has it within the hour at
 * the latest, in most cases at once, since routers say so when they begin. */
#define INTERVAL 4000
#define TRIES 3
#define INTERVAL_MOST (3600 * 1000)

void ask_restart(struct ask *ask, uint64_t now)
{
    ask->on = true;
    ask->answered = false;
    ask->sent = 0;
    ask->next = ask->asked_before && ask->last + INTERVAL > now ? ask->last + INTERVAL : now;
}

void ask_begin(struct ask *ask, uint64_t now)
{
    if (!ask->on)
        ask_restart(ask, now);
}

void ask_end(struct ask *ask)
{
    ask->on = false;
}

void ask_answered(struct ask *ask)
{
    ask->answered = true;
}

bool ask_is_due(const struct ask *ask, uint64_t now)
{
    return ask->on && ask->next <= now;
}

void ask_sent(struct ask *ask, uint64_t now, uint32_t random)
{
    uint64_t interval = INTERVAL;

    ask->sent++;
    ask->last = now;
    ask->asked_before = true;
    for (unsigned i = TRIES; i < ask->sent && interval < INTERVAL_MOST; i++)
        interval *= 2;
    if (interval > INTERVAL_MOST)
        interval = INTERVAL_MOST;
    ask->next = now + interval + (ask->sent > TRIES ? interval / 10 * (random % 1024) / 1024 : 0);
}

bool ask_is_over(const struct ask *ask, uint64_t now)
{
    return ask->on && (ask->sent > TRIES || (ask->sent == TRIES && ask->next <= now));
}

bool ask_is_hopeless(const struct ask *ask, uint64_t now)
{
    return !ask->answered && ask_is_over(ask, now);
}

uint64_t ask_next(const struct ask *ask)
{
    return ask->on ? ask->next : UINT64_MAX;
}
