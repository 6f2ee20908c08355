/* Where threads wait for something that is told by other means: for room, for a message.
 *
 *   word: generation | WAITERS | WATCHED
 *
 * The one who rings it has changed what is waited for before. A sleeper sets WAITERS, looks once
 * more, and sleeps while `seq` stays; so one of the two sees the other. Ringing clears WAITERS and
 * wakes one; who has slept passes it on (bell_pass), since others may still sleep. So only the
 * death of one on its way could leave them asleep: whoever uses a bell has touched it before, and
 * its sweep rings it once more. */
#ifndef MPROC_DATA_BELL_H
#define MPROC_DATA_BELL_H

#include "../family/object.h"
#include "../family/spin.h"

#define BELL_WAITERS (UINT64_C(1) << 39)
#define BELL_WATCHED (UINT64_C(1) << 38)

typedef struct bell_wait {
    object *bell;
    uint64_t id;
    int64_t deadline;
    uint32_t seq;
    bool armed, slept;
} bell_wait;

/* Before each look at what is waited for. */
static inline void bell_look(bell_wait *wait)
{
    wait->seq = atomic_load(&wait->bell->seq);
}

/* After a look in vain. MPROC_OK: look again; MPROC_ETIMEDOUT, MPROC_ESTALE, MPROC_EINTR,
 * MPROC_EAGAIN. */
mproc_err bell_sleep(bell_wait *wait);
/* At the end of a wait, come what may; unless something is missing, the next one is woken.
 * `is_missing` loads in sequential consistency. */
void bell_pass(const bell_wait *wait, bool (*is_missing)(const void *context), const void *context);

/* From the next ring on, and only once, this process's slot is rung, too. Look once more after it. */
void bell_watch(object *bell, uint64_t id);

void bell_ring_slowly(object *bell, uint64_t id);
static inline void bell_ring(object *bell, uint64_t id)
{
    if (atomic_load(&bell->word) & (BELL_WAITERS | BELL_WATCHED))
        bell_ring_slowly(bell, id);
}

#endif
