#include "step/own.h"

#include "backend/backend.h"
#include "base/err.h"
#include "step/context.h"

static int judge(struct step_context *context, uint32_t thin_id, const struct err *failure,
                 struct err *err)
{
    if (failure->code == ERR_VOLUME_EXISTS && context->begun)
        return 0;
    if (failure->code != ERR_VOLUME_EXISTS)
        return err_set(err, failure->code, "%s", failure->message);
    context->foreign = true;
    return err_set(err, ERR_STORAGE_ERROR,
                   "the pool has a volume %u that nothing here has made: it is left as it is",
                   thin_id);
}

int own_create(struct step_context *context, uint32_t thin_id, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    struct err failure = {.code = ERR_NONE};

    if (storage->create(storage->state, thin_id, &failure) == 0)
        return 0;
    return judge(context, thin_id, &failure, err);
}

int own_snapshot(struct step_context *context, uint32_t origin_id, const char *origin_name,
                 uint32_t thin_id, uint64_t *mapped, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    struct err failure = {.code = ERR_NONE};

    if (storage->snapshot(storage->state, origin_id, origin_name, thin_id, mapped, &failure) == 0)
        return 0;
    if (mapped)
        *mapped = 0; /* not known: it was taken before */
    return judge(context, thin_id, &failure, err);
}

int own_remove_remains(struct step_context *context, uint32_t thin_id, struct err *err)
{
    struct storage *storage = &context->backend->storage;

    return context->begun ? storage->remove(storage->state, thin_id, err) : 0;
}
