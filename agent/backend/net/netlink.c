#include "backend/net/netlink.h"

#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "netlink/message.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void message_begin(struct netlink_message *message, int type, int flags, int index)
{
    netlink_begin(message, type, flags, sizeof(message->link));
    message->link.ifi_family = AF_UNSPEC;
    message->link.ifi_index = index;
}

static void message_add_text(struct netlink_message *message, int type, const char *text)
{
    netlink_add(message, type, text, strlen(text) + 1);
}

int link_open(struct err *err)
{
    return netlink_open(0, err);
}

int link_index(const char *name)
{
    return (int)if_nametoindex(name);
}

static bool link_has(const char *name, const char *entry)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, entry);
    return access(path, F_OK) == 0;
}

/* A number from the link's folder in sysfs, or -1. */
static long link_number(const char *name, const char *entry)
{
    char path[128], text[32];
    CLEANUP_CLOSE int fd = -1;

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, entry);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    return strtol(text, NULL, 10);
}

bool link_is_bridge(const char *name)
{
    return link_has(name, "bridge");
}

bool link_is_vlan(const char *name, const char *parent, int vlan)
{
    char path[128], line[256], found_parent[IF_NAMESIZE] = "";
    int found_vlan = -1;

    snprintf(path, sizeof(path), "/proc/net/vlan/%s", name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (fgets(line, sizeof(line), file)) {
        char *id = strstr(line, "VID: ");
        if (id)
            found_vlan = atoi(id + strlen("VID: "));
        sscanf(line, "Device: %15s", found_parent);
    }
    fclose(file);
    return found_vlan == vlan && strcmp(found_parent, parent) == 0;
}

unsigned link_mtu(const char *name)
{
    long mtu = link_number(name, "mtu");

    return mtu < 0 ? 0 : (unsigned)mtu;
}

/* The index, or 0 with `err` saying that there is no such link. */
static int link_need(const char *name, struct err *err)
{
    int index = link_index(name);

    if (index == 0)
        err_set(err, ERR_NETWORK_ERROR, "there is no network interface %s", name);
    return index;
}

static int created(int status, const char *what, const char *name, struct err *err)
{
    if (status == 0 || status == -EEXIST)
        return 0;
    return err_errno(err, ERR_NETWORK_ERROR, -status, "create the %s %s", what, name);
}

int link_create_bridge(int socket, const char *name, struct err *err)
{
    struct netlink_message message;

    message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    message_add_text(&message, IFLA_IFNAME, name);
    struct rtattr *info = netlink_add(&message, IFLA_LINKINFO, NULL, 0);
    message_add_text(&message, IFLA_INFO_KIND, "bridge");
    netlink_end_nest(&message, info);
    return created(netlink_ask(socket, &message), "bridge", name, err);
}

int link_create_vlan(int socket, const char *name, const char *parent, int vlan, struct err *err)
{
    struct netlink_message message;
    unsigned short id = (unsigned short)vlan;
    int parent_index = link_need(parent, err);

    if (parent_index == 0)
        return -1;
    message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    message_add_text(&message, IFLA_IFNAME, name);
    netlink_add(&message, IFLA_LINK, &parent_index, sizeof(parent_index));
    struct rtattr *info = netlink_add(&message, IFLA_LINKINFO, NULL, 0);
    message_add_text(&message, IFLA_INFO_KIND, "vlan");
    struct rtattr *data = netlink_add(&message, IFLA_INFO_DATA, NULL, 0);
    netlink_add(&message, IFLA_VLAN_ID, &id, sizeof(id));
    netlink_end_nest(&message, data);
    netlink_end_nest(&message, info);
    return created(netlink_ask(socket, &message), "VLAN interface", name, err);
}

int link_set_bridge(int socket, const char *name, const char *bridge, struct err *err)
{
    struct netlink_message message;
    int index = link_need(name, err);
    int master = bridge && index != 0 ? link_need(bridge, err) : 0;

    if (index == 0 || (bridge && master == 0))
        return -1;
    message_begin(&message, RTM_NEWLINK, 0, index);
    netlink_add(&message, IFLA_MASTER, &master, sizeof(master));
    int status = netlink_ask(socket, &message);
    if (status == -EXFULL)
        return err_set(err, ERR_NETWORK_ERROR,
                       "bridge %s is full: Linux puts 1023 interfaces on one; slices on VLANs are "
                       "on bridges of their own",
                       bridge);
    if (status < 0)
        return err_errno(err, ERR_NETWORK_ERROR, -status,
                         bridge ? "put %s on bridge %s" : "take %s off its bridge%s", name,
                         bridge ? bridge : "");
    return 0;
}

int link_set_up(int socket, const char *name, struct err *err)
{
    struct netlink_message message;
    int index = link_need(name, err);

    if (index == 0)
        return -1;
    message_begin(&message, RTM_NEWLINK, 0, index);
    message.link.ifi_change = IFF_UP;
    message.link.ifi_flags = IFF_UP;
    int status = netlink_ask(socket, &message);
    if (status < 0)
        return err_errno(err, ERR_NETWORK_ERROR, -status, "bring %s up", name);
    return 0;
}

int link_set_mtu(int socket, const char *name, unsigned mtu, struct err *err)
{
    struct netlink_message message;
    int index = link_need(name, err);

    if (index == 0)
        return -1;
    message_begin(&message, RTM_NEWLINK, 0, index);
    netlink_add(&message, IFLA_MTU, &mtu, sizeof(mtu));
    int status = netlink_ask(socket, &message);
    if (status < 0)
        return err_errno(err, ERR_NETWORK_ERROR, -status, "set the MTU of %s to %u", name, mtu);
    return 0;
}

int link_delete(int socket, const char *name, struct err *err)
{
    struct netlink_message message;
    int index = link_index(name);

    if (index == 0)
        return 0;
    message_begin(&message, RTM_DELLINK, 0, index);
    int status = netlink_ask(socket, &message);
    if (status < 0 && status != -ENODEV)
        return err_errno(err, ERR_NETWORK_ERROR, -status, "remove the interface %s", name);
    return 0;
}

int link_silence(const char *name, struct err *err)
{
    static const struct {
        const char *entry;
        const char *value;
    } settings[] = {{"accept_ra", "0"}, {"autoconf", "0"}, {"disable_ipv6", "1"}};

    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        char path[128];
        CLEANUP_CLOSE int fd = -1;

        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, settings[i].entry);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0 || write_full(fd, settings[i].value, 1) < 0)
            return err_errno(err, ERR_NETWORK_ERROR, errno, "write %s", path);
    }
    return 0;
}
