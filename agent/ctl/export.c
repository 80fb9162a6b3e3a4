/* `snapshot export`: to a URL, or to standard output through a pipe that sliced writes into. */
#include "ctl/export.h"

#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/memory.h"
#include "ctl/find.h"
#include "ctl/link.h"
#include "ctl/request.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define COPY_BYTES (256u << 10)

/* The pipe and not standard output itself goes to sliced: when this program is ended, the pipe is
 * too, and with it the export. */
static pid_t start_copying(int pipe_ends[2])
{
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -1;
    pid_t copier = fork();
    if (copier != 0)
        return copier;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(pipe_ends[1]);
    char *data = xcalloc(1, COPY_BYTES);
    ssize_t got;
    while ((got = read(pipe_ends[0], data, COPY_BYTES)) > 0)
        if (write_full(STDOUT_FILENO, data, (size_t)got) < 0) {
            perror("slicectl: standard output");
            _exit(1);
        }
    _exit(got < 0);
}

static bool copied(pid_t copier)
{
    int status = 0;
    return copier <= 0 || (waitpid(copier, &status, 0) == copier && status == 0);
}

/* What is printed goes to standard error: standard output may be the export. */
static int tell_end(struct control *control, const json_t *request, const struct err *err)
{
    const json_t *error = json_object_get(request, "error");
    const json_t *result = json_object_get(request, "result");
    if (control->json && request) {
        json_dumpf(request, stderr, JSON_INDENT(2));
        fputc('\n', stderr);
    } else if (!request) {
        fprintf(stderr, "slicectl: %s: %s\n", err_code_name(err->code), err->message);
    } else if (!json_is_object(result)) {
        fprintf(stderr, "slicectl: %s: %s\n", json_string_value(json_object_get(error, "code")),
                json_string_value(json_object_get(error, "message")));
    } else {
        fprintf(stderr, "done: %lld bytes, sha256 %s\n",
                (long long)json_integer_value(json_object_get(result, "bytes")),
                json_string_value(json_object_get(result, "sha256")));
    }
    return json_is_object(result) ? EXIT_DONE : EXIT_REFUSED;
}

static int export(struct control *control, const char *slice, json_t *args)
{
    char request[UUID_TEXT_BYTES];
    int ends[2] = {-1, -1};
    struct err err = {0};
    bool to_output = !json_object_get(args, "url");
    pid_t copier = to_output ? start_copying(ends) : 0;
    if (copier < 0) {
        perror("slicectl");
        json_decref(args);
        return EXIT_REFUSED;
    }
    if (to_output)
        close(ends[0]);
    uuid_make(request);
    json_decref(control_need(control, "events.follow", json_pack("{s:s}", "request", request)));
    control->notified = show_progress;
    /* The copy that sliced has is the only one that counts: its end is the stream's. */
    json_t *submitted = control_call_with(
        control, "snapshot.export",
        json_pack("{s:s, s:s, s:o}", "id", request, "slice", slice, "args", args), ends[1], &err);
    cleanup_close(&ends[1]);
    json_t *ended =
        submitted ? control_call(control, "request.wait", json_pack("{s:s}", "id", request), &err)
                  : NULL;
    int code = tell_end(control, ended, &err);
    /* Whoever reads may be what stood still: nobody needs the rest of an export that failed. */
    if (code != EXIT_DONE && copier > 0)
        kill(copier, SIGKILL);
    if (!copied(copier))
        code = EXIT_REFUSED;
    json_decref(submitted);
    json_decref(ended);
    return code;
}

int command_export(struct control *control, int count, char **words)
{
    static const char *const names[] = {"--format", "--compression", "--url"};
    const char *value, *since = NULL;
    json_t *args = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (take_option(&count, words, names[i], &value))
            json_object_set_new(args, names[i] + 2, json_string(value));
    if (take_option(&count, words, "--stall", &value))
        json_object_set_new(args, "stall_seconds", number_of("--stall", value));
    take_option(&count, words, "--since", &since);
    bool terminal = !json_object_get(args, "url") && isatty(STDOUT_FILENO);
    if (terminal)
        fprintf(stderr, "slicectl: a disk is not for a terminal: give --url, or > FILE\n");
    if (count != 2 || terminal) {
        json_decref(args);
        return EXIT_USAGE;
    }
    const char *slice = find_slice(control, words[0]);
    json_object_set_new(args, "snapshot", json_string(find_snapshot(control, slice, words[1])));
    if (since)
        json_object_set_new(args, "since", json_string(find_snapshot(control, slice, since)));
    return export(control, slice, args);
}
