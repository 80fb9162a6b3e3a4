/* conf: boot parameters from files and the command line. */
#include "base/memory.h"
#include "conf/conf.h"
#include "conf/xen.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

static void read_text(struct conf *conf, const char *text)
{
    conf_file(conf, "f", text, strlen(text));
}

static void check_problem(const char *text, const char *problem)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, text);
    if (CHECK_NUMBER(problem ? 1 : 0, conf.problem_count) && problem)
        CHECK_HOLDS(problem, conf.problems[0]);
    for (unsigned i = 0; !problem && i < conf.problem_count; i++)
        puts(conf.problems[i]);
    conf_free(&conf);
}

TEST(conf_reads_a_file)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "\xef\xbb\xbf# comment\r\n"
                     "\r\n"
                     "  slicenode.controller = https://a.example:8443// , \r\n"
                     "token=\"t0ken\"\r\n"
                     "name=node-1\n"
                     "net=dhcp");
    /* A blank within the list is no part of a URL. */
    CHECK_NUMBER(1, conf.problem_count);
    CHECK_HOLDS("f line 3: slicenode.controller:", conf.problems[0]);
    CHECK_TEXT(NULL, conf.values[CONF_CONTROLLER].text);
    CHECK_TEXT("t0ken", conf.values[CONF_TOKEN].text);
    CHECK_TEXT("node-1", conf.values[CONF_NAME].text);
    CHECK_TEXT("dhcp", conf.values[CONF_NET].text);
    CHECK_TEXT(NULL, conf.values[CONF_CA].text);
    conf_free(&conf);
}

TEST(conf_reads_the_command_line)
{
    struct conf conf = {.sources = 0};

    conf_command_line(&conf,
                      "ro quiet slicenode.name=a root=/dev/x slicenode.net=dhcp,vlan=7\t"
                      "slicenode.ssh_key=\"ssh-ed25519 AAAAC3Nz me\" "
                      "\"slicenode.token=abc\" xslicenode.name=b slicenode.ntp=0.pool,10.0.0.1\n");
    CHECK_NUMBER(0, conf.problem_count);
    CHECK_TEXT("a", conf.values[CONF_NAME].text);
    CHECK_TEXT("dhcp,vlan=7", conf.values[CONF_NET].text);
    CHECK_TEXT("ssh-ed25519 AAAAC3Nz me", conf.values[CONF_SSH_KEY].text);
    CHECK_TEXT("abc", conf.values[CONF_TOKEN].text);
    CHECK_TEXT("0.pool,10.0.0.1", conf.values[CONF_NTP].text);
    conf_free(&conf);
}

TEST(conf_command_line_problems)
{
    struct conf conf = {.sources = 0};

    conf_command_line(&conf, "slicenode.colour=red slicenode.token slicenode.ca=x slicenode.disk=");
    CHECK_NUMBER(4, conf.problem_count);
    CHECK_HOLDS("slicenode.colour is not known; the keys are controller, ca,", conf.problems[0]);
    CHECK_HOLDS("\"slicenode.token\" has no value", conf.problems[1]);
    CHECK_HOLDS("slicenode.ca can only be given in slicenode.conf", conf.problems[2]);
    CHECK_HOLDS("command line: slicenode.disk:", conf.problems[3]);
    conf_free(&conf);
}

TEST(conf_later_sources_win)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "name=one\ntoken=first\nssh_key=ssh-rsa AAAA one\nntp=one");
    read_text(&conf, "name=two\nssh_key=ssh-rsa AAAA two\nssh_key=ssh-rsa AAAA three\n");
    conf_command_line(&conf, "slicenode.name=three slicenode.ntp=_");
    CHECK_TEXT("three", conf.values[CONF_NAME].text);
    CHECK_TEXT("first", conf.values[CONF_TOKEN].text);
    CHECK_TEXT("ssh-rsa AAAA two\nssh-rsa AAAA three", conf.values[CONF_SSH_KEY].text);
    /* A wrong value does not bring back one of less weight. */
    CHECK_TEXT(NULL, conf.values[CONF_NTP].text);
    CHECK_NUMBER(1, conf.problem_count);
    conf_free(&conf);
}

