#include "waiters.h"

#include "../killpoint.h"
#include "hint.h"
#include "spin.h"

enum { KIND_SHIFT = OBJECT_OWNER_BITS, COUNT_SHIFT = WAITER_COUNT_SHIFT, BATCH = 32 };

typedef enum { FREE, CLAIMED, WAITING, NOTIFIED } kind;

#define KINDS (UINT64_C(3) << KIND_SHIFT)
#define COUNT (~((UINT64_C(1) << COUNT_SHIFT) - 1))

static const int64_t beat = INT64_C(60000000000);

/* ---- the state word ---- */

static kind kind_of(uint64_t state)
{
    return (kind)((state & KINDS) >> KIND_SHIFT);
}

static uint64_t with_kind(uint64_t state, kind to)
{
    return to == FREE ? state & COUNT : (state & ~KINDS) | (uint64_t)to << KIND_SHIFT;
}

static bool swap(waiter *place, uint64_t from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(&place->state, &from, to);
    killpoint();
    return done;
}

/* By the slot's index alone: until a dead process has been swept no other one has its slot. */
static bool is_owned_by(uint64_t state, slot_id id)
{
    return kind_of(state) != FREE && (state & OBJECT_OWNER) == (id & 0xffff) + 1;
}

/* Of a place that is WAITING or NOTIFIED. Should it be another one's by now, the caller's CAS from
 * that state fails. A child's end is told to its parent, which sweeps its places; the others are
 * asked for. */
static bool owner_is_gone(const waiter *place, uint64_t state)
{
    slot_id id = atomic_load(&place->owner);
    uint32_t index = (uint32_t)(state & OBJECT_OWNER) - 1;
    if (id == family.self)
        return false;
    return !slot_is(id, SLOT_LIVING) || (!family_is_guarded(index) && family_is_gone(index));
}

/* ---- the table ---- */

/* The first place is nobody's: it holds how many have ever been in use, which only grows, and the
 * next ticket. */
static _Atomic uint64_t *high_mark(waiter *places)
{
    return &places[0].object;
}

static void raise_mark(waiter *places, uint64_t count)
{
    uint64_t now = atomic_load(high_mark(places));
    while (now < count && !atomic_compare_exchange_weak(high_mark(places), &now, count)) {
    }
    killpoint();
}

/* The place names the object and the lock that its owner will wait for; from now on they have an
 * audience. */
static mproc_err announce(waiter *place, uint64_t me, uint64_t id, uint64_t lock)
{
    hint *of_object = hint_use(id), *of_lock = hint_use(lock);
    if (!of_object || !of_lock)
        return MPROC_EAGAIN;
    atomic_store(&place->owner, me - 1);
    killpoint();
    atomic_store(&place->object, id);
    killpoint();
    atomic_store(&place->lock, lock);
    killpoint();
    hint_announce(of_object);
    if (of_lock != of_object)
        hint_announce(of_lock);
    return MPROC_OK;
}

typedef struct table {
    waiter *places;
    uint32_t count; /* places that may be in use; the first one is none of them */
} table;

static table look_at_table(void)
{
    uint32_t used;
    waiter *places = arena_use_table(ARENA_WAITERS, 0, &used);
    uint64_t high = places && used ? atomic_load(high_mark(places)) : 0;
    return (table){places, high < used ? (uint32_t)high : used};
}

static bool is_there(uint64_t id)
{
    const object *cell = object_find(id);
    return cell && object_matches(atomic_load(&cell->word), id);
}

static void ring(waiter *place)
{
    atomic_fetch_add(&place->wake, 1);
    killpoint();
    unpark(&place->wake, 1);
    killpoint();
}

/* ---- waiting ---- */

/* Who is about to end: see waiters_close. */
static _Atomic uint64_t closed_for;

static bool claim(waiter *place, uint64_t me, uint64_t *claimed)
{
    uint64_t state = atomic_load_explicit(&place->state, memory_order_relaxed);
    const uint64_t next = (state & COUNT) + (UINT64_C(1) << COUNT_SHIFT);
    *claimed = with_kind(next | (me & OBJECT_OWNER), CLAIMED);
    return kind_of(state) == FREE && next && swap(place, state, *claimed);
}

