/* The slices' console logs, written by xenconsoled as CONSOLE_DIR/guest-<slice>.log. Each is
 * kept as a ring of two files: the log and, when it had grown, what came before as .log.1. */
#ifndef SLICENODE_BACKEND_CONSOLE_LOG_H
#define SLICENODE_BACKEND_CONSOLE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Size at which the log is moved on to .1. */
#define CONSOLE_ROTATE_BYTES (1u << 20)

/* The last `bytes` bytes as valid UTF-8 (other bytes become U+FFFD), owned by the caller;
 * `truncated` says whether there was more. console_unavailable when there is no log. */
int console_tail(const char *folder, const char *slice, unsigned bytes, char **text,
                 bool *truncated, struct err *err);

/* Raw bytes of the log from `offset` on, at most `limit`; owned by the caller, terminated. When the
 * log has become shorter, from its beginning. Sets `offset` to the end of what was read. */
int console_read(const char *folder, const char *slice, uint64_t *offset, unsigned limit,
                 char **text, size_t *length, struct err *err);

/* Size of the log now; 0 when there is none. */
uint64_t console_size(const char *folder, const char *slice);

/* A follower's place in a slice's console: bytes from the beginning of the log; below 0, that many
 * before it, in what was moved on. console_place gives the one `bytes` before the end, or the
 * beginning of what there is; `more` says whether there is something before it. */
int64_t console_place(const char *folder, const char *slice, unsigned bytes, bool *more);

/* What came after `place`, as valid UTF-8 that the caller owns ("" when nothing did); `place` is
 * moved behind it. Of more than `limit` bytes the last ones; `skipped` says whether some are
 * missing. A character of which only the beginning is there is left for the next time. */
char *console_next(const char *folder, const char *slice, int64_t *place, unsigned limit,
                   bool *skipped);

/* Moves every log that is too long on, and tells its size: places in it are now so much less. */
void console_rotate(const char *folder,
                    void (*moved)(void *context, const char *slice, uint64_t size), void *context);

/* Gives up the older half of every log, when there is no room for what matters more. */
void console_drop_older(const char *folder);

/* Removes a slice's logs; absent ones are fine. */
int console_remove(const char *folder, const char *slice, struct err *err);

#endif
