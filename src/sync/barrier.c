#include <mproc/barrier.h>

#include <stdlib.h>
#include <string.h>

#include "../family/heap.h"
#include "../family/rounds.h"
#include "../family/spin.h"
#include "../killpoint.h"
#include "members.h"
#include "sweep.h"

/* word: generation | state 2 | phase 13 | resets 4 | SLEEPERS | count 16 | epoch 4; `number` is the
 * parties.
 *
 *   FILLING: `count` have come. The last one makes it the next phase, count 0; or, if there is an
 *   action, ACTING, and the next phase when that has run. Each reset is a phase and an epoch of its
 *   own. BROKEN: for whatever reason; until a reset.
 *
 * One CAS each. A waiter remembers the word that counted it. As long as the phase is the same it
 * waits. Once it is another, all have come, unless that was a reset: `extra` counts those, before
 * they happen, and `resets` has a bit for each of the last phases, the newest lowest, that says
 * which were. So only one that comes late by more phases than that, with a reset among them, cannot
 * know, and says broken. While it is stopped, more threads than parties may pass on without it, and
 * the phase come round: a field makes it wide (rounds.h).
 *
 * All are woken at once, so a waiter that dies takes nothing with it. One that dies between
 * its CAS and the wake-up has touched the object before.
 *
 * Whoever comes is a member before it is counted: its sweep breaks the barrier first, then wakes
 * all, and only then forgets the member, so that a sweep killed on the way is done once more in
 * full. */
enum { EPOCH_SHIFT = 0, COUNT_SHIFT = 4, SLEEPERS_SHIFT = 20, RESETS_SHIFT = 21, PHASE_SHIFT = 25 };
enum { RESETS_BITS = 4, PHASE_BITS = 13, COUNT_BITS = 16, STATE_SHIFT = 38 };
_Static_assert(EPOCH_SHIFT + MEMBERS_EPOCH_BITS == COUNT_SHIFT, "as members_tag reads it");
_Static_assert(STATE_SHIFT == PHASE_SHIFT + PHASE_BITS && STATE_SHIFT + 2 == OBJECT_WORD_BITS,
               "the word is full");

#define SLEEPERS (UINT64_C(1) << SLEEPERS_SHIFT)
#define ONE (UINT64_C(1) << COUNT_SHIFT)
#define FIELD(word, shift, bits) ((word) >> (shift) & ((UINT64_C(1) << (bits)) - 1))

typedef enum { FILLING, ACTING, BROKEN } barrier_state;

typedef struct barrier_block {
    members members;
    _Atomic uint64_t identity, offset; /* the action's code */
    _Atomic uint64_t args_size;
    _Atomic uint64_t args[];
} barrier_block;

enum { FIELD_TIMEOUT, FIELD_ACTS, FIELD_HALVES }; /* of the object's own */

static const int64_t first_beat = 100000000;

/* ---- the word ---- */

static barrier_state state_of(uint64_t word)
{
    return (barrier_state)FIELD(word, STATE_SHIFT, 2);
}

static uint64_t count_of(uint64_t word)
{
    return FIELD(word, COUNT_SHIFT, COUNT_BITS);
}

static uint64_t with_state(uint64_t word, barrier_state state)
{
    return (word & ~(UINT64_C(3) << STATE_SHIFT)) | (uint64_t)state << STATE_SHIFT;
}

static rounds phases_of(object *cell)
{
    return (rounds){&cell->word, &cell->field[FIELD_HALVES], PHASE_SHIFT, PHASE_BITS};
}

/* Nobody in it, FILLING. */
static uint64_t next_phase(uint64_t word, bool reset)
{
    const uint64_t phases = (1 << PHASE_BITS) - 1, resets = (1 << RESETS_BITS) - 1,
                   epochs = (1 << MEMBERS_EPOCH_BITS) - 1;
    uint64_t phase = (FIELD(word, PHASE_SHIFT, PHASE_BITS) + 1) & phases;
    uint64_t history = (FIELD(word, RESETS_SHIFT, RESETS_BITS) << 1 | reset) & resets;
    uint64_t epoch = (word + reset) & epochs;
    return (word & ~OBJECT_WORD_MASK) | phase << PHASE_SHIFT | history << RESETS_SHIFT | epoch;
}

