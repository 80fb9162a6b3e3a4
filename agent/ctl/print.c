/* Results for people. */
#include "ctl/print.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

const char *printed_text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "-";
}

static long long number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

void print_console(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    for (; *at; at++) {
        if (*at == '\r' && (at[1] == '\n' || at[1] == '\r'))
            continue;
        if (*at == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            /* U+0080 to U+009f: some terminals take them for escape sequences. */
            printf("^[%c", *++at - 0x40);
        else if (*at == '\n' || *at == '\t' || (*at >= ' ' && *at != 0x7f))
            putchar(*at);
        else
            printf("^%c", *at ^ 0x40);
    }
}

void print_json(const json_t *value)
{
    char *dump = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    puts(dump ? dump : "null");
    free(dump);
}

void print_error(const struct err *error)
{
    fprintf(stderr, "slicectl: %s: %s\n", err_code_name(error->code), error->message);
}

static void print_problem(const char *indent, const json_t *problem)
{
    if (json_is_object(problem))
        printf("%s%s: %s\n", indent, printed_text(problem, "code"),
               printed_text(problem, "message"));
}

void print_status(const json_t *status)
{
    const json_t *capacity = json_object_get(status, "capacity"), *problem;
    size_t index;
    printf("node        %s\n", printed_text(status, "node"));
    printf("controller  %s\n", printed_text(status, "controller"));
    printf("session     %s\n", printed_text(status, "session"));
    printf("version     %s\n", printed_text(status, "version"));
    printf("state       %s\n", printed_text(status, "state"));
    printf("vcpus       %lld\n", number(capacity, "vcpus"));
    printf("memory      %lld MiB, %lld free\n", number(capacity, "memory_mib"),
           number(capacity, "memory_free_mib"));
    printf("dom0        %lld MiB for slices, %lld free\n", number(capacity, "dom0_mib"),
           number(capacity, "dom0_free_mib"));
    printf("disk        %lld MiB, %lld free, %lld used\n", number(capacity, "disk_mib"),
           number(capacity, "disk_free_mib"), number(capacity, "disk_used_mib"));
    printf("slices      %zu\n", json_array_size(json_object_get(status, "slices")));
    printf("requests    %lld at work\n", number(status, "requests"));
    json_array_foreach(json_object_get(status, "problems"), index, problem)
        print_problem("problem     ", problem);
}

void print_slices(const json_t *slices)
{
    const json_t *slice;
    size_t index;
    printf("%-36s  %-20s  %-12s  %5s  %8s  %6s\n", "ID", "NAME", "STATE", "VCPUS", "MEMORY",
           "DISK");
    json_array_foreach(slices, index, slice)
        printf("%-36s  %-20s  %-12s  %5lld  %4lld MiB  %2lld GiB\n", printed_text(slice, "id"),
               printed_text(slice, "name"), printed_text(slice, "state"), number(slice, "vcpus"),
               number(slice, "memory_mib"), number(slice, "disk_gib"));
}

void print_slice(const json_t *slice)
{
    const json_t *item;
    size_t index;
    printf("id        %s\n", printed_text(slice, "id"));
    printf("name      %s\n", printed_text(slice, "name"));
    printf("state     %s, desired %s\n", printed_text(slice, "state"),
           printed_text(slice, "desired"));
    printf("type      %s\n", printed_text(slice, "type"));
    printf("vcpus     %lld\n", number(slice, "vcpus"));
    printf("memory    %lld MiB\n", number(slice, "memory_mib"));
    printf("disk      %lld GiB\n", number(slice, "disk_gib"));
    printf("image     %s\n", printed_text(slice, "image"));
    if (json_is_integer(json_object_get(slice, "domain_id")))
        printf("domain    %lld\n", number(slice, "domain_id"));
    json_array_foreach(json_object_get(slice, "network"), index, item)
        printf("network   %s %s\n", printed_text(item, "mac"), printed_text(item, "address"));
    json_array_foreach(json_object_get(slice, "snapshots"), index, item)
        printf("snapshot  %s  %s  %s\n", printed_text(item, "id"), printed_text(item, "time"),
               printed_text(item, "name"));
    json_array_foreach(json_object_get(slice, "volumes"), index, item)
        printf("volume    %s  %s  %lld GiB  %s\n", printed_text(item, "id"),
               printed_text(item, "device"), number(item, "size_gib"), printed_text(item, "name"));
    print_problem("error     ", json_object_get(slice, "error"));
}

void print_snapshots(const json_t *snapshots)
{
    const json_t *snapshot;
    size_t index;
    printf("%-36s  %-24s  %8s  %s\n", "ID", "TIME", "RESERVED", "NAME");
    json_array_foreach(snapshots, index, snapshot)
        printf("%-36s  %-24s  %4lld MiB  %s%s\n", printed_text(snapshot, "id"),
               printed_text(snapshot, "time"), number(snapshot, "reserved_mib"),
               printed_text(snapshot, "name"),
               json_is_true(json_object_get(snapshot, "memory")) ? "  with memory" : "");
}

void print_images(const json_t *images)
{
    const json_t *image;
    size_t index;
    printf("%-36s  %-8s  %-8s  %9s  %9s  %s\n", "ID", "KIND", "STATE", "SIZE", "USED", "LAST USED");
    json_array_foreach(images, index, image) printf(
        "%-36s  %-8s  %-8s  %5lld MiB  %5lld MiB  %s\n", printed_text(image, "id"),
        printed_text(image, "kind"),
        json_is_true(json_object_get(image, "ready")) ? "ready" : "fetching",
        number(image, "size_mib"), number(image, "used_mib"), printed_text(image, "last_used"));
}

void print_requests(const json_t *requests)
{
    const json_t *request;
    size_t index;
    printf("%-36s  %-16s  %-8s  %s\n", "ID", "OPERATION", "PHASE", "SLICE");
    json_array_foreach(requests, index, request)
        printf("%-36s  %-16s  %-8s  %s\n", printed_text(request, "id"), printed_text(request, "op"),
               printed_text(request, "phase"), printed_text(request, "slice"));
}

void print_event(const json_t *event)
{
    const json_t *progress = json_object_get(event, "progress");
    const json_t *result = json_object_get(event, "result");
    printf("%s  %-16s  %s", printed_text(event, "time"), printed_text(event, "type"),
           printed_text(event, "slice"));
    if (json_is_string(json_object_get(event, "step")))
        printf("  %s", printed_text(event, "step"));
    if (json_is_integer(progress))
        printf("  %lld %%", number(event, "progress"));
    if (json_is_string(json_object_get(result, "state")))
        printf("  %s", printed_text(result, "state"));
    if (json_is_object(json_object_get(event, "error")))
        printf("  %s: %s", printed_text(json_object_get(event, "error"), "code"),
               printed_text(json_object_get(event, "error"), "message"));
    putchar('\n');
    fflush(stdout);
}
