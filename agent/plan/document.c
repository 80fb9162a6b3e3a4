/* The plan as the store keeps it. */
#include "plan/document.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/image.h"
#include "plan/steps.h"

#include <string.h>

/* A step as it is stored: the same few fields for all kinds, each with the meaning that its kind
 * gives it. The format is that of the first agent; plans that one of before has stored are
 * carried out by one of after an update. */
struct stored {
    const char *name;
    uint32_t thin_id;
    uint32_t origin_id;
    uint64_t bytes;
    unsigned seconds;
    bool flag;
    uint64_t from;
    uint64_t to;
    enum image_format format;
};

static void put_common(struct stored *stored, const struct step_volume *volume)
{
    stored->name = volume->name;
    stored->thin_id = volume->thin_id;
    stored->bytes = volume->bytes;
}

static int get_common(const struct stored *stored, struct step_volume *volume)
{
    volume->thin_id = stored->thin_id;
    volume->bytes = stored->bytes;
    return copy_text(volume->name, sizeof(volume->name), stored->name) ? 0 : -1;
}

/* For each member of struct step: put_MEMBER into what is stored, get_MEMBER back; -1 when a
 * text is too long. */

static void put_none(struct stored *stored, const struct step *step)
{
    (void)stored;
    (void)step;
}

static int get_none(const struct stored *stored, struct step *step)
{
    (void)stored;
    (void)step;
    return 0;
}

static void put_import(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->import.volume);
    stored->origin_id = step->import.scratch_id;
    stored->flag = step->import.remains;
    stored->format = step->import.format;
}

static int get_import(const struct stored *stored, struct step *step)
{
    static const char prefix[] = "image-";
    struct step_import *import = &step->import;
    import->scratch_id = stored->origin_id;
    import->format = stored->format;
    import->remains = stored->flag;
    if (strncmp(stored->name, prefix, strlen(prefix)) != 0 ||
        !copy_text(import->image, sizeof(import->image), stored->name + strlen(prefix)))
        return -1;
    return get_common(stored, &import->volume);
}

static void put_file(struct stored *stored, const struct step *step)
{
    stored->name = step->file.image;
    stored->bytes = step->file.limit_bytes;
    stored->format = step->file.format;
}

static int get_file(const struct stored *stored, struct step *step)
{
    step->file.limit_bytes = stored->bytes;
    step->file.format = stored->format;
    return copy_text(step->file.image, sizeof(step->file.image), stored->name) ? 0 : -1;
}

static void put_clone(struct stored *stored, const struct step *step)
{
    stored->thin_id = step->clone.thin_id;
    stored->origin_id = step->clone.origin_id;
}

static int get_clone(const struct stored *stored, struct step *step)
{
    step->clone = (struct step_clone){.thin_id = stored->thin_id, .origin_id = stored->origin_id};
    return 0;
}

static void put_disk(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->disk.volume);
    stored->flag = step->disk.grown;
}

static int get_disk(const struct stored *stored, struct step *step)
{
    step->disk.grown = stored->flag;
    return get_common(stored, &step->disk.volume);
}

static void put_seed(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->seed.volume);
    stored->flag = step->seed.first;
}

static int get_seed(const struct stored *stored, struct step *step)
{
    step->seed.first = stored->flag;
    return get_common(stored, &step->seed.volume);
}

static void put_start(struct stored *stored, const struct step *step)
{
    stored->name = step->start.memory;
    stored->thin_id = step->start.disk_id;
    stored->origin_id = step->start.seed_id;
    stored->flag = step->start.first;
}

static int get_start(const struct stored *stored, struct step *step)
{
    struct step_start *start = &step->start;
    start->disk_id = stored->thin_id;
    start->seed_id = stored->origin_id;
    start->first = stored->flag;
    return copy_text(start->memory, sizeof(start->memory), stored->name) ? 0 : -1;
}

static void put_shutdown(struct stored *stored, const struct step *step)
{
    stored->flag = step->shutdown.reboot;
}

static int get_shutdown(const struct stored *stored, struct step *step)
{
    step->shutdown.reboot = stored->flag;
    return 0;
}

static void put_wait(struct stored *stored, const struct step *step)
{
    stored->seconds = step->wait.seconds;
}

static int get_wait(const struct stored *stored, struct step *step)
{
    step->wait.seconds = stored->seconds;
    return 0;
}

static void put_change(struct stored *stored, const struct step *step)
{
    stored->from = step->change.from;
    stored->to = step->change.to;
    stored->seconds = step->change.wait_seconds;
}

static int get_change(const struct stored *stored, struct step *step)
{
    step->change = (struct step_change){
        .from = stored->from, .to = stored->to, .wait_seconds = stored->seconds};
    return 0;
}

static void put_volume(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->volume);
}

static int get_volume(const struct stored *stored, struct step *step)
{
    return get_common(stored, &step->volume);
}

/* `thin_id` is the snapshot's, `origin_id` its origin's. */
static void put_snapshot(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->snapshot.origin);
    stored->origin_id = step->snapshot.origin.thin_id;
    stored->thin_id = step->snapshot.thin_id;
    stored->flag = step->snapshot.active;
}