static uint64_t broken(uint64_t word)
{
    const uint64_t count = ((UINT64_C(1) << COUNT_BITS) - 1) << COUNT_SHIFT;
    return with_state(word & ~(count | SLEEPERS), BROKEN);
}

static bool swap(object *cell, uint64_t *from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(&cell->word, from, to);
    killpoint();
    return done;
}

/* To a word that lets others go. */
static bool release(object *cell, uint64_t *from, uint64_t to)
{
    if (*from & SLEEPERS)
        object_touch(cell);
    if (!swap(cell, from, to))
        return false;
    if (*from & SLEEPERS)
        object_wake(cell, UINT32_MAX);
    return true;
}

/* The block of the object that has that word; NULL: it is gone. What the block says is the object's
 * only if the object is still there afterwards. */
static barrier_block *block_of(const object *cell, uint64_t word)
{
    arena_ref ref = atomic_load(&cell->block);
    uint64_t now = atomic_load(&cell->word);
    return ref && now >> OBJECT_WORD_BITS == word >> OBJECT_WORD_BITS ? arena_at(ref) : NULL;
}

/* ---- life ---- */

static const mproc_barrier_options nothing;

static mproc_err check_options(const mproc_barrier_options *options, os_code *code)
{
    if (options->timeout_ms < MPROC_FOREVER || (options->args_size && !options->args) ||
        (options->args_size && !options->action))
        return MPROC_EINVAL;
    return options->action ? os_code_from((os_function)options->action, code) : MPROC_OK;
}

static size_t words_of(size_t bytes)
{
    return bytes / sizeof(uint64_t) + (bytes % sizeof(uint64_t) != 0);
}

static void copy_args(barrier_block *block, const void *args, size_t size)
{
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = size - done;
        memcpy(&word, (const unsigned char *)args + done, left < sizeof word ? left : sizeof word);
        atomic_store_explicit(&block->args[done / sizeof word], word, memory_order_relaxed);
    }
}

static mproc_err furnish(object_draft *draft, const mproc_barrier_options *options,
                         const os_code *code)
{
    const size_t words = words_of(options->args_size);
    if (words > (SIZE_MAX - sizeof(barrier_block)) / sizeof(uint64_t))
        return MPROC_ENOMEM;
    mproc_err err = object_draft_block(draft, sizeof(barrier_block) + words * sizeof(uint64_t));
    if (err)
        return err;
    barrier_block *block = arena_at(atomic_load(&draft->cell->block));
    members_begin(&block->members, object_word(draft->id, 0));
    atomic_store(&block->identity, code->identity);
    atomic_store(&block->offset, code->offset);
    atomic_store(&block->args_size, options->args_size);
    copy_args(block, options->args, options->args_size);
    const int timeout_ms = options->timeout_ms ? options->timeout_ms : MPROC_FOREVER;
    atomic_store(&draft->cell->field[FIELD_TIMEOUT], (uint64_t)(int64_t)timeout_ms);
    atomic_store(&draft->cell->field[FIELD_ACTS], options->action != NULL);
    atomic_store(&draft->cell->field[FIELD_HALVES], object_word(draft->id, 0));
    return MPROC_OK;
}

mproc_err mproc_barrier_create(mproc_barrier *barrier, unsigned parties,
                               const mproc_barrier_options *options)
{
    os_code code = {0, 0};
    object_draft draft;
    options = options ? options : &nothing;
    if (!barrier || !parties || parties > MPROC_BARRIER_PARTIES_MAX)
        return MPROC_EINVAL;
    mproc_err err = check_options(options, &code);
    if (err || (err = object_draft_new(OBJECT_BARRIER, &draft)))
        return err;
    atomic_store(&draft.cell->number, parties);
    err = furnish(&draft, options, &code);
    if (err)
        object_discard(&draft);
    else
        object_commit(&draft, 0, &barrier->id);
    return err;
}

