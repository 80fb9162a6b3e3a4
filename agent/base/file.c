/* Files and descriptors. */
#include "base/file.h"

#include "base/err.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

long read_full(int fd, void *data, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got = read(fd, (char *)data + done, length - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (long)done;
}

int write_full(int fd, const void *data, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t put = write(fd, (const char *)data + done, length - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        done += (size_t)put;
    }
    return 0;
}

static int read_opened(int fd, const char *path, size_t limit, char **text, size_t *length,
                       struct err *err)
{
    CLEANUP_FREE char *data = NULL;
    size_t used = 0, allocated = 4096;

    /* Files in /proc and /sys say nothing about their size: read until the end. */
    for (;;) {
        long got;
        data = xrealloc(data, allocated + 1);
        got = read_full(fd, data + used, allocated - used);
        if (got < 0)
            return err_errno(err, ERR_INTERNAL, errno, "%s", path);
        used += (size_t)got;
        if (used > limit)
            return err_set(err, ERR_INTERNAL, "%s: larger than %zu bytes", path, limit);
        if (used < allocated)
            break;
        allocated *= 2;
    }
    data[used] = '\0';
    *text = data;
    data = NULL;
    if (length)
        *length = used;
    return 0;
}

int read_file(const char *path, size_t limit, char **text, size_t *length, struct err *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, ERR_INTERNAL, errno, "%s", path);
    return read_opened(fd, path, limit, text, length, err);
}

int read_file_if_there(const char *path, size_t limit, char **text, size_t *length, struct err *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, ERR_INTERNAL, errno, "%s", path);
    return read_opened(fd, path, limit, text, length, err) < 0 ? -1 : 1;
}

int sync_folder(const char *folder, struct err *err)
{
    CLEANUP_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "%s", folder);
    return 0;
}

int open_locked(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        err_errno(err, ERR_STORAGE_ERROR, errno, "cannot lock %s", path);
        close(fd);
        return -1;
    }
    return fd;
}

static int write_new(const char *path, const void *data, size_t length, unsigned mode,
                     struct err *err)
{
    CLEANUP_CLOSE int fd = -1;

    /* What a killed writer left behind may have another mode or be a link. */
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_full(fd, data, length) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "%s", path);
    return 0;
}

int write_file(const char *path, const void *data, size_t length, unsigned mode, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    CLEANUP_FREE char *folder =
        slash ? xasprintf("%.*s", (int)(slash - path + 1), path) : xstrdup("./");
    CLEANUP_FREE char *fresh = xasprintf("%s.%s.new", folder, name);

    if (write_new(fresh, data, length, mode, err) < 0) {
        unlink(fresh);
        return -1;
    }
    if (rename(fresh, path) < 0) {
        int error_number = errno;
        unlink(fresh);
        return err_errno(err, ERR_INTERNAL, error_number, "%s", path);
    }
    return sync_folder(folder, err);
}
