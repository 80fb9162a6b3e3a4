/* A disk image through import/format.c, onto files in memory. */
#ifndef SLICENODE_FORMAT_FUZZ_H
#define SLICENODE_FORMAT_FUZZ_H

#include "base/err.h"
#include "base/text.h"
#include "fuzz.h"
#include "import/format.h"
#include "import/output.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_LIMIT (64u << 20)
#define FILE_LIMIT (4u << 20)

static int ticks;

static int count_tick(void *argument, struct err *err)
{
    (void)argument;
    (void)err;
    ticks++;
    return 0;
}

/* Feeds `data` in two pieces as an image of the format `name`. What is accepted fits the limit; what
 * is not says why. */
static int take_image(const char *name, const uint8_t *data, size_t size)
{
    struct err err = {.code = ERR_NONE};
    struct output output = {.fd = memfd_create("disk", 0), .limit_bytes = DISK_LIMIT};
    struct output scratch = {.fd = memfd_create("file", 0), .limit_bytes = FILE_LIMIT};
    struct format format = {.output = &output,
                            .scratch = &scratch,
                            .head = data,
                            .head_length = size,
                            .tick = count_tick};
    struct stat status;
    int result = -1;

    format.type = format_choose(name, data, size, &err);
    if (format.type != NULL) {
        REQUIRE(format.type->open(&format, &err) == 0);
        result = format.type->feed(&format, data, size / 2, &err);
        if (result == 0)
            result = format.type->feed(&format, data + size / 2, size - size / 2, &err);
        if (result == 0)
            result = format.type->finish(&format, &err);
        format.type->close(&format);
    }
    REQUIRE((result == 0) == (err.code == ERR_NONE));
    REQUIRE(text_valid(err.message));
    if (result == 0)
        REQUIRE(format.size_bytes > 0 && format.size_bytes <= DISK_LIMIT);
    REQUIRE(fstat(output.fd, &status) == 0 && status.st_size <= DISK_LIMIT);
    close(output.fd);
    close(scratch.fd);
    return result;
}

#endif
