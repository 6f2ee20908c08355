#include "robust.h"

#include "../killpoint.h"
#include "hint.h"
#include "spin.h"
#include "waiters.h"

#define WAITERS (UINT64_C(1) << 15)
#define DIRTY (UINT64_C(1) << 14)
#define HOLDER (OBJECT_WORD_MASK & ~(WAITERS | DIRTY))
#define MOST_TAKEN UINT64_C(0xffffffff)

static const int64_t first_beat = 100000000;

static bool swap(object *cell, uint64_t *from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(&cell->word, from, to);
    killpoint();
    return done;
}

static bool is_held(uint64_t word)
{
    return word & OBJECT_OWNER;
}

static bool is_held_by(uint64_t word, uint64_t holder)
{
    return (word & HOLDER) == holder;
}

static uint64_t depth_of(const object *cell)
{
    return atomic_load(&cell->extra) & OBJECT_WORD_MASK;
}

/* By the generation, too: a holder that was paused across a destroy writes into nothing. */
static void set_depth(object *cell, uint64_t id, uint64_t from, uint64_t to)
{
    uint64_t extra = object_word(id, from);
    atomic_compare_exchange_strong(&cell->extra, &extra, object_word(id, to));
    killpoint();
}

static mproc_err take_again(object *cell, uint64_t id)
{
    uint64_t depth = depth_of(cell);
    if (depth >= MOST_TAKEN)
        return MPROC_ERANGE;
    set_depth(cell, id, depth, depth + 1);
    return MPROC_OK;
}

/* The holder is dead: nobody holds it now. One CAS, and again it finds nothing to do; so should this
 * process die before it wakes a waiter, its own sweep has to. Nothing else is changed here: somebody
 * may have been faster, and the next one hold it already. */
static void replace_dead(object *cell, uint64_t word)
{
    object_touch(cell);
    if (swap(cell, &word, (word & ~HOLDER) | DIRTY))
        object_wake(cell, 1);
}

/* By the word itself: in the cell that one looks at another object may live by now. */
static bool is_lock(uint64_t word)
{
    switch ((object_type)(word >> OBJECT_WORD_BITS & (OBJECT_TYPES - 1))) {
    case OBJECT_LOCK:
    case OBJECT_RLOCK:
    case OBJECT_CONDITION:
    case OBJECT_VALUE:
    case OBJECT_ARRAY:
    case OBJECT_STRING:
        return true;
    default:
        return false;
    }
}

/* Also in an object whose destroyer has not yet taken the generation away. */
static void replace_holder(object *cell, slot_id dead)
{
    uint64_t word = atomic_load(&cell->word);
    while (is_lock(word) && (word & OBJECT_OWNER) == (dead & 0xffff) + 1) {
        replace_dead(cell, word);
        word = atomic_load(&cell->word);
    }
}

/* The dead one held what has been destroyed meanwhile. */
static void drop_dead(object *cell, slot_id dead)
{
    uint64_t word = atomic_load(&cell->word);
    while (!(word >> OBJECT_WORD_BITS) && (word & OBJECT_OWNER) == (dead & 0xffff) + 1 &&
           !swap(cell, &word, 0)) {
    }
}

void robust_sweep(object *cell, slot_id dead)
{
    replace_holder(cell, dead);
    robust_finish(cell, dead); /* it may have been destroyed under the dead one meanwhile */
}

static uint32_t holder_of(uint64_t word)
{
    return (uint32_t)(word & OBJECT_OWNER) - 1;
}

void robust_look_after(object *cell, uint64_t id)
{
    uint64_t word = atomic_load(&cell->word);
    if (object_matches(word, id) && is_held(word) && family_is_gone(holder_of(word)))
        replace_dead(cell, word);
}

/* ---- acquiring ---- */

/* One thread's way to the lock. */
typedef struct attempt {
    object *cell;
    uint64_t id, me;
    int64_t deadline, beat, next_beat;
    uint32_t holder; /* the beat is for this one */
    bool guarded;    /* somebody watches the holder that was looked at last */
    bool slept;
} attempt;

