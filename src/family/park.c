#include "park.h"

/* Without a futex each sleeping thread has a place in one table and an os_signal in another. A
 * place belongs to a process (`owner`) from its first use until its end, and to one thread of it
 * at a time (`word`):
 *
 *   UNUSED -> TAKEN            by a thread of the owner
 *   TAKEN -> ASLEEP | offset   "wake me for this word"; then the thread looks at its word once more
 *   ASLEEP | offset -> TAKEN   by the one waker that then posts the signal
 *   any -> UNUSED              by the thread, when it goes on
 *
 * The waker has changed its word before it looks through the places, and the sleeper looks after
 * it has announced itself: both in sequential consistency, so one of them sees the other. A post
 * that comes too late wakes the next one for no reason, which is allowed. A waker that is killed
 * between its CAS and its post leaves a sleeper that nobody will find again: so the sweep of an
 * abnormal end wakes everybody. */
#define UNUSED UINT64_C(0)
#define TAKEN UINT64_C(1)
#define ASLEEP (UINT64_C(1) << 63)
/* Of an owner: its signal is not ready, no other thread of that process may sleep there yet. */
#define PREPARING (UINT64_C(1) << 63)

static bool swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(word, &from, to);
}

/* The first place is nobody's: its word holds how many have ever been in use, and only grows. */
static _Atomic uint64_t *high_mark(park_place *places)
{
    return &places[0].word;
}

static void raise_mark(park_place *places, uint64_t count)
{
    uint64_t now = atomic_load(high_mark(places));
    while (now < count && !atomic_compare_exchange_weak(high_mark(places), &now, count)) {
    }
}

static os_signal *signal_of(uint32_t index)
{
    os_signal *signals = arena_use_table(ARENA_SIGNALS, index + 1, NULL);
    return signals ? &signals[index] : NULL;
}

/* `full`: there is no room for a signal, here or at the next place. */
static bool take(park_place *places, uint32_t index, slot_id self, bool *full)
{
    park_place *place = &places[index];
    if (atomic_load(&place->owner) == self)
        return swap(&place->word, UNUSED, TAKEN);
    if (atomic_load(&place->owner))
        return false;
    raise_mark(places, index + 1); /* before, so that a sweep misses none */
    if (!swap(&place->owner, 0, self | PREPARING))
        return false;
    os_signal *signal = signal_of(index);
    if (!signal || os_signal_init(signal, arena_nonce(), index)) {
        atomic_store(&place->owner, 0);
        *full = true;
        return false;
    }
    atomic_store(&place->word, TAKEN);
    atomic_store(&place->owner, self);
    return true;
}

static uint32_t take_any(slot_id self, park_place **table)
{
    static _Thread_local uint32_t mine;
    uint32_t used;
    park_place *places = arena_use_table(ARENA_PLACES, 1, &used);
    bool full = false;
    *table = places;
    if (places && mine && take(places, mine, self, &full))
        return mine;
    for (uint32_t i = 1; places && !full; i++) {
        if (i >= used)
            *table = places = arena_use_table(ARENA_PLACES, i + 1, &used);
        if (places && take(places, i, self, &full))
            return mine = i;
    }
    return 0;
}

static mproc_err park_at_place(_Atomic uint32_t *word, uint32_t expected, int64_t deadline,
                               slot_id self)
{
    park_place *places;
    uint32_t index = take_any(self, &places);
    if (!index)
        return MPROC_EAGAIN;
    atomic_store(&places[index].word, ASLEEP | arena_offset(word));
    mproc_err err = MPROC_OK;
    if (atomic_load(word) == expected)
        err = os_signal_wait(signal_of(index), deadline);
    /* Whoever has chosen this thread counts it as woken, even if its time was up before the
     * post. */
    return atomic_exchange(&places[index].word, UNUSED) == TAKEN ? MPROC_OK : err;
}

mproc_err park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, slot_id self)
{
    if (os_has_futex)
        return os_futex_wait(word, expected, deadline);
    return park_at_place(word, expected, deadline, self);
}

mproc_err park_deadline(int timeout_ms, int64_t *deadline)
{
    const int64_t millisecond = 1000000;
    if (timeout_ms < MPROC_FOREVER)
        return MPROC_EINVAL;
    if (timeout_ms == MPROC_FOREVER)
        *deadline = OS_FOREVER;
    else
        *deadline = timeout_ms ? os_now() + timeout_ms * millisecond : 0;
    return MPROC_OK;
}

static bool wake(park_place *places, uint32_t index, uint64_t from)
{
    if (!(from & ASLEEP) || !swap(&places[index].word, from, TAKEN))
        return false;
    os_signal_post(signal_of(index));
    return true;
}

void unpark(_Atomic uint32_t *word, uint32_t count)
{
    if (os_has_futex) {
        os_futex_wake(word, count);
        return;
    }
    const uint64_t wanted = ASLEEP | arena_offset(word);
    park_place *places = arena_use_table(ARENA_PLACES, 1, NULL);
    uint64_t high = places ? atomic_load(high_mark(places)) : 0;
    for (uint32_t i = 1; count && i < high && i < PARK_PLACES; i++) {
        if (atomic_load(&places[i].word) == wanted && wake(places, i, wanted))
            count--;
    }
}

void park_sweep(slot_id dead, bool clean)
{
    if (os_has_futex)
        return;
    park_place *places = arena_use_table(ARENA_PLACES, 1, NULL);
    uint64_t high = places ? atomic_load(high_mark(places)) : 0;
    for (uint32_t i = 1; i < high && i < PARK_PLACES; i++) {
        uint64_t word = atomic_load(&places[i].word);
        uint64_t owner = atomic_load(&places[i].owner);
        if ((owner & ~PREPARING) == dead) {
            /* Word first: a place that is killed half-swept still belongs to the dead one. */
            atomic_store(&places[i].word, UNUSED);
            swap(&places[i].owner, owner, 0);
        } else if (!clean && word != UNUSED && !wake(places, i, word)) {
            os_signal_post(signal_of(i)); /* TAKEN: maybe chosen by the dead one */
        }
    }
}
