/* The command line. */
#ifndef SLICENODE_SLICED_OPTIONS_H
#define SLICENODE_SLICED_OPTIONS_H

#include "node/options.h"

/* Exits with a message when it is wrong. */
void options_parse(int argc, char **argv, struct options *options);

#endif
