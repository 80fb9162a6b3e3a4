/* The commands. */
#include "slicectl.h"

#include "util.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char command_usage[] =
    "usage: slicectl [--json] [--socket PATH] COMMAND\n"
    "  status                             the node\n"
    "  slices                             all slices\n"
    "  show SLICE                         one slice\n"
    "  provision FILE|-                   make a slice: {\"id\"?, \"slice\"?, \"args\": {...}}\n"
    "  start SLICE\n"
    "  stop [--force] [--timeout SECONDS] SLICE\n"
    "  reboot [--force] [--timeout SECONDS] SLICE\n"
    "  resize SLICE [--vcpus N] [--memory-mib N] [--disk-gib N]\n"
    "  pause SLICE | unpause SLICE        stand still, and go on; the memory stays\n"
    "  terminate SLICE\n"
    "  console [-f] SLICE                 what it printed; -f: and goes on printing\n"
    "  console --attach SLICE             type on it as well; Ctrl-] leaves\n"
    "  snapshot list [SLICE]\n"
    "  snapshot create [--memory] SLICE NAME\n"
    "  snapshot revert [--restart] SLICE SNAPSHOT\n"
    "  snapshot delete SLICE SNAPSHOT\n"
    "  volume list\n"
    "  volume create NAME SIZE_GIB\n"
    "  volume attach VOLUME SLICE\n"
    "  volume detach [--force] VOLUME     --force: also when the slice does not release it\n"
    "  volume resize VOLUME SIZE_GIB\n"
    "  volume delete VOLUME\n"
    "  snapshot export SLICE SNAPSHOT [--since SNAPSHOT] [--format raw|vhd]\n"
    "              [--compression none|gzip|zstd] [--stall SECONDS] [--url HTTPS-URL]\n"
    "                                     to the URL, or without one to standard output\n"
    "  image list\n"
    "  image fetch URL [--id ID] [--sha256 HEX] [--kind disk|kernel|ramdisk]\n"
    "              [--compression none|gzip|xz|zstd] [--format raw|qcow2|vhd]\n"
    "  image delete IMAGE\n"
    "  request list | show ID | wait ID | cancel ID\n"
    "  events                             as they come\n"
    "  node report\n"
    "  node drain | undrain               no new slices; taken back\n"
    "  node reboot                        the slices shut down first, and start again after it\n"
    "  node shutdown                      the slices only: before the machine goes down\n"
    "A slice, snapshot, volume or image is named by its id, an unambiguous beginning of it, or its "
    "name.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 sliced does not answer.\n";

void show_progress(struct control *control, const char *method, const json_t *params)
{
    const json_t *progress = json_object_get(params, "progress");
    const char *step = json_string_value(json_object_get(params, "step"));
    if (control->json || strcmp(method, "event") != 0 || !step)
        return;
    if (json_is_integer(progress))
        fprintf(stderr, "%s %lld %%\n", step, (long long)json_integer_value(progress));
    else
        fprintf(stderr, "%s\n", step);
}

/* Prints how a request ended. */
static int print_end(struct control *control, const json_t *request)
{
    const char *phase = json_string_value(json_object_get(request, "phase"));
    const json_t *error = json_object_get(request, "error");
    bool failed = phase && strcmp(phase, "failed") == 0;
    if (control->json)
        print_json(request);
    else if (failed)
        fprintf(stderr, "slicectl: %s: %s\n", json_string_value(json_object_get(error, "code")),
                json_string_value(json_object_get(error, "message")));
    else
        printf("done %s\n", json_string_value(json_object_get(request, "id")));
    return failed ? EXIT_REFUSED : EXIT_DONE;
}

int carry_out(struct control *control, const char *operation, const char *id, const char *slice,
              json_t *args)
{
    char made[UUID_TEXT_BYTES];
    uuid_make(made);
    const char *request = id ? id : made;
    json_decref(control_need(control, "events.follow", json_pack("{s:s}", "request", request)));
    control->notified = show_progress;
    json_t *params =
        json_pack("{s:s, s:o, s:b}", "id", request, "args", args ? args : json_object(), "wait", 1);
    if (slice)
        json_object_set_new(params, "slice", json_string(slice));
    json_t *result = control_need(control, operation, params);
    int code = print_end(control, result);
    json_decref(result);
    return code;
}

int list(struct control *control, const char *method, json_t *params, void (*print)(const json_t *))
{
    json_t *result = control_need(control, method, params);
    if (control->json)
        print_json(result);
    else
        print(result);
    json_decref(result);
    return EXIT_DONE;
}

