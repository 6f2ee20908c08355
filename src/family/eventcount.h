/* An eventcount: threads sleep on an object until another thread tells them that something has
 * changed which the object's word does not show.
 *
 *   waiter:    read `seq`, look; set the flag in the word, look again; sleep while `seq` stays
 *   notifier:  change it; if the flag stands, take it away, count `seq` up, wake
 *
 * `seq` is read before the flag is set, and not again while the waiter relies on that flag: a
 * notifier that has taken the flag counts `seq` up afterwards, so the waiter does not sleep, and
 * announces itself anew. A waiter that read `seq` after its flag was taken would sleep unannounced.
 *
 * One of the two sees the other, whatever the machine's memory order. The notifier changes things
 * under a lock and looks at the flag after it has released that. The waiter sets the flag, then
 * makes an empty read-modify-write of that lock's word, then looks. These are read-modify-writes of
 * one word, so they have an order, and the later one sees what was done before the earlier one. A
 * waiter whose look takes that lock itself needs no other. */
#ifndef MPROC_FAMILY_EVENTCOUNT_H
#define MPROC_FAMILY_EVENTCOUNT_H

#include "object.h"

/* One call's wait. */
typedef struct eventcount {
    object *cell;
    uint64_t id, flag;
    object *lock; /* whose holder changes what is waited for; NULL: the look takes it */
    int64_t deadline;
    uint32_t seq;
    bool announced, slept;
} eventcount;

/* Before each look at what is waited for. */
static inline void eventcount_look(eventcount *wait)
{
    if (!wait->announced)
        wait->seq = atomic_load(&wait->cell->seq);
}

/* Sets the flag; the next look is in order with it. False: the object is gone. */
bool eventcount_announce(const eventcount *wait);
/* After a look in vain. MPROC_OK: look again; MPROC_ETIMEDOUT, MPROC_ESTALE, MPROC_EINTR,
 * MPROC_EAGAIN. */
mproc_err eventcount_sleep(eventcount *wait);

#endif
