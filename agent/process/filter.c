#include "base/err.h"
#include "base/memory.h"
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#error "the kernel headers are too old"
#endif

/* Instructions, four for a rule. A longer program is an error at the start. */
#define PROGRAM_LIMIT 1024
#define X32_CALLS 0x40000000 /* the x32 ABI's numbers share our architecture value */

/* Allows a system call when `argument & mask == value`; a mask of 0 always does. */
struct allowed {
    int call;
    unsigned argument;
    uint32_t mask;
    uint32_t value;
};

/* What is answered, instead of death, to a call that a library makes and can do without. */
struct refused {
    int call;
    int error_number;
};

/* The most frequent first: the filter looks from the top. */
static const struct allowed common_calls[] = {
    {.call = SYS_read},
    {.call = SYS_write},
    {.call = SYS_poll},
    {.call = SYS_ppoll},
    {.call = SYS_recvfrom},
    {.call = SYS_sendto},
    {.call = SYS_recvmsg},
    {.call = SYS_sendmsg},
    {.call = SYS_readv},
    {.call = SYS_writev},
    {.call = SYS_clock_gettime},
    {.call = SYS_futex},
    {.call = SYS_brk},
    {.call = SYS_munmap},
    {.call = SYS_mremap},
    {.call = SYS_madvise},
    {.call = SYS_mmap, .argument = 2, .mask = PROT_EXEC, .value = 0},
    {.call = SYS_mprotect, .argument = 2, .mask = PROT_EXEC, .value = 0},
    {.call = SYS_close},
    {.call = SYS_fstat},
    {.call = SYS_newfstatat, .argument = 3, .mask = AT_EMPTY_PATH, .value = AT_EMPTY_PATH},
    {.call = SYS_lseek},
    {.call = SYS_fcntl},
    {.call = SYS_gettimeofday},
    {.call = SYS_time},
    {.call = SYS_nanosleep},
    {.call = SYS_clock_nanosleep},
    {.call = SYS_getrandom},
    {.call = SYS_rt_sigaction},
    {.call = SYS_rt_sigprocmask},
    {.call = SYS_rt_sigreturn},
    {.call = SYS_restart_syscall},
    {.call = SYS_getpid},
    {.call = SYS_gettid},
    {.call = SYS_tgkill}, /* abort(); other users' processes are out of reach */
    {.call = SYS_tkill},
    {.call = SYS_sched_yield},
    {.call = SYS_exit},
    {.call = SYS_exit_group},
#ifdef __SANITIZE_ADDRESS__
    {.call = SYS_sigaltstack},
    {.call = SYS_readlink},
    {.call = SYS_open},
    {.call = SYS_openat},
    {.call = SYS_prctl},
    {.call = SYS_sched_getaffinity},
    {.call = SYS_getrlimit},
    {.call = SYS_prlimit64},
#endif
};

static const struct allowed import_calls[] = {
    {.call = SYS_pwrite64},        {.call = SYS_pread64},   {.call = SYS_fdatasync},
    {.call = SYS_sync_file_range}, {.call = SYS_ftruncate},
};

static const struct allowed export_calls[] = {
    {.call = SYS_pread64},
    {.call = SYS_fadvise64},
};

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

static const struct allowed net_calls[] = {
    {.call = SYS_socket, .argument = 0, .mask = UINT32_MAX, .value = AF_INET},
    {.call = SYS_socket, .argument = 0, .mask = UINT32_MAX, .value = AF_INET6},
    {.call = SYS_socketpair, .argument = 0, .mask = UINT32_MAX, .value = AF_UNIX},
    {.call = SYS_connect},
    {.call = SYS_bind}, /* the resolver's UDP socket; Landlock forbids it for TCP */
    {.call = SYS_getsockopt},
    {.call = SYS_setsockopt},
    {.call = SYS_getsockname},
    {.call = SYS_getpeername},
    {.call = SYS_shutdown},
    {.call = SYS_sendmmsg},
    {.call = SYS_recvmmsg},
    {.call = SYS_pipe},
    {.call = SYS_pipe2},
    {.call = SYS_eventfd2},
    {.call = SYS_open, .argument = 1, .mask = OPEN_WRITES, .value = O_RDONLY},
    {.call = SYS_openat, .argument = 2, .mask = OPEN_WRITES, .value = O_RDONLY},
    {.call = SYS_stat},
    {.call = SYS_newfstatat},
    {.call = SYS_clone, .argument = 0, .mask = THREAD_FLAGS, .value = THREAD_FLAGS},
    {.call = SYS_set_robust_list},
    {.call = SYS_set_tid_address},
#ifdef SYS_rseq
    {.call = SYS_rseq},
#endif
    {.call = SYS_sched_getaffinity},
    {.call = SYS_sysinfo},
    {.call = SYS_uname},
    {.call = SYS_getuid}, /* glibc's resolver asks whether it runs set-uid */
    {.call = SYS_geteuid},
    {.call = SYS_getgid},
    {.call = SYS_getegid},
};

static const struct refused common_refusals[] = {
    {SYS_ioctl, ENOTTY}, /* stdio asks whether it writes to a terminal */
    {SYS_mmap, EPERM},
    {SYS_mprotect, EPERM},
};

static const struct refused net_refusals[] = {
    {SYS_socket, EAFNOSUPPORT}, {SYS_socketpair, EAFNOSUPPORT}, {SYS_clone, EPERM},
    {SYS_open, EACCES},         {SYS_openat, EACCES},           {SYS_access, EACCES},
#ifdef SYS_clone3
    {SYS_clone3, ENOSYS}, /* its flags are out of the filter's sight; libraries fall back */
#endif
};

