/* slicectl's parts: the connection to sliced, the commands, and how their results are printed. */
#ifndef SLICENODE_SLICECTL_H
#define SLICENODE_SLICECTL_H

#include "err.h"

#include <jansson.h>
#include <stdbool.h>

/* Exit codes. */
#define EXIT_DONE 0
#define EXIT_REFUSED 1 /* the node said no, or the request failed */
#define EXIT_USAGE 2
#define EXIT_NO_AGENT 3 /* sliced does not answer */

struct control {
    int fd;
    const char *socket_path;
    bool json;
    char *buffer;
    size_t used;
    json_int_t last_id;
    /* Notifications that come while an answer is awaited. */
    void (*notified)(struct control *control, const char *method, const json_t *params);
};

/* slicectl_link.c: all of these exit with a message when sliced is not there. */
/* The result as a new reference; NULL with `err` when sliced refused. Takes `params` over. */
json_t *control_call(struct control *control, const char *method, json_t *params, struct err *err);
/* As control_call; sliced gets a copy of `descriptor` with it. */
json_t *control_call_with(struct control *control, const char *method, json_t *params,
                          int descriptor, struct err *err);
/* As control_call, but a refusal is printed and ends the program. */
json_t *control_need(struct control *control, const char *method, json_t *params);
/* Waits for one notification. */
void control_follow(struct control *control);

/* slicectl_commands.c, for the commands in files of their own. */
/* Sends a request and stays until it has ended, telling its steps; gives the exit code. `id` and
 * `slice` may be NULL; `args` is taken over. */
int carry_out(struct control *control, const char *operation, const char *id, const char *slice,
              json_t *args);
/* Calls a method and prints what it gives. Takes `params` over. */
int list(struct control *control, const char *method, json_t *params,
         void (*print)(const json_t *));
/* Takes `--NAME VALUE` or, without `value`, `--NAME` out of the words. */
bool take_option(int *count, char **words, const char *name, const char **value);
/* What the word says; exits with a message that begins with `what` when it is no number. */
json_t *number_of(const char *what, const char *word);

/* slicectl_slice.c */
int command_provision(struct control *control, int count, char **words);
int command_start(struct control *control, int count, char **words);
int command_stop(struct control *control, int count, char **words);
int command_reboot(struct control *control, int count, char **words);
int command_resize(struct control *control, int count, char **words);
int command_pause(struct control *control, int count, char **words);
int command_unpause(struct control *control, int count, char **words);
int command_terminate(struct control *control, int count, char **words);
int command_console(struct control *control, int count, char **words);

/* slicectl_volume.c */
int command_volume(struct control *control, int count, char **words);

/* slicectl_find.c: the id of what `text` names (an id, an unambiguous beginning of one, or a name);
 * exits with a message when there is none or more than one. */
const char *find_slice(struct control *control, const char *text);
const char *find_snapshot(struct control *control, const char *slice, const char *text);
const char *find_volume(struct control *control, const char *text);
const char *find_image(struct control *control, const char *text);

/* slicectl_attach.c: stays at the console of a slice until the user leaves it or it ends. */
int command_attach(struct control *control, const char *name);

/* slicectl_commands.c: shows a request's steps. */
void show_progress(struct control *control, const char *method, const json_t *params);

/* slicectl_export.c: `snapshot export`. */
int command_export(struct control *control, int count, char **words);

/* slicectl_print.c */
void print_json(const json_t *value);
void print_status(const json_t *status);
void print_slices(const json_t *slices);
void print_slice(const json_t *slice);
void print_snapshots(const json_t *snapshots);
void print_images(const json_t *images);
void print_requests(const json_t *requests);
void print_event(const json_t *event);
void print_error(const struct err *error);

/* slicectl_commands.c: runs the command and gives the exit code; EXIT_USAGE when it is not known or
 * its arguments are wrong. */
int command_run(struct control *control, int count, char **words);
extern const char command_usage[];

#endif
