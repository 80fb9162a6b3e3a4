#include "model/slice.h"

#include "base/memory.h"
#include "model/nic.h"

#include <stdlib.h>
#include <string.h>

static const char *const slice_state_names[] = {
    [SLICE_PROVISIONING] = "provisioning",
    [SLICE_RUNNING] = "running",
    [SLICE_PAUSED] = "paused",
    [SLICE_STOPPED] = "stopped",
    [SLICE_FAILED] = "failed",
    [SLICE_TERMINATING] = "terminating",
};

const char *const slice_type_names[] = {[SLICE_PVH] = "pvh", [SLICE_PV] = "pv"};

const char *const boot_names[] = {[BOOT_GRUB] = "grub", [BOOT_KERNEL] = "kernel"};

const char *slice_state_name(enum slice_state state)
{
    return slice_state_names[state];
}

int slice_state_parse(const char *text, enum slice_state *state)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(slice_state_names); i++) {
        if (strcmp(slice_state_names[i], text) == 0) {
            *state = (enum slice_state)i;
            return 0;
        }
    }
    return -1;
}

void slice_free(struct slice *slice)
{
    for (unsigned i = 0; i < slice->ssh_key_count; i++)
        free(slice->ssh_keys[i]);
    slice->ssh_key_count = 0;
    free(slice->user_data);
    slice->user_data = NULL;
    free(slice->nics);
    slice->nics = NULL;
    slice->nic_count = 0;
}

void slice_copy(const struct slice *from, struct slice *to)
{
    *to = *from;
    for (unsigned i = 0; i < from->ssh_key_count; i++)
        to->ssh_keys[i] = xstrdup(from->ssh_keys[i]);
    to->user_data = from->user_data ? xstrdup(from->user_data) : NULL;
    to->nics = slice_nics(from->nic_count);
    for (unsigned i = 0; i < from->nic_count; i++)
        to->nics[i] = from->nics[i];
}
