/* Enters a sandbox and tries one thing, for test_sandbox.py: sandbox-tool net|import|none DEED. With
 * "none" it is in one already, confine's.
 * Prints "may", or "may not: ERROR"; a forbidden system call kills it. */
#include "base/err.h"
#include "process/loop.h"
#include "process/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t parent;

static int made_socket(int family, int type)
{
    return socket(family, type, family == AF_INET && type == SOCK_RAW ? IPPROTO_ICMP : 0);
}

/* To this machine's discard port. */
static int connect_tcp(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = made_socket(AF_INET, SOCK_STREAM);
    int result = connect(fd, (struct sockaddr *)&address, sizeof(address));
    return result != 0 && errno == ECONNREFUSED ? 0 : result; /* nobody is there: it may */
}

static int bind_to(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return bind(made_socket(AF_INET, type), (struct sockaddr *)&address, sizeof(address));
}

static int signal_parent(void)
{
    return (int)syscall(SYS_tgkill, parent, parent, 0);
}

static void *nothing(void *argument)
{
    return argument;
}

static int start_thread(void)
{
    pthread_t thread;
    int error_number = pthread_create(&thread, NULL, nothing, NULL);
    if (error_number == 0)
        return pthread_join(thread, NULL);
    errno = error_number;
    return -1;
}

static int map(int protection)
{
    void *memory = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? -1 : 0;
}

static int make_executable(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

static int run_program(void)
{
    return execl("/bin/true", "true", NULL);
}

static int write_descriptor(void)
{
    return write(STDOUT_FILENO, "", 0) == 0 ? 0 : -1;
}

static int x32_call(void)
{
    return (int)syscall(SYS_getpid | 0x40000000);
}

static int attempt(const char *deed)
{
#define DEED(name, expression)                                                                     \
    if (strcmp(deed, name) == 0)                                                                   \
        return expression;
    DEED("write to a descriptor", write_descriptor())
    DEED("map memory", map(PROT_READ | PROT_WRITE))
    DEED("map executable memory", map(PROT_READ | PROT_EXEC))
    DEED("make memory executable", make_executable())
    DEED("read /etc/hosts", open("/etc/hosts", O_RDONLY))
    DEED("read /dev/random", open("/dev/random", O_RDONLY))
    DEED("read /proc/self/environ", open("/proc/self/environ", O_RDONLY))
    DEED("read /usr/bin/env", open("/usr/bin/env", O_RDONLY))
    DEED("read /tmp", open("/tmp", O_RDONLY | O_DIRECTORY))
    DEED("write /etc/hosts", open("/etc/hosts", O_WRONLY))
    DEED("create a file", open("/tmp/sandbox-tool-file", O_WRONLY | O_CREAT, 0600))
    DEED("remove a file", unlink("/tmp/sandbox-tool-none"))
    DEED("make a TCP socket", made_socket(AF_INET, SOCK_STREAM))
    DEED("make a UDP socket", made_socket(AF_INET6, SOCK_DGRAM))
    DEED("make a raw socket", made_socket(AF_INET, SOCK_RAW))
    DEED("make a unix socket", made_socket(AF_UNIX, SOCK_STREAM))
    DEED("make a netlink socket", made_socket(AF_NETLINK, SOCK_RAW))
    DEED("make a packet socket", made_socket(AF_PACKET, SOCK_RAW))
    DEED("connect by TCP", connect_tcp())
    DEED("bind a TCP socket", bind_to(SOCK_STREAM))
    DEED("bind a UDP socket", bind_to(SOCK_DGRAM))
    DEED("listen", listen(made_socket(AF_INET, SOCK_STREAM), 1))
    DEED("execute a program", run_program())
    DEED("fork", (int)syscall(SYS_fork))
    DEED("clone a process", (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
    DEED("start a thread", start_thread())
    DEED("trace", (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL))
    DEED("signal the parent", signal_parent())
    DEED("kill the parent", kill(parent, 0))
    DEED("mount", mount("none", "/mnt", "tmpfs", 0, NULL))
    DEED("become root", setuid(0))
    DEED("change the root folder", chroot("/"))
    DEED("raise a limit", setrlimit(RLIMIT_NOFILE, &(struct rlimit){4096, 4096}))
    DEED("set the clock", clock_settime(CLOCK_REALTIME, &(struct timespec){0}))
    DEED("load a module", (int)syscall(SYS_init_module, "", 0, ""))
    DEED("change an owner", chown("/etc/hosts", 0, 0))
    DEED("make a device", mknod("/tmp/sandbox-tool-null", S_IFCHR | 0600, 0x103))
    DEED("enter a namespace", unshare(CLONE_NEWNS))
    DEED("use io_uring", (int)syscall(425, 1, NULL))
    DEED("load a BPF program", (int)syscall(SYS_bpf, 5, NULL, 0))
    DEED("use the x32 interface", x32_call())
    fprintf(stderr, "no such deed: %s\n", deed);
    _exit(2);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc != 3)
        return 2;
    enum sandbox_profile profile = strcmp(argv[1], "import") == 0   ? SANDBOX_IMPORT
                                   : strcmp(argv[1], "export") == 0 ? SANDBOX_EXPORT
                                   : strcmp(argv[1], "ip6") == 0    ? SANDBOX_IP6
                                                                    : SANDBOX_NET;
    parent = getppid();
    if (strcmp(argv[1], "none") != 0 && sandbox_enter(profile, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    if (attempt(argv[2]) >= 0)
        dprintf(STDOUT_FILENO, "may\n");
    else
        dprintf(STDOUT_FILENO, "may not: %s\n", strerror(errno));
    return 0;
}
