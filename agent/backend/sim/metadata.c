/* The simulated pool's metadata, in the form that Linux gives them: a tree of volumes whose
 * trees map blocks. Blocks with the same contents are the same block of the pool. */
#include "backend/sim/metadata.h"

#include "backend/backend.h"
#include "backend/sim/folder.h"
#include "backend/sim/moment.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/thin_metadata.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DATA_BLOCK_BYTES (64u << 10)
#define SUPERBLOCK_AT 1 /* as of a metadata snapshot: not the first */
#define HASH_BITS 40

struct entry {
    uint64_t key;
    uint64_t value;
};

struct list {
    struct entry *entries;
    size_t count;
};

struct writer {
    int fd;
    uint64_t next;
    int result;
};

static void add(struct list *list, uint64_t key, uint64_t value)
{
    list->entries = xrealloc(list->entries, (list->count + 1) * sizeof(*list->entries));
    list->entries[list->count++] = (struct entry){key, value};
}

static void put_block(struct writer *writer, uint64_t place, const unsigned char *data)
{
    if (pwrite(writer->fd, data, THIN_BLOCK_BYTES, (off_t)(place * THIN_BLOCK_BYTES)) !=
        THIN_BLOCK_BYTES)
        writer->result = -1;
}

/* One level: nodes full of entries. What is returned has an entry for each node. */
static struct list put_level(struct writer *writer, const struct list *list, bool leaf)
{
    struct list above = {.count = 0};
    size_t done = 0;
    do {
        unsigned char data[THIN_BLOCK_BYTES];
        uint64_t place = writer->next++;
        uint64_t first = list->count > 0 ? list->entries[done].key : 0;
        thin_node_make(data, leaf);
        for (unsigned i = 0; i < THIN_NODE_ENTRIES && done < list->count; i++, done++)
            thin_node_add(data, list->entries[done].key, list->entries[done].value);
        thin_block_seal(data, place, THIN_NODE);
        put_block(writer, place, data);
        add(&above, first, place);
    } while (done < list->count);
    return above;
}

/* The root of a tree of the entries, which are freed. */
static uint64_t put_tree(struct writer *writer, struct list list)
{
    for (bool leaf = true;; leaf = false) {
        struct list above = put_level(writer, &list, leaf);
        free(list.entries);
        list = above;
        if (list.count == 1)
            break;
    }
    uint64_t root = list.entries[0].value;
    free(list.entries);
    return root;
}

static uint64_t hash(const unsigned char *data, size_t length)
{
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; length > 0; length--, data++)
        sum = (sum ^ *data) * UINT64_C(1099511628211);
    return sum & ((UINT64_C(1) << HASH_BITS) - 1);
}

static struct list map_volume(int volume, int *result)
{
    struct list list = {.count = 0};
    CLEANUP_FREE unsigned char *data = xcalloc(1, DATA_BLOCK_BYTES);
    off_t place = 0;
    while ((place = lseek(volume, place, SEEK_DATA)) >= 0) {
        uint64_t block = (uint64_t)place / DATA_BLOCK_BYTES;
        off_t start = (off_t)(block * DATA_BLOCK_BYTES);
        ssize_t got = pread(volume, data, DATA_BLOCK_BYTES, start);
        if (got <= 0)
            *result = -1;
        add(&list, block, THIN_MAPPING(hash(data, got > 0 ? (size_t)got : 0), 1));
        place = start + DATA_BLOCK_BYTES;
    }
    return list;
}

static int by_key(const void *left, const void *right)
{
    const struct entry *one = left, *other = right;
    return one->key < other->key ? -1 : one->key > other->key;
}

static int write_metadata(struct sim *sim, const char *path, struct err *err)
{
    CLEANUP_FREE char *folder = xasprintf("%s/volumes", sim->folder);
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct writer writer = {.fd = fd, .next = SUPERBLOCK_AT + 1};
    struct list volumes = {.count = 0};
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    while (open_folder && (entry = readdir(open_folder))) {
        CLEANUP_FREE char *file = xasprintf("%s/%s", folder, entry->d_name);
        CLEANUP_CLOSE int volume = entry->d_name[0] == '.' ? -1 : open(file, O_RDONLY | O_CLOEXEC);
        if (volume >= 0)
            add(&volumes, strtoull(entry->d_name, NULL, 10),
                put_tree(&writer, map_volume(volume, &writer.result)));
    }
    if (open_folder)
        closedir(open_folder);
    if (volumes.count > 0)
        qsort(volumes.entries, volumes.count, sizeof(*volumes.entries), by_key);
    unsigned char superblock[THIN_BLOCK_BYTES];
    thin_superblock_make(superblock, put_tree(&writer, volumes), DATA_BLOCK_BYTES);
    thin_block_seal(superblock, SUPERBLOCK_AT, THIN_SUPERBLOCK);
    put_block(&writer, SUPERBLOCK_AT, superblock);
    if (fd < 0 || !open_folder || writer.result < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot write %s", path);
    return 0;
}

int sim_metadata_open(void *state, struct pool_metadata *metadata, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *path = xasprintf("%s/metadata", sim->folder);
    if (sim_enter(sim, "metadata_open", err) < 0 || write_metadata(sim, path, err) < 0)
        return -1;
    *metadata = (struct pool_metadata){
        .fd = open(path, O_RDONLY | O_CLOEXEC), .lock = -1, .superblock = SUPERBLOCK_AT};
    if (metadata->fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    sim_leave(sim);
    return 0;
}

int sim_metadata_close(void *state, struct pool_metadata *metadata, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *path = xasprintf("%s/metadata", sim->folder);
    cleanup_close(&metadata->fd);
    metadata->fd = -1;
    if (sim_enter(sim, "metadata_close", err) < 0)
        return -1;
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot remove %s", path);
    sim_leave(sim);
    return 0;
}
