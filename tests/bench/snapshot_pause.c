/* How long a disk stands still while a snapshot is taken of it: by the agent's own code, and by hand
 * with dmsetup. Both are seen from where a guest stands: one thread writes to the disk without a
 * pause, and the longest that one write took is the figure.
 *
 *   snapshot-pause POOL RUNS DMSETUP     prints RUNS lines "AGENT_US BY_HAND_US"
 *
 * Uses the volume numbers from 2000000 up and removes them.
 */
#include "backend/backend.h"
#include "backend/thin/device_mapper.h"
#include "backend/thin/pool.h"
#include "backend/thin/volume.h"
#include "base/err.h"
#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DISK_ID 2000000u
#define SNAPSHOT_ID (DISK_ID + 1)
#define DISK_NAME "bench-disk"
#define DISK_BYTES (64 * MIB)

static _Atomic uint64_t longest_us, writes;
static atomic_bool stop;
static int disk;

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void fail(const char *what, const struct err *err)
{
    fprintf(stderr, "snapshot-pause: %s: %s\n", what, err ? err->message : "failed");
    exit(1);
}

static void *write_on(void *unused)
{
    static const _Alignas(4096) char block[4096] = "written";

    (void)unused;
    while (!stop) {
        uint64_t began = now_us();
        if (pwrite(disk, block, sizeof(block), 0) != (ssize_t)sizeof(block))
            fail("write", NULL);
        uint64_t took = now_us() - began;
        if (took > longest_us)
            longest_us = took;
        writes++;
    }
    return NULL;
}

/* So that the write that met the snapshot is over, and the next one measured is whole. */
static void two_writes(void)
{
    uint64_t target = writes + 2;

    while (writes < target)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void by_agent(struct storage *storage)
{
    struct err err = {.code = ERR_NONE};
    uint64_t mapped;

    if (storage->snapshot(storage->state, DISK_ID, DISK_NAME, SNAPSHOT_ID, &mapped, &err) < 0)
        fail("snapshot", &err);
}

static void by_hand(struct storage *storage, const char *dmsetup)
{
    struct err err = {.code = ERR_NONE};
    char command[1024], pool_name[VOLUME_PATH_BYTES];
    struct mapper_device pool;

    if (be_thin_find_pool(storage->state, pool_name, &pool, &err) < 0)
        fail("pool", &err);
    snprintf(command, sizeof(command),
             "DM_DISABLE_UDEV=1; export DM_DISABLE_UDEV; %s suspend " DISK_NAME
             " && %s message %s 0 'create_snap %u %u' && %s resume " DISK_NAME,
             dmsetup, dmsetup, pool_name, SNAPSHOT_ID, DISK_ID, dmsetup);
    /* NOLINTNEXTLINE(cert-env33-c): a shell is what is measured. */
    if (system(command) != 0)
        fail(command, NULL);
}

static uint64_t measure(struct storage *storage, const char *dmsetup)
{
    struct err err = {.code = ERR_NONE};

    two_writes();
    longest_us = 0;
    if (dmsetup)
        by_hand(storage, dmsetup);
    else
        by_agent(storage);
    two_writes();
    uint64_t pause_us = longest_us;
    if (storage->remove(storage->state, SNAPSHOT_ID, &err) < 0)
        fail("remove", &err);
    return pause_us;
}

int main(int argc, char **argv)
{
    struct err err = {.code = ERR_NONE};
    struct storage storage;
    char path[VOLUME_PATH_BYTES];
    pthread_t writer;

    if (argc != 4)
        fail("usage: snapshot-pause POOL RUNS DMSETUP", NULL);
    if (be_thin_open(&storage, argv[1], &err) < 0 ||
        storage.create(storage.state, DISK_ID, &err) < 0 ||
        storage.activate(storage.state, DISK_NAME, DISK_ID, DISK_BYTES, false, path, &err) < 0)
        fail(argv[1], &err);
    disk = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (disk < 0 || pthread_create(&writer, NULL, write_on, NULL) != 0)
        fail(path, NULL);
    for (int run = 0; run < atoi(argv[2]); run++) {
        uint64_t agent_us = measure(&storage, NULL);
        printf("%" PRIu64 " %" PRIu64 "\n", agent_us, measure(&storage, argv[3]));
    }
    stop = true;
    pthread_join(writer, NULL);
    close(disk);
    if (storage.deactivate(storage.state, DISK_NAME, &err) < 0 ||
        storage.remove(storage.state, DISK_ID, &err) < 0)
        fail(DISK_NAME, &err);
    storage.close(storage.state);
    return 0;
}