static int get_snapshot(const struct stored *stored, struct step *step)
{
    int result = get_common(stored, &step->snapshot.origin);
    step->snapshot.origin.thin_id = stored->origin_id;
    step->snapshot.thin_id = stored->thin_id;
    step->snapshot.active = stored->flag;
    return result;
}

static void put_export(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->export.volume);
    stored->origin_id = step->export.since_id;
}

static int get_export(const struct stored *stored, struct step *step)
{
    step->export.since_id = stored->origin_id;
    return get_common(stored, &step->export.volume);
}

static void put_plug(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->plug.volume);
    stored->origin_id = step->plug.slot;
    stored->flag = step->plug.force;
}

static int get_plug(const struct stored *stored, struct step *step)
{
    step->plug.slot = stored->origin_id;
    step->plug.force = stored->flag;
    return get_common(stored, &step->plug.volume);
}

static void put_growth(struct stored *stored, const struct step *step)
{
    put_common(stored, &step->growth.volume);
    stored->origin_id = step->growth.slot;
    stored->flag = step->growth.own_disk;
}

static int get_growth(const struct stored *stored, struct step *step)
{
    step->growth.slot = stored->origin_id;
    step->growth.own_disk = stored->flag;
    return get_common(stored, &step->growth.volume);
}

static const struct {
    void (*put)(struct stored *stored, const struct step *step);
    int (*get)(const struct stored *stored, struct step *step);
} arguments[STEP_COUNT] = {
#define X(name, text, args) [STEP_##name] = {put_##args, get_##args},
    STEP_KINDS(X)
#undef X
};

static json_t *step_to_json(const struct step *step)
{
    struct stored stored = {.name = ""};
    arguments[step->kind].put(&stored, step);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:b, s:I, s:I, s:i}", "kind",
                     step_name(step->kind), "name", stored.name, "thin_id",
                     (json_int_t)stored.thin_id, "origin_id", (json_int_t)stored.origin_id, "bytes",
                     (json_int_t)stored.bytes, "seconds", (int)stored.seconds, "flag", stored.flag,
                     "from", (json_int_t)stored.from, "to", (json_int_t)stored.to, "format",
                     (int)stored.format);
}

json_t *plan_to_json(const struct plan *plan)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < plan->count; i++)
        json_array_append_new(steps, step_to_json(&plan->steps[i]));
    return json_pack("{s:o, s:I}", "steps", steps, "forward_from", (json_int_t)plan->forward_from);
}

static enum step_kind kind_of(const char *name)
{
    for (int i = 0; i < STEP_COUNT; i++)
        if (strcmp(name, step_name((enum step_kind)i)) == 0)
            return (enum step_kind)i;
    return STEP_COUNT;
}

static int step_from_json(json_t *object, struct step *step, struct err *err)
{
    const char *kind, *name;
    json_int_t thin_id, origin_id, bytes, from = 0, to = 0;
    int seconds, flag, format = IMAGE_FORMAT_RAW; /* what a plan without one was made for */
    if (json_unpack(object, "{s:s, s:s, s:I, s:I, s:I, s:i, s:b, s?I, s?I, s?i}", "kind", &kind,
                    "name", &name, "thin_id", &thin_id, "origin_id", &origin_id, "bytes", &bytes,
                    "seconds", &seconds, "flag", &flag, "from", &from, "to", &to, "format",
                    &format) < 0 ||
        format < IMAGE_FORMAT_AUTO || format > IMAGE_FORMAT_VHD)
        return err_set(err, ERR_INTERNAL, "a recorded step is malformed");
    const struct stored stored = {.name = name,
                                  .thin_id = (uint32_t)thin_id,
                                  .origin_id = (uint32_t)origin_id,
                                  .bytes = (uint64_t)bytes,
                                  .seconds = (unsigned)seconds,
                                  .flag = flag,
                                  .from = (uint64_t)from,
                                  .to = (uint64_t)to,
                                  .format = (enum image_format)format};
    memset(step, 0, sizeof(*step));
    step->kind = kind_of(kind);
    if (step->kind == STEP_COUNT || arguments[step->kind].get(&stored, step) < 0)
        return err_set(err, ERR_INTERNAL, "the recorded step %s is not known", kind);
    return 0;
}

int plan_from_json(const json_t *object, struct plan *plan, struct err *err)
{
    memset(plan, 0, sizeof(*plan));
    json_t *steps = json_object_get(object, "steps");
    json_t *forward_from = json_object_get(object, "forward_from");
    if (!json_is_array(steps) || !json_is_integer(forward_from))
        return err_set(err, ERR_INTERNAL, "a recorded plan is malformed");
    plan->count = json_array_size(steps);
    plan->forward_from = (size_t)json_integer_value(forward_from);
    plan->steps = xcalloc(plan->count + 1, sizeof(*plan->steps));
    for (size_t i = 0; i < plan->count; i++) {
        if (step_from_json(json_array_get(steps, i), &plan->steps[i], err) < 0) {
            plan_free(plan);
            return -1;
        }
    }
    return 0;
}
