#include "process/call.h"

#include <string.h>

static const char *const call_names[CALL_COUNT] = {
    [CALL_ENROLL] = "enroll", [CALL_REGISTER] = "register", [CALL_REQUESTS] = "requests",
    [CALL_EVENTS] = "events", [CALL_STATUS] = "status",     [CALL_CERTIFICATE] = "certificate",
};

const char *controller_call_name(enum controller_call call)
{
    return call_names[call];
}

enum controller_call controller_call_find(const char *name)
{
    unsigned call = 0;
    while (call < CALL_COUNT && strcmp(call_names[call], name) != 0)
        call++;
    return (enum controller_call)call;
}
