/* An operator at a slice's console: what is typed goes to the slice, what it says comes back. */
#include "ctl/attach.h"

#include "base/err.h"
#include "base/memory.h"
#include "ctl/find.h"
#include "ctl/link.h"
#include "ctl/print.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define LEAVE 0x1d /* Ctrl-] */
#define CHUNK_BYTES 4096
/* After the end of a pipe the slice has so long to answer, each time it says something. */
#define ANSWER_MS 1000

struct buffer {
    char bytes[CHUNK_BYTES];
    size_t used;
};

struct attachment {
    int tty;
    int signals;
    bool interactive; /* a person at a terminal */
    bool input_ended;
    bool left;
    int signal;          /* that ended it; 0 for none */
    struct buffer typed; /* on its way to the slice */
    struct buffer said;  /* ... and from it */
};

static struct termios terminal_before;
static bool terminal_changed;

static void restore_terminal(void)
{
    if (terminal_changed)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
    terminal_changed = false;
}

/* Every way out goes by exit(), signals too: they are read from a descriptor. */
static void take_terminal(void)
{
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &terminal_before) < 0)
        return;
    raw = terminal_before;
    cfmakeraw(&raw);
    atexit(restore_terminal);
    terminal_changed = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGTSTP); /* a stopped program would leave the terminal as it is */
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_tty(const char *path, struct err *err)
{
    struct termios raw;
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, ERR_CONSOLE_UNAVAILABLE, errno, "cannot open %s", path);
    if (!isatty(fd)) {
        close(fd);
        return err_set(err, ERR_CONSOLE_UNAVAILABLE, "%s is no terminal", path);
    }
    /* Two would each get a part of what is said. */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return err_set(err, ERR_CONSOLE_UNAVAILABLE, "somebody else is attached to it");
    }
    if (tcgetattr(fd, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(fd, TCSANOW, &raw);
    }
    return fd;
}

/* false at the end of `fd`, or when it has gone. */
static bool fill(int fd, struct buffer *buffer)
{
    ssize_t got = read(fd, buffer->bytes + buffer->used, sizeof(buffer->bytes) - buffer->used);
    if (got > 0)
        buffer->used += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool drain(int fd, struct buffer *buffer)
{
    ssize_t put = write(fd, buffer->bytes, buffer->used);
    if (put < 0)
        return errno == EAGAIN || errno == EINTR;
    buffer->used -= (size_t)put;
    memmove(buffer->bytes, buffer->bytes + put, buffer->used);
    return true;
}

/* A slice that reads nothing must not keep its operator: what does not fit is lost, but Ctrl-] is
 * seen. */
static void take_keys(struct attachment *attachment)
{
    struct buffer keys = {.used = 0};
    attachment->input_ended = !fill(STDIN_FILENO, &keys);
    char *leave = attachment->interactive ? memchr(keys.bytes, LEAVE, keys.used) : NULL;
    size_t length = leave ? (size_t)(leave - keys.bytes) : keys.used;
    size_t room = sizeof(attachment->typed.bytes) - attachment->typed.used;
    size_t taken = length < room ? length : room;
    memcpy(attachment->typed.bytes + attachment->typed.used, keys.bytes, taken);
    attachment->typed.used += taken;
    attachment->left = leave;
}

static void take_input(struct attachment *attachment)
{
    if (attachment->interactive)
        take_keys(attachment);
    else
        attachment->input_ended = !fill(STDIN_FILENO, &attachment->typed);
}

static short when(bool condition, short events)
{
    return condition ? events : 0;
}

/* One round; false when it is over. `*gone`: because the slice's side has ended. */
static bool relay(struct attachment *attachment, bool *gone)
{
    struct buffer *typed = &attachment->typed, *said = &attachment->said;
    bool room = attachment->interactive || typed->used < sizeof(typed->bytes);
    struct pollfd polled[] = {
        {.fd = attachment->input_ended || !room ? -1 : STDIN_FILENO, .events = POLLIN},
        {.fd = *gone || (said->used && typed->used == 0) ? -1 : attachment->tty,
         .events = (short)(when(said->used == 0, POLLIN) | when(typed->used > 0, POLLOUT))},
        {.fd = said->used ? STDOUT_FILENO : -1, .events = POLLOUT},
        {.fd = attachment->signals, .events = POLLIN}};
    bool answered = attachment->input_ended && typed->used == 0 && said->used == 0;
    int ready = poll(polled, ARRAY_LENGTH(polled), answered ? ANSWER_MS : -1);
    if (ready == 0)
        return false;
    if (ready < 0)
        return errno == EINTR;
    if (polled[3].revents) {
        struct signalfd_siginfo info;
        if (read(attachment->signals, &info, sizeof(info)) == sizeof(info) &&
            info.ssi_signo != SIGTSTP) {
            attachment->signal = (int)info.ssi_signo;
            return false;
        }
    }
    if (polled[0].revents)
        take_input(attachment);
    if (polled[1].revents && typed->used > 0)
        *gone |= !drain(attachment->tty, typed);
    if (polled[1].revents && said->used == 0)
        *gone |= !fill(attachment->tty, said);
    if (polled[2].revents && !drain(STDOUT_FILENO, said))
        return false;
    if (attachment->left && typed->used > 0)
        drain(attachment->tty, typed);
    return !attachment->left && (!*gone || said->used > 0);
}

static int finish(struct attachment *attachment, bool gone, const char *name)
{
    restore_terminal();
    close(attachment->tty);
    if (attachment->interactive)
        fputs("\n", stderr);
    if (gone) {
        fprintf(stderr, "slicectl: slice %s has ended, or was restarted\n", name);
        return EXIT_REFUSED;
    }
    if (attachment->interactive)
        fprintf(stderr, "left the console of %s\n", name);
    if (attachment->signal) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, attachment->signal);
        signal(attachment->signal, SIG_DFL);
        raise(attachment->signal);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    return EXIT_DONE;
}

int command_attach(struct control *control, const char *name)
{
    struct err err = {0};
    bool gone = false;
    json_t *result = control_need(control, "console.tty",
                                  json_pack("{s:s}", "slice", find_slice(control, name)));
    struct attachment attachment = {.interactive = isatty(STDIN_FILENO) != 0};
    attachment.tty = open_tty(json_string_value(json_object_get(result, "tty")), &err);
    json_decref(result);
    if (attachment.tty < 0) {
        print_error(&err);
        return EXIT_REFUSED;
    }
    attachment.signals = open_signals();
    if (attachment.interactive) {
        fprintf(stderr, "at the console of %s; Ctrl-] leaves it\n", name);
        take_terminal();
    }
    while (relay(&attachment, &gone))
        ;
    return finish(&attachment, gone, name);
}
