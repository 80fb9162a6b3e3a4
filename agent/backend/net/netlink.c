#include "backend/net/netlink.h"

#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Of one request with its few attributes. */
#define MESSAGE_BYTES 512

/* A request under construction; `header.nlmsg_len` is its length so far. */
struct message {
    struct nlmsghdr header;
    struct ifinfomsg link;
    char attributes[MESSAGE_BYTES];
};

static void message_begin(struct message *message, unsigned short type, unsigned short flags,
                          int index)
{
    memset(message, 0, sizeof(*message));
    message->header.nlmsg_len = NLMSG_LENGTH(sizeof(message->link));
    message->header.nlmsg_type = type;
    message->header.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
    message->link.ifi_family = AF_UNSPEC;
    message->link.ifi_index = index;
}

static struct rtattr *message_add(struct message *message, unsigned short type, const void *data,
                                  size_t length)
{
    size_t offset = NLMSG_ALIGN(message->header.nlmsg_len);
    struct rtattr *attribute = (struct rtattr *)((char *)message + offset);

    if (offset + RTA_SPACE(length) > sizeof(*message))
        abort(); /* all lengths are bounded by IFNAMSIZ: a larger one is a bug here */
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length > 0)
        memcpy(RTA_DATA(attribute), data, length);
    message->header.nlmsg_len = (unsigned)(offset + RTA_SPACE(length));
    return attribute;
}

static void message_add_text(struct message *message, unsigned short type, const char *text)
{
    message_add(message, type, text, strlen(text) + 1);
}

/* Ends a nest that message_add(..., NULL, 0) began. */
static void message_end_nest(struct message *message, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)message + message->header.nlmsg_len - (char *)nest);
}

/* Sends the request and waits for its acknowledgement; 0 or a negative errno. */
static int message_send(int socket, struct message *message)
{
    static unsigned sequence;
    char reply[4096];

    message->header.nlmsg_seq = ++sequence;
    if (send(socket, message, message->header.nlmsg_len, 0) < 0)
        return -errno;
    for (;;) {
        ssize_t got = recv(socket, reply, sizeof(reply), 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        const struct nlmsghdr *header = (const struct nlmsghdr *)reply;
        if (!NLMSG_OK(header, (size_t)got) || header->nlmsg_seq != sequence ||
            header->nlmsg_type != NLMSG_ERROR)
            continue;
        return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
    }
}

int link_open(struct err *err)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "open a netlink socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
        err_errno(err, ERR_NETWORK_ERROR, errno, "connect a netlink socket");
        close(fd);
        return -1;
    }
    return fd;
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
    struct message message;

    message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    message_add_text(&message, IFLA_IFNAME, name);
    struct rtattr *info = message_add(&message, IFLA_LINKINFO, NULL, 0);
    message_add_text(&message, IFLA_INFO_KIND, "bridge");
    message_end_nest(&message, info);
    return created(message_send(socket, &message), "bridge", name, err);
}

int link_create_vlan(int socket, const char *name, const char *parent, int vlan, struct err *err)
{
    struct message message;
    unsigned short id = (unsigned short)vlan;
    int parent_index = link_need(parent, err);

    if (parent_index == 0)
        return -1;
    message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    message_add_text(&message, IFLA_IFNAME, name);
    message_add(&message, IFLA_LINK, &parent_index, sizeof(parent_index));
    struct rtattr *info = message_add(&message, IFLA_LINKINFO, NULL, 0);
    message_add_text(&message, IFLA_INFO_KIND, "vlan");
    struct rtattr *data = message_add(&message, IFLA_INFO_DATA, NULL, 0);
    message_add(&message, IFLA_VLAN_ID, &id, sizeof(id));
    message_end_nest(&message, data);
    message_end_nest(&message, info);
    return created(message_send(socket, &message), "VLAN interface", name, err);
}

int link_set_bridge(int socket, const char *name, const char *bridge, struct err *err)
{
    struct message message;
    int index = link_need(name, err);
    int master = bridge && index != 0 ? link_need(bridge, err) : 0;

    if (index == 0 || (bridge && master == 0))
        return -1;
    message_begin(&message, RTM_NEWLINK, 0, index);
    message_add(&message, IFLA_MASTER, &master, sizeof(master));
    int status = message_send(socket, &message);
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
    struct message message;
    int index = link_need(name, err);

    if (index == 0)
        return -1;
    message_begin(&message, RTM_NEWLINK, 0, index);
    message.link.ifi_change = IFF_UP;
    message.link.ifi_flags = IFF_UP;
    int status = message_send(socket, &message);
    if (status < 0)
        return err_errno(err, ERR_NETWORK_ERROR, -status, "bring %s up", name);
    return 0;
}

int link_set_mtu(int socket, const char *name, unsigned mtu, struct err *err)
{
    struct message message;
    int index = link_need(name, err);

    if (index == 0)
        return -1;
    message_begin(&message, RTM_NEWLINK, 0, index);
    message_add(&message, IFLA_MTU, &mtu, sizeof(mtu));
    int status = message_send(socket, &message);
    if (status < 0)
        return err_errno(err, ERR_NETWORK_ERROR, -status, "set the MTU of %s to %u", name, mtu);
    return 0;
}

int link_delete(int socket, const char *name, struct err *err)
{
    struct message message;
    int index = link_index(name);

    if (index == 0)
        return 0;
    message_begin(&message, RTM_DELLINK, 0, index);
    int status = message_send(socket, &message);
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