/* How often a dead holder had taken it counts no more: the holder of now, and nobody else, says so. */
static mproc_err take(attempt *a, uint64_t *word)
{
    if (!swap(a->cell, word, *word | a->me | (a->slept ? WAITERS : 0)))
        return MPROC_ETIMEDOUT;
    if (!(*word & DIRTY))
        return MPROC_OK;
    uint64_t depth = depth_of(a->cell);
    if (depth)
        set_depth(a->cell, a->id, depth, 0);
    return MPROC_EOWNERDEAD;
}

/* By a quarter more or less: threads that fell asleep together do not wake together. */
static int64_t spread(const attempt *a, int64_t beat, int64_t now)
{
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    const int64_t chance = (int64_t)((((uint64_t)now ^ a->me) * golden) >> 48); /* 16 bits */
    return beat * 3 / 4 + (beat / 2 >> 16) * chance;
}

/* One of the threads that sleep on a lock is on duty: it looks after the holder soon, and has
 * promised it in the lock's hint. All others look seldom. Should the one on duty be killed or stopped,
 * or get the lock, the promise runs out, and the next one that goes to sleep is on duty. A hint: no
 * kill point. */
static bool takes_duty(const attempt *a, int64_t now)
{
    hint *of = hint_use(a->id);
    int64_t due = of ? atomic_load(&of->due) : 0;
    const bool promised = due > now && due <= now + first_beat;
    return !promised && (!of || atomic_compare_exchange_strong(&of->due, &due, now + first_beat));
}

static int64_t until(attempt *a, uint64_t word)
{
    const int64_t now = os_now();
    if (!a->beat || (a->holder != holder_of(word) && !a->guarded))
        a->beat = takes_duty(a, now) ? first_beat : spread(a, 2 * family_slow_beat(), now);
    a->holder = holder_of(word);
    a->next_beat = now + a->beat;
    return a->next_beat < a->deadline ? a->next_beat : a->deadline;
}

/* Whether somebody watches it is asked no sooner, for most waits are over before, and asking costs
 * as much as sleeping. */
static void look_after_holder(attempt *a)
{
    uint64_t word = atomic_load(&a->cell->word);
    if (!object_matches(word, a->id) || !is_held(word))
        return;
    const uint32_t holder = holder_of(word);
    const int64_t slow = family_slow_beat();
    robust_look_after(a->cell, a->id);
    a->guarded = family_is_guarded(holder);
    a->beat = a->beat * 2 < slow && !a->guarded ? a->beat * 2 : spread(a, slow, os_now());
}

/* The word said that somebody holds it. MPROC_OK: look again. */
static mproc_err sleep_on(attempt *a, uint32_t seq, uint64_t word)
{
    object_touch(a->cell);
    if (!(word & WAITERS) && !swap(a->cell, &word, word | WAITERS))
        return MPROC_OK;
    a->slept = true;
    mproc_err err = park(&a->cell->seq, seq, until(a, word), family.self);
    if (err != MPROC_ETIMEDOUT)
        return err;
    if (os_now() >= a->next_beat)
        look_after_holder(a);
    return a->deadline != OS_FOREVER && os_now() >= a->deadline ? MPROC_ETIMEDOUT : MPROC_OK;
}

/* Others may still sleep behind one that has been woken and goes away without the lock. */
static mproc_err leave(attempt *a, mproc_err err)
{
    if (a->slept && err != MPROC_ETIMEDOUT)
        object_wake(a->cell, 1);
    return err;
}

static mproc_err acquire(attempt *a)
{
    spin looking = spin_begin();
    for (;;) {
        uint32_t seq = atomic_load(&a->cell->seq);
        uint64_t word = atomic_load(&a->cell->word);
        if (!object_matches(word, a->id))
            return leave(a, MPROC_ESTALE);
        if (!is_held(word)) {
            mproc_err err = take(a, &word);
            if (err == MPROC_ETIMEDOUT)
                continue;
            spin_end(&looking, !a->slept);
            return err;
        }
        if (a->deadline == 0)
            return MPROC_ETIMEDOUT;
        if (!a->slept && spin_once(&looking))
            continue;
        mproc_err err = sleep_on(a, seq, word);
        if (err) {
            spin_end(&looking, false);
            return leave(a, err);
        }
    }
}

