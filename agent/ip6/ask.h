/* When to ask, and ask again: three times, and then more and more rarely (RFC 4861, 7559). Pure. */
#ifndef SLICENODE_IP6_ASK_H
#define SLICENODE_IP6_ASK_H

#include <stdbool.h>
#include <stdint.h>

struct ask {
    bool on;
    bool answered; /* in this round, though not with all that was wanted */
    bool asked_before;
    unsigned sent; /* in this round */
    uint64_t next, last;
};

/* Begins a round, or lets the one go on that there is. */
void ask_begin(struct ask *ask, uint64_t now);
/* Begins anew, as on another network. */
void ask_restart(struct ask *ask, uint64_t now);
void ask_end(struct ask *ask);
/* Somebody has answered, and the round goes on. */
void ask_answered(struct ask *ask);

bool ask_is_due(const struct ask *ask, uint64_t now);
/* After one was sent; `random` spreads what many nodes that start at once do. */
void ask_sent(struct ask *ask, uint64_t now, uint32_t random);

/* Whether the first three have had their time. */
bool ask_is_over(const struct ask *ask, uint64_t now);
/* And nobody has answered. */
bool ask_is_hopeless(const struct ask *ask, uint64_t now);
/* When something of this changes next. */
uint64_t ask_next(const struct ask *ask);

#endif
