/* Gives up everything a helper program does not need: its own user, no capabilities, no new
 * privileges, an empty root or read-only files, few resources, few system calls. A breach of the
 * system call list kills the process, which the kernel logs and the parent reports.
 *
 * What each profile may still do:
 *   SANDBOX_NET     make TCP and UDP sockets and connect them, never listen on TCP; read files in
 *                   /etc (resolver, CA certificates) and random bytes; start threads (the
 *                   resolver's)
 *   SANDBOX_IMPORT  read and write the descriptors it has; nothing else
 *   SANDBOX_EXPORT  likewise, and where it writes is not its choice
 *   SANDBOX_IP6     use the sockets it has, change the network's addresses and routes by them
 * None may execute a program, fork, trace, signal others, write or create a file by name, or map
 * memory as executable. */
#ifndef SLICENODE_PROCESS_SANDBOX_H
#define SLICENODE_PROCESS_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* DAEMON and SHELLS are of `confine`: a list of what is refused instead of what is allowed. */
enum sandbox_profile {
    SANDBOX_NET,
    SANDBOX_IMPORT,
    SANDBOX_EXPORT,
    SANDBOX_IP6,
    SANDBOX_DAEMON,
    SANDBOX_SHELLS
};

/* Enters the sandbox for good. To be called before anything from outside is read, while there is
 * one thread. What the kernel cannot do is logged as a warning; an own user and the system call
 * list are not optional (the user is when the program was not started by root). */
int sandbox_enter(enum sandbox_profile profile, struct err *err);

/* The parts, for sandbox.c and its test. */

/* Installs the profile's list of system calls. */
int sandbox_filter(enum sandbox_profile profile, struct err *err);

/* What may be done beneath a path. WRITE: also devices' ioctls, new files, sockets, removing. */
enum sandbox_right { SANDBOX_READ = 1, SANDBOX_WRITE = 2, SANDBOX_EXECUTE = 4 };
struct sandbox_path {
    const char *path; /* NULL ends the list; one that is not there is passed over */
    unsigned rights;
};

/* Limits files, and TCP where the kernel can, with Landlock. Returns the kernel's Landlock
 * version, 0 when it has none. */
int sandbox_landlock(const struct sandbox_path *paths, bool may_connect, struct err *err);

/* Gives up every capability but those of `keep` (a bit each), which then survive an execve; becomes
 * the user and the group where they are not 0. */
int sandbox_become(unsigned user, unsigned group, uint64_t keep, struct err *err);

#endif
