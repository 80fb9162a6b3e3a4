/* Starts the agent's helper programs (sliced-net, sliced-import) as children with nothing inherited
 * but what is named here. The children drop their privileges themselves (sandbox.h). */
#ifndef SLICENODE_PROCESS_CHILD_H
#define SLICENODE_PROCESS_CHILD_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct child {
    char name[32]; /* for messages: the program's name */
    pid_t pid;     /* 0 when there is none */
    int socket;    /* our end of the wire socket (wire.h), close-on-exec; -1 when there is none */
};

#define CHILD_NONE ((struct child){.pid = 0, .socket = -1})

/* Runs the program `path` with the arguments `argv` (argv[0] included, NULL-terminated). It gets
 * /dev/null as standard input and output, our standard error, the wire socket as descriptor 3 and
 * `descriptors` as 4 and up, which stay the caller's to close; every other descriptor is closed.
 * Signals are reset and the environment holds only PATH. A program that cannot be executed is an
 * error here, not a child that dies later. */
int child_spawn(const char *path, const char *const argv[], const int *descriptors, size_t count,
                struct child *child, struct err *err);

/* Closes our end of the socket, which asks the child to leave, kills it and reaps it. Harmless on
 * CHILD_NONE and a second time. */
void child_stop(struct child *child);

/* Reaps a child that has closed its socket, killing it when it is not gone within `timeout_ms`.
 * 0 when it exited with status 0, else -1 with how it ended (exit status, signal, sandbox). */
int child_finish(struct child *child, int timeout_ms, struct err *err);

/* Says in words how a child ended, from waitpid's status. */
void child_describe(const char *name, int status, char *text, size_t size);

#endif
