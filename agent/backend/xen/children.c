#include "backend/xen/children.h"

#include <signal.h>
#include <stddef.h>

void be_xen_children_begin(sigset_t *saved)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &child, saved);
}

void be_xen_children_end(const sigset_t *saved)
{
    pthread_sigmask(SIG_SETMASK, saved, NULL);
}
