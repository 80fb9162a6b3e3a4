/* Images: fetched, deleted, and what a slice is made from. */
#ifndef SLICENODE_OPERATION_IMAGE_H
#define SLICENODE_OPERATION_IMAGE_H

#include "base/err.h"
#include "model/image.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/steps.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* For fetching an image: a number for its scratch volume or 0, and the room that it needs at
 * least. */
int task_scratch_id(struct task *task, const struct image *image, uint32_t *thin_id,
                    struct err *err);
uint64_t task_import_bytes(const struct image *image);
int task_check_kernel(struct task *task, const char *id, enum image_kind kind, struct err *err);
/* Finds what a slice is made from, or prepares to fetch it: `asked` is what the request says and
 * becomes what the store has. */
int task_find_image(struct task *task, struct image *asked, bool *ready, struct err *err);
int task_put_new_image(struct task *task, struct image *image, struct err *err);

/* The image that the request concerns. */
bool image_find(struct task *task, struct image *image);
/* As in struct operation_type. */
int image_end_step(struct task *task, const struct step *step, const json_t *output,
                   struct err *err);
int image_progress(struct task *task, uint64_t mapped_bytes, struct err *err);
bool image_keeps(struct task *task, const struct step *step);
/* Forgets it and tells its new state. */
void image_forget(struct task *task, const char *state, const struct err *error);

#endif
