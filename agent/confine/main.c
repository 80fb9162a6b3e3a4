/* confine PROFILE PROGRAM [ARGUMENT...]: starts a daemon that is not ours with as little as it
 * can do its work with. What each profile keeps, and why, is in docs/security.md. */
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CAPABILITY(number) (UINT64_C(1) << (number))
/* Of a profile in this file; one more does not compile. */
#define PATHS_MAX 8

struct profile {
    const char *name;
    unsigned user; /* of /etc/passwd; 0: stays root */
    unsigned group;
    uint64_t keep; /* capabilities */
    enum sandbox_profile filter;
    rlim_t descriptors;
    bool everywhere; /* no Landlock: it serves root's shells */
    bool may_connect;
    struct sandbox_path paths[PATHS_MAX]; /* beside the program itself */
};

#define READ_WRITE (SANDBOX_READ | SANDBOX_WRITE)

/* 105 is the group of /dev/xen. xenconsoled wants four descriptors for each domain there can be. */
static const struct profile profiles[] = {
    {.name = "xenstored",
     .user = 104,
     .group = 105,
     .filter = SANDBOX_DAEMON,
     .descriptors = 65536,
     .paths = {{"/dev/xen", READ_WRITE},
               {"/dev/null", READ_WRITE},
               {"/proc/xen", READ_WRITE},
               {"/run/xenstored", READ_WRITE}}},
    {.name = "xenconsoled", /* which insists on root, by number */
     .group = 105,
     .filter = SANDBOX_DAEMON,
     .descriptors = 132008,
     .paths = {{"/dev/xen", READ_WRITE},
               {"/dev/null", READ_WRITE},
               {"/dev/ptmx", READ_WRITE},
               {"/dev/pts", READ_WRITE},
               {"/run/xenstored", READ_WRITE},
               {"/run/xenconsoled", READ_WRITE},
               {"/run/console", READ_WRITE},
               {"/state/console", READ_WRITE}}},
    {.name = "sshd",
     .keep = ~(CAPABILITY(CAP_SYS_RAWIO) | CAPABILITY(CAP_MAC_ADMIN) |
               CAPABILITY(CAP_MAC_OVERRIDE) | CAPABILITY(CAP_AUDIT_CONTROL) |
               CAPABILITY(CAP_AUDIT_WRITE) | CAPABILITY(CAP_SYS_PACCT) | CAPABILITY(CAP_LEASE)),
     .filter = SANDBOX_SHELLS,
     .descriptors = 1024,
     .everywhere = true},
};

static const struct profile *profile_find(const char *name)
{
    for (size_t index = 0; index < ARRAY_LENGTH(profiles); index++)
        if (strcmp(profiles[index].name, name) == 0)
            return &profiles[index];
    return NULL;
}

/* What may not be raised stays as it is. */
static int set_limit(int resource, rlim_t value, struct err *err)
{
    struct rlimit limits = {.rlim_cur = value, .rlim_max = value};
    if (setrlimit(resource, &limits) != 0 && errno == EPERM && getrlimit(resource, &limits) == 0 &&
        limits.rlim_max < value)
        limits.rlim_cur = limits.rlim_max;
    if (setrlimit(resource, &limits) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "confine: limit %d", resource);
    return 0;
}

/* The kernel has fewer capabilities than bits. */
static uint64_t present(uint64_t capabilities)
{
    for (int capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1)
            capabilities &= ~CAPABILITY(capability);
    return capabilities;
}

static int confine(const struct profile *profile, const char *program, struct err *err)
{
    struct sandbox_path paths[PATHS_MAX + 2];
    size_t count = 0;
    paths[count++] = (struct sandbox_path){program, SANDBOX_READ | SANDBOX_EXECUTE};
    for (size_t index = 0; index < PATHS_MAX && profile->paths[index].path; index++)
        paths[count++] = profile->paths[index];
    paths[count] = (struct sandbox_path){NULL, 0};
    if (set_limit(RLIMIT_CORE, 0, err) < 0 ||
        set_limit(RLIMIT_NOFILE, profile->descriptors, err) < 0 ||
        sandbox_become(profile->user, profile->group, present(profile->keep), err) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "confine: no new privileges");
    if (!profile->everywhere && sandbox_landlock(paths, profile->may_connect, err) < 0)
        return -1;
    return sandbox_filter(profile->filter, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    log_open("confine", LOG_LEVEL_INFO, NULL);
    const struct profile *profile = argc >= 3 ? profile_find(argv[1]) : NULL;
    if (!profile || argv[2][0] != '/') {
        fprintf(stderr, "usage: confine xenstored|xenconsoled|sshd /PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    if (confine(profile, argv[2], &err) < 0) {
        log_error("%s", err.message);
        return 111;
    }
    log_never_waits();
    execv(argv[2], argv + 2);
    log_error("confine: %s: %s", argv[2], strerror(errno));
    return 111;
}
