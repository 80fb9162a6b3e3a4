/* Commits of the store are moments, too: what lies between a record and the step that it announces.
 * SQLite tells of them, so the agent itself needs no hooks. */
#include "backend/sim/commit.h"

#include "backend/sim/folder.h"
#include "backend/sim/moment.h"
#include "store/store.h"

#include <sqlite3.h>

static struct sim *parent;
static sqlite3 *database; /* opened before the backend */

static int before_commit(void *context)
{
    (void)context;
    if (parent)
        sim_moment(parent, "commit");
    return 0;
}

static int after_commit(void *context, sqlite3 *changed, const char *name, int pages)
{
    (void)context;
    if (parent)
        sim_moment(parent, "committed");
    if (pages >= STORE_LOG_PAGES) /* as SQLite does by itself, which the hook replaces */
        sqlite3_wal_checkpoint(changed, name);
    return SQLITE_OK;
}

static int opened(sqlite3 *made, char **message, const struct sqlite3_api_routines *routines)
{
    (void)message;
    (void)routines;
    database = made;
    sqlite3_commit_hook(made, before_commit, NULL);
    return SQLITE_OK;
}

__attribute__((constructor)) static void expect_store(void)
{
    sqlite3_auto_extension((void (*)(void))opened);
}

void sim_watch_commits(struct sim *sim)
{
    parent = sim;
    if (sim && database)
        sqlite3_wal_hook(database, after_commit, NULL);
}
