/* Runs a fuzz target once on each file of the folders named: what `make test` does without
 * libFuzzer. */
#include "base/file.h"
#include "base/memory.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_LIMIT (1u << 20)

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    int inputs = 0;

    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
        CLEANUP_FREE char *data = NULL;
        size_t length;

        if (entries[i]->d_name[0] != '.' &&
            read_file(path, INPUT_LIMIT, &data, &length, NULL) == 0) {
            LLVMFuzzerTestOneInput((const uint8_t *)data, length);
            inputs++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return inputs;
}

int main(int argc, char **argv)
{
    int inputs = 0;

    for (int i = 1; i < argc; i++)
        inputs += replay_folder(argv[i]);
    if (inputs == 0)
        fprintf(stderr, "no inputs\n");
    return inputs > 0 ? 0 : 1;
}
