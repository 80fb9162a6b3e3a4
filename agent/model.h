/* What the node keeps and is asked for: slices, images, snapshots, requests. Types, validation, and
 * JSON in and out. Pure: no files, no clock, no backend. */
#ifndef SLICENODE_MODEL_H
#define SLICENODE_MODEL_H

#include "check.h"
#include "err.h"
#include "util.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SLICE_NAME_BYTES 64 /* 1-63 characters: letters, digits, '.', '-', '_' */
#define SLICE_NICS_MAX 8
#define NIC_ADDRESSES_MAX 16
#define NIC_DNS_MAX 8
#define NIC_NAME_BYTES 16     /* IFNAMSIZ */
#define ADDRESS_TEXT_BYTES 50 /* an IPv6 address with its prefix length */
#define URL_BYTES 2048
#define SHA256_TEXT_BYTES 65
#define COMMAND_LINE_BYTES 1024 /* what Xen hands to a PV kernel */
#define USER_DATA_LIMIT (64u << 10)
#define SSH_KEYS_MAX 64
#define SSH_KEYS_LIMIT (256u << 10) /* all of a slice's keys together */
#define CONSOLE_BYTES_LIMIT (1u << 20)
#define SLICE_VOLUMES_MAX 16  /* attached at a time: xvdc to xvdr */
#define NODE_VOLUMES_MAX 4096 /* so that a registration fits in a message */
#define DEVICE_NAME_BYTES 8

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
enum image_kind { IMAGE_DISK, IMAGE_KERNEL, IMAGE_RAMDISK };
/* AUTO: by its magic. */
enum image_format { IMAGE_FORMAT_AUTO, IMAGE_FORMAT_RAW, IMAGE_FORMAT_QCOW2, IMAGE_FORMAT_VHD };
enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_XZ, COMPRESSION_ZSTD };

/* The operations, in the protocol's spelling. */
#define OPERATIONS(X)                                                                              \
    X(SLICE_PROVISION, "slice.provision")                                                          \
    X(SLICE_START, "slice.start")                                                                  \
    X(SLICE_STOP, "slice.stop")                                                                    \
    X(SLICE_REBOOT, "slice.reboot")                                                                \
    X(SLICE_PAUSE, "slice.pause")                                                                  \
    X(SLICE_UNPAUSE, "slice.unpause")                                                              \
    X(SLICE_RESIZE, "slice.resize")                                                                \
    X(SLICE_TERMINATE, "slice.terminate")                                                          \
    X(SLICE_CONSOLE, "slice.console")                                                              \
    X(SNAPSHOT_CREATE, "snapshot.create")                                                          \
    X(SNAPSHOT_REVERT, "snapshot.revert")                                                          \
    X(SNAPSHOT_DELETE, "snapshot.delete")                                                          \
    X(SNAPSHOT_EXPORT, "snapshot.export")                                                          \
    X(IMAGE_FETCH, "image.fetch")                                                                  \
    X(IMAGE_DELETE, "image.delete")                                                                \
    X(VOLUME_CREATE, "volume.create")                                                              \
    X(VOLUME_ATTACH, "volume.attach")                                                              \
    X(VOLUME_DETACH, "volume.detach")                                                              \
    X(VOLUME_RESIZE, "volume.resize")                                                              \
    X(VOLUME_DELETE, "volume.delete")                                                              \
    X(NODE_REPORT, "node.report")                                                                  \
    X(REQUEST_CANCEL, "request.cancel")                                                            \
    X(NODE_DRAIN, "node.drain")                                                                    \
    X(NODE_REBOOT, "node.reboot")

enum operation {
#define X(name, text) OP_##name,
    OPERATIONS(X)
#undef X
        OP_COUNT
};

struct nic {
    char bridge[NIC_NAME_BYTES];
    int vlan; /* 0: none */
    char mac[MAC_TEXT_BYTES];
    char addresses[NIC_ADDRESSES_MAX][ADDRESS_TEXT_BYTES]; /* none: DHCP */
    unsigned address_count;
    char gateway[ADDRESS_TEXT_BYTES];
    char dns[NIC_DNS_MAX][ADDRESS_TEXT_BYTES];
    unsigned dns_count;
};

struct image {
    char id[UUID_TEXT_BYTES];
    enum image_kind kind;
    enum compression compression;
    enum image_format format;       /* only until imported; the store does not keep it */
    char url[URL_BYTES];            /* "" when unknown */
    char sha256[SHA256_TEXT_BYTES]; /* of the bytes as transferred; "" when not given */
    uint64_t transfer_bytes;        /* 0 when not given */
    uint64_t size_bytes;            /* of the volume; 0 until imported */
    uint64_t mapped_bytes;          /* of the pool, once imported: what it reserves */
    uint32_t thin_id;               /* of a disk image */
    bool ready;
    int64_t used_ms; /* when it was fetched or a slice was made from it last; 0: not known */
};

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

