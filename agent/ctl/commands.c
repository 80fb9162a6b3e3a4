/* The commands. */
#include "ctl/commands.h"

#include "base/ident.h"
#include "base/memory.h"
#include "ctl/export.h"
#include "ctl/find.h"
#include "ctl/link.h"
#include "ctl/print.h"
#include "ctl/request.h"
#include "ctl/slice.h"
#include "ctl/volume.h"

#include <stdio.h>
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

/* --- Snapshots and images --------------------------------------------------------------------- */

static int command_snapshot(struct control *control, int count, char **words)
{
    bool restart = take_option(&count, words, "--restart", NULL);
    bool memory = take_option(&count, words, "--memory", NULL);
    const char *action = count > 0 ? words[0] : "";
    if (strcmp(action, "export") == 0)
        return command_export(control, count - 1, words + 1);
    if (strcmp(action, "list") == 0 && count <= 2)
        return call_and_print(
            control, "snapshot.list",
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
        return call_and_print(control, "image.list", NULL, print_images);
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

/* --- Requests, events, the node --------------------------------------------------------------- */

static int command_request(struct control *control, int count, char **words)
{
    const char *action = count > 0 ? words[0] : "";
    if (strcmp(action, "list") == 0 && count == 1)
        return call_and_print(control, "request.list", NULL, print_requests);
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

static int command_events(struct control *control, int count, char **words)
{
    (void)words;
    if (count != 0)
        return EXIT_USAGE;
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

static int command_status(struct control *control, int count, char **words)
{
    (void)words;
    return count == 0 ? call_and_print(control, "node.status", NULL, print_status) : EXIT_USAGE;
}

static int command_slices(struct control *control, int count, char **words)
{
    (void)words;
    return count == 0 ? call_and_print(control, "slice.list", NULL, print_slices) : EXIT_USAGE;
}

static int command_show(struct control *control, int count, char **words)
{
    if (count != 1)
        return EXIT_USAGE;
    return call_and_print(control, "slice.show",
                          json_pack("{s:s}", "slice", find_slice(control, words[0])), print_slice);
}

int command_run(struct control *control, int count, char **words)
{
    static const struct {
        const char *name;
        int (*run)(struct control *control, int count, char **words);
    } commands[] = {
        {"status", command_status},       {"slices", command_slices},
        {"show", command_show},           {"provision", command_provision},
        {"start", command_start},         {"stop", command_stop},
        {"reboot", command_reboot},       {"resize", command_resize},
        {"pause", command_pause},         {"unpause", command_unpause},
        {"terminate", command_terminate}, {"console", command_console},
        {"snapshot", command_snapshot},   {"volume", command_volume},
        {"image", command_image},         {"request", command_request},
        {"events", command_events},       {"node", command_node},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(words[0], commands[i].name) != 0)
            continue;
        int code = commands[i].run(control, count - 1, words + 1);
        if (code == EXIT_USAGE)
            fprintf(stderr, "slicectl: %s: wrong arguments\n", words[0]);
        return code;
    }
    fprintf(stderr, "slicectl: unknown command %s\n", words[0]);
    return EXIT_USAGE;
}
