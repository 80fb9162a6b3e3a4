/* `snapshot export`. */
#ifndef SLICENODE_CTL_EXPORT_H
#define SLICENODE_CTL_EXPORT_H

#include "ctl/link.h"

int command_export(struct control *control, int count, char **words);

#endif
