/* Parameters that are Xen's: they work only from its own command line, which scripts/personalise
 * writes into every boot medium. Whether Xen was started with what the node's configuration
 * says. */
#ifndef SLICENODE_CONF_XEN_H
#define SLICENODE_CONF_XEN_H

#include "conf/conf.h"

/* Notes a problem for each of these parameters that is set and that Xen was started without.
 * `line` is Xen's command line; NULL: it is not known, and nothing is noted. */
void conf_compare_xen(struct conf *conf, const char *line);

/* What the running Xen was started with; NULL on a machine without. The caller frees it. */
char *xen_command_line(void);

#endif
