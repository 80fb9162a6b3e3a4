/* The boot parameters, one file each in RUN_DIR/conf. */
#include "node/parameters.h"

#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As conf/conf.h has it for a whole file: no value can be longer. */
#define VALUE_LIMIT (64u << 10)

static char *read_value(const char *run_dir, const char *key)
{
    CLEANUP_FREE char *path = xasprintf("%s/conf/%s", run_dir, key);
    char *text;
    size_t length;
    if (read_file(path, VALUE_LIMIT, &text, &length, NULL) < 0)
        return xstrdup("");
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        text[--length] = '\0';
    return text;
}

void conf_read(const char *run_dir, struct conf_values *conf)
{
    conf->controller = read_value(run_dir, "controller");
    conf->ca = read_value(run_dir, "ca");
    conf->pin = read_value(run_dir, "pin");
    conf->token = read_value(run_dir, "token");
    conf->name = read_value(run_dir, "name");
}

void conf_values_free(struct conf_values *conf)
{
    free(conf->controller);
    free(conf->ca);
    free(conf->pin);
    free(conf->token);
    free(conf->name);
}

/* Lines `code<TAB>message` of slicenode-conf and the boot scripts. */
void conf_problems(struct agent *agent)
{
    CLEANUP_FREE char *text = read_value(agent->options.run_dir, "problems");
    unsigned number = 0;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        char *tab = strchr(line, '\t');
        struct err error;
        char key[32];
        if (!line[0])
            continue;
        if (tab)
            *tab = '\0';
        err_set(&error, tab ? err_code_from_name(line) : ERR_CONF_INVALID, "%s",
                tab ? tab + 1 : line);
        snprintf(key, sizeof(key), "conf-%u", ++number);
        problem_set(agent, key, &error);
    }
}

json_t *conf_urls(const struct conf_values *conf)
{
    json_t *urls = json_array();
    CLEANUP_FREE char *text = xstrdup(conf->controller);
    char *rest = text, *word;
    while ((word = strsep(&rest, ", \t\n")))
        if (word[0])
            json_array_append_new(urls, json_string(word));
    return urls;
}

/* What keeps a node from enrolling by its own configuration is said at once and plainly. */
bool conf_allows_session(struct agent *agent)
{
    struct err error;
    const struct conf_values *conf = &agent->conf;
    if (!conf->controller[0])
        err_set(&error, ERR_NOT_CONFIGURED, "no controller: give slicenode.controller=URL");
    else if (!identity_enrolled(&agent->identity) && !conf->ca[0] && !conf->pin[0])
        err_set(&error, ERR_NOT_CONFIGURED,
                "neither slicenode.ca nor slicenode.pin is given: the node does not enrol with "
                "%s, since it could not know whom it talks to",
                conf->controller);
    else if (!identity_enrolled(&agent->identity) && !conf->token[0])
        err_set(&error, ERR_NOT_CONFIGURED, "no slicenode.token: the node cannot enrol with %s",
                conf->controller);
    else
        return true;
    problem_set(agent, "controller", &error);
    return false;
}
