/* Steps that change a domain that runs. */
#include "step/resize.h"

#include "backend/backend.h"
#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

static int change(const struct step *step, struct step_context *context,
                  const struct domain_change *wanted, bool *now, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;

    return (step->kind == STEP_DOMAIN_VCPUS ? hypervisor->domain_set_vcpus
                                            : hypervisor->domain_set_memory)(
        hypervisor->state, context->slice->id, wanted, now, err);
}

int step_domain_resize(const struct step *step, struct step_context *context, json_t *output,
                       struct err *err)
{
    const struct domain_change wanted = {.from = step->change.from,
                                         .to = step->change.to,
                                         .wait_seconds = step->change.wait_seconds};
    bool now;

    if (change(step, context, &wanted, &now, err) < 0)
        return -1;
    json_object_set_new(output, "now", json_boolean(now));
    return 0;
}

int step_domain_resize_undo(const struct step *step, struct step_context *context, struct err *err)
{
    const struct domain_change back = {.from = step->change.to, .to = step->change.from};
    bool now;

    return change(step, context, &back, &now, err);
}
