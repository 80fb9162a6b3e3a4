/* The id of what `text` names (an id, an unambiguous beginning of one, or a name); exits with a
 * message when there is none or more than one. */
#ifndef SLICENODE_CTL_FIND_H
#define SLICENODE_CTL_FIND_H

#include "ctl/link.h"

const char *find_slice(struct control *control, const char *text);
const char *find_snapshot(struct control *control, const char *slice, const char *text);
const char *find_volume(struct control *control, const char *text);
const char *find_image(struct control *control, const char *text);

#endif