mproc_err robust_acquire_until(object *cell, uint64_t id, bool recursive, int64_t deadline)
{
    attempt a = {.cell = cell, .id = id, .deadline = deadline};
    object_note(id);
    uint64_t word = atomic_load(&cell->word);
    a.me = recursive ? threads_join() : robust_me(false);
    if (!a.me)
        return MPROC_EAGAIN;
    if (recursive && object_matches(word, id) && is_held_by(word & OBJECT_WORD_MASK, a.me)) {
        mproc_err err = take_again(cell, id);
        return err ? err : word & DIRTY ? MPROC_EOWNERDEAD : MPROC_OK;
    }
    mproc_err err = acquire(&a);
    if (recursive && (!err || err == MPROC_EOWNERDEAD))
        threads_hold();
    return err;
}

mproc_err robust_acquire_slowly(object *cell, uint64_t id, bool recursive, int timeout_ms)
{
    int64_t deadline;
    mproc_err err = park_deadline(timeout_ms, &deadline);
    return err ? err : robust_acquire_until(cell, id, recursive, deadline);
}

/* ---- releasing ---- */

static mproc_err check_holder(uint64_t word, uint64_t id, bool recursive)
{
    if (!object_matches(word, id))
        return MPROC_ESTALE;
    const uint64_t me = robust_me(true);
    bool held = recursive ? me && is_held_by(word & OBJECT_WORD_MASK, me) : is_held(word);
    return held ? MPROC_OK : MPROC_ENOTOWNER;
}

static mproc_err release(object *cell, uint64_t id, bool recursive)
{
    uint64_t word = atomic_load(&cell->word);
    for (;;) {
        mproc_err err = check_holder(word, id, recursive);
        if (err)
            return err;
        if (word & WAITERS)
            object_touch(cell);
        if (swap(cell, &word, word & ~(HOLDER | WAITERS)))
            break;
    }
    if (recursive)
        threads_let_go();
    if (word & WAITERS)
        object_wake(cell, 1);
    return MPROC_OK;
}

mproc_err robust_release_slowly(object *cell, uint64_t id, bool recursive)
{
    mproc_err err = check_holder(atomic_load(&cell->word), id, recursive);
    uint64_t depth = err || !recursive ? 0 : depth_of(cell);
    if (err || !depth)
        return err ? err : release(cell, id, recursive);
    set_depth(cell, id, depth, depth - 1);
    return MPROC_OK;
}

uint64_t robust_suspend(object *cell, uint64_t id, bool recursive)
{
    uint64_t depth = recursive ? depth_of(cell) : 0;
    if (depth)
        set_depth(cell, id, depth, 0);
    release(cell, id, recursive);
    return depth;
}

mproc_err robust_resume(object *cell, uint64_t id, bool recursive, uint64_t depth)
{
    mproc_err err;
    uint32_t turns = 0;
    do {
        err = robust_acquire(cell, id, recursive, MPROC_FOREVER);
        if (err == MPROC_EAGAIN)
            spin_give_way(&turns);
    } while (err == MPROC_EINTR || err == MPROC_EAGAIN);
    if (depth && (!err || err == MPROC_EOWNERDEAD))
        set_depth(cell, id, 0, depth);
    return err;
}

mproc_err robust_check_holder(object *cell, uint64_t id, bool recursive)
{
    uint64_t word = atomic_load(&cell->word);
    mproc_err err = check_holder(word, id, recursive);
    if (err || recursive)
        return err;
    return is_held_by(word & OBJECT_WORD_MASK, robust_me(false)) ? MPROC_OK : MPROC_ENOTOWNER;
}

