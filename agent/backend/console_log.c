#include "backend/console_log.h"

#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *log_path(const char *folder, const char *slice, const char *suffix)
{
    return xasprintf("%s/guest-%s.log%s", folder, slice, suffix);
}

/* The folder is xenconsoled's, which is not trusted: links, pipes and devices are not opened. */
static int open_log(const char *path, int flags)
{
    struct stat status;
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* Appends the last `bytes` of a file to `buffer`; says how much the file has. */
static size_t read_tail(const char *path, size_t bytes, char *buffer, uint64_t *size)
{
    CLEANUP_CLOSE int fd = open_log(path, O_RDONLY);
    struct stat status;
    *size = 0;
    if (fd < 0 || fstat(fd, &status) < 0)
        return 0;
    *size = (uint64_t)status.st_size;
    size_t wanted = *size < bytes ? (size_t)*size : bytes;
    long got = 0;
    if (lseek(fd, (off_t)(*size - wanted), SEEK_SET) >= 0)
        got = read_full(fd, buffer, wanted);
    return got > 0 ? (size_t)got : 0;
}

/* Length of the UTF-8 sequence at `text`, 0 when it is none that JSON may hold. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    unsigned char c = text[0];
    if (c < 0x80)
        return c == 0 ? 0 : 1;
    size_t length = c >= 0xf0 && c <= 0xf4  ? 4
                    : c >= 0xe0 && c < 0xf0 ? 3
                    : c >= 0xc2 && c < 0xe0 ? 2
                                            : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

static char *to_utf8(const char *raw, size_t length)
{
    char *text = xcalloc(length + 1, 3);
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        size_t take = utf8_length((const unsigned char *)raw + i, length - i);
        if (take) {
            memcpy(text + used, raw + i, take);
            used += take;
            i += take;
        } else {
            memcpy(text + used, "\xef\xbf\xbd", 3);
            used += 3;
            i++;
        }
    }
    return text;
}

int console_tail(const char *folder, const char *slice, unsigned bytes, char **text,
                 bool *truncated, struct err *err)
{
    CLEANUP_FREE char *path = log_path(folder, slice, "");
    CLEANUP_FREE char *older_path = log_path(folder, slice, ".1");
    CLEANUP_FREE char *buffer = xcalloc(1, (size_t)bytes + 1);
    uint64_t size, older_size = 0;
    if (access(path, R_OK) < 0)
        return err_errno(err, ERR_CONSOLE_UNAVAILABLE, errno, "there is no console log of slice %s",
                         slice);
    size_t newer = read_tail(path, bytes, buffer, &size), older = 0;
    CLEANUP_FREE char *before = xcalloc(1, (size_t)bytes + 1);
    older = read_tail(older_path, bytes - newer, before, &older_size);
    CLEANUP_FREE char *joined = xcalloc(1, older + newer + 1);
    memcpy(joined, before, older);
    memcpy(joined + older, buffer, newer);
    *truncated = size + older_size > older + newer;
    *text = to_utf8(joined, older + newer);
    return 0;
}

int console_read(const char *folder, const char *slice, uint64_t *offset, unsigned limit,
                 char **text, size_t *length, struct err *err)
{
    CLEANUP_FREE char *path = log_path(folder, slice, "");
    CLEANUP_CLOSE int fd = open_log(path, O_RDONLY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return err_errno(err, ERR_CONSOLE_UNAVAILABLE, errno, "there is no console log of slice %s",
                         slice);
    if ((uint64_t)status.st_size < *offset)
        *offset = 0;
    *text = xcalloc(1, (size_t)limit + 1);
    long got = -1;
    if (lseek(fd, (off_t)*offset, SEEK_SET) >= 0)
        got = read_full(fd, *text, limit);
    if (got < 0) {
        free(*text);
        return err_errno(err, ERR_CONSOLE_UNAVAILABLE, errno, "cannot read %s", path);
    }
    *length = (size_t)got;
    *offset += (uint64_t)got;
    return 0;
}

uint64_t console_size(const char *folder, const char *slice)
{
    CLEANUP_FREE char *path = log_path(folder, slice, "");
    struct stat status;
    return lstat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static uint64_t file_size(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

int64_t console_place(const char *folder, const char *slice, unsigned bytes, bool *more)
{
    CLEANUP_FREE char *path = log_path(folder, slice, "");
    CLEANUP_FREE char *older_path = log_path(folder, slice, ".1");
    int64_t size = (int64_t)file_size(path), older = (int64_t)file_size(older_path);
    int64_t place = size - (int64_t)bytes;
    *more = place > -older;
    return *more ? place : -older;
}

/* Appends up to `bytes` bytes of a file from `offset` on; how many there were. */
static size_t read_part(const char *path, int64_t offset, size_t bytes, char *buffer)
{
    CLEANUP_CLOSE int fd = open_log(path, O_RDONLY);
    if (fd < 0 || lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return 0;
    long got = read_full(fd, buffer, bytes);
    return got > 0 ? (size_t)got : 0;
}

/* Length of a character at the end whose rest has not come yet. */
static size_t unfinished(const char *raw, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char c = (unsigned char)raw[length - back];
        if (c >= 0xc0)
            return back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? back : 0;
        if (c < 0x80)
            return 0;
    }
    return 0;
}

char *console_next(const char *folder, const char *slice, int64_t *place, unsigned limit,
                   bool *skipped)
{
    CLEANUP_FREE char *path = log_path(folder, slice, "");
    CLEANUP_FREE char *older_path = log_path(folder, slice, ".1");
    CLEANUP_FREE char *raw = xcalloc(1, (size_t)limit + 1);
    int64_t size = (int64_t)file_size(path), older = (int64_t)file_size(older_path);
    int64_t from = *place > size ? 0 : *place < -older ? -older : *place;
    size_t used = 0, start = 0;
    if (size - from > (int64_t)limit)
        from = size - (int64_t)limit;
    *skipped = from != *place;
    if (from < 0)
        used = read_part(older_path, older + from, (size_t)-from, raw);
    used +=
        read_part(path, from > 0 ? from : 0, (size_t)(from > 0 ? size - from : size), raw + used);
    while (*skipped && start < used && start < 3 && (raw[start] & 0xc0) == 0x80)
        start++;
    size_t left = unfinished(raw + start, used - start);
    if (left == used - start)
        left = 0;
    *place = size - (int64_t)left;
    return to_utf8(raw + start, used - start - left);
}

/* The writer holds the file open for appending, so the file is copied and cut, not renamed. What is
 * written between the two is lost; that is a few microseconds each MiB. */
static bool rotate(const char *path, uint64_t *size)
{
    CLEANUP_FREE char *older = xasprintf("%s.1", path);
    CLEANUP_FREE char *buffer = xcalloc(1, CONSOLE_ROTATE_BYTES);
    size_t length = read_tail(path, CONSOLE_ROTATE_BYTES, buffer, size);
    CLEANUP_CLOSE int log = open_log(path, O_WRONLY);
    CLEANUP_CLOSE int fd = open_log(older, O_WRONLY | O_CREAT);
    if (log >= 0 && fd >= 0 && ftruncate(fd, 0) == 0 && write_full(fd, buffer, length) == 0 &&
        ftruncate(log, 0) == 0)
        return true;
    log_warning("cannot rotate %s: %s", path, strerror(errno));
    return false;
}

/* The slice that a log is of; false when it is none of ours. */
static bool slice_of(const char *name, char slice[static UUID_TEXT_BYTES])
{
    size_t length = strlen(name);
    if (strncmp(name, "guest-", 6) != 0 || length != 6 + UUID_TEXT_BYTES - 1 + 4)
        return false;
    memcpy(slice, name + 6, UUID_TEXT_BYTES - 1);
    slice[UUID_TEXT_BYTES - 1] = '\0';
    return uuid_valid(slice);
}

void console_rotate(const char *folder,
                    void (*moved)(void *context, const char *slice, uint64_t size), void *context)
{
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    while (open_folder && (entry = readdir(open_folder))) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".log") != 0)
            continue;
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entry->d_name);
        struct stat status;
        char slice[UUID_TEXT_BYTES];
        uint64_t size;
        if (lstat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            status.st_size > CONSOLE_ROTATE_BYTES && rotate(path, &size) &&
            slice_of(entry->d_name, slice))
            moved(context, slice, size);
    }
    if (open_folder)
        closedir(open_folder);
}

void console_drop_older(const char *folder)
{
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    while (open_folder && (entry = readdir(open_folder))) {
        size_t length = strlen(entry->d_name);
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entry->d_name);
        if (length > 6 && strcmp(entry->d_name + length - 6, ".log.1") == 0 && unlink(path) == 0)
            log_warning("%s is given up: the state volume is full", path);
    }
    if (open_folder)
        closedir(open_folder);
}

int console_remove(const char *folder, const char *slice, struct err *err)
{
    CLEANUP_FREE char *path = log_path(folder, slice, "");
    CLEANUP_FREE char *older = log_path(folder, slice, ".1");
    if ((unlink(path) < 0 && errno != ENOENT) || (unlink(older) < 0 && errno != ENOENT))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot remove %s", path);
    /* Once the store has forgotten the slice, nobody would remove what a power cut brings back. */
    return access(folder, F_OK) < 0 ? 0 : sync_folder(folder, err);
}
