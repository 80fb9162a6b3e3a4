#include "sandbox.h"

#include "log.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct profile {
    const char *name;
    unsigned user; /* of /etc/passwd, and the group of the same number */
    const char *root;
    const char *readable[4]; /* files and folders that stay so */
    bool may_connect;
    rlim_t address_space;
    rlim_t descriptors;
};

/* The address space covers the largest zstd window and xz dictionary accepted (import_decode.h) and
 * the resolver's thread stacks. */
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
};

#ifdef __SANITIZE_ADDRESS__
/* The leak check at exit traces the process from outside, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Landlock's interface, by hand: the C library's headers may be older than the kernel. */
struct landlock_ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};
struct landlock_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

#define LANDLOCK_CREATE 444
#define LANDLOCK_ADD_RULE 445
#define LANDLOCK_RESTRICT_SELF 446
#define LANDLOCK_VERSION_FLAG 1u
#define LANDLOCK_RULE_BENEATH 1
#define LANDLOCK_READ_FILE (1u << 2)
#define LANDLOCK_READ_FOLDER (1u << 3)
#define LANDLOCK_BIND_TCP (1u << 0)
#define LANDLOCK_CONNECT_TCP (1u << 1)
#define LANDLOCK_SCOPES 3u /* abstract sockets and signals stay inside */

static uint64_t landlock_file_rights(long version)
{
    unsigned rights = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
    return ((uint64_t)1 << rights) - 1;
}

static int landlock_allow(int ruleset, const char *path, struct err *err)
{
    CLEANUP_CLOSE int parent = open(path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (parent < 0)
        return errno == ENOENT ? 0 : err_errno(err, ERR_INTERNAL, errno, "sandbox: %s", path);
    struct landlock_beneath rule = {.allowed = LANDLOCK_READ_FILE, .parent = parent};
    if (fstat(parent, &status) == 0 && S_ISDIR(status.st_mode))
        rule.allowed |= LANDLOCK_READ_FOLDER;
    if (syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_BENEATH, &rule, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock rule for %s", path);
    return 0;
}

int sandbox_landlock(const char *const paths[], bool may_connect, struct err *err)
{
    long version = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION_FLAG);
    if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        return 0;
    if (version < 1)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock version");
    struct landlock_ruleset rules = {.files = landlock_file_rights(version)};
    if (version >= 4)
        rules.network = LANDLOCK_BIND_TCP | (may_connect ? 0 : LANDLOCK_CONNECT_TCP);
    if (version >= 6)
        rules.scopes = LANDLOCK_SCOPES;
    size_t size = version >= 6   ? sizeof(rules)
                  : version >= 4 ? offsetof(struct landlock_ruleset, scopes)
                                 : offsetof(struct landlock_ruleset, network);
    CLEANUP_CLOSE int ruleset = (int)syscall(LANDLOCK_CREATE, &rules, size, 0);
    if (ruleset < 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock rules");
    for (size_t index = 0; paths[index] != NULL; index++)
        if (landlock_allow(ruleset, paths[index], err) != 0)
            return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock");
    return (int)version;
}

/* The bounding set can be emptied only while we still have the capability to. */
static int drop_bounding_set(struct err *err)
{
    for (int capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL)
            return err_errno(err, ERR_INTERNAL, errno, "sandbox: capability %d", capability);
    return 0;
}

static int drop_capabilities(struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capset, &header, data) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: dropping capabilities");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: ambient capabilities");
    return 0;
}

static int become_user(const struct profile *profile, struct err *err)
{
    if (geteuid() != 0) {
        log_warning("sandbox: not started by root, so %s keeps its user and root folder",
                    profile->name);
        return drop_capabilities(err);
    }
    if (drop_bounding_set(err) != 0)
        return -1;
    if (profile->root != NULL && access(profile->root, X_OK) != 0)
        log_warning("sandbox: there is no %s to be the root folder of %s", profile->root,
                    profile->name);
    else if (profile->root != NULL && (chroot(profile->root) != 0 || chdir("/") != 0))
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: chroot to %s", profile->root);
    unsigned user = profile->user;
    if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 ||
        setresuid(user, user, user) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: becoming user %u", user);
    if (setuid(0) == 0)
        return err_set(err, ERR_INTERNAL, "sandbox: the user could be changed back");
    return drop_capabilities(err);
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
    if (set_limit("memory", RLIMIT_AS, profile->address_space, err) != 0)
        return -1;
#endif
    if (set_limit("core dumps", RLIMIT_CORE, 0, err) != 0)
        return -1;
    return set_limit("descriptors", RLIMIT_NOFILE, profile->descriptors, err);
}

int sandbox_enter(enum sandbox_profile which, struct err *err)
{
    const struct profile *profile = &profiles[which];
    pid_t parent = getppid();
    if (become_user(profile, err) != 0 || limit_resources(profile, err) != 0)
        return -1;
    /* After the change of user, which resets both. The helper shall not outlive its parent. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: parent death signal");
    if (getppid() != parent)
        return err_set(err, ERR_INTERNAL, "sandbox: the parent process is gone");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: no new privileges");
    int landlock = sandbox_landlock(profile->readable, profile->may_connect, err);
    if (landlock < 0)
        return -1;
    if (landlock == 0)
        log_warning("sandbox: this kernel has no Landlock; user and system call list remain");
    return sandbox_filter(which, err);
}
