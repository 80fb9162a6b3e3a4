#include "disks/prepare.h"
#include "base/file.h"
#include "base/memory.h"
#include "disks/content.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)
/* Both ends of a blank disk are written: LVM's metadata and the volumes' beginnings come there, and
 * a drive that only reads shows now. */
#define END_BYTES (4 * MIB)

static int write_zeros(int fd, struct range range, const char *zeros, struct err *err)
{
    uint64_t at = range.start, end = range.start + range.length;

    while (at < end) {
        size_t length = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
        ssize_t done = pwrite(fd, zeros, length, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_errno(err, ERR_STORAGE_ERROR, done < 0 ? errno : EIO, "writing at byte %llu",
                             (unsigned long long)at);
        at += (uint64_t)done;
    }
    return 0;
}

static int sync_disk(int fd, struct err *err)
{
    return fsync(fd) == 0 ? 0 : err_errno(err, ERR_STORAGE_ERROR, errno, "writing");
}

/* What the verdict saw must still be so. */
static int check_content(int fd, const struct disk *disk, bool wipe, bool *blank, struct err *err)
{
    struct disk_content now;

    content_read(fd, disk->size_bytes, &now);
    if (now.read != READ_DONE)
        return err_set(err, ERR_STORAGE_ERROR, "%s", now.failure);
    *blank = now.zeros && !now.found[0];
    if (wipe || *blank || now.mark == MARK_HALF_MADE)
        return 0;
    return err_set(err, ERR_STORAGE_ERROR, "holds %s by now",
                   now.found[0] ? now.found : "data of an unknown kind");
}

/* What is overwritten: both ends of a blank disk, of another all that is looked at. The mark
 * stays: the first sector is left out. */
static unsigned ranges_to_write(const struct disk *disk, bool blank,
                                struct range ranges[static RANGES_MAX])
{
    unsigned count = 2;

    if (blank) {
        ranges[0] = (struct range){0, END_BYTES};
        ranges[1] = (struct range){disk->size_bytes - END_BYTES, END_BYTES};
    } else {
        count = content_ranges(disk->size_bytes, ranges);
    }
    ranges[0].start += FIRST_SECTOR_BYTES;
    ranges[0].length -= FIRST_SECTOR_BYTES;
    return count;
}

/* Reads back from the disk itself: what was written is still in memory. */
static int check_kept(int fd, const struct range *ranges, unsigned count, struct err *err)
{
    struct disk_content now;

    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    content_read_signatures(fd, &now);
    if (now.read == READ_DONE)
        content_read_ranges(fd, ranges, count, &now);
    if (now.read != READ_DONE)
        return err_set(err, ERR_STORAGE_ERROR, "%s", now.failure);
    if (now.mark != MARK_HALF_MADE || now.found[0] || !now.zeros)
        return err_set(err, ERR_STORAGE_ERROR, "does not keep what is written to it");
    return 0;
}

static int overwrite(int fd, const struct disk *disk, bool blank, struct err *err)
{
    CLEANUP_FREE char *zeros = xcalloc(1, PIECE_BYTES);
    struct range ranges[RANGES_MAX];
    unsigned count = ranges_to_write(disk, blank, ranges);

    for (unsigned i = 0; i < count; i++)
        if (write_zeros(fd, ranges[i], zeros, err) < 0)
            return -1;
    if (sync_disk(fd, err) < 0)
        return -1;
    /* Partitions that were there are gone. */
    ioctl(fd, BLKRRPART);
    return check_kept(fd, ranges, count, err);
}

static int write_first_sector(int fd, const char *text, struct err *err)
{
    char sector[FIRST_SECTOR_BYTES] = {0};

    snprintf(sector, sizeof(sector), "%s", text);
    if (pwrite(fd, sector, sizeof(sector), 0) != (ssize_t)sizeof(sector))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "writing the first sector");
    return sync_disk(fd, err);
}

int prepare_disk(const struct disk_folders *folders, const struct disk *disk, bool wipe,
                 struct err *err)
{
    CLEANUP_CLOSE int fd = sysfs_open(folders, disk, O_RDWR | O_EXCL, err);
    bool blank;

    if (fd < 0 || check_content(fd, disk, wipe, &blank, err) < 0 ||
        write_first_sector(fd, HALF_MADE_TEXT, err) < 0)
        return -1;
    return overwrite(fd, disk, blank, err);
}

int prepare_label(const struct disk_folders *folders, const struct disk *disk, const char *node,
                  struct err *err)
{
    CLEANUP_CLOSE int fd = sysfs_open(folders, disk, O_RDWR, err);
    char old[FIRST_SECTOR_BYTES], label[FIRST_SECTOR_BYTES] = {0};
    static const char nothing[FIRST_SECTOR_BYTES];

    if (fd < 0)
        return -1;
    if (pread(fd, old, sizeof(old), 0) != (ssize_t)sizeof(old))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "reading the first sector");
    snprintf(label, sizeof(label), "%sidentity: %s\n%s%s%s", LABEL_TEXT, disk->identity,
             *node ? "node: " : "", node, *node ? "\n" : "");
    if (memcmp(old, label, sizeof(label)) == 0)
        return 0;
    if (memcmp(old, nothing, sizeof(old)) != 0 &&
        strncmp(old, LABEL_TEXT, strlen(LABEL_TEXT)) != 0 &&
        strncmp(old, HALF_MADE_TEXT, strlen(HALF_MADE_TEXT)) != 0)
        return err_set(err, ERR_STORAGE_ERROR, "its first sector holds something else");
    return write_first_sector(fd, label, err);
}