/* What tells a stream of a slice's memory from a torn or damaged one. */
struct memory_mark {
    uint64_t bytes;
    uint64_t crc; /* CRC-64, as xz has it */
};

/* The memory that a checkpoint keeps, and the domain that it was taken from. */
struct saved_memory {
    uint32_t thin_id; /* 0: none */
    struct memory_mark mark;
    struct domain_size size;
};

struct snapshot {
    char id[UUID_TEXT_BYTES];
    char slice[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    int64_t created_ms;
    uint32_t thin_id;
    uint64_t reserved_bytes; /* pool space that it may come to hold alone */
    uint64_t size_bytes;     /* of the volume at that time */
    struct saved_memory memory;
};

enum volume_state { VOLUME_CREATING, VOLUME_READY, VOLUME_DELETING };

/* A data disk that outlives the slices it is attached to. */
struct volume {
    char id[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    enum volume_state state;
    uint64_t size_gib; /* all of it is reserved */
    uint32_t thin_id;
    char slice[UUID_TEXT_BYTES]; /* that it is attached to; "" for none */
    unsigned slot;               /* of that slice, from 0; says which device it is */
};

struct request {
    char id[UUID_TEXT_BYTES];
    enum operation operation;
    char slice[UUID_TEXT_BYTES]; /* "" for those that concern no slice */
    json_t *args;                /* owned */
    int64_t deadline_ms;         /* 0: none */
};

/* What the arguments of the short operations say, filled by request_parse_args. */
struct stop_args {
    unsigned timeout_seconds;
    bool force;
};
struct resize_args { /* 0: stays as it is */
    unsigned vcpus;
    uint64_t memory_mib;
    uint64_t disk_gib;
};
struct console_args {
    unsigned bytes;
    unsigned follow_seconds; /* 0: once */
};
struct snapshot_args {
    char snapshot[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    bool restart;
    bool memory;
};

struct volume_args {
    char volume[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    uint64_t size_gib;
    bool force;
};
/* Room that the saved memory of a domain of that shape may take in its volume. */
uint64_t saved_memory_room(const struct saved_memory *memory);

const char *slice_state_name(enum slice_state state);
int slice_state_parse(const char *text, enum slice_state *state);
const char *operation_name(enum operation operation);

/* The request object of the protocol; refuses unknown fields and operations. The caller frees
 * `request` with request_free. */
int request_parse(const json_t *object, struct request *request, struct err *err);
void request_free(struct request *request);

/* The arguments of each operation. What is optional gets its default; on failure nothing is left for
 * the caller to free. */

/* slice.provision. `image->url` is "" when the image must already be there, `image->id` when the
 * slice is made from `slice->snapshot` instead; a slice that names no
 * network gets one card on xenbr0 with DHCP, and every card has a MAC address. */
int provision_parse(const char *slice_id, const json_t *args, struct slice *slice,
                    struct image *image, struct err *err);
int image_parse(const json_t *args, struct image *image, struct err *err);
int stop_parse(const json_t *args, struct stop_args *stop, struct err *err);
int resize_parse(const json_t *args, struct resize_args *resize, struct err *err);
int snapshot_parse(enum operation operation, const json_t *args, struct snapshot_args *snapshot,
                   struct err *err);
int volume_parse(enum operation operation, const json_t *args, struct volume_args *volume,
                 struct err *err);
int image_delete_parse(const json_t *args, char id[static UUID_TEXT_BYTES], struct err *err);
int console_parse(const json_t *args, struct console_args *console, struct err *err);
/* node.drain: whether the node is to take no new work, or to take it again. */
int drain_parse(const json_t *args, bool *drain, struct err *err);
/* For the operations without arguments. */
/* request.cancel's: the request that is to be cancelled. */
int cancel_parse(const json_t *args, char request[static UUID_TEXT_BYTES], struct err *err);
int no_args_parse(const json_t *args, struct err *err);

/* What the next domain of a slice is built with. */
struct domain_size slice_size(const struct slice *slice);
/* So that a domain made of it from now on has that size. */
void slice_set_size(struct slice *slice, const struct domain_size *size);

/* Releases what a slice owns; the struct itself is the caller's. */
void slice_free(struct slice *slice);
/* With what it owns; the caller frees with slice_free. */
void slice_copy(const struct slice *from, struct slice *to);

/* The whole slice as the store keeps it, and back. */
json_t *slice_to_store(const struct slice *slice);
int slice_from_store(const json_t *object, struct slice *slice, struct err *err);

/* The protocol's Slice object; `snapshots` in order of time. */
json_t *slice_to_protocol(const struct slice *slice, const struct snapshot *snapshots,
                          size_t count);

/* The protocol's Volume object. */
json_t *volume_to_protocol(const struct volume *volume);

/* The name under which a slice sees the volume of that slot: xvdc, xvdd, ... */
void volume_device(char device[static DEVICE_NAME_BYTES], unsigned slot);

/* {code, message}, or JSON null when there is no error. */
json_t *err_to_json(const struct err *err);

#endif
