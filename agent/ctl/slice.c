/* Commands on slices. */
#include "ctl/slice.h"

#include "base/ident.h"
#include "base/memory.h"
#include "ctl/attach.h"
#include "ctl/find.h"
#include "ctl/link.h"
#include "ctl/print.h"
#include "ctl/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *read_description(const char *path)
{
    json_error_t problem;
    json_t *object =
        strcmp(path, "-") == 0 ? json_loadf(stdin, 0, &problem) : json_load_file(path, 0, &problem);
    if (!json_is_object(object)) {
        fprintf(stderr, "slicectl: %s: %s\n", path, object ? "must be an object" : problem.text);
        exit(EXIT_USAGE);
    }
    return object;
}

/* The file holds a request, or only its arguments. */
int command_provision(struct control *control, int count, char **words)
{
    char made[UUID_TEXT_BYTES];
    if (count != 1)
        return EXIT_USAGE;
    json_t *object = read_description(words[0]);
    json_t *args = json_object_get(object, "args");
    const char *slice = args ? json_string_value(json_object_get(object, "slice")) : NULL;
    const char *id = args ? json_string_value(json_object_get(object, "id")) : NULL;
    uuid_make(made);
    if (!control->json)
        fprintf(stderr, "slice %s\n", slice ? slice : made);
    int code = carry_out(control, "slice.provision", id, slice ? slice : made,
                         json_incref(args ? args : object));
    json_decref(object);
    return code;
}

static int end(struct control *control, const char *operation, int count, char **words)
{
    const char *seconds;
    json_t *args = json_object();
    if (take_option(&count, words, "--force", NULL))
        json_object_set_new(args, "force", json_true());
    if (take_option(&count, words, "--timeout", &seconds))
        json_object_set_new(args, "timeout_seconds", number_of("--timeout", seconds));
    if (count != 1) {
        json_decref(args);
        return EXIT_USAGE;
    }
    return carry_out(control, operation, NULL, find_slice(control, words[0]), args);
}

int command_resize(struct control *control, int count, char **words)
{
    static const struct {
        const char *option;
        const char *name;
    } sizes[] = {{"--vcpus", "vcpus"}, {"--memory-mib", "memory_mib"}, {"--disk-gib", "disk_gib"}};
    json_t *args = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        const char *value;
        if (take_option(&count, words, sizes[i].option, &value))
            json_object_set_new(args, sizes[i].name, number_of(sizes[i].option, value));
    }
    if (count != 1 || json_object_size(args) == 0) {
        json_decref(args);
        return EXIT_USAGE;
    }
    return carry_out(control, "slice.resize", NULL, find_slice(control, words[0]), args);
}

static void show_console(struct control *control, const char *method, const json_t *params)
{
    const char *text = json_string_value(json_object_get(params, "text"));
    (void)control;
    if (strcmp(method, "console") == 0 && text) {
        print_console(text);
        fflush(stdout);
    }
}

int command_console(struct control *control, int count, char **words)
{
    bool follow = take_option(&count, words, "-f", NULL);
    bool attach = take_option(&count, words, "--attach", NULL);
    if (count != 1 || (attach && follow))
        return EXIT_USAGE;
    if (attach)
        return command_attach(control, words[0]);
    control->notified = show_console;
    json_t *result = control_need(
        control, "console.show",
        json_pack("{s:s, s:b}", "slice", find_slice(control, words[0]), "follow", follow));
    if (control->json && !follow)
        print_json(result);
    else
        print_console(json_string_value(json_object_get(result, "console")));
    fflush(stdout);
    json_decref(result);
    if (!follow)
        return EXIT_DONE;
    for (;;)
        control_follow(control);
}

static int plain(struct control *control, const char *operation, int count, char **words)
{
    if (count != 1)
        return EXIT_USAGE;
    return carry_out(control, operation, NULL, find_slice(control, words[0]), NULL);
}

int command_start(struct control *control, int count, char **words)
{
    return plain(control, "slice.start", count, words);
}

int command_stop(struct control *control, int count, char **words)
{
    return end(control, "slice.stop", count, words);
}

int command_reboot(struct control *control, int count, char **words)
{
    return end(control, "slice.reboot", count, words);
}

int command_pause(struct control *control, int count, char **words)
{
    return plain(control, "slice.pause", count, words);
}

int command_unpause(struct control *control, int count, char **words)
{
    return plain(control, "slice.unpause", count, words);
}

int command_terminate(struct control *control, int count, char **words)
{
    return plain(control, "slice.terminate", count, words);
}