bool take_option(int *count, char **words, const char *name, const char **value)
{
    for (int i = 0; i < *count; i++) {
        int taken = value ? 2 : 1;
        if (strcmp(words[i], name) != 0 || i + taken > *count)
            continue;
        if (value)
            *value = words[i + 1];
        *count -= taken;
        memmove(&words[i], &words[i + taken], (size_t)(*count - i) * sizeof(*words));
        return true;
    }
    return false;
}

/* --- Slices --------------------------------------------------------------------------------------- */

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
static int command_provision(struct control *control, int count, char **words)
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

static int command_stop(struct control *control, const char *operation, int count, char **words)
{
    const char *seconds = NULL;
    json_t *args = json_object();
    if (take_option(&count, words, "--force", NULL))
        json_object_set_new(args, "force", json_true());
    if (take_option(&count, words, "--timeout", &seconds))
        json_object_set_new(args, "timeout_seconds", json_integer(strtoll(seconds, NULL, 10)));
    if (count != 1) {
        json_decref(args);
        return EXIT_USAGE;
    }
    return carry_out(control, operation, NULL, find_slice(control, words[0]), args);
}

static int command_resize(struct control *control, int count, char **words)
{
    static const struct {
        const char *option;
        const char *name;
    } sizes[] = {{"--vcpus", "vcpus"}, {"--memory-mib", "memory_mib"}, {"--disk-gib", "disk_gib"}};
    json_t *args = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        const char *value;
        if (take_option(&count, words, sizes[i].option, &value))
            json_object_set_new(args, sizes[i].name, json_integer(strtoll(value, NULL, 10)));
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
        fputs(text, stdout);
        fflush(stdout);
    }
}

static int command_console(struct control *control, int count, char **words)
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
        fputs(json_string_value(json_object_get(result, "console")), stdout);
    fflush(stdout);
    json_decref(result);
    if (!follow)
        return EXIT_DONE;
    for (;;)
        control_follow(control);
}

static int command_slice(struct control *control, const char *operation, int count, char **words)
{
    if (count != 1)
        return EXIT_USAGE;
    return carry_out(control, operation, NULL, find_slice(control, words[0]), NULL);
}

/* --- Snapshots and images -------------------------------------------------------------------------- */

static int command_snapshot(struct control *control, int count, char **words)
{
    bool restart = take_option(&count, words, "--restart", NULL);
    bool memory = take_option(&count, words, "--memory", NULL);
    const char *action = count > 0 ? words[0] : "";
    if (strcmp(action, "export") == 0)
        return command_export(control, count - 1, words + 1);
    if (strcmp(action, "list") == 0 && count <= 2)
        return list(control, "snapshot.list",
                    count == 2 ? json_pack("{s:s}", "slice", find_slice(control, words[1])) : NULL,
                    print_snapshots);
    if (count != 3)
        return EXIT_USAGE;
    const char *slice = find_slice(control, words[1]);
    if (strcmp(action, "create") == 0) {
        char id[UUID_TEXT_BYTES];
        uuid_make(id);
        if (!control->json)
            fprintf(stderr, "snapshot %s\n", id);
        return carry_out(
            control, "snapshot.create", NULL, slice,
            json_pack("{s:s, s:s, s:b}", "snapshot", id, "name", words[2], "memory", memory));
    }
    const char *snapshot = find_snapshot(control, slice, words[2]);
    if (strcmp(action, "revert") == 0)
        return carry_out(control, "snapshot.revert", NULL, slice,
                         json_pack("{s:s, s:b}", "snapshot", snapshot, "restart", restart));
    if (strcmp(action, "delete") == 0)
        return carry_out(control, "snapshot.delete", NULL, slice,
                         json_pack("{s:s}", "snapshot", snapshot));
    return EXIT_USAGE;
}

static int command_image(struct control *control, int count, char **words)
{
    static const char *const names[] = {"--id", "--sha256", "--kind", "--compression", "--format"};
    const char *action = count > 0 ? words[0] : "";
    if (strcmp(action, "list") == 0 && count == 1)
        return list(control, "image.list", NULL, print_images);
    if (strcmp(action, "delete") == 0 && count == 2)
        return carry_out(control, "image.delete", NULL, NULL,
                         json_pack("{s:s}", "id", find_image(control, words[1])));
    if (strcmp(action, "fetch") != 0)
        return EXIT_USAGE;
    char made[UUID_TEXT_BYTES];
    uuid_make(made);
    json_t *args = json_pack("{s:s}", "id", made);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const char *value;
        if (take_option(&count, words, names[i], &value))
            json_object_set_new(args, names[i] + 2, json_string(value));
    }
    if (count != 2) {
        json_decref(args);
        return EXIT_USAGE;
    }
    json_object_set_new(args, "url", json_string(words[1]));
    if (!control->json)
        fprintf(stderr, "image %s\n", json_string_value(json_object_get(args, "id")));
    return carry_out(control, "image.fetch", NULL, NULL, args);
}

