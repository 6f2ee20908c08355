/* Where threads wait for something that is told by other means: for room, for a message.
 *
 *   word: generation | WAITERS | WATCHED
 *
 * It is an eventcount. A ring takes the flags away and wakes one thread; a thread that has slept
 * passes the ring on (bell_pass), since others may still sleep. So only the death of a process
 * between the two could leave them asleep, or that of one that owes a ring to all: every process
 * touches a bell before it uses it, and its sweep rings the bell for all. */
#ifndef MPROC_DATA_BELL_H
#define MPROC_DATA_BELL_H

#include "../family/eventcount.h"
#include "../family/spin.h"

#define BELL_WAITERS (UINT64_C(1) << 39)
#define BELL_WATCHED (UINT64_C(1) << 38)

/* At the end of a wait, however it ended; unless something is missing, the next thread is woken. */
void bell_pass(const eventcount *wait, bool (*is_missing)(const void *context),
               const void *context);

/* From the next ring on, and only once, this process's slot is rung, too. `lock` is the one whose
 * holder changes what is waited for. Look once more after it. */
void bell_watch(object *bell, uint64_t id, object *lock);

void bell_ring_slowly(object *bell, uint64_t id);
static inline void bell_ring(object *bell, uint64_t id)
{
    if (atomic_load(&bell->word) & (BELL_WAITERS | BELL_WATCHED))
        bell_ring_slowly(bell, id);
}

#endif
