#include "ip6/port.h"

#include "ip6/names.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define IP_HEADER 40
#define SOLICIT_BYTES 16
#define AD(field) ((uint32_t)(SKF_AD_OFF + (field)))
#define ICMP_ADVERT 134
#define PORT_CLIENT 546
#define PORT_SERVER 547

/* What is at which place is counted from the IPv6 header on. A frame of a VLAN that is not ours
 * comes without its tag, which the card has taken off. */
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AD(SKF_AD_PKTTYPE)),
    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, PACKET_MULTICAST, 14, 0), /* others' own, and sent ones */
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AD(SKF_AD_VLAN_TAG_PRESENT)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AD(SKF_AD_VLAN_TAG)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0xfff, 10, 0),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AD(SKF_AD_PROTOCOL)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 8),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 2),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_HEADER),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ADVERT, 3, 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP_HEADER + 2),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT_CLIENT, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, PORT_PACKET_BYTES),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

static int read_mac(struct port *port, const char *uplink, struct err *err)
{
    struct ifreq request = {.ifr_flags = 0};

    strncpy(request.ifr_name, uplink, IFNAMSIZ - 1);
    if (ioctl(port->socket, SIOCGIFHWADDR, &request) < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "the address of %s", uplink);
    memcpy(port->mac, request.ifr_hwaddr.sa_data, sizeof(port->mac));
    return 0;
}

/* A socket that throws away what comes: without it Linux answers servers that nobody listens. */
static int open_deaf(const char *bridge, struct err *err)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(PORT_CLIENT)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bridge, (socklen_t)strlen(bridge)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "the port of DHCPv6's clients");
    return 0; /* open as long as the program runs */
}

/* The filter is there before the first packet can come: the socket is bound to nothing until then.
 * Ports of a bridge give their packets only to those who ask for all kinds. */
int port_open(struct port *port, const char *bridge, const char *uplink, struct err *err)
{
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int one = 1;

    port->index = if_nametoindex(uplink);
    address.sll_ifindex = (int)port->index;
    port->socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (port->socket < 0 ||
        setsockopt(port->socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
        setsockopt(port->socket, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
        bind(port->socket, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "a packet socket on %s", uplink);
    return read_mac(port, uplink, err) < 0 ? -1 : open_deaf(bridge, err);
}

/* A packet between two systems of one machine has no checksum yet: it never was on a wire. */
static bool sum_is_good(struct msghdr *message)
{
    struct tpacket_auxdata data;

    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_PACKET || head->cmsg_type != PACKET_AUXDATA ||
            head->cmsg_len < CMSG_LEN(sizeof(data)))
            continue;
        memcpy(&data, CMSG_DATA(head), sizeof(data));
        return data.tp_status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID);
    }
    return false;
}

bool port_receive(struct port *port, struct packet *packet)
{
    char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    struct iovec place = {.iov_base = packet->bytes, .iov_len = sizeof(packet->bytes)};
    struct msghdr message = {.msg_iov = &place,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(port->socket, &message, MSG_DONTWAIT);

    if (got < 0)
        return false;
    packet->length = (size_t)got;
    packet->sum_is_good = sum_is_good(&message);
    return true;
}

/* The packet's headers are there but for the length and the sum, which is `sum_at` the body. */
static int send_packet(struct port *port, unsigned char *packet, size_t length, size_t sum_at,
                       struct err *err)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IPV6),
                             .sll_ifindex = (int)port->index,
                             .sll_halen = 6,
                             .sll_addr = {0x33, 0x33}};
    size_t payload = length - IP_HEADER;
    struct in6_addr from, destination;
    uint16_t sum;

    memcpy(&from, packet + 8, 16);
    memcpy(&destination, packet + 24, 16);
    memcpy(to.sll_addr + 2, packet + 36, 4);
    packet[4] = (unsigned char)(payload >> 8);
    packet[5] = (unsigned char)payload;
    sum = checksum_of(&from, &destination, packet[6], packet + IP_HEADER, payload);
    /* In UDP 0 is no sum (RFC 8200, 8.1). */
    if (sum == 0)
        sum = 0xffff;
    packet[IP_HEADER + sum_at] = (unsigned char)(sum >> 8);
    packet[IP_HEADER + sum_at + 1] = (unsigned char)sum;
    if (sendto(port->socket, packet, length, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "send to routers and servers");
    return 0;
}

int port_solicit(struct port *port, const struct in6_addr *from, struct err *err)
{
    static const unsigned char routers[16] = {0xff, 2, [15] = 2};
    unsigned char packet[IP_HEADER + SOLICIT_BYTES] = {0x60, [6] = IPPROTO_ICMPV6, [7] = 255};
    unsigned char *body = packet + IP_HEADER;
    size_t length = 8;

    memcpy(packet + 8, from, 16);
    memcpy(packet + 24, routers, 16);
    body[0] = 133;
    /* Who we are, so that the router need not ask; not from :: (RFC 4861, 4.1). */
    if (is_link_local(from)) {
        body[8] = 1;
        body[9] = 1;
        memcpy(body + 10, port->mac, 6);
        length = 16;
    }
    return send_packet(port, packet, IP_HEADER + length, 2, err);
}

int port_send_dhcp(struct port *port, const struct in6_addr *from, const unsigned char *message,
                   size_t length, struct err *err)
{
    static const unsigned char servers[16] = {0xff, 2, [13] = 1, [15] = 2};
    unsigned char packet[PORT_PACKET_BYTES] = {0x60, [6] = IPPROTO_UDP, [7] = 1};
    unsigned char *body = packet + IP_HEADER;

    memcpy(packet + 8, from, 16);
    memcpy(packet + 24, servers, 16);
    body[0] = PORT_CLIENT >> 8;
    body[1] = PORT_CLIENT & 0xff;
    body[2] = PORT_SERVER >> 8;
    body[3] = PORT_SERVER & 0xff;
    body[4] = (unsigned char)((length + 8) >> 8);
    body[5] = (unsigned char)(length + 8);
    memcpy(body + 8, message, length);
    return send_packet(port, packet, IP_HEADER + 8 + length, 6, err);
}
