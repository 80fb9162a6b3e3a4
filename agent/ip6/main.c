/* slicenode-ip6 [--router A] [--give-up] BRIDGE UPLINK: gives the bridge the IPv6 that routers
 * advertise on the uplink, its port to the wire, and keeps it as long as it lasts. What slices send
 * to the bridge is not listened to. Tells the boot scripts on standard output (ip6/tell.h), and
 * logs to standard error. Ends with 1 when no router answers and it is to give up, with 2 when it
 * cannot begin, with 3 when the uplink is gone. */
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "ip6/ask.h"
#include "ip6/host.h"
#include "ip6/kernel.h"
#include "ip6/lease6.h"
#include "ip6/names.h"
#include "ip6/port.h"
#include "ip6/tell.h"
#include "process/sandbox.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define EXIT_NOBODY 1
#define EXIT_CANNOT 2
#define EXIT_GONE 3

#define PACKETS_AT_ONCE 64

static const char usage[] = "usage: slicenode-ip6 [--router ADDRESS] [--give-up] BRIDGE UPLINK\n";

struct program {
    const char *bridge, *uplink;
    bool give_up;
    struct host host;
    struct kernel kernel;
    struct port port;
    struct ask routers;
    struct lease6 lease;
    char *told;    /* owned: what was told last */
    char *refused; /* owned: why something was refused last */
};

static uint32_t random_number(void)
{
    uint32_t number = 0;

    /* Without randomness nodes ask at the same time: slower, not wrong. */
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
        return 0;
    return number;
}

/* What comes again and again is logged once. */
static void log_refused(struct program *program, const struct err *err)
{
    if (program->refused && strcmp(program->refused, err->message) == 0)
        return;
    free(program->refused);
    program->refused = xstrdup(err->message);
    log_warning("%s", err->message);
}

static void log_advert(const struct program *program, const struct advert *advert, bool first)
{
    if (first)
        log_info("%s advertises itself on %s: %s, %u prefixes, %u routes, %u name servers%s%s",
                 text_of(&advert->router).text, program->uplink,
                 advert->lifetime ? "a gateway" : "no gateway", advert->prefix_count,
                 advert->route_count, advert->server_count, advert->managed ? ", managed" : "",
                 advert->other ? ", other" : "");
}

static void take_advert(struct program *program, const struct packet *packet, uint64_t now)
{
    struct in6_addr before = program->host.router;
    struct advert advert;
    struct err err;

    if (advert_read(packet->bytes, packet->length, packet->sum_is_good, &advert, &err) < 0 ||
        host_take(&program->host, &advert, now, &err) < 0) {
        log_refused(program, &err);
        return;
    }
    log_advert(program, &advert, memcmp(&before, &advert.router, sizeof(before)) != 0);
    /* One that is no gateway leaves the question open who is (RFC 7559, 2.1). */
    ask_answered(&program->routers);
    if (host_has_gateway(&program->host))
        ask_end(&program->routers);
}

static void take_news(struct program *program, enum lease6_news news,
                      const struct dhcp6_answer *answer, uint64_t now)
{
    if (news == LEASE6_LOST)
        log_warning("the DHCPv6 lease is over");
    if (news != LEASE6_NOTHING)
        host_take_lease(&program->host, news == LEASE6_NEW ? answer : NULL, now);
}

static void take_answer(struct program *program, const struct packet *packet, uint64_t now)
{
    struct dhcp6_answer answer;
    enum lease6_state before = program->lease.state;
    enum lease6_news news;
    struct err err;

    if (dhcp6_read(packet->bytes, packet->length, packet->sum_is_good, program->lease.association,
                   &answer, &err) < 0) {
        log_refused(program, &err);
        return;
    }
    news = lease6_take(&program->lease, &answer, now, random_number());
    if (news == LEASE6_NEW && before == LEASE6_REQUESTING)
        log_info("%s by DHCPv6 for %u s", text_of(&answer.address).text, answer.valid);
    take_news(program, news, &answer, now);
}

static void receive(struct program *program, uint64_t now)
{
    struct packet packet;

    /* After a socket's worth of them Linux is told of what they said. */
    for (unsigned i = 0; i < PACKETS_AT_ONCE && port_receive(&program->port, &packet); i++) {
        if (packet.bytes[6] == IPPROTO_UDP)
            take_answer(program, &packet, now);
        else
            take_advert(program, &packet, now);
    }
}

static void tell_changes(struct program *program, bool silent)
{
    char *now = host_tell(&program->host, silent, program->bridge, program->uplink);

    if (program->told && strcmp(program->told, now) == 0) {
        free(now);
        return;
    }
    free(program->told);
    program->told = now;
    /* Nobody is there any more who would hear it. */
    if (write_full(STDOUT_FILENO, now, strlen(now)) < 0)
        exit(EXIT_CANNOT);
}

static void say_trouble(struct program *program)
{
    struct host *host = &program->host;

    if (program->lease.trouble[0])
        snprintf(host->trouble, sizeof(host->trouble), "its server has none (%s)",
                 program->lease.trouble);
    else
        copy_text(host->trouble, sizeof(host->trouble),
                  lease6_is_hopeless(&program->lease) ? "no server answers" : "");
}

