/* health: levels of room, told once and left only with some distance. */
#include "base/err.h"
#include "base/memory.h"
#include "capacity/health.h"
#include "unit.h"

#include <string.h>

static struct pool_usage pool(unsigned data_percent, unsigned metadata_percent)
{
    return (struct pool_usage){.data_total_bytes = 1000,
                               .data_used_bytes = data_percent * 10,
                               .metadata_total_bytes = 1000,
                               .metadata_used_bytes = metadata_percent * 10};
}

TEST(health_of_the_pool_is_told_before_admission_refuses)
{
    struct err low, full;
    struct pool_usage usage = pool(84, 74);

    CHECK(health_data(&usage, HEALTH_GOOD, &low) == HEALTH_GOOD);
    CHECK(health_metadata(&usage, HEALTH_GOOD, &low) == HEALTH_GOOD);
    usage = pool(85, 75);
    CHECK(health_data(&usage, HEALTH_GOOD, &low) == HEALTH_LOW);
    CHECK(low.code == ERR_POOL_FULL);
    CHECK(strstr(low.message, "from 95 %"));
    CHECK(health_metadata(&usage, HEALTH_GOOD, &low) == HEALTH_LOW);
    CHECK(strstr(low.message, "from 85 %"));
    usage = pool(95, 85);
    CHECK(health_data(&usage, HEALTH_LOW, &full) == HEALTH_FULL);
    CHECK(strstr(full.message, "nothing new is made"));
    CHECK(health_metadata(&usage, HEALTH_LOW, &full) == HEALTH_FULL);
}

TEST(health_keeps_its_level_near_the_bound)
{
    struct err first, again;
    struct pool_usage usage = pool(95, 0);

    CHECK(health_data(&usage, HEALTH_GOOD, &first) == HEALTH_FULL);
    usage = pool(94, 0);
    CHECK(health_data(&usage, HEALTH_FULL, &again) == HEALTH_FULL);
    CHECK(strcmp(first.message, again.message) == 0);
    usage = pool(92, 0);
    CHECK(health_data(&usage, HEALTH_FULL, &again) == HEALTH_LOW);
    usage = pool(84, 0);
    CHECK(health_data(&usage, HEALTH_LOW, &again) == HEALTH_LOW);
    usage = pool(82, 0);
    CHECK(health_data(&usage, HEALTH_LOW, &again) == HEALTH_GOOD);
}

TEST(health_names_a_pool_that_is_broken)
{
    struct err problem;
    struct pool_usage usage = pool(100, 10);

    usage.out_of_space = true;
    CHECK(health_data(&usage, HEALTH_FULL, &problem) == HEALTH_BROKEN);
    CHECK(problem.code == ERR_POOL_FULL);
    usage = pool(10, 10);
    usage.read_only = true;
    CHECK(health_metadata(&usage, HEALTH_GOOD, &problem) == HEALTH_BROKEN);
    CHECK(problem.code == ERR_STORAGE_ERROR);
    usage = (struct pool_usage){.failed = true};
    CHECK(health_metadata(&usage, HEALTH_GOOD, &problem) == HEALTH_BROKEN);
    CHECK(strstr(problem.message, "has failed"));
}

TEST(health_of_the_state_volume_and_of_memory)
{
    struct err problem;

    CHECK(health_state(100 * MIB, HEALTH_GOOD, &problem) == HEALTH_GOOD);
    CHECK(health_state(47 * MIB, HEALTH_GOOD, &problem) == HEALTH_LOW);
    CHECK(health_state(50 * MIB, HEALTH_LOW, &problem) == HEALTH_LOW);
    CHECK(health_state(60 * MIB, HEALTH_LOW, &problem) == HEALTH_GOOD);
    CHECK(health_state(2 * MIB, HEALTH_LOW, &problem) == HEALTH_FULL);
    CHECK(problem.code == ERR_INSUFFICIENT_DISK);
    /* What the reserve gave is no room. */
    CHECK(health_state(11 * MIB, HEALTH_FULL, &problem) == HEALTH_FULL);
    CHECK(health_state(30 * MIB, HEALTH_FULL, &problem) == HEALTH_LOW);
    CHECK(health_memory(39 << 10, HEALTH_GOOD, &problem) == HEALTH_LOW);
    CHECK(problem.code == ERR_INSUFFICIENT_MEMORY);
    CHECK(health_memory(50 << 10, HEALTH_LOW, &problem) == HEALTH_LOW);
    CHECK(health_memory(70 << 10, HEALTH_LOW, &problem) == HEALTH_GOOD);
}

TEST(health_tells_of_a_mirror_with_one_disk)
{
    struct pool_usage usage = pool(10, 10);
    struct err problem;

    CHECK(health_mirror(&usage, &problem) == HEALTH_GOOD);
    usage.mirror_degraded = true;
    CHECK(health_mirror(&usage, &problem) == HEALTH_LOW);
    CHECK_HOLDS("lost one of its disks", problem.message);
}
