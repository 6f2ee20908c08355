/* Waiting on a word of the arena, on every system.
 *
 * A wake-up may come for no reason, and one may be lost with a waiter that dies before it acts:
 * every caller waits in a loop on its own predicate. */
#ifndef MPROC_FAMILY_PARK_H
#define MPROC_FAMILY_PARK_H

#include "slot.h"

#define PARK_PLACES 16384 /* threads of the family that can sleep at once without a futex */

/* One sleeping thread's place; unused where there are futexes. */
typedef struct park_place {
    _Atomic uint64_t owner; /* slot_id; 0: nobody's */
    _Atomic uint64_t word;  /* what it sleeps on */
} park_place;

/* Sleeps while *word == expected. MPROC_OK: woken or changed; MPROC_ETIMEDOUT; MPROC_EINTR;
 * MPROC_EAGAIN: too many sleepers. */
mproc_err park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, slot_id self);
/* Wakes up to `count` threads that sleep on the word; UINT32_MAX: all. */
void unpark(_Atomic uint32_t *word, uint32_t count);
/* A public time-out as a deadline. MPROC_EINVAL: negative, but not MPROC_FOREVER. */
mproc_err park_deadline(int timeout_ms, int64_t *deadline);
/* After an end: the dead one's places are freed; unless it was clean, what it was about to wake
 * wakes. */
void park_sweep(slot_id dead, bool clean);

#endif
