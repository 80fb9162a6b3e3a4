/* The plan as the store keeps it. */
#include "plan/document.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/image.h"
#include "plan/steps.h"

#include <string.h>

json_t *plan_to_json(const struct plan *plan)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        json_array_append_new(
            steps, json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:b, s:I, s:I, s:i}", "kind",
                             step_name(step->kind), "name", step->name, "thin_id",
                             (json_int_t)step->thin_id, "origin_id", (json_int_t)step->origin_id,
                             "bytes", (json_int_t)step->bytes, "seconds", (int)step->seconds,
                             "flag", step->flag, "from", (json_int_t)step->from, "to",
                             (json_int_t)step->to, "format", (int)step->format));
    }
    return json_pack("{s:o, s:I}", "steps", steps, "forward_from", (json_int_t)plan->forward_from);
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
    memset(step, 0, sizeof(*step));
    step->kind = STEP_COUNT;
    for (int i = 0; i < STEP_COUNT; i++)
        if (strcmp(kind, step_name((enum step_kind)i)) == 0)
            step->kind = (enum step_kind)i;
    if (step->kind == STEP_COUNT || !copy_text(step->name, sizeof(step->name), name))
        return err_set(err, ERR_INTERNAL, "the recorded step %s is not known", kind);
    step->thin_id = (uint32_t)thin_id;
    step->origin_id = (uint32_t)origin_id;
    step->bytes = (uint64_t)bytes;
    step->seconds = (unsigned)seconds;
    step->flag = flag;
    step->from = (uint64_t)from;
    step->to = (uint64_t)to;
    step->format = (enum image_format)format;
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
