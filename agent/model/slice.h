/* Slices: what runs on the node. */
#ifndef SLICENODE_MODEL_SLICE_H
#define SLICENODE_MODEL_SLICE_H

#include "base/check.h"
#include "base/err.h"
#include "base/ident.h"
#include "model/nic.h"

#include <stdbool.h>
#include <stdint.h>

#define SLICE_NAME_BYTES 64     /* 1-63 characters: letters, digits, '.', '-', '_' */
#define COMMAND_LINE_BYTES 1024 /* what Xen hands to a PV kernel */
/* What clouds take (16 to 64 KiB). Longer is refused. */
#define USER_DATA_LIMIT (64u << 10)
/* More are refused. */
#define SSH_KEYS_MAX 64
#define SSH_KEYS_LIMIT (256u << 10) /* all of a slice's keys together */
/* Xen's own limit for PVH (HVM_MAX_VCPUS); a machine may have more processors. More are refused. */
#define VCPUS_MAX 128
#define MEMORY_MIB_MIN 16
/* 16 TiB, as Xen takes it; more than machines have. More is refused. */
#define MEMORY_MIB_MAX (16u << 20)
/* 64 TiB. Larger ones are refused; a pool may be larger. */
#define DISK_GIB_MAX 65536

enum slice_state {
    SLICE_PROVISIONING,
    SLICE_RUNNING,
    SLICE_PAUSED,
    SLICE_STOPPED,
    SLICE_FAILED,
    SLICE_TERMINATING
};
enum slice_type { SLICE_PVH, SLICE_PV };
enum boot_kind { BOOT_GRUB, BOOT_KERNEL };

/* What a domain was built with and has been given since. */
struct domain_size {
    unsigned vcpus;
    unsigned max_vcpus;
    uint64_t memory_mib; /* 0: not known */
    uint64_t max_memory_mib;
};

struct slice {
    char id[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    enum slice_state state;
    bool desired_running;
    enum slice_type type;
    bool type_given; /* false: the node chose */
    unsigned vcpus;
    uint64_t memory_mib;
    uint64_t disk_gib;
    unsigned max_vcpus;          /* what it may grow to while it runs; 0: to no more than it has */
    uint64_t max_memory_mib;     /* likewise */
    char image[UUID_TEXT_BYTES]; /* that it was made from, "" for none */
    char snapshot[UUID_TEXT_BYTES]; /* likewise */
    enum boot_kind boot;
    char kernel[UUID_TEXT_BYTES];
    char ramdisk[UUID_TEXT_BYTES];
    char command_line[COMMAND_LINE_BYTES];
    struct nic *nics; /* owned */
    unsigned nic_count;
    char hostname[HOSTNAME_BYTES];
    char *ssh_keys[SSH_KEYS_MAX]; /* owned */
    unsigned ssh_key_count;
    char *user_data; /* owned; NULL for none */
    bool restart_on_crash;
    uint32_t disk_thin_id; /* 0: none yet */
    uint32_t seed_thin_id;
    int domain_id; /* -1: none */
    struct domain_size domain;
    struct err error; /* ERR_NONE when well */
};

extern const char *const slice_type_names[];
extern const char *const boot_names[];
#define SLICE_TYPES 2
#define BOOT_KINDS 2

const char *slice_state_name(enum slice_state state);
int slice_state_parse(const char *text, enum slice_state *state);

/* Releases what a slice owns; the struct itself is the caller's. */
void slice_free(struct slice *slice);
/* With what it owns; the caller frees with slice_free. */
void slice_copy(const struct slice *from, struct slice *to);

#endif