/* --- Requests, events, the node --------------------------------------------------------------------- */

static int command_request(struct control *control, int count, char **words)
{
    const char *action = count > 0 ? words[0] : "";
    if (strcmp(action, "list") == 0 && count == 1)
        return list(control, "request.list", NULL, print_requests);
    if (strcmp(action, "cancel") == 0 && count == 2)
        return carry_out(control, "request.cancel", NULL, NULL,
                         json_pack("{s:s}", "request", words[1]));
    if (count != 2 || (strcmp(action, "show") != 0 && strcmp(action, "wait") != 0))
        return EXIT_USAGE;
    json_t *request =
        control_need(control, strcmp(action, "wait") == 0 ? "request.wait" : "request.show",
                     json_pack("{s:s}", "id", words[1]));
    int code = EXIT_DONE;
    if (strcmp(action, "wait") == 0)
        code = print_end(control, request);
    else
        print_json(request);
    json_decref(request);
    return code;
}

static void show_event(struct control *control, const char *method, const json_t *params)
{
    if (strcmp(method, "event") != 0)
        return;
    if (control->json) {
        json_dumpf(params, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
    } else {
        print_event(params);
    }
}

__attribute__((noreturn)) static int command_events(struct control *control)
{
    control->notified = show_event;
    json_decref(control_need(control, "events.follow", NULL));
    for (;;)
        control_follow(control);
}

/* Does not wait for the end: that comes after the boot. */
static int begin_reboot(struct control *control)
{
    json_t *request = control_need(control, "node.reboot", NULL);
    if (control->json)
        print_json(request);
    else
        puts("the node reboots as soon as its slices have shut down");
    json_decref(request);
    return EXIT_DONE;
}

static int command_node(struct control *control, int count, char **words)
{
    if (count == 1 && strcmp(words[0], "shutdown") == 0) {
        json_decref(control_need(control, "node.shutdown", NULL));
        puts("all slices are stopped");
        return EXIT_DONE;
    }
    if (count == 1 && (strcmp(words[0], "drain") == 0 || strcmp(words[0], "undrain") == 0))
        return carry_out(control, "node.drain", NULL, NULL,
                         json_pack("{s:b}", "drain", words[0][0] == 'd'));
    if (count == 1 && strcmp(words[0], "reboot") == 0)
        return begin_reboot(control);
    if (count != 1 || strcmp(words[0], "report") != 0)
        return EXIT_USAGE;
    json_t *request = control_need(control, "node.report", json_pack("{s:b}", "wait", 1));
    print_json(json_object_get(request, "result"));
    json_decref(request);
    return EXIT_DONE;
}

int command_run(struct control *control, int count, char **words)
{
    const char *name = words[0];
    count--;
    words++;
    if (strcmp(name, "status") == 0 && count == 0)
        return list(control, "node.status", NULL, print_status);
    if (strcmp(name, "slices") == 0 && count == 0)
        return list(control, "slice.list", NULL, print_slices);
    if (strcmp(name, "show") == 0 && count == 1)
        return list(control, "slice.show",
                    json_pack("{s:s}", "slice", find_slice(control, words[0])), print_slice);
    if (strcmp(name, "provision") == 0)
        return command_provision(control, count, words);
    if (strcmp(name, "start") == 0)
        return command_slice(control, "slice.start", count, words);
    if (strcmp(name, "stop") == 0)
        return command_stop(control, "slice.stop", count, words);
    if (strcmp(name, "reboot") == 0)
        return command_stop(control, "slice.reboot", count, words);
    if (strcmp(name, "resize") == 0)
        return command_resize(control, count, words);
    if (strcmp(name, "pause") == 0)
        return command_slice(control, "slice.pause", count, words);
    if (strcmp(name, "unpause") == 0)
        return command_slice(control, "slice.unpause", count, words);
    if (strcmp(name, "terminate") == 0)
        return command_slice(control, "slice.terminate", count, words);
    if (strcmp(name, "console") == 0)
        return command_console(control, count, words);
    if (strcmp(name, "snapshot") == 0)
        return command_snapshot(control, count, words);
    if (strcmp(name, "volume") == 0)
        return command_volume(control, count, words);
    if (strcmp(name, "image") == 0)
        return command_image(control, count, words);
    if (strcmp(name, "request") == 0)
        return command_request(control, count, words);
    if (strcmp(name, "events") == 0 && count == 0)
        return command_events(control);
    if (strcmp(name, "node") == 0)
        return command_node(control, count, words);
    fprintf(stderr, "slicectl: unknown or incomplete command %s\n", name);
    return EXIT_USAGE;
}
