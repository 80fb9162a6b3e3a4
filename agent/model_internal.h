/* What the model's files share among themselves. */
#ifndef SLICENODE_MODEL_INTERNAL_H
#define SLICENODE_MODEL_INTERNAL_H

#include "json.h"
#include "model.h"

#define IMAGE_BYTES_LIMIT ((int64_t)65536 << 30)

#define VCPUS_MAX 128
#define MEMORY_MIB_MIN 16
#define MEMORY_MIB_MAX (16u << 20)
#define DISK_GIB_MAX 65536

extern const char *const slice_type_names[];
extern const char *const boot_names[];
extern const char *const image_kind_names[];
extern const char *const compression_names[];
extern const char *const image_format_names[];
#define SLICE_TYPES 2
#define BOOT_KINDS 2
#define IMAGE_KINDS 3
#define COMPRESSIONS 4
#define IMAGE_FORMATS 4

/* Reads the fields that image.fetch and slice.provision's `image` have in common. */
int image_source_read(struct fields *fields, enum field_need url_need, struct image *image);

/* Reads `network`; NULL stands for one card with DHCP. Cards without a MAC get theirs. */
/* Room for so many, zeroed; NULL for none. */
struct nic *slice_nics(unsigned count);
int nics_read(const json_t *array, struct slice *slice, struct err *err);
json_t *nic_to_json(const struct nic *nic);
int nic_read(const json_t *object, const char *path, struct nic *nic, struct err *err);

int name_read(struct fields *fields, const char *name, char to[static SLICE_NAME_BYTES]);

#endif
