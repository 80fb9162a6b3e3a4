/* When a slice has crashed lately, in the store: a crash loop is recognised also when the agent
 * was started anew meanwhile. Times are of the monotonic clock, so they hold for one boot of the
 * node. */
#include "watch/crashes.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "store/must.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES (sizeof("crashes-") + UUID_TEXT_BYTES)
#define TEXT_BYTES (UUID_TEXT_BYTES + CRASHES_MAX * 21 + 1)

struct crashes {
    uint64_t times_ms[CRASHES_MAX]; /* oldest first */
    unsigned count;
};

static void name_of(char name[static NAME_BYTES], const char *slice)
{
    snprintf(name, NAME_BYTES, "crashes-%s", slice);
}

/* "BOOT-ID MS MS ...": those of this boot that are not too long ago. */
static void load(struct agent *agent, const char *slice, struct crashes *crashes)
{
    char name[NAME_BYTES];
    CLEANUP_FREE char *text = NULL;
    uint64_t now = monotonic_ms();
    struct err err;
    name_of(name, slice);
    crashes->count = 0;
    must(store_get(agent->store, name, &text, &err), &err);
    if (!text || strncmp(text, agent->boot_id, strlen(agent->boot_id)) != 0)
        return;
    char *next = text + strlen(agent->boot_id);
    while (*next && crashes->count < CRASHES_MAX) {
        char *end;
        uint64_t time = strtoull(next, &end, 10);
        if (end == next)
            break;
        next = end;
        if (time <= now && now - time < CRASHES_WITHIN_MS)
            crashes->times_ms[crashes->count++] = time;
    }
}

unsigned crashes_recent(struct agent *agent, const char *slice)
{
    struct crashes crashes;
    load(agent, slice, &crashes);
    return crashes.count;
}

unsigned crashes_note(struct agent *agent, const char *slice)
{
    struct crashes crashes;
    char name[NAME_BYTES], text[TEXT_BYTES];
    struct err err;
    load(agent, slice, &crashes);
    if (crashes.count == CRASHES_MAX)
        memmove(crashes.times_ms, crashes.times_ms + 1,
                --crashes.count * sizeof(*crashes.times_ms));
    crashes.times_ms[crashes.count++] = monotonic_ms();
    size_t used = (size_t)snprintf(text, sizeof(text), "%s", agent->boot_id);
    for (unsigned i = 0; i < crashes.count; i++)
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, " %" PRIu64, crashes.times_ms[i]);
    name_of(name, slice);
    must(store_set(agent->store, name, text, &err), &err);
    return crashes.count;
}

void crashes_forget(struct agent *agent, const char *slice)
{
    char name[NAME_BYTES];
    CLEANUP_FREE char *text = NULL;
    struct err err;
    name_of(name, slice);
    must(store_get(agent->store, name, &text, &err), &err);
    if (text)
        must(store_set(agent->store, name, NULL, &err), &err);
}
