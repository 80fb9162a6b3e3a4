/* Boot parameters: `slicenode.KEY=VALUE` from the kernel command line and from slicenode.conf.
 * Parsing and validation; reads no files. What is malformed is reported and left out. */
#ifndef SLICENODE_CONF_CONF_H
#define SLICENODE_CONF_CONF_H

#include "base/err.h"

#include <stddef.h>

/* Each parameter and two CA bundles of a few certificates. A longer file is refused, and told. */
#define CONF_FILE_LIMIT (64u << 10)
/* Told one by one; how many more there are is told, too. */
#define CONF_PROBLEMS_MAX 32

#define CONF_KEYS(X)                                                                               \
    X(CONTROLLER, "controller", conf_check_controller)                                             \
    X(CA, "ca", conf_check_ca)                                                                     \
    X(PIN, "pin", conf_check_pin)                                                                  \
    X(TOKEN, "token", conf_check_token)                                                            \
    X(NET, "net", conf_check_net)                                                                  \
    X(DISK, "disk", conf_check_disk)                                                               \
    X(NTP, "ntp", conf_check_ntp)                                                                  \
    X(SSH_KEY, "ssh_key", conf_check_ssh_key)                                                      \
    X(NAME, "name", conf_check_name)                                                               \
    X(SMT, "smt", conf_check_smt)                                                                  \
    X(SPEC_CTRL, "spec-ctrl", conf_check_spec_ctrl)                                                \
    X(SCHED_GRAN, "sched-gran", conf_check_sched_gran)                                             \
    X(DOM0_MEM, "dom0_mem", conf_check_dom0_mem)                                                   \
    X(DOM0_MAX_VCPUS, "dom0_max_vcpus", conf_check_dom0_max_vcpus)                                 \
    X(SERIAL, "serial", conf_check_serial)

enum conf_key {
#define X(key, name, check) CONF_##key,
    CONF_KEYS(X)
#undef X
        CONF_KEY_COUNT
};

struct conf_value {
    char *text;      /* owned; NULL when not given or malformed */
    char *where;     /* owned: source and line; NULL when not given */
    unsigned source; /* number of the source that it came from; 0: none */
};

struct conf {
    struct conf_value values[CONF_KEY_COUNT];
    char *problems[CONF_PROBLEMS_MAX]; /* owned */
    unsigned problem_count;            /* may be more than are kept */
    unsigned sources;
};

const char *conf_key_name(enum conf_key key);

/* Reads one more source, which overrides those before it. A key that it gives in a malformed way is
 * unset, whatever the others say; a malformed `disk` becomes `none`, so that no disk is touched. */
void conf_file(struct conf *conf, const char *source, const char *text, size_t length);
void conf_command_line(struct conf *conf, const char *text);

/* Notes a problem of the caller's own, such as a file that cannot be read. */
void conf_problem(struct conf *conf, const char *format, ...) __attribute__((format(printf, 2, 3)));

void conf_free(struct conf *conf);

/* Each checks a value and may bring it, in place, into its normal form. */
typedef int conf_check(char *value, struct err *err);
#define X(key, name, check) conf_check check;
CONF_KEYS(X)
#undef X

#endif
