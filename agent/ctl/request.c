#include "ctl/request.h"

#include "base/ident.h"
#include "ctl/link.h"
#include "ctl/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int print_end(struct control *control, const json_t *request)
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

int call_and_print(struct control *control, const char *method, json_t *params,
                   void (*print)(const json_t *))
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

json_t *number_of(const char *what, const char *word)
{
    char *end;
    errno = 0;
    long long value = strtoll(word, &end, 10);
    if (end == word || *end || errno) {
        fprintf(stderr, "slicectl: %s %s: must be a number\n", what, word);
        exit(EXIT_USAGE);
    }
    return json_integer(value);
}
