/* Watches slices boot: a boot loader that found nothing to boot is told from a kernel that runs. */
#include "watch/boots.h"

#include "backend/console_log.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/slice.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "operation/task.h"
#include "process/loop.h"
#include "store/store.h"
#include "watch/boot_check.h"
#include "watch/change.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_INTERVAL_MS 1000
#define WATCH_MS 180000 /* a boot loader under emulation and load takes its time */
/* Of a console, from the boot on: boot loaders say less. What comes after is not looked at. */
#define TEXT_LIMIT (64u << 10)

struct boot {
    char slice[UUID_TEXT_BYTES];
    uint64_t started_ms;
    uint64_t console_from;
    uint64_t console_seen; /* its size when it was judged last */
    bool decided;
    bool loader_failed; /* seen once; a second look decides */
    struct boot *next;
};

static struct boot *boot_find(const struct agent *agent, const char *slice)
{
    struct boot *boot = agent->boots;
    while (boot && strcmp(boot->slice, slice) != 0)
        boot = boot->next;
    return boot;
}

uint64_t boots_age_ms(const struct agent *agent, const char *slice)
{
    const struct boot *boot = boot_find(agent, slice);
    return boot ? monotonic_ms() - boot->started_ms : UINT64_MAX;
}

/* Nothing is to be learnt any more: it is decided, or has taken too long. */
static bool is_over(const struct boot *boot)
{
    return boot->decided || monotonic_ms() - boot->started_ms >= WATCH_MS;
}

static enum boot_verdict boot_judge(const struct agent *agent, const struct boot *boot, bool ended,
                                    struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    uint64_t offset = boot->console_from;
    size_t length = 0;
    if (console_read(agent->options.console_dir, boot->slice, &offset, TEXT_LIMIT, &text, &length,
                     NULL) < 0)
        return BOOT_UNKNOWN;
    return boot_check(text, length, ended, err);
}

bool boots_failed(const struct agent *agent, const char *slice, struct err *err)
{
    const struct boot *boot = boot_find(agent, slice);
    return boot && !is_over(boot) && boot_judge(agent, boot, true, err) == BOOT_LOADER_FAILED;
}

static bool is_in_state(struct agent *agent, const char *id, enum slice_state state)
{
    struct slice slice;
    if (store_slice_find(agent->store, id, &slice, NULL) != 1)
        return false;
    bool same = slice.state == state;
    slice_free(&slice);
    return same;
}

static void boot_fail(struct agent *agent, const struct boot *boot, const struct err *error)
{
    struct slice slice;
    if (store_slice_find(agent->store, boot->slice, &slice, NULL) != 1)
        return;
    if (slice.state == SLICE_RUNNING)
        slice_fail(agent, &slice, error);
    slice_free(&slice);
}

/* What has said nothing since was judged already. What stands still says nothing about its boot. */
static bool is_to_be_judged(struct agent *agent, struct boot *boot)
{
    uint64_t size = console_size(agent->options.console_dir, boot->slice);
    if ((size == boot->console_seen && !boot->loader_failed) ||
        tasks_slice_busy(agent->tasks, boot->slice) ||
        is_in_state(agent, boot->slice, SLICE_PAUSED))
        return false;
    boot->console_seen = size;
    return true;
}

/* true when it is to be looked at again. */
static bool look_at(struct agent *agent, struct boot *boot)
{
    struct err error;
    if (is_over(boot))
        return false;
    if (!is_to_be_judged(agent, boot))
        return true;
    enum boot_verdict verdict = boot_judge(agent, boot, false, &error);
    bool twice = verdict == BOOT_LOADER_FAILED && boot->loader_failed;
    boot->loader_failed = verdict == BOOT_LOADER_FAILED;
    boot->decided = verdict == BOOT_KERNEL_RUNS || twice;
    if (twice)
        boot_fail(agent, boot, &error);
    return !boot->decided;
}

static void look(void *context)
{
    struct agent *agent = context;
    bool again = false;
    agent->boots_timer = 0;
    for (struct boot *boot = agent->boots; boot; boot = boot->next)
        again |= look_at(agent, boot);
    if (again)
        agent->boots_timer = loop_timer(agent->loop, LOOK_INTERVAL_MS, look, agent);
}

void boots_begin(void *context, const char *slice, uint64_t console_bytes)
{
    struct agent *agent = context;
    struct boot *boot = boot_find(agent, slice);
    if (!boot) {
        boot = xcalloc(1, sizeof(*boot));
        copy_text(boot->slice, sizeof(boot->slice), slice);
        boot->next = agent->boots;
        agent->boots = boot;
    }
    boot->started_ms = monotonic_ms();
    boot->console_from = boot->console_seen = console_bytes;
    boot->decided = boot->loader_failed = false;
    if (!agent->boots_timer)
        agent->boots_timer = loop_timer(agent->loop, LOOK_INTERVAL_MS, look, agent);
}

void boots_forget(struct agent *agent, const char *slice)
{
    for (struct boot **place = &agent->boots; *place; place = &(*place)->next) {
        if (strcmp((*place)->slice, slice) == 0) {
            struct boot *boot = *place;
            *place = boot->next;
            free(boot);
            return;
        }
    }
}

void boots_close(struct agent *agent)
{
    loop_cancel(agent->loop, agent->boots_timer);
    while (agent->boots)
        boots_forget(agent, agent->boots->slice);
}
