/* What the boot scripts are told: lines `KIND VALUE`. Pure. */
#ifndef SLICENODE_IP6_TELL_H
#define SLICENODE_IP6_TELL_H

#include "ip6/host.h"

#include <stdbool.h>

/* All that there is, owned: `address A/N`, `router A`, `dns A`, `search NAME`, `ntp NAME` any
 * number of times, `note SENTENCE` of what is odd, `warning SENTENCE` of what is wrong, `missing
 * SENTENCE` when there is no address, and `end`. `silent`: routers were asked in vain. */
char *host_tell(const struct host *host, bool silent, const char *bridge, const char *uplink);

#endif
