/* Counters of the domains' devices, as the back ends in dom0 keep them. */
#include "backend/xen/counters.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenctrl.h>

#define BACKENDS "/sys/bus/xen-backend/devices"
#define SECTOR_BYTES 512

/* A number from a file, 0 when it is not there: devices come and go while we look. */
static uint64_t number_of(const char *path)
{
    char text[32];
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (length <= 0)
        return 0;
    text[length] = '\0';
    return strtoull(text, NULL, 10);
}

static void add_disk(const char *device, struct domain_counters *counters)
{
    char path[512];

    snprintf(path, sizeof(path), BACKENDS "/%s/statistics/rd_sect", device);
    counters->disk_read_bytes += number_of(path) * SECTOR_BYTES;
    snprintf(path, sizeof(path), BACKENDS "/%s/statistics/wr_sect", device);
    counters->disk_written_bytes += number_of(path) * SECTOR_BYTES;
}

/* What dom0 receives on a vif is what the guest has sent. */
static void add_nic(unsigned domain_id, unsigned number, struct domain_counters *counters)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/class/net/vif%u.%u/statistics/rx_bytes", domain_id, number);
    counters->net_sent_bytes += number_of(path);
    snprintf(path, sizeof(path), "/sys/class/net/vif%u.%u/statistics/tx_bytes", domain_id, number);
    counters->net_received_bytes += number_of(path);
}

/* Where each domain stands in the list, by its number; 0 is none. 128 KiB, whatever there are. */
static unsigned *index_of(const struct domain_info *domains, size_t count)
{
    unsigned *index = xcalloc(DOMID_FIRST_RESERVED, sizeof(*index));

    for (size_t i = 0; i < count; i++)
        if (domains[i].domain_id >= 0 && (unsigned)domains[i].domain_id < DOMID_FIRST_RESERVED)
            index[domains[i].domain_id] = (unsigned)i + 1;
    return index;
}

int be_xen_counters(void *state, const struct domain_info *domains, size_t count,
                    struct domain_counters *counters, struct err *err)
{
    DIR *folder = opendir(BACKENDS);
    CLEANUP_FREE unsigned *index = index_of(domains, count);
    struct dirent *entry;

    (void)state;
    memset(counters, 0, count * sizeof(*counters));
    if (!folder)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot read " BACKENDS);
    while ((entry = readdir(folder))) {
        unsigned owner, number;
        bool disk = sscanf(entry->d_name, "vbd-%u-%u", &owner, &number) == 2;

        if (!disk && sscanf(entry->d_name, "vif-%u-%u", &owner, &number) != 2)
            continue;
        unsigned place = owner < DOMID_FIRST_RESERVED ? index[owner] : 0;
        struct domain_counters *of = place ? &counters[place - 1] : NULL;
        if (of && disk)
            add_disk(entry->d_name, of);
        else if (of)
            add_nic(owner, number, of);
    }
    closedir(folder);
    return 0;
}
