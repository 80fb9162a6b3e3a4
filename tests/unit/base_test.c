/* err, util, file, clock, ident. */
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(err_builds_messages_with_context)
{
    struct err err;

    CHECK_NUMBER(-1, err_set(&err, ERR_TIMEOUT, "waited %d s", 5));
    CHECK_TEXT("waited 5 s", err.message);
    CHECK_NUMBER(-1, err_context(&err, "slice %s", "a"));
    CHECK_TEXT("slice a: waited 5 s", err.message);
    CHECK_NUMBER(ERR_TIMEOUT, err.code);
    err_errno(&err, ERR_STORAGE_ERROR, 2, "%s", "/dev/x");
    CHECK_TEXT("/dev/x: No such file or directory", err.message);
    CHECK_NUMBER(-1, err_set(NULL, ERR_INTERNAL, "nobody listens"));
    CHECK_NUMBER(-1, err_context(NULL, "nor here"));
    /* Its own message as an argument. */
    err_set(&err, ERR_INTERNAL, "again: %s", err.message);
    CHECK_TEXT("again: /dev/x: No such file or directory", err.message);
}

TEST(err_cleans_and_cuts_messages)
{
    struct err err;
    char longer[3000];

    err_set(&err, ERR_INTERNAL,
            "a\033[2Jb\nc\x7f\xff"
            "\xc3\xbc");
    CHECK_TEXT("a?[2Jb?c?\?\xc3\xbc", err.message);
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    err_set(&err, ERR_INTERNAL, "%s", longer);
    CHECK_NUMBER(ERR_MESSAGE_BYTES - 1, strlen(err.message));
    /* A character that the cut goes through does not remain as half of one. */
    strcpy(longer + ERR_MESSAGE_BYTES - 2, "\xc3\xbc");
    err_set(&err, ERR_INTERNAL, "%s", longer);
    CHECK_TEXT("x?", err.message + ERR_MESSAGE_BYTES - 3);
}

TEST(err_codes_have_names)
{
    for (unsigned code = 0; code < ERR_COUNT; code++)
        CHECK_NUMBER(code, err_code_from_name(err_code_name((enum err_code)code)));
    CHECK_NUMBER(ERR_INTERNAL, err_code_from_name("no such code"));
    CHECK_NUMBER(ERR_INTERNAL, err_code_from_name(NULL));
    CHECK_TEXT("internal", err_code_name(ERR_COUNT));
}

TEST(text_clean_keeps_utf8_only)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"plain", "plain"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xed\xa0\x80", "???"},      /* half of a surrogate pair */
        {"\xf4\x90\x80\x80", "????"}, /* beyond Unicode */
        {"\xc2\x9b", "??"},           /* a control character of 8 bits */
        {"\xe2\x82", "??"},           /* cut off */
        {"tab\tnewline\n", "tab?newline?"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[32];
        strcpy(text, cases[i].from);
        CHECK_NUMBER(strcmp(cases[i].from, cases[i].to) == 0, text_valid(text));
        text_clean(text);
        CHECK_TEXT(cases[i].to, text);
    }
}

TEST(quoted_shortens)
{
    char longer[200];

    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    CHECK_TEXT("\"a?b\"", quoted("a\nb").text);
    CHECK_NUMBER(48 + 5, strlen(quoted(longer).text));
    CHECK_HOLDS("yyy...\"", quoted(longer).text);
}

TEST(copy_text_never_overruns)
{
    char to[4] = "old";

    CHECK(copy_text(to, sizeof(to), "abc"));
    CHECK_TEXT("abc", to);
    CHECK(!copy_text(to, sizeof(to), "abcd"));
    CHECK_TEXT("", to);
    CHECK(text_printable("a b~", 4));
    CHECK(!text_printable("a b~", 3));
    CHECK(!text_printable("", 3));
    CHECK(!text_printable("\x7f", 3));
    CHECK(!text_printable("\xc3\xbc", 3));
}

