/* What this process holds of the kernel's objects that several processes know by one id, such as the
 * ends of pipes: a table of its own from ids to handles. A process holds what it made, was given at
 * its start, or received; nothing else, so that an end of a pipe ends with its last holder. */
#ifndef MPROC_FAMILY_HOLDING_H
#define MPROC_FAMILY_HOLDING_H

#include "../os.h"

typedef struct holding {
    uint64_t id; /* unique in the family, never used twice; 0 is nothing */
    os_handle handle;
    uint32_t flags; /* of the channel floor; they travel with it */
    /* The channel floor's own, made when first used in this process: memory, and no handles where
     * there are forks. A forked child finds NULL here. */
    void *_Atomic attached;
} holding;

void holdings_begin(void); /* once a process, before anything else here */

/* Both are called inside the gate, entered before the handle was made: a fork finds the handle in
 * the table, or not at all. They take it over, and close it when they fail: MPROC_ENOMEM. */
mproc_err holding_add(os_handle handle, uint32_t flags, uint64_t *id);
/* What another process has made. One that is held already stays as it is. */
mproc_err holding_receive(uint64_t id, os_handle handle, uint32_t flags);
/* The same in two steps: after the first, with which all memory is there, the second cannot fail.
 * NULL: there is none. An unused one is freed with free. */
void *holding_prepare(void);
void holding_receive_prepared(void *prepared, uint64_t id, os_handle handle, uint32_t flags);

/* The others enter the gate by themselves. */

/* NULL: not held here. Until the matching leave neither the handle nor the state is closed. */
holding *holding_enter(uint64_t id);
void holding_leave(holding *h);
/* From now on it is not held here. `detach` is called with its `attached`, unless that is NULL, and
 * the handle is closed as soon as nobody is inside: before the return, or by the last leave.
 * MPROC_ENOTHELD. */
mproc_err holding_close(uint64_t id, void (*detach)(void *attached));

/* In a forked child: closes all but those, which the parent was inside of while it forked. Only
 * where family.holds says that there are any. */
void holdings_after_fork(const uint64_t *keep, size_t count);

#endif
