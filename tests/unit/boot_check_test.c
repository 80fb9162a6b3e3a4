/* boot_check: what a console says of the boot. */
#include "base/err.h"
#include "unit.h"
#include "watch/boot_check.h"

#include <string.h>

static enum boot_verdict judge(const char *console, bool ended, struct err *err)
{
    return boot_check(console, strlen(console), ended, err);
}

TEST(boot_check_knows_a_running_kernel)
{
    struct err err = {0};

    CHECK(judge("GRUB loading\r\n[    0.000000] Linux version 6.12\r\n", false, &err) ==
          BOOT_KERNEL_RUNS);
    /* A prompt that somebody's system shows later is none of the loader's. */
    CHECK(judge("Linux version 6.12\r\n\r\ngrub> ", false, &err) == BOOT_KERNEL_RUNS);
}

TEST(boot_check_sees_the_loader_stop)
{
    struct err err = {0};

    CHECK(judge("error: no such device: /boot/grub/grub.cfg.\r\n\r\n"
                "   Minimal BASH-like line editing is supported.\r\n\r\n\x1b[0mgrub> ",
                false, &err) == BOOT_LOADER_FAILED);
    CHECK(err.code == ERR_IMAGE_NOT_BOOTABLE);
    CHECK(strstr(err.message, "no such device"));
    CHECK(judge("GNU GRUB\r\ngrub rescue> ", false, &err) == BOOT_LOADER_FAILED);
}

TEST(boot_check_waits_when_in_doubt)
{
    struct err err = {0};

    CHECK(judge("", false, &err) == BOOT_UNKNOWN);
    CHECK(judge("error: no such device\r\nBooting `Debian'\r\n", false, &err) == BOOT_UNKNOWN);
    CHECK(judge("grub> linux /vmlinuz\r\nLoading ...\r\n", false, &err) == BOOT_UNKNOWN);
    /* A quiet kernel that powers off at once is no failure. */
    CHECK(judge("error: no such device: /boot/xen/pvboot-x86_64.elf.\r\nBooting `Debian'\r\n", true,
                &err) == BOOT_UNKNOWN);
}

TEST(boot_check_sees_the_loader_end)
{
    struct err err = {0};

    CHECK(judge("error: no suitable image\r\nPress any key\r\n", true, &err) == BOOT_LOADER_FAILED);
    CHECK(strstr(err.message, "no suitable image"));
}