mproc_err mproc_barrier_destroy(mproc_barrier barrier)
{
    return object_destroy(barrier.id, OBJECT_BARRIER);
}

/* ---- one thread's wait ---- */

typedef struct visit {
    object *cell;
    barrier_block *block;
    uint64_t id;
    int64_t deadline, beat;
    rounds phases;
    uint64_t arrived; /* the word before it was counted, the phase, and `extra` before that */
    uint64_t phase, resets;
    spin looking;
    bool slept;
} visit;

/* What has become of it. MPROC_ETIMEDOUT: it still waits. */
static mproc_err judge(const visit *v, uint64_t word)
{
    const uint64_t halves = atomic_load(v->phases.halves);
    if (!object_matches(word, v->id) || !object_matches(halves, v->id))
        return MPROC_ESTALE;
    const uint64_t behind = rounds_wide(&v->phases, word, halves) - v->phase;
    if (!behind)
        return state_of(word) == BROKEN ? MPROC_EBROKEN : MPROC_ETIMEDOUT;
    if (atomic_load(&v->cell->extra) == v->resets)
        return MPROC_OK;
    bool known = behind <= RESETS_BITS;
    return known && !FIELD(word, RESETS_SHIFT + behind - 1, 1) ? MPROC_OK : MPROC_EBROKEN;
}

static bool is_unguarded(uint32_t index)
{
    return !family_is_guarded(index);
}

static bool has_died_unseen(uint32_t index)
{
    return is_unguarded(index) && family_is_gone(index);
}

/* As long as somebody watches all members, their sweeps will do it. */
static void look_after_members(visit *v)
{
    uint64_t word = atomic_load(&v->cell->word);
    const int64_t slow = family_slow_beat();
    const bool watched = !members_any(&v->block->members, word, is_unguarded);
    v->beat = watched || v->beat * 2 > slow ? slow : v->beat * 2;
    if (watched)
        return;
    while (object_matches(word, v->id) && state_of(word) != BROKEN &&
           members_any(&v->block->members, word, has_died_unseen) &&
           !release(v->cell, &word, broken(word))) {
    }
}

/* MPROC_OK: look again. */
static mproc_err sleep_on(visit *v, uint32_t seq, uint64_t word)
{
    if (!(word & SLEEPERS) && !swap(v->cell, &word, word | SLEEPERS))
        return MPROC_OK;
    v->slept = true;
    const int64_t next_beat = os_now() + v->beat;
    mproc_err err =
        park(&v->cell->seq, seq, next_beat < v->deadline ? next_beat : v->deadline, family.self);
    if (err != MPROC_ETIMEDOUT)
        return err;
    const int64_t now = os_now();
    if (now >= next_beat)
        look_after_members(v);
    return now >= v->deadline ? MPROC_ETIMEDOUT : MPROC_OK;
}

/* It goes before all have come, unless they just have: so it breaks the barrier for the others. */
static mproc_err give_up(visit *v, mproc_err why)
{
    uint64_t word = atomic_load(&v->cell->word);
    for (;;) {
        mproc_err err = judge(v, word);
        if (err != MPROC_ETIMEDOUT)
            return err;
        if (release(v->cell, &word, broken(word)))
            return why;
    }
}

/* Until the phase in which it came is over. */
static mproc_err await_phase(visit *v)
{
    for (;;) {
        uint32_t seq = atomic_load(&v->cell->seq);
        uint64_t word = atomic_load(&v->cell->word);
        mproc_err err = judge(v, word);
        if (err != MPROC_ETIMEDOUT)
            return err;
        if (v->deadline == 0)
            return give_up(v, MPROC_ETIMEDOUT);
        if (!v->slept && spin_once(&v->looking))
            continue;
        err = sleep_on(v, seq, word);
        if (err)
            return give_up(v, err);
    }
}