TEST(files_are_replaced_as_a_whole)
{
    CLEANUP_FREE char *path = xasprintf("%s/file", unit_folder());
    CLEANUP_FREE char *fresh = xasprintf("%s/.file.new", unit_folder());
    CLEANUP_FREE char *text = NULL;
    struct stat status;
    struct err err;
    size_t length;

    CHECK_NUMBER(0, write_file(path, "one", 3, 0600, &err));
    /* What a killed writer left behind does no harm, not even a link elsewhere. */
    CHECK_NUMBER(0, symlink("/nonexistent/elsewhere", fresh));
    CHECK_NUMBER(0, write_file(path, "two\0", 4, 0640, &err));
    CHECK_NUMBER(0, stat(path, &status));
    CHECK_NUMBER(0640, status.st_mode & 0777);
    CHECK(lstat(fresh, &status) != 0);
    CHECK_NUMBER(0, read_file(path, 4, &text, &length, &err));
    CHECK_NUMBER(4, length);
    CHECK_TEXT("two", text);
    CHECK_NUMBER(-1, read_file(path, 3, &text, &length, &err));
    CHECK_HOLDS("larger than 3 bytes", err.message);
    CHECK_NUMBER(-1, write_file("/nonexistent/file", "x", 1, 0600, &err));
    CHECK_HOLDS("No such file", err.message);
    CHECK_NUMBER(-1, read_file("/nonexistent/file", 10, &text, NULL, &err));
    CHECK_HOLDS("/nonexistent/file", err.message);
    CHECK_NUMBER(0, read_file_if_there("/nonexistent/file", 10, &text, NULL, &err));
    CHECK_NUMBER(-1, read_file_if_there(unit_folder(), 10, &text, NULL, &err));
    CHECK_NUMBER(-1, read_file_if_there(path, 3, &text, NULL, &err));
}

TEST(files_of_unknown_size_are_read)
{
    CLEANUP_FREE char *text = NULL;
    CLEANUP_FREE char *path = xasprintf("%s/large", unit_folder());
    CLEANUP_FREE char *large = xcalloc(1, 20000);
    size_t length;
    struct err err;

    CHECK_NUMBER(0, read_file("/proc/self/status", 1 << 20, &text, &length, &err));
    CHECK_NUMBER(length, strlen(text));
    CHECK(length > 100);
    free(text);
    text = NULL;
    memset(large, 'z', 20000);
    CHECK_NUMBER(0, write_file(path, large, 20000, 0600, &err));
    CHECK_NUMBER(0, read_file(path, 20000, &text, &length, &err));
    CHECK(length == 20000 && memcmp(text, large, 20000) == 0);
}

TEST(times_go_in_and_out)
{
    static const char *const bad[] = {
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+01:00",
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01t00:00:00Z",
        "2026-1-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-01-02T03:04:05Zx",
        " 2026-01-02T03:04:05Z",
    };
    char text[TIME_TEXT_BYTES];
    int64_t time;

    CHECK_NUMBER(0, time_parse("2026-01-02T03:04:05Z", &time));
    CHECK_NUMBER(1767323045000, time);
    CHECK_NUMBER(0, time_parse("2024-02-29T23:59:59.987654Z", &time));
    time_format(time, text);
    CHECK_TEXT("2024-02-29T23:59:59.987Z", text);
    CHECK_NUMBER(0, time_parse("9999-12-31T23:59:59.999Z", &time));
    time_format(time, text);
    CHECK_TEXT("9999-12-31T23:59:59.999Z", text);
    time_format(INT64_MAX, text);
    CHECK_TEXT("9999-12-31T23:59:59.999Z", text);
    time_format(-5, text);
    CHECK_TEXT("1970-01-01T00:00:00.000Z", text);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (!CHECK_NUMBER(-1, time_parse(bad[i], &time)))
            printf("    %s\n", bad[i]);
    CHECK(wall_ms() > 1700000000000);
    CHECK(monotonic_ms() > 0);
}

TEST(identifiers)
{
    char one[UUID_TEXT_BYTES], two[UUID_TEXT_BYTES];

    uuid_make(one);
    uuid_make(two);
    CHECK(uuid_valid(one) && uuid_valid(two) && strcmp(one, two) != 0);
    CHECK(one[14] == '4' && strchr("89ab", one[19]));
    CHECK(!uuid_valid("00000000-0000-4000-8000-00000000000"));
    CHECK(!uuid_valid("00000000-0000-4000-8000-0000000000001"));
    CHECK(!uuid_valid("00000000-0000-4000-8000-00000000000A"));
    CHECK(!uuid_valid("00000000x0000-4000-8000-000000000000"));
    CHECK(!uuid_valid(""));
    CHECK(hex_valid("00ff", 2) && !hex_valid("00f", 2) && !hex_valid("00fff", 2));
    CHECK(!hex_valid("00FF", 2));
    char hex[7];
    hex_write(hex, (const unsigned char *)"\x00\x9a\xff", 3);
    CHECK_TEXT("009aff", hex);
}

TEST(whole_reads_and_writes)
{
    int ends[2];
    char data[8];

    CHECK_NUMBER(0, pipe2(ends, O_CLOEXEC));
    CHECK_NUMBER(0, write_full(ends[1], "abc", 3));
    CHECK_NUMBER(0, write_full(ends[1], "de", 2));
    close(ends[1]);
    CHECK_NUMBER(5, read_full(ends[0], data, sizeof(data)));
    CHECK_NUMBER(0, memcmp(data, "abcde", 5));
    CHECK_NUMBER(0, read_full(ends[0], data, sizeof(data)));
    close(ends[0]);
    CHECK_NUMBER(-1, read_full(ends[0], data, 1));
}
