/* Landlock's interface, by hand: the C library's headers may be older than the kernel. */
#include "base/err.h"
#include "base/memory.h"
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
#define LANDLOCK_EXECUTE (1u << 0)
#define LANDLOCK_WRITE_FILE (1u << 1)
#define LANDLOCK_READ_FILE (1u << 2)
#define LANDLOCK_READ_FOLDER (1u << 3)
#define LANDLOCK_REMOVE_FILE (1u << 5)
#define LANDLOCK_MAKE_REG (1u << 8)
#define LANDLOCK_MAKE_SOCK (1u << 9)
#define LANDLOCK_TRUNCATE (1u << 14)
#define LANDLOCK_IOCTL_DEV (1u << 15)
#define LANDLOCK_OF_FILES                                                                          \
    (LANDLOCK_EXECUTE | LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_TRUNCATE |             \
     LANDLOCK_IOCTL_DEV)
#define LANDLOCK_BIND_TCP (1u << 0)
#define LANDLOCK_CONNECT_TCP (1u << 1)
#define LANDLOCK_SCOPES 3u /* abstract sockets and signals stay inside */

static uint64_t file_rights(long version)
{
    unsigned rights = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
    return ((uint64_t)1 << rights) - 1;
}

static uint64_t rights_of(unsigned rights)
{
    uint64_t allowed = 0;
    if (rights & SANDBOX_READ)
        allowed |= LANDLOCK_READ_FILE | LANDLOCK_READ_FOLDER;
    if (rights & SANDBOX_WRITE)
        allowed |= LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE | LANDLOCK_IOCTL_DEV |
                   LANDLOCK_REMOVE_FILE | LANDLOCK_MAKE_REG | LANDLOCK_MAKE_SOCK;
    if (rights & SANDBOX_EXECUTE)
        allowed |= LANDLOCK_EXECUTE;
    return allowed;
}

static int allow(int ruleset, const struct sandbox_path *path, uint64_t handled, struct err *err)
{
    CLEANUP_CLOSE int parent = open(path->path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (parent < 0)
        return errno == ENOENT ? 0 : err_errno(err, ERR_INTERNAL, errno, "sandbox: %s", path->path);
    struct landlock_beneath rule = {.allowed = rights_of(path->rights) & handled, .parent = parent};
    if (fstat(parent, &status) != 0 || !S_ISDIR(status.st_mode))
        rule.allowed &= LANDLOCK_OF_FILES;
    if (syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_BENEATH, &rule, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock rule for %s", path->path);
    return 0;
}

int sandbox_landlock(const struct sandbox_path *paths, bool may_connect, struct err *err)
{
    long version = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION_FLAG);
    if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        return 0;
    if (version < 1)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock version");
    struct landlock_ruleset rules = {.files = file_rights(version)};
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
    for (; paths->path; paths++)
        if (allow(ruleset, paths, rules.files, err) < 0)
            return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: Landlock");
    return (int)version;
}
