#include "conf/conf.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "slicenode."
#define BLANKS " \t"
#define PEM_BEGIN "-----BEGIN "
#define PEM_END "-----END "
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static const struct {
    const char *name;
    conf_check *check;
} keys[CONF_KEY_COUNT] = {
#define X(key, name, check) [CONF_##key] = {name, check},
    CONF_KEYS(X)
#undef X
};

const char *conf_key_name(enum conf_key key)
{
    return keys[key].name;
}

void conf_problem(struct conf *conf, const char *format, ...)
{
    struct err problem;
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = xstrdup("out of memory");
    va_end(arguments);
    err_set(&problem, ERR_CONF_INVALID, "%s", text);
    free(text);
    if (conf->problem_count < CONF_PROBLEMS_MAX)
        conf->problems[conf->problem_count] = xstrdup(problem.message);
    conf->problem_count++;
}

void conf_free(struct conf *conf)
{
    for (unsigned key = 0; key < CONF_KEY_COUNT; key++) {
        free(conf->values[key].text);
        free(conf->values[key].where);
    }
    for (unsigned i = 0; i < conf->problem_count && i < CONF_PROBLEMS_MAX; i++)
        free(conf->problems[i]);
    *conf = (struct conf){.sources = 0};
}

static int find_key(const char *name)
{
    for (int key = 0; key < CONF_KEY_COUNT; key++)
        if (strcmp(keys[key].name, name) == 0)
            return key;
    return -1;
}

/* A key as the operator has written it, in quotes where something of it cannot be seen. */
static struct quoted shown(const char *name)
{
    struct quoted text;

    if (*name && !text_printable(name, 40))
        return quoted(name);
    snprintf(text.text, sizeof(text.text), PREFIX "%s", name);
    return text;
}

static void unknown_key(struct conf *conf, const char *where, const char *name)
{
    char known[256] = "";

    for (unsigned key = 0; key < CONF_KEY_COUNT; key++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s%s", key ? ", " : "", keys[key].name);
    }
    conf_problem(conf, "%s: %s is not known; the keys are %s", where, shown(name).text, known);
}

static void replace(struct conf_value *value, char *text)
{
    free(value->text);
    value->text = text;
}

/* Keeps a checked value. Several ssh_key lines of one source add up; of other keys the last one
 * counts. Takes `text`. */
static void keep(struct conf *conf, const char *where, enum conf_key key, char *text)
{
    struct conf_value *value = &conf->values[key];
    bool again = value->source == conf->sources;

    value->source = conf->sources;
    free(value->where);
    value->where = xstrdup(where);
    if (again && value->text && key == CONF_SSH_KEY) {
        replace(value, xasprintf("%s\n%s", value->text, text));
        free(text);
        return;
    }
    if (again && key != CONF_SSH_KEY)
        conf_problem(conf, "%s: " PREFIX "%s is given twice; the last one counts", where,
                     keys[key].name);
    replace(value, text);
}

/* A value that is wrong must not make room for one of less weight, and a node that cannot tell
 * which disks it may use must not touch any. */
static void refuse_parameter(struct conf *conf, const char *where, enum conf_key key,
                             struct err *err)
{
    struct conf_value *value = &conf->values[key];

    conf_problem(conf, "%s: " PREFIX "%s: %s", where, keys[key].name, err->message);
    if (key == CONF_SSH_KEY && value->source == conf->sources)
        return;
    value->source = conf->sources;
    replace(value, key == CONF_DISK ? xstrdup("none") : NULL);
}

/* Takes `text`. */
static void set(struct conf *conf, const char *where, const char *name, char *text)
{
    int key = find_key(name);
    struct err err;

    if (key < 0) {
        unknown_key(conf, where, name);
        free(text);
    } else if (keys[key].check(text, &err) < 0) {
        refuse_parameter(conf, where, (enum conf_key)key, &err);
        free(text);
    } else {
        keep(conf, where, (enum conf_key)key, text);
    }
}

/* Takes the next word, with double quotes as the kernel reads them: they hold blanks together and
 * are not part of the value. NULL at the end; the caller frees it. */
static char *next_word(const char **text)
{
    const char *from = *text + strspn(*text, BLANKS "\r\n");
    char *word = xcalloc(strlen(from) + 1, 1);
    bool within = false;
    size_t length = 0;

    if (!*from) {
        free(word);
        return NULL;
    }
    for (; *from && (within || !strchr(BLANKS "\r\n", *from)); from++) {
        if (*from == '"')
            within = !within;
        else
            word[length++] = *from;
    }
    *text = from;
    return word;
}

