/* Room for the write-ahead log. A commit within a file's length waits for its own pages; one
 * that makes the file longer waits for the file system's journal as well: 6 to 10 ms instead of
 * 2 on ext4 in the emulator. So the log is as long as it gets before anything is written to it.
 * SQLite writes over what is there: zeros are no valid frame
 * (https://www.sqlite.org/fileformat2.html#walformat), and the file's length means nothing to
 * it. */
#include "base/log.h"
#include "store/internal.h"
#include "store/store.h"

static int write_zeros(sqlite3_file *log, sqlite3_int64 from, sqlite3_int64 to)
{
    static const char zeros[64 << 10];
    while (from < to) {
        int bytes =
            to - from < (sqlite3_int64)sizeof(zeros) ? (int)(to - from) : (int)sizeof(zeros);
        int result = log->pMethods->xWrite(log, zeros, bytes, from);
        if (result != SQLITE_OK)
            return result;
        from += bytes;
    }
    return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}

void store_log_make_room(struct store *store)
{
    sqlite3_file *log = NULL;
    sqlite3_int64 bytes;
    if (sqlite3_file_control(store->database, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log) !=
            SQLITE_OK ||
        !log || !log->pMethods || log->pMethods->xFileSize(log, &bytes) != SQLITE_OK ||
        bytes >= STORE_LOG_BYTES)
        return;
    int result = write_zeros(log, bytes, STORE_LOG_BYTES);
    if (result == SQLITE_OK)
        return;
    /* Without it all goes on as before, only slower. */
    log_warning("%s: no room for its log: %s", store->path, sqlite3_errstr(result));
    log->pMethods->xTruncate(log, bytes);
}
