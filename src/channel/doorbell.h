/* Something to wait on that becomes readable when this process's slot is rung: for waits that must
 * see kernel objects and queues at once. A thread stands between the two. */
#ifndef MPROC_CHANNEL_DOORBELL_H
#define MPROC_CHANNEL_DOORBELL_H

#include "../os.h"

/* Made when first asked for, and again in a forked child. The handle stays the doorbell's: an end
 * of a channel. Rings from now on are heard. */
mproc_err doorbell_handle(os_handle *handle);

/* A thread that waits for the doorbell. All of them hear each ring, though one takes its byte away:
 * as long as any has not looked since, there is another byte. */
typedef struct doorbell_waiter {
    _Atomic uint32_t seen; /* the slot's `rung`, before its last look */
    struct doorbell_waiter *next, *previous;
} doorbell_waiter;

void doorbell_enter(doorbell_waiter *waiter);
void doorbell_leave(doorbell_waiter *waiter);
void doorbell_look(doorbell_waiter *waiter); /* before each look */
/* It has been heard: look once more after this. False: there are others who have still to hear it;
 * let them run. */
bool doorbell_answer(doorbell_waiter *waiter);

#endif
