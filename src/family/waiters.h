/* Those who wait to be told: what a condition needs besides its lock.
 *
 * Each waiting thread has a place in one table. Its `state` says whose the place is and how far it
 * is, and every change is one CAS on it:
 *
 *   FREE -> CLAIMED -> WAITING   by the waiter; what else is in the place is written while CLAIMED,
 *                                and is right as long as the state has not changed
 *   WAITING -> NOTIFIED          by the notifier: the commit of a notification
 *   WAITING -> FREE              by the waiter that has waited long enough
 *   NOTIFIED -> FREE             by the waiter, when it has its lock back
 *   any -> FREE                  after the owner's proven end
 *
 * Each claim counts up. A place whose count is at its end stays FREE for ever: so no change is made
 * late, to a wait that only looks like the one that was meant.
 *
 * So a notification is for one thread that stands in the table, and nobody else can swallow it. As
 * long as it stands at NOTIFIED it is not used up: should the waiter die, it is handed on to the
 * next one. A notifier that dies between its CAS and the wake-up leaves a place that says NOTIFIED,
 * too; the sweep of an abnormal end wakes all of these.
 *
 * Nobody watches the end of a family's first process, and of some orphans: who sleeps for long
 * looks after what they may have left. */
#ifndef MPROC_FAMILY_WAITERS_H
#define MPROC_FAMILY_WAITERS_H

#include "object.h"

#define WAITERS_MOST 16384 /* threads of the family that can wait at once */

enum { WAITER_COUNT_SHIFT = 16 };

typedef struct waiter {
    /* count 48 | kind 2 | owner's slot + 1 */
    _Alignas(64) _Atomic uint64_t state;
    _Atomic slot_id owner;
    _Atomic uint64_t object; /* what it waits for, */
    _Atomic uint64_t lock;   /* and the lock that it gave up for it: both handles */
    _Atomic uint64_t ticket; /* in the order of arrival */
    _Atomic uint32_t wake;   /* an event count */
} waiter;
_Static_assert(sizeof(waiter) == 64, "one line of the cache for each");

/* One thread's wait. */
typedef struct waiting {
    waiter *place;
    uint64_t state;
} waiting;

/* To wait for what `id` names, before the caller gives up `lock`: from then on it can be notified. MPROC_EAGAIN: there is no
 * place; MPROC_ESTATE: this process is about to end. */
mproc_err waiters_join(waiting *wait, uint64_t id, uint64_t lock);
/* MPROC_OK: notified. Else it has left: MPROC_ETIMEDOUT; MPROC_ESTALE: the object or the lock is
 * gone; MPROC_EINTR, MPROC_EAGAIN as park. */
mproc_err waiters_await(const waiting *wait, int64_t deadline);
/* When the notification has been used up. */
void waiters_leave(const waiting *wait);

/* Notifies up to `count` of those who wait for it, the oldest first; UINT32_MAX: all. */
void waiters_notify(uint64_t id, uint32_t count);
/* The object or the lock is gone: those who wait for it wake, and find that out. */
void waiters_wake(uint64_t id);

/* Of a proven dead process. Again does no harm. */
void waiters_sweep(slot_id dead);
/* This process is ending: nobody joins any more. False: some of its threads still wait, so that it
 * needs a sweep. */
bool waiters_close(void);

#endif
