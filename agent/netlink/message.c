#include "netlink/message.h"

#include "base/err.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Connected to the kernel: nobody else's messages come. */
int netlink_open(unsigned groups, struct err *err)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = groups};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "open a netlink socket");
    if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
        connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
        err_errno(err, ERR_NETWORK_ERROR, errno, "connect a netlink socket");
        close(fd);
        return -1;
    }
    return fd;
}

void netlink_begin(struct netlink_message *message, int type, int flags, size_t body_bytes)
{
    memset(message, 0, sizeof(*message));
    message->header.nlmsg_len = (unsigned)NLMSG_LENGTH(body_bytes);
    message->header.nlmsg_type = (unsigned short)type;
    message->header.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
}

struct rtattr *netlink_add(struct netlink_message *message, int type, const void *data,
                           size_t length)
{
    size_t offset = NLMSG_ALIGN(message->header.nlmsg_len);
    struct rtattr *attribute = (struct rtattr *)((char *)message + offset);

    if (offset + RTA_SPACE(length) > sizeof(*message))
        abort();
    attribute->rta_type = (unsigned short)type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length > 0)
        memcpy(RTA_DATA(attribute), data, length);
    message->header.nlmsg_len = (unsigned)(offset + RTA_SPACE(length));
    return attribute;
}

void netlink_end_nest(struct netlink_message *message, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)message + message->header.nlmsg_len - (char *)nest);
}

int netlink_ask(int socket, struct netlink_message *message)
{
    static unsigned sequence;
    char reply[4096];

    message->header.nlmsg_seq = ++sequence;
    if (send(socket, message, message->header.nlmsg_len, 0) < 0)
        return -errno;
    for (;;) {
        ssize_t got = recv(socket, reply, sizeof(reply), 0);
        const struct nlmsghdr *header = (const struct nlmsghdr *)reply;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (NLMSG_OK(header, (size_t)got) && header->nlmsg_seq == sequence &&
            header->nlmsg_type == NLMSG_ERROR)
            return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
    }
}
