/* Commits of the store are moments, too: what lies between a record and the step that it
 * announces. */
#include "backend/sim/commit.h"

#include "backend/open.h"
#include "backend/sim/folder.h"
#include "backend/sim/moment.h"
#include "store/store.h"

static void before(void *context)
{
    sim_moment(context, "commit");
}

static void after(void *context)
{
    sim_moment(context, "committed");
}

void sim_watch_commits(struct sim *sim, struct store *store)
{
    store_watch_commits(store,
                        &(struct commit_watch){.before = before, .after = after, .context = sim});
}