void conf_command_line(struct conf *conf, const char *text)
{
    static const char where[] = "command line";
    char *word;

    conf->sources++;
    for (; (word = next_word(&text)); free(word)) {
        char *name = word + strlen(PREFIX);
        char *equals;

        if (strncmp(word, PREFIX, strlen(PREFIX)) != 0)
            continue;
        equals = strchr(name, '=');
        if (!equals) {
            conf_problem(conf, "%s: %s has no value", where, quoted(word).text);
            continue;
        }
        *equals = '\0';
        if (strcmp(name, "ca") == 0)
            conf_problem(conf, "%s: " PREFIX "ca can only be given in slicenode.conf", where);
        else
            set(conf, where, name, xstrdup(equals + 1));
    }
}

/* A file as its lines; `number` is that of the line read last. */
struct lines {
    char *rest;
    unsigned number;
};

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, BLANKS);
    length = strlen(text);
    while (length > 0 && strchr(BLANKS "\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static char *next_line(struct lines *lines)
{
    char *line = strsep(&lines->rest, "\n");

    if (!line)
        return NULL;
    lines->number++;
    /* Editors on Windows put this mark at the beginning of a file, which may have come to stand
     * behind something else: scripts/personalise's first line, another file. Nobody sees it. */
    while (begins(line, BYTE_ORDER_MARK))
        line += strlen(BYTE_ORDER_MARK);
    return trim(line);
}

/* Every other byte of English in UTF-16 is zero, with the mark before it or not. */
static bool is_utf16(const char *text, size_t length)
{
    return length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0 ||
                           (!text[0] != !text[1]));
}

/* Whether another PEM block comes next, after blank lines at most. */
static bool pem_follows(const struct lines *lines)
{
    return lines->rest && begins(lines->rest + strspn(lines->rest, BLANKS "\r\n"), PEM_BEGIN);
}

/* Collects the PEM blocks that a value begins with; `line` is the first line of the value, empty
 * when the first block begins on the next line. */
static char *read_pem(struct lines *lines, const char *line)
{
    char *text = xstrdup("");
    bool within = false;

    for (; line; line = next_line(lines)) {
        if (*line) {
            char *longer = xasprintf("%s%s\n", text, line);
            free(text);
            text = longer;
        }
        if (begins(line, PEM_BEGIN))
            within = true;
        else if (begins(line, PEM_END))
            within = false;
        if (!within && !pem_follows(lines))
            break;
    }
    return text;
}

static char *unquote(char *value)
{
    size_t length = strlen(value);

    if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
        value[length - 1] = '\0';
        value++;
    }
    return value;
}

static void read_line(struct conf *conf, const char *source, struct lines *lines, char *line)
{
    CLEANUP_FREE char *where = NULL;
    char *equals = strchr(line, '=');
    char *name = line, *value;

    /* An image's slot has some 65,000 empty lines, and reading them is part of every boot. */
    if (line[0] == '\0' || line[0] == '#')
        return;
    where = xasprintf("%s line %u", source, lines->number);
    if (!equals) {
        /* Not shown: it may be a line of a secret that lost its beginning. */
        conf_problem(conf, "%s: not of the form key=value", where);
        return;
    }
    *equals = '\0';
    name = trim(name);
    value = trim(equals + 1);
    if (begins(name, PREFIX))
        name += strlen(PREFIX);
    if (begins(value, PEM_BEGIN) || (!*value && pem_follows(lines)))
        set(conf, where, name, read_pem(lines, value));
    else
        set(conf, where, name, xstrdup(unquote(value)));
}

void conf_file(struct conf *conf, const char *source, const char *text, size_t length)
{
    CLEANUP_FREE char *copy = NULL;
    struct lines lines;
    char *line;

    conf->sources++;
    if (length > CONF_FILE_LIMIT) {
        conf_problem(conf, "%s: longer than %u bytes; ignored", source, CONF_FILE_LIMIT);
        return;
    }
    if (memchr(text, '\0', length)) {
        conf_problem(conf, "%s: not plain text (UTF-8)%s; ignored", source,
                     is_utf16(text, length) ? " but UTF-16: have the editor save it as UTF-8" : "");
        return;
    }
    copy = xcalloc(length + 1, 1);
    memcpy(copy, text, length);
    lines = (struct lines){.rest = copy};
    while ((line = next_line(&lines)))
        read_line(conf, source, &lines, line);
}
