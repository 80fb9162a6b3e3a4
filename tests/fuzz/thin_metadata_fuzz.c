/* The thin pool's metadata: whatever a block holds, walks end and tell blocks in order. The input's
 * first byte says where the tree of volumes is; the rest are blocks of 128 bytes each, whose places
 * and checksums are made right here, so that the walk comes past them. */
#include "base/err.h"
#include "codec/compress.h"
#include "codec/decompress.h"
#include "codec/thin_metadata.h"

#include "fuzz.h"

#include <string.h>

#define SHORT_BLOCK 128

struct input {
    const unsigned char *data;
    size_t size;
    uint64_t reads;
    bool begun;
    uint64_t last;
};

static int read_block(void *argument, uint64_t block, unsigned char data[static THIN_BLOCK_BYTES],
                      struct err *err)
{
    struct input *input = argument;
    size_t start = 1 + (size_t)(block - 1) * SHORT_BLOCK;

    (void)err;
    input->reads++;
    memset(data, 0, THIN_BLOCK_BYTES);
    if (block == 0) {
        thin_superblock_make(data, input->data[0], 64 << 10);
        thin_block_seal(data, block, THIN_SUPERBLOCK);
        return 0;
    }
    if (start < input->size)
        memcpy(data, input->data + start,
               input->size - start < SHORT_BLOCK ? input->size - start : SHORT_BLOCK);
    thin_block_seal(data, block, THIN_NODE);
    return 0;
}

static void mark(void *argument, uint64_t block, bool data)
{
    struct input *input = argument;

    (void)data;
    REQUIRE(!input->begun || block > input->last);
    input->begun = true;
    input->last = block;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct input input = {.data = data, .size = size};
    struct err err;

    if (size == 0)
        return 0;
    struct thin_metadata metadata = {
        .read = read_block, .argument = &input, .block_count = 2 + size / SHORT_BLOCK};
    if (thin_metadata_open(&metadata, 0, &err) != 0)
        return 0;
    for (unsigned volume = 0; volume < 4; volume++) {
        input.begun = false;
        thin_metadata_mapped(&metadata, volume, mark, &input, &err);
        input.begun = false;
        thin_metadata_changed(&metadata, volume, volume + 1, mark, &input, &err);
    }
    REQUIRE(input.reads <= 1 + 4 * 3 * (metadata.block_count + 17));
    return 0;
}
