#include "codec/thin_metadata.h"

#include "base/err.h"
#include "base/memory.h"
#include "codec/thin_block.h"

#include <stdlib.h>

#define DEPTH_MAX 16 /* nodes are half full at least: 126 to the 9th is more than 2^62 */
#define SECTOR_BYTES 512
#define DATA_BLOCK_SECTORS_MIN 128     /* the kernel's limits: 64 KiB */
#define DATA_BLOCK_SECTORS_MAX 2097152 /* and 1 GiB */
#define VALUE_BYTES 8                  /* in the trees that matter here */

static int corrupt(uint64_t block, const char *what, struct err *err)
{
    return err_set(err, ERR_STORAGE_ERROR, "block %llu of the pool's metadata %s",
                   (unsigned long long)block, what);
}

static int read_block(const struct thin_metadata *metadata, uint64_t block, uint32_t mask,
                      unsigned char data[static THIN_BLOCK_BYTES], struct err *err)
{
    if (block >= metadata->block_count)
        return corrupt(block, "is beyond its end", err);
    if (metadata->read(metadata->argument, block, data, err) < 0)
        return -1;
    if (thin_get64(data + PLACE_AT) != block)
        return corrupt(block, "belongs to another place", err);
    if (thin_get32(data + CHECKSUM_AT) != thin_checksum(data, mask))
        return corrupt(block, "has a wrong checksum", err);
    return 0;
}

int thin_metadata_open(struct thin_metadata *metadata, uint64_t block, struct err *err)
{
    unsigned char data[THIN_BLOCK_BYTES];
    if (read_block(metadata, block, SUPERBLOCK_XOR, data, err) < 0)
        return -1;
    uint32_t version = thin_get32(data + VERSION_AT);
    uint32_t sectors = thin_get32(data + DATA_BLOCK_SECTORS_AT);
    if (thin_get64(data + MAGIC_AT) != SUPERBLOCK_MAGIC)
        return corrupt(block, "is no superblock", err);
    if (version < 1 || version > SUPERBLOCK_VERSION)
        return corrupt(block, "is of a version that is not known", err);
    if (thin_get32(data + METADATA_BLOCK_SECTORS_AT) != THIN_BLOCK_BYTES / SECTOR_BYTES)
        return corrupt(block, "has another block size", err);
    if (sectors < DATA_BLOCK_SECTORS_MIN || sectors > DATA_BLOCK_SECTORS_MAX ||
        sectors % DATA_BLOCK_SECTORS_MIN != 0)
        return corrupt(block, "has an impossible size of the pool's blocks", err);
    metadata->mapping_root = thin_get64(data + MAPPING_ROOT_AT);
    metadata->data_block_bytes = (uint64_t)sectors * SECTOR_BYTES;
    return 0;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

struct node {
    unsigned char data[THIN_BLOCK_BYTES];
    uint32_t count;
    uint32_t room; /* keys are followed by as many places for values */
    uint32_t next; /* the walk's */
    bool leaf;
};

static int read_node(const struct thin_metadata *metadata, uint64_t block, struct node *node,
                     struct err *err)
{
    if (read_block(metadata, block, NODE_XOR, node->data, err) < 0)
        return -1;
    uint32_t flags = thin_get32(node->data + FLAGS_AT);
    node->count = thin_get32(node->data + ENTRIES_AT);
    node->room = thin_get32(node->data + MAX_ENTRIES_AT);
    node->leaf = (flags & NODE_LEAF) != 0;
    node->next = 0;
    if (((flags & NODE_LEAF) != 0) == ((flags & NODE_INTERNAL) != 0))
        return corrupt(block, "is neither leaf nor internal node", err);
    if (thin_get32(node->data + VALUE_BYTES_AT) != VALUE_BYTES)
        return corrupt(block, "has values of another size", err);
    if (node->room > (THIN_BLOCK_BYTES - NODE_KEYS_AT) / (8 + VALUE_BYTES) ||
        node->count > node->room || (node->count == 0 && !node->leaf))
        return corrupt(block, "has an impossible number of entries", err);
    return 0;
}

static uint64_t key(const struct node *node, uint32_t index)
{
    return thin_get64(node->data + NODE_KEYS_AT + 8ull * index);
}

static uint64_t value(const struct node *node, uint32_t index)
{
    return thin_get64(node->data + NODE_KEYS_AT + 8ull * node->room + 8ull * index);
}

/* The root of the volume's own tree. */
static int find_volume(const struct thin_metadata *metadata, uint32_t volume, uint64_t *root,
                       struct err *err)
{
    CLEANUP_FREE struct node *node = xcalloc(1, sizeof(*node));
    uint64_t block = metadata->mapping_root;
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        if (read_node(metadata, block, node, err) < 0)
            return -1;
        uint32_t index = node->count;
        while (index > 0 && key(node, index - 1) > volume)
            index--;
        if (index == 0 || (node->leaf && key(node, index - 1) != volume))
            return err_set(err, ERR_STORAGE_ERROR, "the pool's metadata have no volume %u", volume);
        block = value(node, index - 1);
        if (!node->leaf)
            continue;
        *root = block;
        return 0;
    }
    return corrupt(block, "is too deep in its tree", err);
}