mproc_err robust_mark_consistent(object *cell, uint64_t id, bool recursive)
{
    mproc_err err = robust_check_holder(cell, id, recursive);
    uint64_t word = atomic_load(&cell->word);
    while (!err && word & DIRTY && !swap(cell, &word, word & ~DIRTY))
        err = robust_check_holder(cell, id, recursive);
    return err;
}

/* Those who wait on a condition wake while the end is still in this process's charge: so its sweep wakes
 * them once more. */
static mproc_err end_lock(uint64_t id, object_type type)
{
    object *cell;
    mproc_err err = object_begin_end(id, type, &cell);
    if (err)
        return err;
    waiters_wake(id);
    object_end(cell, id);
    return MPROC_OK;
}

/* Only the holder itself changes that it holds it. */
mproc_err robust_end_lock(uint64_t id, object_type type)
{
    object *cell;
    mproc_err err = object_check(id, type, &cell);
    const bool held = !err && type != OBJECT_LOCK && !robust_check_holder(cell, id, true);
    if (!err)
        err = end_lock(id, type);
    if (!err && held)
        threads_let_go();
    return err;
}

/* ---- ending what is its own lock ---- */

static bool is_own_lock(uint64_t id)
{
    return object_is(id, OBJECT_VALUE) || object_is(id, OBJECT_ARRAY) ||
           object_is(id, OBJECT_STRING);
}

/* From here on its handle is stale. Who sleeps there finds that. */
static void retire(object *cell, uint64_t id)
{
    uint64_t word = atomic_load(&cell->word);
    while (object_matches(word, id) && !swap(cell, &word, word & HOLDER)) {
    }
    object_wake(cell, UINT32_MAX);
}

/* The holder's process, if that still is to let go. */
static bool is_left_to_holder(const object *cell, uint64_t me)
{
    const uint64_t word = atomic_load(&cell->word);
    return is_held(word) && word != me && !family_is_gone(holder_of(word));
}

/* In this process's charge, and retired. The release of the charge and the look at the holder after
 * it, and the holder's release and its look at the charge, stand in one order: so one of the two
 * ends it. */
static void end_or_leave(object *cell, uint64_t id, uint64_t me)
{
    while (is_left_to_holder(cell, me)) {
        object_entrust(cell, id, family.self, OBJECT_ABANDONED);
        if (is_held(atomic_load(&cell->word)) ||
            !object_entrust(cell, id, OBJECT_ABANDONED, family.self))
            return;
    }
    const bool held = me && atomic_load(&cell->word) == me;
    object_end(cell, id);
    if (held)
        threads_let_go();
}

mproc_err robust_destroy(uint64_t id, object_type type, bool recursive)
{
    object *cell;
    mproc_err err = object_claim_end(id, type, &cell);
    if (err)
        return err;
    object_touch(cell);
    retire(cell, id);
    end_or_leave(cell, id, recursive ? robust_me(true) : 0);
    return MPROC_OK;
}

void robust_leave(object *cell, uint64_t id, bool recursive)
{
    uint64_t word = robust_me(recursive), depth = atomic_load(&cell->extra);
    if (!word || !object_is_ending(cell, id) || atomic_load(&cell->word) != word)
        return;
    depth = recursive && object_matches(depth, id) ? depth & OBJECT_WORD_MASK : 0;
    if (depth) {
        set_depth(cell, id, depth, depth - 1);
        return;
    }
    object_touch(cell);
    if (!swap(cell, &word, 0))
        return;
    if (recursive)
        threads_let_go();
    if (object_entrust(cell, id, OBJECT_ABANDONED, family.self))
        object_end(cell, id);
}

bool robust_finish(object *cell, slot_id dead)
{
    const uint64_t id = object_id(cell);
    if (!is_own_lock(id) || !object_is_ending(cell, id))
        return false;
    replace_holder(cell, dead);
    drop_dead(cell, dead);
    if (object_entrust(cell, id, dead, family.self) ||
        object_entrust(cell, id, OBJECT_ABANDONED, family.self)) {
        retire(cell, id);
        drop_dead(cell, dead);
        end_or_leave(cell, id, 0);
    }
    return true;
}
