/* The commands on slices. */
#ifndef SLICENODE_CTL_SLICE_H
#define SLICENODE_CTL_SLICE_H

#include "ctl/link.h"

int command_provision(struct control *control, int count, char **words);
int command_start(struct control *control, int count, char **words);
int command_stop(struct control *control, int count, char **words);
int command_reboot(struct control *control, int count, char **words);
int command_resize(struct control *control, int count, char **words);
int command_pause(struct control *control, int count, char **words);
int command_unpause(struct control *control, int count, char **words);
int command_terminate(struct control *control, int count, char **words);
int command_console(struct control *control, int count, char **words);

#endif