/* The arguments are its own, for the barrier may be destroyed while it runs. */
static mproc_err run_action(visit *v)
{
    const os_code code = {atomic_load(&v->block->identity), atomic_load(&v->block->offset)};
    const size_t size = (size_t)atomic_load(&v->block->args_size), words = words_of(size);
    mproc_err err = judge(v, atomic_load(&v->cell->word));
    if (err != MPROC_ETIMEDOUT)
        return err;
    uint64_t *args = size ? malloc(words * sizeof *args) : NULL;
    if (size && !args)
        return MPROC_ENOMEM;
    for (size_t i = 0; i < words; i++)
        args[i] = atomic_load_explicit(&v->block->args[i], memory_order_relaxed);
    os_function action;
    if ((err = judge(v, atomic_load(&v->cell->word))) == MPROC_ETIMEDOUT &&
        !(err = os_code_find(&code, &action)) && ((mproc_target)action)(args, size))
        err = MPROC_EBROKEN;
    free(args);
    return err;
}

/* For all, who wait meanwhile. */
static mproc_err act(visit *v)
{
    mproc_err done = run_action(v);
    uint64_t word = atomic_load(&v->cell->word);
    for (;;) {
        mproc_err err = judge(v, word);
        if (err != MPROC_ETIMEDOUT)
            return err;
        rounds_keep(&v->phases, v->id);
        if (release(v->cell, &word, done ? broken(word) : next_phase(word, false)))
            return done;
    }
}

/* Counted in which phase? If it was stopped for a whole round since it looked, it cannot know: then
 * nobody waits for it. */
static mproc_err be_sure(visit *v)
{
    uint64_t word;
    const uint64_t now = rounds_look(&v->phases, &word);
    if (!object_matches(word, v->id) || now - v->phase < UINT64_C(1) << PHASE_BITS)
        return MPROC_OK;
    v->phase = now - ((now - v->phase) & ((UINT64_C(1) << PHASE_BITS) - 1));
    return give_up(v, MPROC_EBROKEN);
}

/* It is counted. MPROC_OK: as number count_of(v->arrived). */
static mproc_err arrive(visit *v, bool acts, bool *last)
{
    const uint64_t parties = atomic_load(&v->cell->number);
    for (;;) {
        member me = member_look(&v->block->members, family.self);
        v->resets = atomic_load(&v->cell->extra);
        uint64_t word;
        v->phase = rounds_look(&v->phases, &word);
        v->arrived = word;
        if (!object_matches(word, v->id))
            return MPROC_ESTALE;
        if (state_of(word) == BROKEN)
            return MPROC_EBROKEN;
        if (state_of(word) == ACTING) {
            mproc_err err = await_phase(v);
            if (err && err != MPROC_EBROKEN)
                return err;
            continue;
        }
        if (!member_join(&me, word))
            continue;
        rounds_keep(&v->phases, v->id);
        *last = count_of(word) + 1 == parties;
        if (!*last ? swap(v->cell, &word, word + ONE)
            : acts ? swap(v->cell, &word, with_state(word + ONE, ACTING))
                   : release(v->cell, &word, next_phase(word, false)))
            return *last ? MPROC_OK : be_sure(v);
    }
}

static mproc_err pass(visit *v, unsigned *index)
{
    const bool acts = atomic_load(&v->cell->field[FIELD_ACTS]);
    bool last;
    mproc_err err = arrive(v, acts, &last);
    if (!err && (!last || acts))
        err = last ? act(v) : await_phase(v);
    spin_end(&v->looking, !err && !v->slept);
    if (!err && index)
        *index = (unsigned)count_of(v->arrived);
    return err;
}

mproc_err mproc_barrier_wait(mproc_barrier barrier, int timeout_ms, unsigned *index)
{
    visit v = {.id = barrier.id, .beat = first_beat};
    mproc_err err = object_check(barrier.id, OBJECT_BARRIER, &v.cell);
    if (err)
        return err;
    if (timeout_ms == MPROC_FOREVER)
        timeout_ms = (int)(int64_t)atomic_load(&v.cell->field[FIELD_TIMEOUT]);
    v.phases = phases_of(v.cell);
    v.block = block_of(v.cell, object_word(barrier.id, 0));
    if (!v.block)
        return MPROC_ESTALE;
    if ((err = park_deadline(timeout_ms, &v.deadline)))
        return err;
    object_note(barrier.id); /* before it is a member */
    v.looking = spin_begin();
    presence *here = presence_begin(barrier.id);
    if (!here)
        return MPROC_ENOMEM;
    err = pass(&v, index);
    presence_end(here);
    return err;
}