TEST(conf_wrong_disk_means_no_disk)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "disk=/dev/sdb:wipe\n");
    CHECK_TEXT("/dev/sdb:wipe", conf.values[CONF_DISK].text);
    conf_command_line(&conf, "slicenode.disk=/dev/sdc:wype");
    CHECK_TEXT("none", conf.values[CONF_DISK].text);
    CHECK_HOLDS("\"/dev/sdc:wype\": after ':' there can only be wipe", conf.problems[0]);
    conf_free(&conf);
}

TEST(conf_one_wrong_ssh_key_leaves_the_others)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "ssh_key=ssh-rsa AAAA one\nssh_key=rubbish\nssh_key=ssh-rsa AAAA two");
    CHECK_TEXT("ssh-rsa AAAA one\nssh-rsa AAAA two", conf.values[CONF_SSH_KEY].text);
    CHECK_NUMBER(1, conf.problem_count);
    conf_free(&conf);
}

TEST(conf_key_given_twice)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "name=one\nname=two\n");
    CHECK_TEXT("two", conf.values[CONF_NAME].text);
    CHECK_NUMBER(1, conf.problem_count);
    CHECK_HOLDS("f line 2: slicenode.name is given twice", conf.problems[0]);
    conf_free(&conf);
}

TEST(conf_certificates)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "ca=" CERTIFICATE "\r\n\n" CERTIFICATE "name=after\n");
    CHECK_NUMBER(0, conf.problem_count);
    CHECK_TEXT(CERTIFICATE CERTIFICATE, conf.values[CONF_CA].text);
    CHECK_TEXT("after", conf.values[CONF_NAME].text);
    conf_free(&conf);
    read_text(&conf, "slicenode.ca=\n" CERTIFICATE);
    CHECK_TEXT(CERTIFICATE, conf.values[CONF_CA].text);
    conf_free(&conf);
    check_problem("ca=-----BEGIN CERTIFICATE-----\nMIIB\n", "END CERTIFICATE----- is missing");
    check_problem("ca=-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
                  "must be certificates in PEM");
    check_problem("ca=-----BEGIN CERTIFICATE-----\nM(IB\n-----END CERTIFICATE-----\n",
                  "must be certificates in PEM");
    check_problem("ca=-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                  "must be certificates in PEM");
    check_problem("ca=/etc/ca.pem", "must be certificates in PEM");
    check_problem("ca=", "BEGIN CERTIFICATE----- is missing");
}

TEST(conf_files_that_are_no_conf)
{
    struct conf conf = {.sources = 0};
    CLEANUP_FREE char *large = xcalloc(1, CONF_FILE_LIMIT + 1);

    memset(large, '\n', CONF_FILE_LIMIT + 1);
    conf_file(&conf, "f", large, CONF_FILE_LIMIT);
    CHECK_NUMBER(0, conf.problem_count);
    conf_file(&conf, "f", large, CONF_FILE_LIMIT + 1);
    CHECK_HOLDS("longer than 65536 bytes", conf.problems[0]);
    conf_file(&conf, "f", "n\0a\0m\0e\0", 8);
    CHECK_HOLDS("not plain text", conf.problems[1]);
    for (unsigned i = 0; i < CONF_FILE_LIMIT; i += 2)
        large[i] = 'x';
    conf_file(&conf, "f", large, CONF_FILE_LIMIT);
    CHECK_NUMBER(2 + CONF_FILE_LIMIT / 2, conf.problem_count);
    conf_free(&conf);
    check_problem("just words", "f line 1: not of the form key=value");
    check_problem("=x", "slicenode. is not known");
    check_problem("\033[2J=x", "\"?[2J\" is not known");
}

TEST(conf_controller)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "controller=https://a/,https://[fd00::1]:8443/base//,https://10.0.0.1");
    CHECK_TEXT("https://a,https://[fd00::1]:8443/base,https://10.0.0.1",
               conf.values[CONF_CONTROLLER].text);
    conf_free(&conf);
    check_problem("controller=http://a", "\"http://a\" must begin with https://");
    check_problem("controller=https://a,,https://b", "an empty URL");
    check_problem("controller=", "an empty URL");
    check_problem("controller=https://a?x=1", "query");
    check_problem("controller=https://me@a", "user name");
    check_problem("controller=https://", "no valid host");
    check_problem("controller=https://a,https://a,https://a,https://a,https://a,https://a,"
                  "https://a,https://a,https://a",
                  "more than 8");
}

