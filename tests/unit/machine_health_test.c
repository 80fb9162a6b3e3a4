/* health: what disks, sensors and processors say, and what of it is worth a word. */
#include "base/memory.h"
#include "health/kernel_log.h"
#include "health/machine_check.h"
#include "health/sensor.h"
#include "health/smart.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct nvme_case {
    unsigned char warning, spare, threshold, used;
    unsigned media_errors, before;
    const char *text; /* NULL: it is well */
};

TEST(health_nvme)
{
    static const struct nvme_case cases[] = {
        {0, 100, 10, 2, 0, 0, NULL},
        /* AnalogJ/scrutiny#729: three errors long ago are no failure; new ones are */
        {0, 53, 10, 2, 3, 3, NULL},
        {0, 53, 10, 2, 5, 3, "has lost data in 2 places"},
        /* smartmontools/smartmontools#537, ubicloud/ubicloud#5628: 0x04 by wear alone */
        {4, 100, 10, 100, 0, 0, "has been written as often as its maker promises"},
        {4, 5, 10, 100, 0, 0, "has used up its spare blocks (5 % are left, of at least 10 %)"},
        {4, 100, 10, 100, 1, 1, "is not reliable any more"},
        {4, 100, 10, 3, 0, 0, "is not reliable any more"},
        /* Napsty/check_smart#101: 200 % used and well */
        {0, 98, 10, 200, 0, 0, "has been written as often"},
        {0, 100, 10, 99, 0, 0, NULL},
        {1, 100, 10, 3, 0, 0, "has used up its spare blocks"},
        {2, 100, 10, 3, 0, 0, "is outside its limits of temperature"},
        {8, 100, 10, 3, 0, 0, "has become read-only"},
        {0x10, 100, 10, 3, 0, 0, "its backup power failed"},
        {0x20, 100, 10, 3, 0, 0, "persistent memory"},
        {0x40, 100, 10, 3, 0, 0, NULL}, /* a bit that no version of the standard has */
        {0x0f, 1, 10, 200, 9, 0, "has become read-only"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t log[NVME_LOG_BYTES] = {cases[i].warning,   0x2c,         1, cases[i].spare,
                                       cases[i].threshold, cases[i].used};
        struct smart_before before = {.is_known = true, .media_errors = cases[i].before};
        char text[SMART_TEXT_BYTES] = "";
        log[160] = (uint8_t)cases[i].media_errors;
        CHECK_NUMBER(cases[i].text ? SMART_BAD : SMART_GOOD, smart_nvme(log, &before, text));
        if (cases[i].text)
            CHECK_HOLDS(cases[i].text, text);
    }
}

TEST(health_nvme_that_says_nothing)
{
    uint8_t log[NVME_LOG_BYTES] = {0};
    struct smart_before before = {.is_known = false};
    char text[SMART_TEXT_BYTES];

    CHECK_NUMBER(SMART_UNKNOWN, smart_nvme(log, &before, text));
    memset(log, 0xff, sizeof(log));
    CHECK_NUMBER(SMART_UNKNOWN, smart_nvme(log, &before, text));
    CHECK(!before.is_known);
    memset(log, 0, sizeof(log));
    log[3] = 100;
    log[160] = 7;
    CHECK_NUMBER(SMART_GOOD, smart_nvme(log, &before, text));
    CHECK_NUMBER(7, before.media_errors);
}

TEST(health_ata)
{
    uint8_t descriptor[22] = {0x72, 1, 0, 0x1d, 0, 0, 0,    14, 9,    12, 0,
                              0,    0, 0, 0,    0, 0, 0x4f, 0,  0xc2, 0,  0x50};
    uint8_t fixed[18] = {0x70, 0, 1, 0, 0x50, 0, 0, 10, 0, 0, 0xf4, 0x2c};
    char text[SMART_TEXT_BYTES];

    CHECK_NUMBER(SMART_GOOD, smart_ata(descriptor, sizeof(descriptor), text));
    descriptor[17] = 0xf4;
    CHECK_NUMBER(SMART_UNKNOWN, smart_ata(descriptor, sizeof(descriptor), text));
    descriptor[19] = 0x2c;
    CHECK_NUMBER(SMART_BAD, smart_ata(descriptor, sizeof(descriptor), text));
    CHECK_HOLDS("expects to fail soon", text);
    /* SMART is switched off, or the disk knows none: aborted */
    descriptor[21] = 0x51;
    CHECK_NUMBER(SMART_UNKNOWN, smart_ata(descriptor, sizeof(descriptor), text));
    CHECK_NUMBER(SMART_UNKNOWN, smart_ata(descriptor, 12, text));
    CHECK_NUMBER(SMART_UNKNOWN, smart_ata(descriptor, 0, text));
    CHECK_NUMBER(SMART_BAD, smart_ata(fixed, sizeof(fixed), text));
    CHECK_NUMBER(SMART_UNKNOWN, smart_ata(fixed, 8, text));
}

TEST(health_scsi)
{
    uint8_t page[12] = {0x2f, 0, 0, 8, 0, 0, 3, 4, 0, 0, 30, 0};
    char text[SMART_TEXT_BYTES];

    CHECK_NUMBER(SMART_GOOD, smart_scsi(page, sizeof(page), text));
    page[8] = 0x5d;
    page[9] = 0x10;
    CHECK_NUMBER(SMART_BAD, smart_scsi(page, sizeof(page), text));
    CHECK_HOLDS("expects to fail soon (5d/10)", text);
    page[9] = 0xff; /* somebody tries whether the warning works */
    CHECK_NUMBER(SMART_GOOD, smart_scsi(page, sizeof(page), text));
    page[8] = 0x0b;
    page[9] = 0x01;
    CHECK_NUMBER(SMART_BAD, smart_scsi(page, sizeof(page), text));
    CHECK_HOLDS("too hot", text);
    page[0] = 0x00; /* a controller that answers every page with the list of pages */
    CHECK_NUMBER(SMART_UNKNOWN, smart_scsi(page, sizeof(page), text));
    CHECK_NUMBER(SMART_UNKNOWN, smart_scsi(page, 4, text));
}

TEST(health_temperatures)
{
    CHECK(sensor_is_critical(101000, 100000));
    CHECK(!sensor_is_critical(99000, 100000));
    CHECK(!sensor_is_critical(40000, 0));          /* no bound */
    CHECK(!sensor_is_critical(40000, 16800));      /* ACPI tables with a bound of 16.8 °C */
    CHECK(!sensor_is_critical(127000000, 100000)); /* nothing is connected */
    CHECK(!sensor_is_critical(40000, 65261850));   /* NVMe drives without a bound */
    CHECK(!sensor_is_critical(-128000, 100000));
}

static void put(const char *folder, const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

TEST(health_reads_sensors)
{
    char folder[] = "/tmp/sensors-XXXXXX", text[SENSOR_TEXT_BYTES];

    if (!CHECK(mkdtemp(folder) != NULL))
        return;
    CLEANUP_FREE char *chip = xasprintf("%s/hwmon0", folder);
    sensors_read(folder, text);
    CHECK_TEXT("", text);
    mkdir(chip, 0700);
    put(chip, "name", "coretemp\n");
    put(chip, "temp1_input", "45000\n");
    put(chip, "temp1_crit", "100000\n");
    put(chip, "fan1_input", "900\n");
    sensors_read(folder, text);
    CHECK_TEXT("", text);
    put(chip, "temp1_input", "100000\n");
    put(chip, "fan1_alarm", "1\n");
    sensors_read(folder, text);
    CHECK_HOLDS("coretemp has more than 100 °C", text);
    CHECK_HOLDS("fan 1 of coretemp stands still or is too slow", text);
    CLEANUP_FREE char *command = xasprintf("rm -r %s", folder);
    CHECK_NUMBER(0, system(command));
}

TEST(health_machine_checks)
{
    uint64_t records[2 * MACHINE_CHECK_BYTES / 8] = {0};
    unsigned char *second = (unsigned char *)records + MACHINE_CHECK_BYTES;
    struct machine_checks found = {0};

    machine_checks_add(&found, records, sizeof(records));
    CHECK_NUMBER(0, found.corrected + found.uncorrected);
    records[0] = UINT64_C(1) << 63;
    records[MACHINE_CHECK_BYTES / 8] = UINT64_C(5) << 61;
    second[65] = 7;
    second[72] = 1;
    machine_checks_add(&found, records, sizeof(records));
    machine_checks_add(&found, records, MACHINE_CHECK_BYTES + 5);
    CHECK_NUMBER(2, found.corrected);
    CHECK_NUMBER(1, found.uncorrected);
    machine_checks_add(&found, second, MACHINE_CHECK_BYTES);
    CHECK_NUMBER(7, found.bank);
    CHECK_NUMBER(1, found.socket);
}

TEST(health_keeps_the_kernels_lines)
{
    char hang[128] =
        "3,99,912345678,-;INFO: task jbd2/dm-1-8:71 blocked for more than 600 seconds.\n";
    char foreign[128] = "14,5,1,-;INFO: task x:1 blocked for more than 600 seconds.";
    char debug[64] = "7,5,1,-;text", odd[64] = "no record", device[64] = "6,1,2,-;a\n SUBSYSTEM=b";

    CHECK(kernel_log_line(hang));
    CHECK_TEXT("3 [912.345678] INFO: task jbd2/dm-1-8:71 blocked for more than 600 seconds.", hang);
    CHECK(kernel_log_tells_of_hang(hang));
    CHECK(!kernel_log_line(foreign));
    CHECK(!kernel_log_line(debug));
    CHECK(!kernel_log_line(odd));
    CHECK(kernel_log_line(device));
    CHECK_TEXT("6 [0.000002] a", device);
    CHECK(!kernel_log_tells_of_hang("6 [0.1] x: INFO: task a:1 blocked for more than 1 seconds."));
    CHECK(!kernel_log_tells_of_hang("6 [0.1] INFO: task a:1 is well"));
}
