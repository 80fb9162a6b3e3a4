/* Results as a person reads them. */
#ifndef SLICENODE_CTL_PRINT_H
#define SLICENODE_CTL_PRINT_H

#include "base/err.h"

#include <jansson.h>

/* The member's text; "-" when it has none. */
const char *printed_text(const json_t *object, const char *name);
/* What a slice has printed: a tenant's control characters must not drive the operator's
 * terminal. They are shown as ^X; line ends and tabs stay. */
void print_console(const char *text);
void print_json(const json_t *value);
void print_status(const json_t *status);
void print_slices(const json_t *slices);
void print_slice(const json_t *slice);
void print_snapshots(const json_t *snapshots);
void print_images(const json_t *images);
void print_requests(const json_t *requests);
void print_event(const json_t *event);
void print_error(const struct err *error);

#endif