TEST(conf_pin_and_token)
{
    check_problem("pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL);
    check_problem("pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "must be sha256//");
    check_problem("pin=sha256//AAAA", "must be sha256//");
    check_problem("pin=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "must be sha256//");
    check_problem("token=se cret", "1 to 256 printable characters");
    check_problem("token=", "1 to 256 printable characters");
    struct conf conf = {.sources = 0};
    read_text(&conf, "token=se cret");
    CHECK(!strstr(conf.problems[0], "cret"));
    conf_free(&conf);
}

TEST(conf_names_and_ntp)
{
    check_problem("name=node-1.rack.example", NULL);
    check_problem("name=node_1", "must be a host name");
    check_problem("name=a123456789012345678901234567890.1234567890123456789012345678901234",
                  "must be a host name");
    check_problem("ntp=time.example,2001:db8::1", NULL);
    check_problem("ntp=a,b,c,d,e", "more than 4");
    check_problem("ntp=a,,b", "must be a host name or an address");
}

TEST(conf_disk)
{
    check_problem("disk=auto", NULL);
    check_problem("disk=none", NULL);
    check_problem("disk=/dev/sdb:wipe,serial=ABC-1_x,/dev/nvme0n1,/dev/cciss/c0d0", NULL);
    check_problem("disk=auto,/dev/sdb", "\"auto\" must be auto, none, mirror, /dev/NAME");
    check_problem("disk=sdb", "must be auto, none, mirror, /dev/NAME");
    check_problem("disk=/dev/", "no device name");
    check_problem("disk=/dev/../etc/passwd", "no device name");
    check_problem("disk=/dev/sd$(x)", "no device name");
    check_problem("disk=/dev/sdb /dev/sdc", "no device name");
    check_problem("disk=serial=", "no serial number");
    check_problem("disk=serial=a b", "no serial number");
    check_problem("disk=/dev/sdb,/dev/sdb:wipe", "named twice");
    check_problem("disk=/dev/sdb:wipe:wipe", "only be wipe");
    check_problem("disk=/dev/sdb,", "must be auto, none, mirror, /dev/NAME");
    check_problem("disk=", "must be auto, none, mirror, /dev/NAME");
}

TEST(conf_net)
{
    check_problem("net=dhcp", NULL);
    check_problem("net=dhcp,nic=eth0,vlan=4094,dns=1.1.1.1+2606:4700::1111", NULL);
    check_problem("net=192.0.2.10/24,gateway=192.0.2.1,dns=192.0.2.1", NULL);
    check_problem("net=2001:db8::10/64,gateway=fe80::1", NULL);
    check_problem("net=192.0.2.10/32,gateway=198.51.100.1", NULL);
    check_problem("net=192.0.2.10/31,gateway=192.0.2.11", NULL);
    check_problem("net=192.0.2.10/24+2001:db8::10/64,gateway=fe80::1+192.0.2.1", NULL);
    check_problem("net=2001:db8::10/64,gateway=2001:db8:0:ff::1", NULL);
    check_problem("net=2001:db8::10/128,gateway=2001:db8::1", NULL);
    check_problem("net=dhcp+2001:db8::10/64,gateway=fe80::1", NULL);
    check_problem("net=dhcp+192.0.2.10/24", "second IP address of the same kind");
    check_problem("net=2001:db8::10/64+2001:db8::11/64", "second IP address of the same kind");
    check_problem("net=2001:db8::10/64+dhcp", "can only come first and once");
    check_problem("net=dhcp+dhcp", "can only come first and once");
    check_problem("net=dhcp+", "must be dhcp, auto6 or ADDRESS/PREFIX");
    check_problem("net=dhcp+2001:db8::10/64,gateway=192.0.2.1", "DHCP brings its own");
    check_problem("net=2001:db8::10/64,gateway=fe80::1+fe80::2", "second gateway of the same kind");
    check_problem("net=2001:db8::10/64,gateway=ff02::2", "no address of a gateway");
    check_problem("net=192.0.2.10/32,gateway=192.0.2.10", "both the address and the gateway");
    check_problem("net=192.0.2.10/24,gateway=127.0.0.1", "no address of a gateway");
    check_problem("net=auto6", NULL);
    check_problem("net=dhcp+auto6,nic=eth1", NULL);
    check_problem("net=192.0.2.10/24+auto6,gateway=192.0.2.1+fe80::1", NULL);
    check_problem("net=auto6+192.0.2.10/24,gateway=192.0.2.1", NULL);
    check_problem("net=auto6,gateway=2001:db8::1", "no link-local address");
    check_problem("net=auto6,gateway=fe80::1+fe80::2", "second gateway of the same kind");
    check_problem("net=auto6,gateway=192.0.2.1", "needs an address of the same kind");
    check_problem("net=auto6+auto6", "second IP address of the same kind");
    check_problem("net=auto6+2001:db8::10/64", "second IP address of the same kind");
    check_problem("net=dhcp+2001:db8::10/64+auto6", "second IP address of the same kind");
    check_problem("net=auto6+dhcp", "can only come first and once");
    check_problem("net=dhcp,bond=eth0+eth1,mode=802.3ad", NULL);
    check_problem("net=", "must be dhcp, auto6 or ADDRESS/PREFIX");
    check_problem("net=static", "must be dhcp, auto6 or ADDRESS/PREFIX");
    check_problem("net=192.0.2.10", "must be dhcp, auto6 or ADDRESS/PREFIX");
    check_problem("net=192.0.2.0/24", "no address that a host can have");
    check_problem("net=192.0.2.10/24,gateway=192.0.3.1", "not in the address's network");
    check_problem("net=192.0.2.10/24,gateway=192.0.2.10", "both the address and the gateway");
    check_problem("net=192.0.2.10/24,gateway=fe80::1", "needs an address of the same kind");
    check_problem("net=192.0.2.10/24,gateway=router", "no address of a gateway");
    check_problem("net=192.0.2.10/30,gateway=198.51.100.1", "given as ADDRESS/32");
    check_problem("net=dhcp,gateway=192.0.2.1", "gateway needs an address");
    check_problem("net=dhcp,vlan=0", "no VLAN");
    check_problem("net=dhcp,vlan=4095", "no VLAN");
    check_problem("net=dhcp,vlan=07", "no VLAN");
    check_problem("net=dhcp,dns=", "no address of a DNS server");
    check_problem("net=dhcp,dns=1.1.1.1+1.1.1.2+1.1.1.3+1.1.1.4+1.1.1.5", "more than 4 DNS");
    check_problem("net=dhcp,nic=eth0;reboot", "no name of a network card");
    check_problem("net=dhcp,nic=aninterfacename0", "no name of a network card");
    check_problem("net=dhcp,nic=ff:ff:ff:ff:ff:ff", "no MAC address");
    check_problem("net=dhcp,bond=eth0", "two network cards at least");
    check_problem("net=dhcp,bond=eth0+eth0", "twice in the bond");
    check_problem("net=dhcp,bond=eth0+eth1,nic=eth2", "exclude each other");
    check_problem("net=dhcp,mode=802.3ad", "mode needs bond");
    check_problem("net=dhcp,bond=eth0+eth1,mode=lacp", "no bonding mode");
    check_problem("net=dhcp,vlan=7,vlan=8", "\"vlan\" is given twice");
    check_problem("net=dhcp,speed=10", "\"speed\" is not known");
    check_problem("net=dhcp,vlan", "not of the form key=value");
}

TEST(conf_net_lowers_macs)
{
    struct conf conf = {.sources = 0};

    read_text(&conf, "net=dhcp,bond=52:54:00:AB:CD:EF+Eth1,mode=active-backup");
    CHECK_TEXT("dhcp,bond=52:54:00:ab:cd:ef+Eth1,mode=active-backup", conf.values[CONF_NET].text);
    conf_free(&conf);
}

TEST(conf_marks_that_nobody_sees)
{
    static const char utf16[] = "\xff\xfe"
                                "n\0a\0m\0e\0=\0a\0\n",
                      bare[] = "n\0a\0m\0e\0=\0a\0";
    struct conf conf = {.sources = 0};

    /* behind the first line of an image's slot, and between two files that were put together */
    read_text(&conf, "# slot\n\xef\xbb\xbf"
                     "controller=https://a.example  \r\n"
                     "\xef\xbb\xbf\xef\xbb\xbf"
                     "name=n\t \r\n");
    CHECK_NUMBER(0, conf.problem_count);
    CHECK_TEXT("https://a.example", conf.values[CONF_CONTROLLER].text);
    CHECK_TEXT("n", conf.values[CONF_NAME].text);
    conf_free(&conf);
    conf_file(&conf, "f", utf16, sizeof(utf16) - 1);
    conf_file(&conf, "f", bare, sizeof(bare) - 1);
    CHECK_NUMBER(2, conf.problem_count);
    CHECK_HOLDS("f: not plain text (UTF-8) but UTF-16: have the editor save it", conf.problems[0]);
    CHECK_HOLDS("UTF-16", conf.problems[1]);
    conf_free(&conf);
    /* a no-break space and a zero-width one in front of a key are shown as what they are */
    check_problem("\xc2\xa0"
                  "name=n\n",
                  "line 1: \"");
    check_problem("\xe2\x80\x8b"
                  "name=n\n",
                  "line 1: \"");
}

TEST(conf_parameters_of_xen)
{
    static const char *const good[] = {
        "smt=off",
        "smt=on",
        "spec-ctrl=no",
        "spec-ctrl=xen=no,ibpb=0",
        "sched-gran=core",
        "dom0_mem=512M",
        "dom0_mem=2G",
        "dom0_max_vcpus=2",
        "dom0_max_vcpus=1-8",
        "serial=none",
        "serial=com1,115200",
        "serial=com2,57600,8n1",
        "serial=com1,9600,7e2,0x2f8,3",
        "serial=com2,115200,8n1,0xc000",
    };
    static const char *const bad[][2] = {
        {"smt=no", "must be on or off"},
        {"spec-ctrl=no --- x", "must be words"},
        {"spec-ctrl=", "must be words"},
        {"sched-gran=thread", "must be cpu, core or socket"},
        {"dom0_mem=512", "must be a size"},
        {"dom0_mem=64M", "must be a size from 128M to 64G"},
        {"dom0_mem=65G", "must be a size"},
        {"dom0_mem=99999999999G", "must be a size"},
        {"dom0_mem=-1G", "must be a size"},
        {"dom0_max_vcpus=0", "must be a number from 1 to 64"},
        {"dom0_max_vcpus=4-2", "must be a number"},
        {"dom0_max_vcpus=1-", "must be a number"},
        {"dom0_max_vcpus=100", "must be a number"},
        {"serial=com3,115200", "com1 or com2"},
        {"serial=com1", "must have a speed"},
        {"serial=com1,115201", "must have a speed"},
        {"serial=com1,115200,8n3", "must have a format"},
        {"serial=com1,115200,8n1,0x3f8,4,5", "may end with"},
        {"serial=com1,115200,8n1,port", "may end with"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        check_problem(good[i], NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        check_problem(bad[i][0], bad[i][1]);
}

TEST(conf_says_what_did_not_reach_xen)
{
    static const struct {
        const char *conf, *xen, *problem;
    } cases[] = {
        {"smt=off", "console=com1,vga smt=off", NULL},
        {"smt=off", "smt=on smt=0", NULL},
        {"smt=off", "smt=off smt=on",
         "smt=off is set in f line 1, but Xen was started with smt=on"},
        {"smt=off", "console=vga", "but Xen was started without it: write it into the boot medium"},
        {"smt=on", "smt=off", "Xen was started with smt=off"},
        {"dom0_mem=1G", "dom0_mem=1G,max:1G", NULL},
        {"dom0_mem=1G", "dom0_mem=256M,max:256M", "Xen was started with dom0_mem=256M,max:256M"},
        {"dom0_max_vcpus=2", "dom0_max_vcpus=2", NULL},
        {"spec-ctrl=no", "spec-ctrl=no", NULL},
        {"sched-gran=core", "xsched-gran=core", "without it"},
        {"serial=com2,57600", "console=com2,vga com2=57600,8n1", NULL},
        {"serial=com2,57600,8e1,0x2f8,3", "console=com2,vga com2=57600,8e1,0x2f8,3", NULL},
        {"serial=com2,57600", "console=com1,vga com1=57600,8n1", "started with console=com1,vga"},
        {"serial=com1,57600", "console=com1,vga com1=115200,8n1", "with com1=115200,8n1"},
        {"serial=none", "console=vga", NULL},
        {"name=a", "", NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct conf conf = {.sources = 0};
        read_text(&conf, cases[i].conf);
        conf_compare_xen(&conf, NULL);
        CHECK_NUMBER(0, conf.problem_count);
        conf_compare_xen(&conf, cases[i].xen);
        if (CHECK_NUMBER(cases[i].problem ? 1 : 0, conf.problem_count) && cases[i].problem)
            CHECK_HOLDS(cases[i].problem, conf.problems[0]);
        conf_free(&conf);
    }
}
