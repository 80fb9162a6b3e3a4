/* The commands by name. */
#ifndef SLICENODE_CTL_COMMANDS_H
#define SLICENODE_CTL_COMMANDS_H

#include "ctl/link.h"

/* Runs the command and gives the exit code; EXIT_USAGE when it is not known or its arguments are
 * wrong. */
int command_run(struct control *control, int count, char **words);
extern const char command_usage[];

#endif
