/* The command `volume`. */
#ifndef SLICENODE_CTL_VOLUME_H
#define SLICENODE_CTL_VOLUME_H

#include "ctl/link.h"

int command_volume(struct control *control, int count, char **words);

#endif