/* Servers are asked from a link-local address that nobody else has. */
static uint64_t work_on_lease(struct program *program, uint64_t now)
{
    struct lease6 *lease = &program->lease;
    unsigned char message[DHCP6_MESSAGE_BYTES];
    struct dhcp6_question question;
    enum lease6_news news;
    struct err err;

    if (!program->kernel.link_local_ready)
        return FOREVER;
    if (host_lease_is_taken(&program->host) && lease->state != LEASE6_DECLINING) {
        log_warning("another host has the address that DHCPv6 gave; the server is told");
        lease6_decline(lease, now, random_number());
        host_take_lease(&program->host, NULL, now);
    }
    lease6_want(lease, program->host.managed, program->host.other, now, random_number());
    while (lease6_step(lease, now, random_number(), &question, &news)) {
        size_t length = dhcp6_write(&question, message);
        if (port_send_dhcp(&program->port, &program->kernel.link_local, message, length, &err) < 0)
            log_refused(program, &err);
        take_news(program, news, NULL, now);
    }
    take_news(program, news, NULL, now);
    say_trouble(program);
    return lease6_next(lease);
}

static void solicit(struct program *program, uint64_t now)
{
    struct err err;
    const struct in6_addr *from =
        program->kernel.link_local_ready ? &program->kernel.link_local : &in6addr_any;

    if (port_solicit(&program->port, from, &err) < 0)
        log_refused(program, &err);
    ask_sent(&program->routers, now, random_number());
}

/* Everything that is due; returns until when to wait. */
static uint64_t work(struct program *program, uint64_t now)
{
    uint64_t next, lease_next;

    host_expire(&program->host, now);
    if (host_wants_to_ask(&program->host, now) || !host_has_gateway(&program->host))
        ask_begin(&program->routers, now);
    lease_next = work_on_lease(program, now);
    kernel_set(&program->kernel, &program->host, now);
    tell_changes(program, ask_is_hopeless(&program->routers, now));
    if (program->give_up && ask_is_over(&program->routers, now) &&
        !host_has_address(&program->host))
        exit(EXIT_NOBODY);
    if (ask_is_due(&program->routers, now))
        solicit(program, now);
    next = ask_next(&program->routers);
    if (lease_next < next)
        next = lease_next;
    if (host_next_end(&program->host) < next)
        next = host_next_end(&program->host);
    if (host_next_ask(&program->host) < next)
        next = host_next_ask(&program->host);
    return next;
}

static int run(struct program *program)
{
    struct pollfd wait[] = {{.fd = program->port.socket, .events = POLLIN},
                            {.fd = program->kernel.events, .events = POLLIN}};

    for (;;) {
        uint64_t now = monotonic_ms(), next = work(program, now);
        uint64_t left = next > now ? next - now : 0;
        int happened;

        /* An hour is the longest time between two questions. */
        poll(wait, ARRAY_LENGTH(wait), left > 3600 * 1000 ? 3600 * 1000 : (int)left + 1);
        now = monotonic_ms();
        happened = kernel_read(&program->kernel, &program->host, now);
        if (happened < 0) {
            log_warning("%s is gone", program->uplink);
            return EXIT_GONE;
        }
        if (happened & KERNEL_LINK_UP) {
            log_info("%s has a link again; asking the routers", program->uplink);
            ask_restart(&program->routers, now);
            lease6_check(&program->lease, now, random_number());
        }
        receive(program, now);
    }
}

static bool read_arguments(struct program *program, int argc, char **argv)
{
    static const struct option options[] = {{"router", required_argument, NULL, 'r'},
                                            {"give-up", no_argument, NULL, 'g'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'g')
            program->give_up = true;
        else if (option != 'r' || inet_pton(AF_INET6, optarg, &program->host.only_router) != 1)
            return false;
    }
    if (argc - optind != 2)
        return false;
    program->bridge = argv[optind];
    program->uplink = argv[optind + 1];
    return true;
}

int main(int argc, char **argv)
{
    static struct program program;
    struct in6_addr only_router;
    struct err err;

    log_open("slicenode-ip6", LOG_LEVEL_INFO, NULL);
    if (!read_arguments(&program, argc, argv)) {
        fputs(usage, stderr);
        return EXIT_CANNOT;
    }
    only_router = program.host.only_router;
    if (kernel_open(&program.kernel, program.bridge, program.uplink, &err) < 0 ||
        port_open(&program.port, program.bridge, program.uplink, &err) < 0) {
        log_error("%s", err.message);
        return EXIT_CANNOT;
    }
    if (sandbox_enter(SANDBOX_IP6, &err) < 0) {
        log_error("%s", err.message);
        return EXIT_CANNOT;
    }
    host_begin(&program.host, program.port.mac);
    lease6_begin(&program.lease, program.port.mac);
    program.host.only_router = only_router;
    return run(&program);
}
