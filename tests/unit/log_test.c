/* log: lines on standard error and on the console. */
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Runs `write_lines` with standard error going to a file, and gives what came there and what came to
 * the console. */
static void capture(void (*write_lines)(void), enum log_level level, char **error, char **console)
{
    CLEANUP_FREE char *error_path = xasprintf("%s/stderr", unit_folder());
    CLEANUP_FREE char *console_path = xasprintf("%s/console", unit_folder());
    int saved = dup(STDERR_FILENO);
    int file = open(error_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct err err;

    CHECK(saved >= 0 && file >= 0);
    CHECK_NUMBER(0, write_file(console_path, "", 0, 0600, &err));
    dup2(file, STDERR_FILENO);
    close(file);
    log_open("prog", level, console_path);
    write_lines();
    log_open("unit", LOG_LEVEL_INFO, NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    CHECK_NUMBER(0, read_file(error_path, 65536, error, NULL, &err));
    CHECK_NUMBER(0, read_file(console_path, 65536, console, NULL, &err));
}

static void every_level(void)
{
    log_debug("one");
    log_info("two %d", 2);
    log_notice("three");
    log_warning("four");
    log_error("five");
}

static void forged(void)
{
    log_info("%s", "a\nprog: error: forged\033[2J");
}

static void very_long(void)
{
    char text[5000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);
    log_info("after");
}

TEST(log_levels)
{
    CLEANUP_FREE char *error = NULL;
    CLEANUP_FREE char *console = NULL;

    capture(every_level, LOG_LEVEL_INFO, &error, &console);
    CHECK_TEXT("prog: two 2\nprog: three\nprog: warning: four\nprog: error: five\n", error);
    CHECK_TEXT("prog: three\nprog: warning: four\nprog: error: five\n", console);
}

TEST(log_lines_cannot_be_forged)
{
    CLEANUP_FREE char *error = NULL;
    CLEANUP_FREE char *console = NULL;

    capture(forged, LOG_LEVEL_DEBUG, &error, &console);
    CHECK_TEXT("prog: a?prog: error: forged?[2J\n", error);
    CHECK_TEXT("", console);
}

TEST(log_lines_are_cut)
{
    CLEANUP_FREE char *error = NULL;
    CLEANUP_FREE char *console = NULL;

    capture(very_long, LOG_LEVEL_INFO, &error, &console);
    CHECK_HOLDS("xxx\nprog: after\n", error);
    CHECK(strlen(error) < 2200);
}
