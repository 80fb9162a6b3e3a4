/* Errors as values: a stable code from a closed list, and a message with its context. */
#ifndef SLICENODE_BASE_ERR_H
#define SLICENODE_BASE_ERR_H

/* The closed list of error codes. Their names, in lower case, are the protocol's
 * (docs/protocol). */
#define ERR_CODES(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(INVALID_ARGUMENT, "invalid_argument")                                                        \
    X(UNKNOWN_FIELD, "unknown_field")                                                              \
    X(UNKNOWN_OPERATION, "unknown_operation")                                                      \
    X(SLICE_NOT_FOUND, "slice_not_found")                                                          \
    X(SLICE_EXISTS, "slice_exists")                                                                \
    X(SLICE_STATE, "slice_state")                                                                  \
    X(SLICE_RUNNING, "slice_running")                                                              \
    X(SNAPSHOT_NOT_FOUND, "snapshot_not_found")                                                    \
    X(SNAPSHOT_EXISTS, "snapshot_exists")                                                          \
    X(EXPORT_FAILED, "export_failed")                                                              \
    X(IMAGE_NOT_FOUND, "image_not_found")                                                          \
    X(IMAGE_EXISTS, "image_exists")                                                                \
    X(IMAGE_IN_USE, "image_in_use")                                                                \
    X(IMAGE_HASH_MISMATCH, "image_hash_mismatch")                                                  \
    X(IMAGE_LENGTH_MISMATCH, "image_length_mismatch")                                              \
    X(IMAGE_CORRUPT, "image_corrupt")                                                              \
    X(IMAGE_TOO_LARGE, "image_too_large")                                                          \
    X(IMAGE_UNSUPPORTED, "image_unsupported")                                                      \
    X(IMAGE_UNAVAILABLE, "image_unavailable")                                                      \
    X(IMAGE_NOT_BOOTABLE, "image_not_bootable")                                                    \
    X(VOLUME_NOT_FOUND, "volume_not_found")                                                        \
    X(VOLUME_EXISTS, "volume_exists")                                                              \
    X(VOLUME_ATTACHED, "volume_attached")                                                          \
    X(VOLUME_BUSY, "volume_busy")                                                                  \
    X(INSUFFICIENT_MEMORY, "insufficient_memory")                                                  \
    X(INSUFFICIENT_DISK, "insufficient_disk")                                                      \
    X(INSUFFICIENT_VCPUS, "insufficient_vcpus")                                                    \
    X(POOL_FULL, "pool_full")                                                                      \
    X(STORAGE_MISSING, "storage_missing")                                                          \
    X(STORAGE_ERROR, "storage_error")                                                              \
    X(HYPERVISOR_ERROR, "hypervisor_error")                                                        \
    X(NETWORK_ERROR, "network_error")                                                              \
    X(CONSOLE_UNAVAILABLE, "console_unavailable")                                                  \
    X(BOOT_FAILED, "boot_failed")                                                                  \
    X(NODE_DRAINING, "node_draining")                                                              \
    X(CRASH_LOOP, "crash_loop")                                                                    \
    X(TIMEOUT, "timeout")                                                                          \
    X(CANCELLED, "cancelled")                                                                      \
    X(DEADLINE_PASSED, "deadline_passed")                                                          \
    X(TOO_LATE, "too_late")                                                                        \
    X(BUSY, "busy")                                                                                \
    X(TOKEN_INVALID, "token_invalid")                                                              \
    X(TOKEN_USED, "token_used")                                                                    \
    X(TOKEN_EXPIRED, "token_expired")                                                              \
    X(HARDWARE_REFUSED, "hardware_refused")                                                        \
    X(WRONG_NODE, "wrong_node")                                                                    \
    X(CONTROLLER_UNREACHABLE, "controller_unreachable")                                            \
    X(CONTROLLER_CERTIFICATE, "controller_certificate")                                            \
    X(NOT_CONFIGURED, "not_configured")                                                            \
    X(CONF_INVALID, "conf_invalid")                                                                \
    X(DISK_FOREIGN, "disk_foreign")                                                                \
    X(DISK_TOO_SMALL, "disk_too_small")                                                            \
    X(NO_DISK, "no_disk")                                                                          \
    X(NO_ADDRESS, "no_address")                                                                    \
    X(INTERNAL, "internal")

enum err_code {
#define X(name, text) ERR_##name,
    ERR_CODES(X)
#undef X
        ERR_COUNT
};

/* For people: a context of four or five parts. The rest is cut; the protocol takes 4096. */
#define ERR_MESSAGE_BYTES 1024

struct err {
    enum err_code code;
    char message[ERR_MESSAGE_BYTES];
};

/* Fills `err` (which may be NULL) and returns -1, so that callers can write `return
 * err_set(...)`. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the text of the errno value `error_number` appended. */
int err_errno(struct err *err, enum err_code code, int error_number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "context: " before the message that is there; returns -1. */
int err_context(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The protocol's name of a code, never NULL. */
const char *err_code_name(enum err_code code);

/* The code of a name, or ERR_INTERNAL for one that is not in the list. */
enum err_code err_code_from_name(const char *name);

#endif