/* What no daemon needs, and much of what a kernel can be attacked by. */
static const int shell_denials[] = {
    SYS_kexec_load,
    SYS_bpf,
    SYS_userfaultfd,
    SYS_perf_event_open,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_open_by_handle_at,
    SYS_kcmp,
    SYS_vhangup,
    SYS_uselib,
    SYS_acct,
    320, /* kexec_file_load */
    425, /* io_uring_setup */
    426, /* io_uring_enter */
    427, /* io_uring_register */
};

static const struct allowed daemon_calls[] = {
    {.call = SYS_socket, .argument = 0, .mask = UINT32_MAX, .value = AF_UNIX},
};

static const int daemon_denials[] = {
    SYS_fork,
    SYS_vfork,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_mknod,
    SYS_mknodat,
    SYS_personality,
    SYS_quotactl,
    SYS_syslog,
    SYS_name_to_handle_at,
    428, /* open_tree */
    429, /* move_mount */
    430, /* fsopen */
    431, /* fsconfig */
    432, /* fsmount */
    442, /* mount_setattr */
};

struct program {
    struct sock_filter code[PROGRAM_LIMIT];
    unsigned short length;
};

static void emit(struct program *program, unsigned short code, uint32_t value, uint8_t if_true,
                 uint8_t if_false)
{
    program->code[program->length++] =
        (struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = value};
}

static void emit_load(struct program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct program *program, uint32_t action)
{
    emit(program, BPF_RET | BPF_K, action, 0, 0);
}

/* Expects the call's number in the accumulator, and leaves it there. */
static void emit_allowed(struct program *program, const struct allowed *rules, size_t count)
{
    const unsigned short if_equal = BPF_JMP | BPF_JEQ | BPF_K;
    for (const struct allowed *rule = rules; rule < rules + count; rule++) {
        if (rule->mask == 0) {
            emit(program, if_equal, (uint32_t)rule->call, 0, 1);
            emit_return(program, SECCOMP_RET_ALLOW);
            continue;
        }
        emit(program, if_equal, (uint32_t)rule->call, 0, 5);
        emit_load(program, offsetof(struct seccomp_data, args) + rule->argument * 8);
        emit(program, BPF_ALU | BPF_AND | BPF_K, rule->mask, 0, 0);
        emit(program, if_equal, rule->value, 0, 1);
        emit_return(program, SECCOMP_RET_ALLOW);
        emit_load(program, offsetof(struct seccomp_data, nr));
    }
}

static void emit_refused(struct program *program, const struct refused *rules, size_t count)
{
    for (const struct refused *rule = rules; rule < rules + count; rule++) {
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0, 1);
        emit_return(program, SECCOMP_RET_ERRNO | (uint32_t)rule->error_number);
    }
}

static void emit_denials(struct program *program, const int *calls, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[index], 0, 1);
        emit_return(program, SECCOMP_RET_ERRNO | EPERM);
    }
}

/* For programs that are not ours, whose calls nobody has listed: they are told no, not killed. */
static void build_denials(struct program *program, enum sandbox_profile profile)
{
    emit_denials(program, shell_denials, ARRAY_LENGTH(shell_denials));
    if (profile == SANDBOX_DAEMON) {
        static const struct refused sockets[] = {{SYS_socket, EAFNOSUPPORT}};
        emit_denials(program, daemon_denials, ARRAY_LENGTH(daemon_denials));
        emit_allowed(program, daemon_calls, ARRAY_LENGTH(daemon_calls));
        emit_refused(program, sockets, ARRAY_LENGTH(sockets));
    }
    emit_return(program, SECCOMP_RET_ALLOW);
}

static void build(struct program *program, enum sandbox_profile profile)
{
    emit_load(program, offsetof(struct seccomp_data, arch));
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    emit_return(program, SECCOMP_RET_KILL_PROCESS);
    emit_load(program, offsetof(struct seccomp_data, nr));
    emit(program, BPF_JMP | BPF_JGE | BPF_K, X32_CALLS, 0, 1);
    emit_return(program, SECCOMP_RET_KILL_PROCESS);
    if (profile == SANDBOX_DAEMON || profile == SANDBOX_SHELLS) {
        build_denials(program, profile);
        return;
    }
    emit_allowed(program, common_calls, ARRAY_LENGTH(common_calls));
    if (profile == SANDBOX_NET) {
        emit_allowed(program, net_calls, ARRAY_LENGTH(net_calls));
        emit_refused(program, net_refusals, ARRAY_LENGTH(net_refusals));
    } else if (profile == SANDBOX_EXPORT) {
        emit_allowed(program, export_calls, ARRAY_LENGTH(export_calls));
    } else if (profile == SANDBOX_IMPORT) {
        emit_allowed(program, import_calls, ARRAY_LENGTH(import_calls));
    }
    emit_refused(program, common_refusals, ARRAY_LENGTH(common_refusals));
    emit_return(program, SECCOMP_RET_KILL_PROCESS);
}

_Static_assert(6 * (ARRAY_LENGTH(common_calls) + ARRAY_LENGTH(net_calls) +
                    ARRAY_LENGTH(net_refusals) + ARRAY_LENGTH(common_refusals)) +
                       8 <
                   PROGRAM_LIMIT,
               "the longest filter fits");

int sandbox_filter(enum sandbox_profile profile, struct err *err)
{
    struct program program = {.length = 0};
    build(&program, profile);
    struct sock_fprog filter = {.len = program.length, .filter = program.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "sandbox: system call filter");
    return 0;
}
