/* What sliced-net tells the parent: its answers to the calls under way, keys, certificates; one JSON
 * object in each line. The store is a real one in memory; there is no child and no time. */
#include "base/err.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"
#include "model/request.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/inventory.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/registration.h"
#include "node/status.h"
#include "node/usage.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/begin.h"
#include "task/queue.h"
#include "uplink/link.h"
#include "uplink/session.h"

#include "../../agent/uplink/uplink.c" /* NOLINT */

#include <sys/socket.h>
#include <unistd.h>

static unsigned submitted;

/* What the uplink needs of the rest of the agent. */

int tasks_submit(struct tasks *tasks, const json_t *request, bool internal, struct err *err)
{
    struct request parsed;
    (void)tasks;
    REQUIRE(!internal);
    submitted++;
    if (request_parse(request, &parsed, err) != 0)
        return -1;
    request_free(&parsed);
    return 1;
}

void tasks_begin(struct tasks *tasks)
{
    (void)tasks;
}

int registration_make(struct agent *agent, struct registration *registration, struct err *err)
{
    (void)agent;
    (void)err;
    *registration = (struct registration){.count = 2};
    return 0;
}

json_t *registration_part(const struct registration *registration, size_t index)
{
    REQUIRE(index < registration->count);
    return json_object();
}

void registration_free(struct registration *registration)
{
    registration->count = 0;
}

json_t *report_status(struct agent *agent, bool in_turn)
{
    (void)agent;
    (void)in_turn;
    return json_object();
}

json_t *inventory_hardware(const char *sysfs)
{
    (void)sysfs;
    return json_object();
}

json_t *conf_urls(const struct conf_values *conf)
{
    (void)conf;
    return json_array();
}

bool conf_allows_session(struct agent *agent)
{
    (void)agent;
    return true;
}

void problem_set(struct agent *agent, const char *key, const struct err *error)
{
    (void)agent;
    (void)key;
    REQUIRE(text_valid(error->message));
}

void problem_clear(struct agent *agent, const char *key)
{
    (void)agent;
    (void)key;
}

void status_session(struct agent *agent, const char *state)
{
    (void)agent;
    (void)state;
}

int identity_save(const struct identity *identity, struct err *err)
{
    (void)err;
    REQUIRE(identity->node_id[0] == '\0' || uuid_valid(identity->node_id));
    return 0;
}

bool identity_enrolled(const struct identity *identity)
{
    return identity->certificate[0] != '\0';
}

void identity_tell(const struct identity *identity, const char *run_dir)
{
    (void)identity;
    (void)run_dir;
}

char *identity_lost(const struct identity *identity, const char *run_dir)
{
    (void)identity;
    (void)run_dir;
    return NULL;
}

json_t *problems_json(const struct agent *agent)
{
    (void)agent;
    return json_array();
}

void identity_forget(struct identity *identity)
{
    (void)identity;
}

void identity_set(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static void open_agent(struct agent *agent, struct uplink *uplink, int socket)
{
    static char empty[] = "", url[] = "https://c";
    struct identity *identity = &agent->identity;
    char **texts[] = {&identity->node_id, &identity->key,         &identity->csr,
                      &identity->ca,      &identity->certificate, &identity->controller};

    for (size_t index = 0; index < ARRAY_LENGTH(texts); index++)
        *texts[index] = xstrdup("");
    agent->conf = (struct conf_values){url, empty, empty, url, empty};
    agent->uplink = uplink;
    uplink->child = (struct child){.pid = 1 << 30, .socket = socket};
    uplink->session.random = 1;
    wire_init(&uplink->wire, socket);
    uplink->events = &events;
    on_spawned(agent);
    /* Each call is under way, under a number that an answer may name. */
    for (unsigned call = 0; call < CALL_COUNT; call++)
        uplink->pending[call].id = 1000 + call;
}

static void close_agent(struct agent *agent, struct uplink *uplink)
{
    struct identity *identity = &agent->identity;
    char *texts[] = {identity->node_id, identity->key,         identity->csr,
                     identity->ca,      identity->certificate, identity->controller};

    for (size_t index = 0; index < ARRAY_LENGTH(texts); index++)
        free(texts[index]);
    for (unsigned call = 0; call < CALL_COUNT; call++)
        loop_cancel(agent->loop, uplink->pending[call].timer);
    loop_cancel(agent->loop, uplink->renew_timer);
    wire_free(&uplink->wire);
}

static void drain(int fd)
{
    char dropped[65536];
    while (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct store *store;
    static struct outbox *outbox;
    struct uplink uplink = {.last_id = 0};
    struct agent agent = {.uplink = NULL};
    struct err err;
    int ends[2];

    if (loop == NULL) {
        log_open("fuzz", LOG_LEVEL_ERROR, NULL);
        loop = loop_new();
        REQUIRE(store_open(":memory:", &store, &err) == 0);
        outbox = outbox_new(store, OUTBOX_EVENTS_MAX);
    }
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    REQUIRE(store_begin(store, &err) == 0);
    agent.loop = loop;
    agent.store = store;
    agent.outbox = outbox;
    open_agent(&agent, &uplink, ends[0]);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        json_t *message = json_loadb((const char *)data, length, 0, NULL);
        if (json_is_object(message))
            on_message(&agent, message);
        json_decref(message);
        drain(ends[1]);
        data += length;
        size -= length;
        if (size > 0) {
            data++;
            size--;
        }
    }
    close_agent(&agent, &uplink);
    store_rollback(store);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
