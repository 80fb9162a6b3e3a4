/* Commands on volumes. */
#include "ctl/volume.h"

#include "base/ident.h"
#include "ctl/find.h"
#include "ctl/link.h"
#include "ctl/print.h"
#include "ctl/request.h"

#include <stdio.h>
#include <string.h>

static void print_volumes(const json_t *volumes)
{
    const json_t *volume;
    size_t index;
    printf("%-36s  %-20s  %-9s  %9s  %-6s  %s\n", "ID", "NAME", "STATE", "SIZE", "DEVICE", "SLICE");
    json_array_foreach(volumes, index, volume)
        printf("%-36s  %-20s  %-9s  %5lld GiB  %-6s  %s\n", printed_text(volume, "id"),
               printed_text(volume, "name"), printed_text(volume, "state"),
               (long long)json_integer_value(json_object_get(volume, "size_gib")),
               printed_text(volume, "device"), printed_text(volume, "slice"));
}

static int create(struct control *control, const char *name, const char *size)
{
    char id[UUID_TEXT_BYTES];
    uuid_make(id);
    if (!control->json)
        fprintf(stderr, "volume %s\n", id);
    return carry_out(control, "volume.create", NULL, NULL,
                     json_pack("{s:s, s:s, s:o}", "volume", id, "name", name, "size_gib",
                               number_of("size", size)));
}

int command_volume(struct control *control, int count, char **words)
{
    bool force = take_option(&count, words, "--force", NULL);
    const char *action = count > 0 ? words[0] : "";
    if (force && strcmp(action, "detach") != 0)
        return EXIT_USAGE;
    if (strcmp(action, "list") == 0 && count == 1)
        return call_and_print(control, "volume.list", NULL, print_volumes);
    if (strcmp(action, "create") == 0 && count == 3)
        return create(control, words[1], words[2]);
    if (count < 2)
        return EXIT_USAGE;
    const char *volume = find_volume(control, words[1]);
    json_t *args = json_pack("{s:s}", "volume", volume);
    if (strcmp(action, "attach") == 0 && count == 3)
        return carry_out(control, "volume.attach", NULL, find_slice(control, words[2]), args);
    if (strcmp(action, "resize") == 0 && count == 3) {
        json_object_set_new(args, "size_gib", number_of("size", words[2]));
        return carry_out(control, "volume.resize", NULL, NULL, args);
    }
    if (strcmp(action, "detach") == 0 && count == 2) {
        json_object_set_new(args, "force", json_boolean(force));
        return carry_out(control, "volume.detach", NULL, NULL, args);
    }
    if (strcmp(action, "delete") == 0 && count == 2)
        return carry_out(control, "volume.delete", NULL, NULL, args);
    json_decref(args);
    return EXIT_USAGE;
}