static waiter *claim_any(uint64_t me, uint64_t *claimed)
{
    static _Thread_local uint32_t last;
    uint32_t used;
    waiter *places = arena_use_table(ARENA_WAITERS, 1, &used);
    if (places && last && last < used && claim(&places[last], me, claimed))
        return &places[last];
    for (uint32_t i = 1; places; i++) {
        if (i >= used)
            places = arena_use_table(ARENA_WAITERS, i + 1, &used);
        if (!places)
            break;
        raise_mark(places, i + 1); /* before, so that a sweep misses none */
        if (claim(&places[i], me, claimed)) {
            last = i;
            return &places[i];
        }
    }
    return NULL;
}

mproc_err waiters_join(waiting *wait, uint64_t id, uint64_t lock)
{
    const uint64_t me = atomic_load(&objects.me);
    uint64_t claimed;
    slot_note_use(family.self, SLOT_USES_WAITERS);
    waiter *place = claim_any(me, &claimed);
    if (!place)
        return MPROC_EAGAIN;
    mproc_err err = atomic_load(&closed_for) == me ? MPROC_ESTATE : announce(place, me, id, lock);
    if (err) {
        swap(place, claimed, with_kind(claimed, FREE));
        return err;
    }
    waiter *first = arena_use_table(ARENA_WAITERS, 0, NULL);
    atomic_store(&place->ticket, atomic_fetch_add(&first->ticket, 1));
    killpoint();
    *wait = (waiting){place, with_kind(claimed, WAITING)};
    swap(place, claimed, wait->state);
    return MPROC_OK;
}

static mproc_err give_up(const waiting *wait, mproc_err err)
{
    return swap(wait->place, wait->state, with_kind(wait->state, FREE)) ? err : MPROC_OK;
}

static bool is_notified(const waiting *wait)
{
    return atomic_load(&wait->place->state) != wait->state;
}

static bool is_in_vain(const waiter *place)
{
    return !is_there(atomic_load(&place->object)) || !is_there(atomic_load(&place->lock));
}

static void look_after(uint64_t id);

static mproc_err sleep_on(waiter *place, uint32_t seq, int64_t deadline)
{
    int64_t next_beat = os_now() + beat;
    if (deadline <= next_beat)
        return park(&place->wake, seq, deadline, family.self);
    mproc_err err = park(&place->wake, seq, next_beat, family.self);
    if (err != MPROC_ETIMEDOUT)
        return err;
    look_after(atomic_load(&place->object));
    return MPROC_OK;
}

mproc_err waiters_await(const waiting *wait, int64_t deadline)
{
    spin looking = spin_begin();
    bool slept = false;
    for (;;) {
        uint32_t seq = atomic_load(&wait->place->wake);
        if (is_notified(wait)) {
            spin_end(&looking, !slept);
            return MPROC_OK;
        }
        if (deadline && !slept && spin_once(&looking))
            continue;
        if (is_in_vain(wait->place))
            return give_up(wait, MPROC_ESTALE);
        if (!deadline)
            return give_up(wait, MPROC_ETIMEDOUT);
        slept = true;
        mproc_err err = sleep_on(wait->place, seq, deadline);
        if (err) {
            spin_end(&looking, false);
            return give_up(wait, err);
        }
    }
}

void waiters_leave(const waiting *wait)
{
    uint64_t notified = with_kind(wait->state, NOTIFIED);
    swap(wait->place, notified, with_kind(notified, FREE));
}

/* ---- notifying ---- */

typedef struct choice {
    waiter *place;
    uint64_t state, ticket;
} choice;

/* In order of their tickets; `most` stay. */
static uint32_t insert(choice *chosen, uint32_t count, uint32_t most, choice one)
{
    uint32_t i = count;
    if (count == most && chosen[--i].ticket < one.ticket)
        return count;
    for (; i && chosen[i - 1].ticket > one.ticket; i--)
        chosen[i] = chosen[i - 1];
    chosen[i] = one;
    return count < most ? count + 1 : count;
}

/* Whether the place waits for that, at the moment in which it had that state. */
static bool waits_for(const waiter *place, uint64_t id, uint64_t *state)
{
    *state = atomic_load(&place->state);
    return kind_of(*state) == WAITING && atomic_load(&place->object) == id;
}

static uint32_t choose_oldest(uint64_t id, choice *chosen, uint32_t most)
{
    const table all = look_at_table();
    uint32_t count = 0;
    for (uint32_t i = 1; i < all.count; i++) {
        choice one = {.place = &all.places[i]};
        looked_at();
        if (!waits_for(one.place, id, &one.state))
            continue;
        one.ticket = atomic_load(&one.place->ticket);
        count = insert(chosen, count, most, one);
    }
    return count;
}

