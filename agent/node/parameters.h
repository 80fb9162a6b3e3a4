/* The boot parameters that the agent uses. */
#ifndef SLICENODE_NODE_PARAMETERS_H
#define SLICENODE_NODE_PARAMETERS_H

#include <jansson.h>
#include <stdbool.h>

struct agent;

/* The boot parameters that the agent uses, as slicenode-conf has left them; "" when not given. */
struct conf_values {
    char *controller;
    char *ca;
    char *pin;
    char *token;
    char *name;
};

void conf_read(const char *run_dir, struct conf_values *conf);
void conf_values_free(struct conf_values *conf);
void conf_problems(struct agent *agent);
/* One word per controller: the parameter is a list with commas. */
json_t *conf_urls(const struct conf_values *conf);
/* Whether there is enough to talk to a controller; reports what is missing. */
bool conf_allows_session(struct agent *agent);

#endif
