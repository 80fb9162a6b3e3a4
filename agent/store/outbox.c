#include "store/outbox.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/must.h"
#include "store/store.h"

#include <stdlib.h>

/* How often the bounds are looked at: by number, and by what has been added. */
#define LOOK_EVERY 64
#define LOOK_BYTES (4u << 20)

struct outbox {
    struct store *store;
    size_t events_max;
    unsigned added;
    size_t added_bytes;
    outbox_listener *listener;
    void *context;
    json_t *pending;
};

struct outbox *outbox_new(struct store *store, size_t events_max)
{
    struct outbox *outbox = xcalloc(1, sizeof(*outbox));
    outbox->store = store;
    outbox->events_max = events_max;
    outbox->pending = json_array();
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    json_decref(outbox->pending);
    free(outbox);
}

void outbox_listen(struct outbox *outbox, outbox_listener *listener, void *context)
{
    outbox->listener = listener;
    outbox->context = context;
}

json_t *outbox_error(const struct err *error, const char *console)
{
    json_t *object = err_to_json(error);
    if (console && json_is_object(object))
        json_object_set_new(object, "console", json_string(console));
    return object;
}

static void keep_bounds(struct outbox *outbox, const json_t *object)
{
    struct err err;
    outbox->added_bytes += json_dumpb(object, NULL, 0, JSON_COMPACT);
    if (++outbox->added < LOOK_EVERY && outbox->added_bytes < LOOK_BYTES)
        return;
    outbox->added = 0;
    outbox->added_bytes = 0;
    int dropped =
        must(store_events_bound(outbox->store, outbox->events_max, OUTBOX_BYTES_MAX, &err), &err);
    if (dropped > 0)
        log_warning("%d events were dropped: the controller does not take them", dropped);
}

void outbox_add(struct outbox *outbox, const struct event *event)
{
    char time[TIME_TEXT_BYTES];
    int64_t seq;
    struct err err;
    time_format(wall_ms(), time);
    json_t *object = json_object();
    json_object_set_new(object, "time", json_string(time));
    json_object_set_new(object, "request", json_string_or_null(event->request));
    json_object_set_new(object, "slice", json_string_or_null(event->slice));
    json_object_set_new(object, "type", json_string(event->type));
    json_object_set_new(object, "step", json_string_or_null(event->step));
    json_object_set_new(object, "progress",
                        event->has_progress ? json_integer(event->progress) : json_null());
    json_object_set_new(object, "result", event->result ? json_incref(event->result) : json_null());
    json_object_set_new(object, "error",
                        event->error && event->error->code != ERR_NONE
                            ? outbox_error(event->error, event->console)
                            : json_null());
    must(store_event_add(outbox->store, object, &seq, &err), &err);
    keep_bounds(outbox, object);
    json_object_set_new(object, "seq", json_integer(seq));
    json_array_append_new(outbox->pending, object);
}

void outbox_flush(struct outbox *outbox)
{
    json_t *pending = outbox->pending;
    size_t index;
    json_t *event;
    if (json_array_size(pending) == 0 || store_in_transaction(outbox->store))
        return;
    outbox->pending = json_array();
    json_array_foreach(pending, index, event) if (outbox->listener)
        outbox->listener(outbox->context, event);
    json_decref(pending);
}

size_t outbox_mark(const struct outbox *outbox)
{
    return json_array_size(outbox->pending);
}

void outbox_drop(struct outbox *outbox, size_t mark)
{
    while (json_array_size(outbox->pending) > mark)
        json_array_remove(outbox->pending, json_array_size(outbox->pending) - 1);
}