/* False: it has left in the meantime, or its process is dead. */
static bool notify(waiter *place, uint64_t state)
{
    if (owner_is_gone(place, state)) {
        swap(place, state, with_kind(state, FREE));
        return false;
    }
    if (!swap(place, state, with_kind(state, NOTIFIED)))
        return false;
    ring(place);
    return true;
}

static void notify_all(uint64_t id)
{
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        uint64_t state;
        if (waits_for(&all.places[i], id, &state))
            notify(&all.places[i], state);
    }
}

static void notify_some(uint64_t id, uint32_t count)
{
    choice chosen[BATCH];
    while (count) {
        uint32_t found = choose_oldest(id, chosen, count < BATCH ? count : BATCH);
        if (!found)
            return;
        for (uint32_t i = 0; i < found; i++)
            count -= notify(chosen[i].place, chosen[i].state);
    }
}

/* Whether somebody is in the table for an object or a lock with that hint. A place whose owner has
 * announced itself before names them. */
static bool has_audience(const hint *of)
{
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        const waiter *place = &all.places[i];
        looked_at();
        if (kind_of(atomic_load(&place->state)) != FREE &&
            (hint_find(atomic_load(&place->object)) == of ||
             hint_find(atomic_load(&place->lock)) == of))
            return true;
    }
    return false;
}

void waiters_notify(uint64_t id, uint32_t count)
{
    hint *of = hint_find(id);
    const uint64_t seen = hint_look(of);
    if (!(seen & HINT_AUDIENCE))
        return;
    slot_note_use(family.self, SLOT_USES_WAITERS);
    if (count == UINT32_MAX)
        notify_all(id);
    else
        notify_some(id, count);
    if (!has_audience(of))
        hint_retract(of, seen);
}

void waiters_wake(uint64_t id)
{
    hint *of = hint_find(id);
    const uint64_t seen = hint_look(of);
    if (!(seen & HINT_AUDIENCE))
        return;
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        waiter *place = &all.places[i];
        looked_at();
        if (kind_of(atomic_load(&place->state)) == WAITING &&
            (atomic_load(&place->object) == id || atomic_load(&place->lock) == id))
            ring(place);
    }
    if (!has_audience(of))
        hint_retract(of, seen);
}

/* ---- after an end ---- */

/* First handed on, then gone: killed in between, one is notified too many. */
static void free_dead(waiter *place, uint64_t state)
{
    if (kind_of(state) == NOTIFIED)
        waiters_notify(atomic_load(&place->object), 1);
    swap(place, state, with_kind(state, FREE));
}

/* Its waiting places are free before any notification is handed on: none of them gets it. */
static void free_places_of(slot_id dead, bool notified)
{
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        uint64_t state = atomic_load(&all.places[i].state);
        looked_at();
        if (is_owned_by(state, dead) && (kind_of(state) == NOTIFIED) == notified)
            free_dead(&all.places[i], state);
    }
}

/* What the dead one has begun: to notify somebody. */
static void wake_forgotten(void)
{
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        waiter *place = &all.places[i];
        looked_at();
        kind now = kind_of(atomic_load(&place->state));
        if (now == NOTIFIED || (now == WAITING && is_in_vain(place)))
            ring(place);
    }
}

void waiters_sweep(slot_id dead)
{
    if (!slot_has_used(dead, SLOT_USES_WAITERS))
        return;
    free_places_of(dead, false);
    free_places_of(dead, true);
    wake_forgotten();
}

/* For a process whose end nobody is told of. */
static void look_after(uint64_t id)
{
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        waiter *place = &all.places[i];
        uint64_t state = atomic_load(&place->state);
        if (kind_of(state) == NOTIFIED && atomic_load(&place->object) == id &&
            owner_is_gone(place, state))
            free_dead(place, state);
    }
}

bool waiters_close(void)
{
    const uint64_t me = atomic_load(&objects.me);
    atomic_store(&closed_for, me);
    if (!slot_has_used(family.self, SLOT_USES_WAITERS))
        return true;
    const table all = look_at_table();
    for (uint32_t i = 1; i < all.count; i++) {
        uint64_t state = atomic_load(&all.places[i].state);
        if (is_owned_by(state, me - 1))
            return false;
    }
    return true;
}
