#include <mproc/event.h>

#include "../family/rounds.h"
#include "../family/spin.h"
#include "../killpoint.h"
#include "sweep.h"

/* word: generation | SET | WAITERS | how often it has been set.
 *
 * A waiter is released when SET stands or the number, which `extra` makes wide (rounds.h), differs
 * from the one it began with. All are woken at once, so one that dies takes nothing with it; a setter
 * that dies before it wakes has touched the object, and its sweep does it. */
#define SET (UINT64_C(1) << 39)
enum { TIMES_BITS = 38 };
#define WAITERS (UINT64_C(1) << TIMES_BITS)
#define TIMES (WAITERS - 1)

static rounds times_of(object *cell)
{
    return (rounds){&cell->word, &cell->extra, 0, TIMES_BITS};
}

static bool swap(object *cell, uint64_t *from, uint64_t to)
{
    bool done = atomic_compare_exchange_weak(&cell->word, from, to);
    killpoint();
    return done;
}

mproc_err mproc_event_create(mproc_event *event)
{
    object_draft draft;
    mproc_err err = event ? object_draft_new(OBJECT_EVENT, &draft) : MPROC_EINVAL;
    if (!err)
        object_commit(&draft, 0, &event->id);
    return err;
}

static uint64_t set_once_more(uint64_t word)
{
    return (word & ~OBJECT_WORD_MASK) | SET | ((word + 1) & TIMES);
}

mproc_err mproc_event_set(mproc_event event)
{
    object *cell;
    mproc_err err = object_check(event.id, OBJECT_EVENT, &cell);
    if (err)
        return err;
    const rounds times = times_of(cell);
    uint64_t word = atomic_load(&cell->word);
    do {
        if (!object_matches(word, event.id))
            return MPROC_ESTALE;
        if (word & SET)
            return MPROC_OK;
        rounds_keep(&times, event.id);
        if (word & WAITERS)
            object_touch(cell);
    } while (!swap(cell, &word, set_once_more(word)));
    if (word & WAITERS)
        object_wake(cell, UINT32_MAX);
    return MPROC_OK;
}

mproc_err mproc_event_clear(mproc_event event)
{
    object *cell;
    mproc_err err = object_check(event.id, OBJECT_EVENT, &cell);
    uint64_t word = err ? 0 : atomic_load(&cell->word);
    while (!err) {
        if (!object_matches(word, event.id))
            err = MPROC_ESTALE;
        else if (!(word & SET) || swap(cell, &word, word & ~SET))
            break;
    }
    return err;
}

bool mproc_event_is_set(mproc_event event)
{
    object *cell = object_is(event.id, OBJECT_EVENT) ? object_find(event.id) : NULL;
    uint64_t word = cell ? atomic_load_explicit(&cell->word, memory_order_acquire) : 0;
    return word & SET && object_matches(word, event.id);
}

static mproc_err sleep_on(object *cell, uint32_t seq, uint64_t word, int64_t deadline)
{
    if (!(word & WAITERS) && !atomic_compare_exchange_strong(&cell->word, &word, word | WAITERS))
        return MPROC_OK;
    killpoint();
    return object_sleep(cell, seq, deadline);
}

static mproc_err await_set(object *cell, mproc_event event, int64_t deadline)
{
    uint64_t word;
    const rounds times = times_of(cell);
    const uint64_t began = rounds_look(&times, &word);
    spin looking = spin_begin();
    for (bool slept = false;;) {
        uint32_t seq = atomic_load(&cell->seq);
        const uint64_t now = rounds_look(&times, &word);
        if (!object_matches(word, event.id))
            return MPROC_ESTALE;
        if (word & SET || now != began) {
            spin_end(&looking, !slept);
            return MPROC_OK;
        }
        if (deadline == 0)
            return MPROC_ETIMEDOUT;
        if (!slept && spin_once(&looking))
            continue;
        slept = true;
        mproc_err err = sleep_on(cell, seq, word, deadline);
        if (err) {
            spin_end(&looking, false);
            return err;
        }
    }
}

mproc_err mproc_event_wait(mproc_event event, int timeout_ms)
{
    object *cell;
    int64_t deadline;
    mproc_err err = object_check(event.id, OBJECT_EVENT, &cell);
    if (!err)
        err = park_deadline(timeout_ms, &deadline);
    return err ? err : await_set(cell, event, deadline);
}

mproc_err mproc_event_destroy(mproc_event event)
{
    return object_destroy(event.id, OBJECT_EVENT);
}

void event_sweep(object *cell, const slot *dead)
{
    if (object_was_touched(cell, dead))
        object_wake(cell, UINT32_MAX);
}
