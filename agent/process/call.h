/* The calls to the controller, by the names that the parent and sliced-net use between them. */
#ifndef SLICENODE_PROCESS_CALL_H
#define SLICENODE_PROCESS_CALL_H

enum controller_call {
    CALL_ENROLL,
    CALL_REGISTER,
    CALL_REQUESTS,
    CALL_EVENTS,
    CALL_STATUS,
    CALL_CERTIFICATE,
    CALL_COUNT
};

const char *controller_call_name(enum controller_call call);
/* CALL_COUNT for a name that is not known. */
enum controller_call controller_call_find(const char *name);

#endif
