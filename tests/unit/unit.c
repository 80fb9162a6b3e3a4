/* usage: unit [NAME...]   runs all tests, or those whose name or file name holds one of the names */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct unit_test *tests;
static bool failed_now;
static char folder[64];

void unit_register(struct unit_test *test)
{
    struct unit_test **place = &tests;

    while (*place)
        place = &(*place)->next;
    *place = test;
}

bool unit_check(bool good, const char *file, int line, const char *text)
{
    if (!good) {
        printf("%s:%d: not so: %s\n", file, line, text);
        failed_now = true;
    }
    return good;
}

bool unit_check_number(int64_t wanted, int64_t got, const char *file, int line, const char *text)
{
    if (wanted != got) {
        printf("%s:%d: %s is %" PRId64 ", not %" PRId64 "\n", file, line, text, got, wanted);
        failed_now = true;
    }
    return wanted == got;
}

bool unit_check_text(const char *wanted, const char *got, const char *file, int line,
                     const char *text)
{
    bool good = wanted && got ? strcmp(wanted, got) == 0 : wanted == got;

    if (!good) {
        printf("%s:%d: %s is\n    %s\nnot\n    %s\n", file, line, text, got ? got : "NULL",
               wanted ? wanted : "NULL");
        failed_now = true;
    }
    return good;
}

bool unit_check_holds(const char *part, const char *got, const char *file, int line,
                      const char *text)
{
    bool good = got && strstr(got, part);

    if (!good) {
        printf("%s:%d: %s is\n    %s\nwithout\n    %s\n", file, line, text, got ? got : "NULL",
               part);
        failed_now = true;
    }
    return good;
}

const char *unit_folder(void)
{
    return folder;
}

static void empty_folder(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf '%s' && mkdir '%s'", folder, folder);
    if (system(command) != 0)
        abort();
}

static bool selected(const struct unit_test *test, char **names)
{
    bool any = !*names;

    for (; *names; names++)
        any = any || strstr(test->name, *names) || strstr(test->file, *names);
    return any;
}

size_t unit_hex(const char *hex, unsigned char *bytes)
{
    size_t length = 0;
    unsigned byte;

    for (; *hex; hex += 2) {
        while (*hex == ' ')
            hex++;
        if (sscanf(hex, "%2x", &byte) != 1)
            abort();
        bytes[length++] = (unsigned char)byte;
    }
    return length;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    (void)argc;
    strcpy(folder, "/tmp/slicenode-unit-XXXXXX");
    if (!mkdtemp(folder))
        return 2;
    for (struct unit_test *test = tests; test; test = test->next) {
        if (!selected(test, argv + 1))
            continue;
        failed_now = false;
        empty_folder();
        test->run();
        if (failed_now)
            printf("%s: FAILED\n", test->name);
        passed += !failed_now;
        failed += failed_now;
    }
    empty_folder();
    rmdir(folder);
    printf("unit: %u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
