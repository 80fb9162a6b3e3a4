#include "process/sandbox.h"

#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct profile {
    const char *name;
    unsigned user; /* of /etc/passwd, and the group of the same number */
    uint64_t keep; /* capabilities */
    const char *root;
    const char *readable[4]; /* files and folders that stay so */
    bool may_connect;
    rlim_t address_space;
    rlim_t descriptors;
};

/* The address space covers the largest zstd window and xz dictionary accepted
 * (codec/decompress.h) and the resolver's thread stacks. */
static const struct profile profiles[] = {
    [SANDBOX_NET] = {.name = "net",
                     .user = 101,
                     .readable = {"/etc", "/run/slicenode", "/dev/random"},
                     .may_connect = true,
                     .address_space = 512 * MIB,
                     .descriptors = 128},
    [SANDBOX_IMPORT] = {.name = "import",
                        .user = 102,
                        .root = "/var/empty",
                        .address_space = 512 * MIB,
                        .descriptors = 16},
    [SANDBOX_EXPORT] = {.name = "export",
                        .user = 110,
                        .root = "/var/empty",
                        .address_space = 512 * MIB,
                        .descriptors = 16},
    [SANDBOX_IP6] = {.name = "ip6",
                     .user = 111,
                     .keep = UINT64_C(1) << CAP_NET_ADMIN,
                     .root = "/var/empty",
                     .address_space = 64 * MIB,
                     .descriptors = 16},
};

#ifdef __SANITIZE_ADDRESS__
/* The leak check at exit traces the process from outside, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* The bounding set can be emptied only while we still have the capability to. */
static int drop_bounding_set(uint64_t keep, struct err *err)
{
    for (int capability = 0; capability < 64; capability++)
        if ((keep >> capability & 1) == 0 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 &&
            errno != EINVAL)
            return err_errno(err, ERR_INTERNAL, errno, "sandbox: capability %d", capability);
    return 0;
}

static int set_capabilities(uint64_t keep, struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int index = 0; index < 2; index++) {
        uint32_t part = (uint32_t)(keep >> (32 * index));
        data[index] = (struct __user_cap_data_struct){part, part, part};
    }
    if (syscall(SYS_capset, &header, data) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: dropping capabilities");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: ambient capabilities");
    for (int capability = 0; capability < 64; capability++)
        if (keep >> capability & 1 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
            return err_errno(err, ERR_INTERNAL, errno, "sandbox: keeping capability %d",
                             capability);
    return 0;
}

int sandbox_become(unsigned user, unsigned group, uint64_t keep, struct err *err)
{
    if (drop_bounding_set(keep, err) < 0)
        return -1;
    if (group != 0 && (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0))
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: becoming group %u", group);
    if (user != 0 && (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresuid(user, user, user) != 0))
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: becoming user %u", user);
    return set_capabilities(keep, err);
}

static int become_user(const struct profile *profile, struct err *err)
{
    if (geteuid() != 0) {
        log_warning("sandbox: not started by root, so %s keeps its user and root folder",
                    profile->name);
        return set_capabilities(0, err);
    }
    if (drop_bounding_set(profile->keep, err) < 0)
        return -1;
    if (profile->root && access(profile->root, X_OK) != 0)
        log_warning("sandbox: there is no %s to be the root folder of %s", profile->root,
                    profile->name);
    else if (profile->root && (chroot(profile->root) != 0 || chdir("/") != 0))
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: chroot to %s", profile->root);
    unsigned user = profile->user;
    if (profile->keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: keeping capabilities");
    if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 ||
        setresuid(user, user, user) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: becoming user %u", user);
    if (setuid(0) == 0)
        return err_set(err, ERR_INTERNAL, "sandbox: the user could be changed back");
    return set_capabilities(profile->keep, err);
}

static int set_limit(const char *name, int resource, rlim_t value, struct err *err)
{
    struct rlimit limits = {.rlim_cur = value, .rlim_max = value};
    if (setrlimit(resource, &limits) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: limit of %s", name);
    return 0;
}

static int limit_resources(const struct profile *profile, struct err *err)
{
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory needs terabytes of address space */
    if (set_limit("memory", RLIMIT_AS, profile->address_space, err) < 0)
        return -1;
#endif
    if (set_limit("core dumps", RLIMIT_CORE, 0, err) < 0)
        return -1;
    return set_limit("descriptors", RLIMIT_NOFILE, profile->descriptors, err);
}

int sandbox_enter(enum sandbox_profile which, struct err *err)
{
    const struct profile *profile = &profiles[which];
    pid_t parent = getppid();
    if (become_user(profile, err) < 0 || limit_resources(profile, err) < 0)
        return -1;
    /* After the change of user, which resets both. The helper shall not outlive its parent. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: parent death signal");
    if (getppid() != parent)
        return err_set(err, ERR_INTERNAL, "sandbox: the parent process is gone");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: no new privileges");
    struct sandbox_path paths[ARRAY_LENGTH(profile->readable) + 1] = {{NULL, 0}};
    for (size_t index = 0; index < ARRAY_LENGTH(profile->readable) && profile->readable[index];
         index++)
        paths[index] = (struct sandbox_path){profile->readable[index], SANDBOX_READ};
    int landlock = sandbox_landlock(paths, profile->may_connect, err);
    if (landlock < 0)
        return -1;
    if (landlock == 0)
        log_warning("sandbox: this kernel has no Landlock; user and system call list remain");
    return sandbox_filter(which, err);
}