/* ---- other calls ---- */

mproc_err mproc_barrier_abort(mproc_barrier barrier)
{
    object *cell;
    mproc_err err = object_check(barrier.id, OBJECT_BARRIER, &cell);
    uint64_t word = err ? 0 : atomic_load(&cell->word);
    while (!err) {
        if (!object_matches(word, barrier.id))
            err = MPROC_ESTALE;
        else if (state_of(word) == BROKEN || release(cell, &word, broken(word)))
            break;
    }
    return err;
}

static void announce_reset(object *cell, uint64_t id)
{
    uint64_t resets = atomic_load(&cell->extra);
    if (object_matches(resets, id))
        atomic_compare_exchange_strong(&cell->extra, &resets,
                                       object_word(id, (resets + 1) & OBJECT_WORD_MASK));
    killpoint();
}

mproc_err mproc_barrier_reset(mproc_barrier barrier)
{
    object *cell;
    mproc_err err = object_check(barrier.id, OBJECT_BARRIER, &cell);
    if (err)
        return err;
    barrier_block *block = block_of(cell, object_word(barrier.id, 0));
    const rounds phases = phases_of(cell);
    uint64_t word = atomic_load(&cell->word);
    do {
        if (!block || !object_matches(word, barrier.id))
            return MPROC_ESTALE;
        rounds_keep(&phases, barrier.id);
        announce_reset(cell, barrier.id);
    } while (!release(cell, &word, next_phase(word, true)));
    members_tidy(&block->members, cell);
    return MPROC_OK;
}

bool mproc_barrier_is_broken(mproc_barrier barrier)
{
    object *cell = object_is(barrier.id, OBJECT_BARRIER) ? object_find(barrier.id) : NULL;
    uint64_t word = cell ? atomic_load_explicit(&cell->word, memory_order_acquire) : 0;
    return object_matches(word, barrier.id) && state_of(word) == BROKEN;
}

/* A number of a barrier that is there afterwards. */
static mproc_err tell(mproc_barrier barrier, unsigned *number, bool waiting)
{
    object *cell;
    mproc_err err = number ? object_check(barrier.id, OBJECT_BARRIER, &cell) : MPROC_EINVAL;
    if (err)
        return err;
    unsigned parties = atomic_load(&cell->number);
    uint64_t word = atomic_load(&cell->word);
    if (!object_matches(word, barrier.id))
        return MPROC_ESTALE;
    *number = waiting ? (unsigned)count_of(word) : parties;
    return MPROC_OK;
}

mproc_err mproc_barrier_n_waiting(mproc_barrier barrier, unsigned *count)
{
    return tell(barrier, count, true);
}

mproc_err mproc_barrier_parties(mproc_barrier barrier, unsigned *parties)
{
    return tell(barrier, parties, false);
}

/* ---- the sweep ---- */

static uint64_t id_of(const object *cell, uint64_t word)
{
    return word >> OBJECT_WORD_BITS << 32 | (uint64_t)(cell - atomic_load(&objects.cells));
}

/* A clean end takes its leave, unless another thread is cut off in there. */
void barrier_sweep(object *cell, slot_id gone, const slot *of_gone, bool clean)
{
    uint64_t word = atomic_load(&cell->word);
    barrier_block *block =
        object_is(id_of(cell, word), OBJECT_BARRIER) ? block_of(cell, word) : NULL;
    while (block) {
        member one = member_look(&block->members, gone);
        word = atomic_load(&cell->word);
        if (!member_belongs(&one, word))
            break;
        if (!clean || presence_exists(id_of(cell, word))) {
            if (state_of(word) != BROKEN && !swap(cell, &word, broken(word)))
                continue;
            object_wake(cell, UINT32_MAX);
        }
        if (member_leave(&one))
            break;
    }
    if (!clean && object_was_touched(cell, of_gone))
        object_wake(cell, UINT32_MAX);
}
