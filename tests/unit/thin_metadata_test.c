/* thin_metadata: what two volumes of a pool map, and metadata that lie. */
#include "base/err.h"
#include "base/memory.h"
#include "codec/compress.h"
#include "codec/decompress.h"
#include "codec/thin_metadata.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 64
#define SUPERBLOCK 5

struct disk {
    unsigned char data[BLOCKS][THIN_BLOCK_BYTES];
    unsigned reads;
};

static int read_block(void *argument, uint64_t block, unsigned char data[static THIN_BLOCK_BYTES],
                      struct err *err)
{
    struct disk *disk = argument;

    (void)err;
    disk->reads++;
    memcpy(data, disk->data[block], THIN_BLOCK_BYTES);
    return 0;
}

static void node(struct disk *disk, unsigned place, bool leaf, unsigned count,
                 const uint64_t (*entries)[2])
{
    thin_node_make(disk->data[place], leaf);
    for (unsigned i = 0; i < count; i++)
        thin_node_add(disk->data[place], entries[i][0], entries[i][1]);
    thin_block_seal(disk->data[place], place, THIN_NODE);
}

#define NODE(disk, place, leaf, ...)                                                               \
    node(disk, place, leaf, sizeof((uint64_t[][2]){__VA_ARGS__}) / 16, (uint64_t[][2]){__VA_ARGS__})
#define AT(block) THIN_MAPPING(block, 9)

/* Volume 3 is older, 7 is newer and has a tree of two levels; both share the leaf in block 11. */
static struct disk *example(struct thin_metadata *metadata)
{
    struct disk *disk = xcalloc(1, sizeof(*disk));

    thin_superblock_make(disk->data[SUPERBLOCK], 8, 64 << 10);
    thin_block_seal(disk->data[SUPERBLOCK], SUPERBLOCK, THIN_SUPERBLOCK);
    NODE(disk, 8, true, {3, 9}, {4, 13}, {7, 12});
    NODE(disk, 9, false, {0, 10}, {100, 11});
    NODE(disk, 10, true, {0, AT(50)}, {1, AT(51)}, {4, AT(52)}, {6, THIN_MAPPING(53, 1)});
    NODE(disk, 11, true, {100, AT(60)}, {200, AT(61)});
    NODE(disk, 12, false, {0, 14}, {100, 11});
    NODE(disk, 14, true, {0, AT(50)}, {1, AT(70)}, {5, AT(71)}, {6, THIN_MAPPING(53, 2)});
    thin_node_make(disk->data[13], true);
    thin_block_seal(disk->data[13], 13, THIN_NODE);
    *metadata = (struct thin_metadata){.read = read_block, .argument = disk, .block_count = BLOCKS};
    return disk;
}

static void note(void *argument, uint64_t block, bool data)
{
    char **text = argument;
    char *longer = xasprintf("%s%llu%s ", *text, (unsigned long long)block, data ? "" : "-");

    free(*text);
    *text = longer;
}

TEST(thin_metadata_of_two_volumes)
{
    struct thin_metadata metadata;
    CLEANUP_FREE struct disk *disk = example(&metadata);
    CLEANUP_FREE char *mapped = xstrdup(""), *changed = xstrdup(""), *back = xstrdup("");
    CLEANUP_FREE char *none = xstrdup("");
    struct err err;

    CHECK_NUMBER(0, thin_metadata_open(&metadata, SUPERBLOCK, &err));
    CHECK_NUMBER(64 << 10, metadata.data_block_bytes);
    CHECK_NUMBER(0, thin_metadata_mapped(&metadata, 7, note, &mapped, &err));
    CHECK_TEXT("0 1 5 6 100 200 ", mapped);
    CHECK_NUMBER(0, thin_metadata_changed(&metadata, 3, 7, note, &changed, &err));
    CHECK_TEXT("1 4- 5 ", changed);
    CHECK_NUMBER(0, thin_metadata_changed(&metadata, 7, 3, note, &back, &err));
    CHECK_TEXT("1 4 5- ", back);
    CHECK_NUMBER(0, thin_metadata_mapped(&metadata, 4, note, &none, &err));
    CHECK_TEXT("", none);
    CHECK_NUMBER(-1, thin_metadata_mapped(&metadata, 5, note, &none, &err));
    CHECK(strstr(err.message, "no volume 5") != NULL);
    CHECK_NUMBER(-1, thin_metadata_mapped(&metadata, 2, note, &none, &err));
}

static void ignore(void *argument, uint64_t block, bool data)
{
    (void)argument;
    (void)block;
    (void)data;
}

static void check_corrupt(struct thin_metadata *metadata, const char *words)
{
    struct err err = {0};
    int result = thin_metadata_open(metadata, SUPERBLOCK, &err);

    if (result == 0)
        result = thin_metadata_changed(metadata, 3, 7, ignore, NULL, &err);
    CHECK_NUMBER(-1, result);
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    if (!CHECK(strstr(err.message, words) != NULL))
        printf("%s\n", err.message);
}

TEST(thin_metadata_that_are_damaged)
{
    struct thin_metadata metadata;
    CLEANUP_FREE struct disk *disk = example(&metadata);

    disk->data[14][40] ^= 1;
    check_corrupt(&metadata, "block 14 of the pool's metadata has a wrong checksum");
    disk->data[14][40] ^= 1;
    thin_block_seal(disk->data[14], 15, THIN_NODE);
    check_corrupt(&metadata, "another place");
    thin_block_seal(disk->data[14], 14, THIN_NODE);
    thin_block_seal(disk->data[SUPERBLOCK], SUPERBLOCK, THIN_NODE);
    check_corrupt(&metadata, "block 5 of the pool's metadata has a wrong checksum");
}

TEST(thin_metadata_that_lie)
{
    static const struct {
        unsigned at;
        unsigned char byte;
        const char *words;
    } cases[] = {
        {4, 0, "neither leaf"},      {4, 3, "neither leaf"},       {16, 253, "entries"},
        {20, 255, "entries"},        {23, 255, "entries"},         {24, 16, "another size"},
        {32 + 8, 0, "out of order"}, {32 + 16, 1, "out of order"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct thin_metadata metadata;
        CLEANUP_FREE struct disk *disk = example(&metadata);

        disk->data[14][cases[i].at] = cases[i].byte;
        thin_block_seal(disk->data[14], 14, THIN_NODE);
        check_corrupt(&metadata, cases[i].words);
    }
}

TEST(thin_metadata_without_end)
{
    struct thin_metadata metadata;
    CLEANUP_FREE struct disk *disk = example(&metadata);

    NODE(disk, 12, false, {0, 12});
    check_corrupt(&metadata, "too deep");
    NODE(disk, 12, false, {0, 14}, {100, 14});
    check_corrupt(&metadata, "out of order");
    NODE(disk, 12, false, {0, 14}, {100, BLOCKS});
    check_corrupt(&metadata, "beyond its end");
    /* Sixteen levels of the same empty leaves would be visited 4^8 times. */
    for (unsigned i = 20; i < 28; i++)
        NODE(disk, i, false, {0, i + 1}, {1, i + 1}, {2, i + 1}, {3, i + 1});
    thin_node_make(disk->data[28], true);
    thin_block_seal(disk->data[28], 28, THIN_NODE);
    NODE(disk, 12, false, {0, 20});
    disk->reads = 0;
    check_corrupt(&metadata, "without end");
    CHECK(disk->reads < 2 * BLOCKS);
}
