/* One request to Linux' rtnetlink (rtnetlink(7)), and its acknowledgement. */
#ifndef SLICENODE_NETLINK_MESSAGE_H
#define SLICENODE_NETLINK_MESSAGE_H

#include "base/err.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

/* Of one request with its few attributes: a VLAN interface or a route with all it can have takes
 * 100. More would be a bug of the caller, and ends it. */
#define NETLINK_ATTRIBUTES_BYTES 512

/* A request under construction; `header.nlmsg_len` is its length so far. */
struct netlink_message {
    struct nlmsghdr header;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
    };
    char attributes[NETLINK_ATTRIBUTES_BYTES];
};

/* A socket that also hears of the groups (RTMGRP_...); it waits for 10 s at most. -1 on failure. */
int netlink_open(unsigned groups, struct err *err);

/* Empties the message; its fixed part, one of the union, has `body_bytes`. */
void netlink_begin(struct netlink_message *message, int type, int flags, size_t body_bytes);
struct rtattr *netlink_add(struct netlink_message *message, int type, const void *data,
                           size_t length);
/* Ends a nest that netlink_add(..., NULL, 0) began. */
void netlink_end_nest(struct netlink_message *message, struct rtattr *nest);

/* Sends the request and waits for its acknowledgement; 0 or a negative errno. */
int netlink_ask(int socket, struct netlink_message *message);

#endif
