/* Images: fetched, deleted, and what a slice is made from. */
#ifndef SLICENODE_OPERATION_IMAGE_H
#define SLICENODE_OPERATION_IMAGE_H

#include "base/err.h"
#include "model/image.h"
#include "operation/task.h"
#include "plan/steps.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* For fetching an image: a number for its scratch volume or 0, and the room that it needs at least. */
uint32_t task_scratch_id(struct task *task, const struct image *image);
uint64_t task_import_bytes(const struct image *image);
int task_check_kernel(struct task *task, const char *id, enum image_kind kind, struct err *err);
/* Finds what a slice is made from, or prepares to fetch it: `asked` is what the request says and becomes what the
 * store has. */
int task_find_image(struct task *task, struct image *asked, bool *ready, struct err *err);
void task_put_new_image(struct task *task, struct image *image);
int task_prepare_fetch(struct task *task, struct err *err);
int task_prepare_image_delete(struct task *task, struct err *err);

/* The image that the request concerns. */
bool image_find(struct task *task, struct image *image);
int image_imported(struct task *task, const json_t *output, struct err *err);
/* So much of it has come; -1 with `short_bytes` when that is more than there is room for. */
int task_apply_progress(struct task *task, uint64_t mapped_bytes, struct err *err);
/* A step's work that stays when the request fails: an image that has come whole and right. */
bool task_keeps(struct task *task, const struct step *step);
void image_forget(struct task *task, const char *state, const struct err *error);

#endif
