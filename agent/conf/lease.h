/* What a DHCP server says, as udhcpc has it in the environment, made into lines that dhcp-event can
 * apply without looking at them again. Everything in it is outside data: what is malformed becomes
 * a sentence. Reads no files. */
#ifndef SLICENODE_CONF_LEASE_H
#define SLICENODE_CONF_LEASE_H

#include "base/err.h"

/* An option by its name as udhcpc has it: ip, mask, router, staticroutes ...; NULL: not there. */
typedef const char *lease_option(const char *name);

/* The lines of the lease, owned: `address A/N`, `route DEST/N [GATEWAY]` in the order in which they
 * have to be set, `mtu N`, `dns A`, `ntp A`, `search NAME`, `note SENTENCE` of what is odd,
 * `warning SENTENCE` of what is wrong; all but the address any number of times. NULL: there is
 * nothing to begin with, and err says why. */
char *lease_read(lease_option *option, struct err *err);

#endif
