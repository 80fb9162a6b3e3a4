/* The step that sends a snapshot away. */
#include "step/export.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "plan/steps.h"
#include "step/context.h"
#include "transfer/send.h"

#include <errno.h>
#include <fcntl.h>

struct sending {
    struct step_context *context;
    struct pool_metadata metadata;
    bool held; /* the view of the metadata, which could not be given up yet */
};

static void export_progress(void *argument, int percent)
{
    struct sending *sending = argument;
    sending->context->progress(sending->context->argument, percent, 0);
}

/* Others may want the pool's metadata while this one goes on for hours. */
static void let_metadata_go(void *argument)
{
    struct sending *sending = argument;
    struct storage *storage = &sending->context->backend->storage;
    struct err err;
    if (sending->metadata.fd >= 0 &&
        storage->metadata_close(storage->state, &sending->metadata, &err) < 0) {
        log_warning("%s", err.message);
        sending->held = true;
    }
}

static int metadata_are_free(struct sending *sending, struct err *err)
{
    struct storage *storage = &sending->context->backend->storage;
    return sending->held ? storage->metadata_close(storage->state, &sending->metadata, err) : 0;
}

/* The whole of a disk can be sent without knowing what it maps, as it may have to be when the pool
 * does not take changes any more. */
static int open_metadata(const struct step *step, struct sending *sending, struct err *err)
{
    struct storage *storage = &sending->context->backend->storage;
    struct err problem;
    sending->metadata = (struct pool_metadata){.fd = -1, .lock = -1};
    if (storage->metadata_open(storage->state, &sending->metadata, &problem) == 0)
        return 0;
    if (step->export.since_id)
        return err_set(err, problem.code, "%s", problem.message);
    log_warning("%s is read whole, also where it holds nothing: %s", step->export.volume.name,
                problem.message);
    return 0;
}

static int send_volume(const struct step *step, struct sending *sending, const char *path,
                       struct transfer_export_result *result, struct err *err)
{
    struct step_context *context = sending->context;
    CLEANUP_CLOSE int volume = open(path, O_RDONLY | O_CLOEXEC);
    if (volume < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    if (open_metadata(step, sending, err) < 0)
        return -1;
    struct transfer_export job = {.libexec = context->paths.libexec,
                                  .args = context->export,
                                  .ca = context->ca,
                                  .output = context->output,
                                  .volume = volume,
                                  .metadata = sending->metadata.fd,
                                  .superblock = sending->metadata.superblock,
                                  .thin_id = step->export.volume.thin_id,
                                  .since_id = step->export.since_id,
                                  .size_bytes = step->export.volume.bytes,
                                  .created_ms = context->snapshot->created_ms,
                                  .progress = export_progress,
                                  .mapped = let_metadata_go,
                                  .argument = sending};
    int outcome = transfer_export(&job, result, err);
    let_metadata_go(sending);
    return metadata_are_free(sending, outcome < 0 ? NULL : err) < 0 ? -1 : outcome;
}

int step_snapshot_export(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err)
{
    struct storage *storage = &context->backend->storage;
    struct sending sending = {.context = context};
    struct transfer_export_result sent;
    char path[VOLUME_PATH_BYTES];
    if (!context->export || !context->snapshot)
        return err_set(err, ERR_INTERNAL, "there is nothing to export");
    if (!context->export->url[0] && context->output < 0)
        return err_set(err, ERR_CANCELLED, "who waited for the export has gone");
    if (storage->activate(storage->state, step->export.volume.name, step->export.volume.thin_id,
                          step->export.volume.bytes, true, path, err) < 0)
        return -1;
    int result = send_volume(step, &sending, path, &sent, err);
    if (storage->deactivate(storage->state, step->export.volume.name, result < 0 ? NULL : err) <
            0 ||
        result < 0)
        return -1;
    json_object_set_new(output, "bytes", json_integer((json_int_t)sent.bytes));
    json_object_set_new(output, "read_bytes", json_integer((json_int_t)sent.read_bytes));
    json_object_set_new(output, "sha256", json_string(sent.sha256));
    return 0;
}

int step_export_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    struct pool_metadata left = {.fd = -1, .lock = -1};
    if (storage->deactivate(storage->state, step->export.volume.name, err) < 0)
        return -1;
    return storage->metadata_close(storage->state, &left, err);
}
