#include <mproc/semaphore.h>

#include "../family/object.h"
#include "../family/spin.h"
#include "../killpoint.h"
#include "sweep.h"

/* word: generation | WAITERS | value; `number` is the maximum.
 *
 * A release clears WAITERS and wakes one, who takes with WAITERS set, since others may still
 * sleep, and wakes the next one when something is left for him. So only the death of one that has
 * been woken, or of one that was about to wake, could leave sleepers beside a value: both have
 * touched the object, and their sweep wakes one. */
#define WAITERS (UINT64_C(1) << 39)
#define VALUE UINT64_C(0xffffffff)

static bool swap(object *cell, uint64_t *from, uint64_t to)
{
    bool done = atomic_compare_exchange_weak(&cell->word, from, to);
    killpoint();
    return done;
}

mproc_err mproc_semaphore_create(mproc_semaphore *semaphore, unsigned value, unsigned maximum)
{
    if (!maximum)
        maximum = MPROC_SEMAPHORE_MAX;
    if (!semaphore || value > maximum || maximum > MPROC_SEMAPHORE_MAX)
        return MPROC_EINVAL;
    object_draft draft;
    mproc_err err = object_draft_new(OBJECT_SEMAPHORE, &draft);
    if (err)
        return err;
    atomic_store(&draft.cell->number, maximum);
    object_commit(&draft, value, &semaphore->id);
    return MPROC_OK;
}

static mproc_err sleep_on(object *cell, uint32_t seq, uint64_t word, int64_t deadline)
{
    object_touch(cell);
    if (!(word & WAITERS) && !atomic_compare_exchange_strong(&cell->word, &word, word | WAITERS))
        return MPROC_OK;
    killpoint();
    return object_sleep(cell, seq, deadline);
}

/* It is gone, or the wait is over: a wake-up that this thread may have had is another's. */
static mproc_err leave(object *cell, bool slept, mproc_err err)
{
    if (slept)
        object_wake(cell, 1);
    return err;
}

static mproc_err wait_and_take(object *cell, uint64_t id, int64_t deadline)
{
    spin looking = spin_begin();
    bool slept = false;
    for (;;) {
        uint32_t seq = atomic_load(&cell->seq);
        uint64_t word = atomic_load(&cell->word);
        if (!object_matches(word, id))
            return leave(cell, slept, MPROC_ESTALE);
        if (word & VALUE) {
            if (!swap(cell, &word, (word - 1) | (slept ? WAITERS : 0)))
                continue;
            spin_end(&looking, !slept);
            if (slept && (word & VALUE) > 1)
                object_wake(cell, 1);
            return MPROC_OK;
        }
        if (deadline == 0)
            return MPROC_ETIMEDOUT;
        if (!slept && spin_once(&looking))
            continue;
        mproc_err err = sleep_on(cell, seq, word, deadline);
        slept = true;
        if (err) {
            spin_end(&looking, false);
            return err == MPROC_ETIMEDOUT ? err : leave(cell, slept, err);
        }
    }
}

mproc_err mproc_semaphore_acquire(mproc_semaphore semaphore, int timeout_ms)
{
    object *cell;
    int64_t deadline;
    mproc_err err = object_check(semaphore.id, OBJECT_SEMAPHORE, &cell);
    if (err)
        return err;
    uint64_t word = atomic_load_explicit(&cell->word, memory_order_relaxed);
    if (timeout_ms >= MPROC_FOREVER && object_matches(word, semaphore.id) && word & VALUE &&
        swap(cell, &word, word - 1))
        return MPROC_OK;
    err = park_deadline(timeout_ms, &deadline);
    return err ? err : wait_and_take(cell, semaphore.id, deadline);
}

mproc_err mproc_semaphore_release(mproc_semaphore semaphore)
{
    object *cell;
    mproc_err err = object_check(semaphore.id, OBJECT_SEMAPHORE, &cell);
    if (err)
        return err;
    uint64_t word = atomic_load_explicit(&cell->word, memory_order_relaxed);
    do {
        if (!object_matches(word, semaphore.id))
            return MPROC_ESTALE;
        if ((word & VALUE) >= atomic_load_explicit(&cell->number, memory_order_relaxed))
            return object_matches(atomic_load(&cell->word), semaphore.id) ? MPROC_ERANGE
                                                                          : MPROC_ESTALE;
        if (word & WAITERS)
            object_touch(cell);
    } while (!swap(cell, &word, (word & ~WAITERS) + 1));
    if (word & WAITERS)
        object_wake(cell, 1);
    return MPROC_OK;
}

mproc_err mproc_semaphore_get_value(mproc_semaphore semaphore, unsigned *value)
{
    object *cell;
    mproc_err err = value ? object_check(semaphore.id, OBJECT_SEMAPHORE, &cell) : MPROC_EINVAL;
    if (err)
        return err;
    uint64_t word = atomic_load(&cell->word);
    if (!object_matches(word, semaphore.id))
        return MPROC_ESTALE;
    *value = (unsigned)(word & VALUE);
    return MPROC_OK;
}

mproc_err mproc_semaphore_destroy(mproc_semaphore semaphore)
{
    return object_destroy(semaphore.id, OBJECT_SEMAPHORE);
}

void semaphore_sweep(object *cell, const slot *dead)
{
    if (object_was_touched(cell, dead))
        object_wake(cell, 1);
}
