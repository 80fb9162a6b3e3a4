/* A small harness: tests register themselves, a failed check says where and lets the test go on. */
#ifndef SLICENODE_UNIT_H
#define SLICENODE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_test {
    const char *file;
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};

void unit_register(struct unit_test *test);
bool unit_check(bool good, const char *file, int line, const char *text);
bool unit_check_number(int64_t wanted, int64_t got, const char *file, int line, const char *text);
bool unit_check_text(const char *wanted, const char *got, const char *file, int line,
                     const char *text);
bool unit_check_holds(const char *part, const char *got, const char *file, int line,
                      const char *text);

/* A folder for the test's files, emptied before each test. */
const char *unit_folder(void);

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        static struct unit_test test = {__FILE__, #name, test_##name, NULL};                       \
        unit_register(&test);                                                                      \
    }                                                                                              \
    static void test_##name(void)

#define CHECK(condition) unit_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_NUMBER(wanted, got)                                                                  \
    unit_check_number((int64_t)(wanted), (int64_t)(got), __FILE__, __LINE__, #got)
#define CHECK_TEXT(wanted, got) unit_check_text((wanted), (got), __FILE__, __LINE__, #got)
/* Whether `got` holds the text `part`. */
#define CHECK_HOLDS(part, got) unit_check_holds((part), (got), __FILE__, __LINE__, #got)

/* Bytes from hexadecimal digits with blanks between them; how many. */
size_t unit_hex(const char *hex, unsigned char *bytes);

#endif
