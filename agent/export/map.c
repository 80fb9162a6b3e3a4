#include "export/map.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static bool bit(const unsigned char *bits, uint64_t block)
{
    return !bits || (bits[block / 8] >> (block % 8) & 1) != 0;
}

static void set_bit(unsigned char *bits, uint64_t block)
{
    if (bits)
        bits[block / 8] |= (unsigned char)(1u << (block % 8));
}

void export_map_whole(struct export_map *map, uint64_t size_bytes)
{
    *map = (struct export_map){.size_bytes = size_bytes,
                               .block_bytes = size_bytes ? size_bytes : 1,
                               .block_count = size_bytes ? 1 : 0};
}

void export_map_open(struct export_map *map, uint64_t size_bytes, uint64_t block_bytes,
                     bool differences)
{
    uint64_t count = size_bytes / block_bytes + (size_bytes % block_bytes != 0);
    *map = (struct export_map){
        .size_bytes = size_bytes, .block_bytes = block_bytes, .block_count = count};
    map->data = xcalloc(1, count / 8 + 1);
    if (differences)
        map->wanted = xcalloc(1, count / 8 + 1);
}

void export_map_close(struct export_map *map)
{
    free(map->data);
    free(map->wanted);
    memset(map, 0, sizeof(*map));
}

void export_map_mark(struct export_map *map, uint64_t block, bool data)
{
    if (block >= map->block_count)
        return;
    set_bit(map->wanted, block);
    if (data)
        set_bit(map->data, block);
}

bool export_map_next(const struct export_map *map, uint64_t limit, struct map_run *run)
{
    uint64_t start = run->offset + run->length;
    uint64_t block = start / map->block_bytes;
    if (start >= map->size_bytes)
        return false;
    /* A block that is larger than the limit is given in parts. */
    if (start % map->block_bytes == 0) {
        while (block < map->block_count && !bit(map->wanted, block))
            block++;
        if (block == map->block_count)
            return false;
        start = block * map->block_bytes;
    }
    bool data = bit(map->data, block);
    uint64_t end = start;
    while (block < map->block_count && bit(map->wanted, block) && bit(map->data, block) == data &&
           end - start < limit)
        end = ++block * map->block_bytes;
    if (end - start > limit)
        end = start + limit;
    if (end > map->size_bytes)
        end = map->size_bytes;
    *run = (struct map_run){.offset = start, .length = end - start, .data = data};
    return true;
}

bool export_map_has_data(const struct export_map *map, uint64_t offset, uint64_t length)
{
    uint64_t end = offset + length;
    for (uint64_t block = offset / map->block_bytes;
         block < map->block_count && block * map->block_bytes < end; block++)
        if (bit(map->data, block))
            return true;
    return false;
}

uint64_t export_map_data_bytes(const struct export_map *map)
{
    struct map_run run = {.offset = 0};
    uint64_t sum = 0;
    while (export_map_next(map, UINT64_MAX, &run))
        sum += run.data ? run.length : 0;
    return sum;
}
