#include "disks/content.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)
/* Label and metadata of a physical volume (lvm.conf(5), default_data_alignment). */
#define LVM_BYTES (1u << 20)

static void fail(struct disk_content *content, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void fail(struct disk_content *content, const char *format, ...)
{
    va_list arguments;

    content->read = READ_FAILED;
    va_start(arguments, format);
    vsnprintf(content->failure, sizeof(content->failure), format, arguments);
    va_end(arguments);
}

/* --- Zeros ------------------------------------------------------------------------------------ */

/* Reads one range to its end, also when something was found: an error behind it counts. */
static bool read_range(int fd, struct range range, unsigned char *buffer,
                       struct disk_content *content)
{
    uint64_t at = range.start, end = range.start + range.length;

    while (at < end) {
        size_t length = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
        ssize_t got = pread(fd, buffer, length, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fail(content, "reading at byte %llu: %s", (unsigned long long)at,
                 got < 0 ? strerror(errno) : "the disk ends before its size");
            return false;
        }
        if (!all_zero(buffer, (size_t)got))
            content->zeros = false;
        at += (uint64_t)got;
    }
    return true;
}

void content_read_ranges(int fd, const struct range *ranges, unsigned count,
                         struct disk_content *content)
{
    CLEANUP_FREE unsigned char *buffer = xcalloc(1, PIECE_BYTES);

    content->zeros = true;
    for (unsigned i = 0; i < count; i++)
        if (!read_range(fd, ranges[i], buffer, content))
            return;
}

/* --- Our own mark ----------------------------------------------------------------------------- */

/* The value of the line "KEY: VALUE" of a text, "" when there is none. */
static void label_value(const char *text, const char *key, char *to, size_t size)
{
    const char *at = strstr(text, key);
    size_t length;

    to[0] = '\0';
    if (!at)
        return;
    at += strlen(key);
    length = strcspn(at, "\n");
    if (length >= size)
        return;
    memcpy(to, at, length);
    to[length] = '\0';
    text_clean(to);
}

static void read_mark(int fd, struct disk_content *content)
{
    char sector[FIRST_SECTOR_BYTES + 1];

    if (pread(fd, sector, FIRST_SECTOR_BYTES, 0) != FIRST_SECTOR_BYTES)
        return fail(content, "reading the first sector: %s", strerror(errno));
    sector[FIRST_SECTOR_BYTES] = '\0';
    /* The whole text and zeros behind it: what merely begins like that is somebody's data. */
    if (strcmp(sector, HALF_MADE_TEXT) == 0) {
        content->mark = MARK_HALF_MADE;
    } else if (strncmp(sector, LABEL_TEXT, strlen(LABEL_TEXT)) == 0) {
        content->mark = MARK_LABEL;
        label_value(sector, "\nidentity: ", content->label_identity,
                    sizeof(content->label_identity));
        label_value(sector, "\nnode: ", content->label_node, sizeof(content->label_node));
        if (!uuid_valid(content->label_node))
            content->label_node[0] = '\0';
    }
}

/* --- Signatures ------------------------------------------------------------------------------- */

static const char *value_of(blkid_probe probe, const char *name)
{
    const char *value;

    return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 ? value : "";
}

static void describe(blkid_probe probe, struct disk_content *content)
{
    const char *type = value_of(probe, "TYPE"), *table = value_of(probe, "PTTYPE");
    const char *label = value_of(probe, "LABEL");

    content->medium = strcmp(label, "SLICENODE") == 0;
    content->physical_volume = strcmp(type, "LVM2_member") == 0;
    if (content->physical_volume)
        copy_text(content->volume_uuid, sizeof(content->volume_uuid), value_of(probe, "UUID"));
    if (*type)
        snprintf(content->found, sizeof(content->found), "%s%s%s", type, *label ? " labelled " : "",
                 label);
    else
        snprintf(content->found, sizeof(content->found), "partition table (%s)",
                 *table ? table : "unknown");
    text_clean(content->found);
}

/* A boot stick of ours has a partition table with a partition labelled SLICENODE in it. */
static bool has_medium(blkid_probe disk, int fd)
{
    blkid_partlist list = blkid_probe_get_partitions(disk);
    int count = list ? blkid_partlist_numof_partitions(list) : 0;
    bool found = false;

    for (int i = 0; i < count && i < 16 && !found; i++) {
        blkid_partition part = blkid_partlist_get_partition(list, i);
        blkid_probe probe = blkid_new_probe();
        const char *label;
        if (!probe)
            return false;
        if (blkid_probe_set_device(probe, fd, blkid_partition_get_start(part) * 512,
                                   blkid_partition_get_size(part) * 512) == 0) {
            blkid_probe_enable_superblocks(probe, 1);
            blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL);
            if (blkid_do_safeprobe(probe) == 0 &&
                blkid_probe_lookup_value(probe, "LABEL", &label, NULL) == 0)
                found = strcmp(label, "SLICENODE") == 0;
        }
        blkid_free_probe(probe);
    }
    return found;
}

static void read_signatures(int fd, struct disk_content *content)
{
    blkid_probe probe = blkid_new_probe();
    int result;

    if (!probe || blkid_probe_set_device(probe, fd, 0, 0) != 0) {
        fail(content, "libblkid cannot read it");
        blkid_free_probe(probe);
        return;
    }
    blkid_probe_enable_superblocks(probe, 1);
    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
                                                 BLKID_SUBLKS_UUID | BLKID_SUBLKS_BADCSUM);
    blkid_probe_enable_partitions(probe, 1);
    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_FORCE_GPT | BLKID_PARTS_ENTRY_DETAILS);
    result = blkid_do_safeprobe(probe);
    if (result == 0) {
        describe(probe, content);
        content->medium = content->medium || has_medium(probe, fd);
    } else if (result == -2) {
        copy_text(content->found, sizeof(content->found), "contradicting signatures");
    } else if (result != 1) {
        fail(content, "libblkid cannot read it: %s", strerror(errno));
    }
    blkid_free_probe(probe);
}

void content_read_signatures(int fd, struct disk_content *content)
{
    memset(content, 0, sizeof(*content));
    content->read = READ_DONE;
    read_mark(fd, content);
    if (content->read == READ_DONE)
        read_signatures(fd, content);
}

void content_read(int fd, uint64_t size_bytes, struct disk_content *content)
{
    struct range ranges[RANGES_MAX] = {{0, LVM_BYTES}};
    unsigned count = 1;

    memset(content, 0, sizeof(*content));
    if (size_bytes < FIRST_SECTOR_BYTES)
        return fail(content, "it shows no capacity");
    content_read_signatures(fd, content);
    /* A physical volume is not blank whatever else is on it, and is read at each boot. Of it only
     * what is LVM's own must be readable: LVM takes one whose metadata it cannot read for a volume
     * of no group. A bad place behind that is for who stores something there. */
    if (!content->physical_volume)
        count = content_ranges(size_bytes, ranges);
    if (content->read == READ_DONE)
        content_read_ranges(fd, ranges, count, content);
    /* What is looked at once is of no use in memory. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}
