/* `console --attach`. */
#ifndef SLICENODE_CTL_ATTACH_H
#define SLICENODE_CTL_ATTACH_H

#include "ctl/link.h"

/* Stays at the console of a slice until the user leaves it or it ends. */
int command_attach(struct control *control, const char *name);

#endif