/* --- Walks ------------------------------------------------------------------------------------ */

struct walk {
    const struct thin_metadata *metadata;
    struct node *stack[DEPTH_MAX]; /* made when they are first needed */
    unsigned depth;
    uint64_t nodes_left; /* a tree has no more nodes than there are blocks */
    bool begun;
    uint64_t last_key;
    /* The mapping at hand, when `present`. */
    bool present;
    uint64_t block;
    uint64_t data_block;
};

static int descend(struct walk *walk, uint64_t block, struct err *err)
{
    if (walk->depth == DEPTH_MAX)
        return corrupt(block, "is too deep in its tree", err);
    if (walk->nodes_left-- == 0)
        return corrupt(block, "is in a tree without end", err);
    struct node **node = &walk->stack[walk->depth];
    if (!*node)
        *node = xcalloc(1, sizeof(**node));
    if (read_node(walk->metadata, block, *node, err) < 0)
        return -1;
    walk->depth++;
    return 0;
}

/* Moves on to the next mapping; at the end there is none `present`. */
static int advance(struct walk *walk, struct err *err)
{
    walk->present = false;
    while (walk->depth > 0) {
        struct node *node = walk->stack[walk->depth - 1];
        if (node->next == node->count) {
            walk->depth--;
            continue;
        }
        uint32_t index = node->next++;
        if (!node->leaf) {
            if (descend(walk, value(node, index), err) < 0)
                return -1;
            continue;
        }
        uint64_t found = key(node, index);
        if (walk->begun && found <= walk->last_key)
            return err_set(err, ERR_STORAGE_ERROR, "the pool's metadata are out of order");
        walk->begun = walk->present = true;
        walk->block = walk->last_key = found;
        walk->data_block = value(node, index) >> TIME_BITS;
        return 0;
    }
    return 0;
}

static int open_walk(struct walk *walk, const struct thin_metadata *metadata, uint32_t volume,
                     struct err *err)
{
    uint64_t root = 0;
    *walk = (struct walk){.metadata = metadata, .nodes_left = metadata->block_count};
    if (find_volume(metadata, volume, &root, err) < 0 || descend(walk, root, err) < 0)
        return -1;
    return advance(walk, err);
}

/* Also the tree of volumes maps numbers; what it maps them to is no block of the pool. */
static int open_walk_of_volumes(struct walk *walk, const struct thin_metadata *metadata,
                                struct err *err)
{
    *walk = (struct walk){.metadata = metadata, .nodes_left = metadata->block_count};
    if (descend(walk, metadata->mapping_root, err) < 0)
        return -1;
    return advance(walk, err);
}

static void close_walk(struct walk *walk)
{
    for (unsigned i = 0; i < DEPTH_MAX; i++)
        free(walk->stack[i]);
}

int thin_metadata_mapped(const struct thin_metadata *metadata, uint32_t volume, thin_mark *mark,
                         void *argument, struct err *err)
{
    struct walk walk;
    int result = open_walk(&walk, metadata, volume, err);
    while (result == 0 && walk.present) {
        mark(argument, walk.block, true);
        result = advance(&walk, err);
    }
    close_walk(&walk);
    return result;
}

static int compare(struct walk *older, struct walk *newer, thin_mark *mark, void *argument,
                   struct err *err)
{
    while (older->present || newer->present) {
        bool old = older->present && (!newer->present || older->block <= newer->block);
        bool new = newer->present && (!older->present || newer->block <= older->block);
        if (!old || !new || older->data_block != newer->data_block)
            mark(argument, new ? newer->block : older->block, new);
        if ((old && advance(older, err) < 0) || (new &&advance(newer, err) < 0))
            return -1;
    }
    return 0;
}

int thin_metadata_changed(const struct thin_metadata *metadata, uint32_t older, uint32_t newer,
                          thin_mark *mark, void *argument, struct err *err)
{
    struct walk walks[2] = {{.depth = 0}, {.depth = 0}};
    int result = open_walk(&walks[0], metadata, older, err);
    if (result == 0)
        result = open_walk(&walks[1], metadata, newer, err);
    if (result == 0)
        result = compare(&walks[0], &walks[1], mark, argument, err);
    close_walk(&walks[0]);
    close_walk(&walks[1]);
    return result;
}

/* By so many numbers the list grows; a pool may have any number of volumes. */
#define VOLUMES_STEP 1024

int thin_metadata_volumes(const struct thin_metadata *metadata, uint32_t **volumes, size_t *count,
                          struct err *err)
{
    struct walk walk;
    int result = open_walk_of_volumes(&walk, metadata, err);
    *volumes = NULL;
    *count = 0;
    while (result == 0 && walk.present) {
        if (walk.block > UINT32_MAX) {
            result =
                err_set(err, ERR_STORAGE_ERROR, "the pool's metadata have an impossible volume");
            break;
        }
        if (*count % VOLUMES_STEP == 0)
            *volumes = xrealloc(*volumes, (*count + VOLUMES_STEP) * sizeof(**volumes));
        (*volumes)[(*count)++] = (uint32_t)walk.block;
        result = advance(&walk, err);
    }
    close_walk(&walk);
    if (result < 0) {
        free(*volumes);
        *volumes = NULL;
    }
    return result;
}
