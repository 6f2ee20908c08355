/* What can be held: killed in the middle the victim held it or did not, the next one is told
 * exactly that, and nobody waits for ever. */
#include "operation.h"

static mproc_err create(scene *s)
{
    return s->kind == KIND_LOCK ? mproc_lock_create(&s->lock) : mproc_rlock_create(&s->rlock);
}

static mproc_err acquire(scene *s, int timeout_ms)
{
    return s->kind == KIND_LOCK ? mproc_lock_acquire(s->lock, timeout_ms)
                                : mproc_rlock_acquire(s->rlock, timeout_ms);
}

static mproc_err release(scene *s)
{
    return s->kind == KIND_LOCK ? mproc_lock_release(s->lock) : mproc_rlock_release(s->rlock);
}

static mproc_err mark_consistent(scene *s)
{
    return s->kind == KIND_LOCK ? mproc_lock_mark_consistent(s->lock)
                                : mproc_rlock_mark_consistent(s->rlock);
}

static mproc_err destroy(scene *s)
{
    return s->kind == KIND_LOCK ? mproc_lock_destroy(s->lock) : mproc_rlock_destroy(s->rlock);
}

/* ---- setting up ---- */

static void make(scene *s)
{
    EXPECT(create(s) == MPROC_OK);
}

static void make_held(scene *s)
{
    make(s);
    companion_call(s, 0);
    companion_await_stage(s, 0, STAGE_HOLDS);
}

static void make_crowded(scene *s)
{
    make_held(s);
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

static void make_dirty(scene *s)
{
    make(s);
    doomed_call(s);
}

/* ---- acts ---- */

static void act_create(scene *s)
{
    MUST(create(s) == MPROC_OK);
}

static void act_destroy(scene *s)
{
    MUST(destroy(s) == MPROC_OK);
}

enum { HELD, RELEASED, MARKED }; /* `note`s of the victim: the call has returned */

static void act_acquire(scene *s)
{
    mproc_err err = acquire(s, PATIENCE_MS);
    atomic_store(&s->note[HELD], 1);
    MUST(err == MPROC_OK);
}

static void act_release(scene *s)
{
    MUST(release(s) == MPROC_OK);
    atomic_store(&s->note[RELEASED], 1);
}

static void act_both(scene *s)
{
    act_acquire(s);
    act_release(s);
}

static void act_try(scene *s)
{
    MUST(acquire(s, 0) == MPROC_ETIMEDOUT);
}

static void act_time_out(scene *s)
{
    MUST(acquire(s, 2) == MPROC_ETIMEDOUT);
}

/* By an rlock's holder. */
static void act_nested(scene *s)
{
    act_acquire(s);
    MUST(acquire(s, 0) == MPROC_OK);
    MUST(release(s) == MPROC_OK);
    act_release(s);
}

static void hold(scene *s)
{
    MUST(acquire(s, 0) == MPROC_OK);
}

static void hold_and_let_wait(scene *s)
{
    hold(s);
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

static void hold_dirty(scene *s)
{
    MUST(acquire(s, 0) == MPROC_EOWNERDEAD);
}

static void act_mark(scene *s)
{
    MUST(mark_consistent(s) == MPROC_OK);
    atomic_store(&s->note[MARKED], 1);
    act_release(s);
}

/* ---- companions: the first holds until the victim sleeps, the second waits ---- */

/* Where the check destroys it, that may come in between. */
static void must_work_or_be_gone(scene *s, mproc_err err)
{
    MUST(err == MPROC_OK || err == MPROC_ESTALE);
}

static void accompany(scene *s, int who)
{
    if (who == 0) {
        MUST(acquire(s, 0) == MPROC_OK);
        companion_says(s, who, STAGE_HOLDS);
        victim_await_sleep(s);
        MUST(release(s) == MPROC_OK);
        return;
    }
    companion_says(s, who, STAGE_CALLS);
    mproc_err err = acquire(s, PATIENCE_MS);
    atomic_store(&s->companions[who].result, (int)err);
    if (err == MPROC_EOWNERDEAD)
        must_work_or_be_gone(s, mark_consistent(s));
    if (!err || err == MPROC_EOWNERDEAD)
        must_work_or_be_gone(s, release(s));
}

/* Holds it all the time. */
static void accompany_to_the_end(scene *s, int who)
{
    MUST(acquire(s, 0) == MPROC_OK);
    companion_says(s, who, STAGE_HOLDS);
    MUST(scene_await(&s->over, 1));
    MUST(release(s) == MPROC_OK);
}

static void die_with_it(scene *s, int who)
{
    (void)who;
    hold(s);
}

/* ---- checks ---- */

/* It is as good as new. */
static void use_and_destroy(scene *s)
{
    EXPECT(acquire(s, 0) == MPROC_OK);
    EXPECT(release(s) == MPROC_OK);
    EXPECT(release(s) == MPROC_ENOTOWNER);
    EXPECT(destroy(s) == MPROC_OK);
    EXPECT(acquire(s, 0) == MPROC_ESTALE);
}

/* Whether the one before was dead. */
static bool take_after_death(scene *s)
{
    mproc_err err = acquire(s, PATIENCE_MS);
    EXPECT(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    if (err == MPROC_EOWNERDEAD) {
        EXPECT(release(s) == MPROC_OK);
        EXPECT(acquire(s, 0) == MPROC_EOWNERDEAD);
        EXPECT(mark_consistent(s) == MPROC_OK);
    }
    EXPECT(release(s) == MPROC_OK);
    use_and_destroy(s);
    return err == MPROC_EOWNERDEAD;
}

static outcome check_create(scene *s)
{
    mproc_err err = acquire(s, 0);
    EXPECT(err == MPROC_OK || err == MPROC_ESTALE);
    if (err)
        return OUTCOME_BEFORE;
    EXPECT(release(s) == MPROC_OK);
    use_and_destroy(s);
    return OUTCOME_AFTER;
}

static outcome check_destroy(scene *s)
{
    mproc_err err = acquire(s, 0);
    EXPECT(err == MPROC_OK || err == MPROC_ESTALE);
    if (err)
        return OUTCOME_AFTER;
    EXPECT(release(s) == MPROC_OK);
    use_and_destroy(s);
    return OUTCOME_BEFORE;
}

static outcome check_acquire(scene *s)
{
    return take_after_death(s) ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_release(scene *s)
{
    return take_after_death(s) ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_dirty(scene *s)
{
    EXPECT(take_after_death(s));
    return OUTCOME_ANY;
}

static outcome check_both(scene *s)
{
    bool released = atomic_load(&s->note[RELEASED]);
    EXPECT(!take_after_death(s) || !released);
    return OUTCOME_ANY;
}

static mproc_err result_of(scene *s, int who)
{
    int result = 0;
    EXPECT(companion_finish(s, who, &result));
    return (mproc_err)result;
}

/* Held until the victim slept or was dead: nobody is left behind. */
static outcome check_contended(scene *s)
{
    result_of(s, 0);
    bool dead = take_after_death(s);
    EXPECT(dead || !atomic_load(&s->note[HELD]));
    return OUTCOME_ANY;
}

static outcome check_crowded(scene *s)
{
    result_of(s, 0);
    mproc_err err = result_of(s, 1);
    EXPECT(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    EXPECT(take_after_death(s) || err || !atomic_load(&s->note[HELD]));
    return OUTCOME_ANY;
}

static outcome check_not_taken(scene *s)
{
    result_of(s, 0);
    EXPECT(!take_after_death(s));
    return OUTCOME_ANY;
}

/* The one that waited has it, and knows how. */
static outcome check_handed_over(scene *s)
{
    mproc_err err = result_of(s, 1);
    EXPECT(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    EXPECT(!take_after_death(s));
    return err ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

/* The victim held it: whoever waits is told that it is no more; or has proved by himself that its
 * holder is dead, and taken it, before a sweep goes on with what the victim has begun. */
static outcome check_destroyed_under_waiters(scene *s)
{
    mproc_err gone = destroy(s);
    EXPECT(gone == MPROC_OK || gone == MPROC_ESTALE);
    mproc_err err = result_of(s, 1);
    EXPECT(err == MPROC_ESTALE || err == MPROC_EOWNERDEAD);
    EXPECT(acquire(s, 0) == MPROC_ESTALE);
    return gone ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

const operation lock_operations[] = {
    {"create", NULL, NULL, act_create, NULL, check_create},
    {"destroy", make, NULL, act_destroy, NULL, check_destroy},
    {"destroy under a waiter", make, hold_and_let_wait, act_destroy, accompany,
     check_destroyed_under_waiters},
    {"acquire", make, NULL, act_acquire, NULL, check_acquire},
    {"release", make, hold, act_release, NULL, check_release},
    {"acquire and release", make, NULL, act_both, NULL, check_both},
    {"try one that is held", make_held, NULL, act_try, accompany_to_the_end, check_not_taken},
    {"acquire in vain", make_held, NULL, act_time_out, accompany_to_the_end, check_not_taken},
    {"acquire after waiting", make_held, NULL, act_acquire, accompany, check_contended},
    {"acquire beside a waiter", make_crowded, NULL, act_acquire, accompany, check_crowded},
    {"release to a waiter", make, hold_and_let_wait, act_release, accompany, check_handed_over},
    {"acquire after a death", make_dirty, NULL, hold_dirty, die_with_it, check_dirty},
    {"mark consistent, release", make_dirty, hold_dirty, act_mark, die_with_it, check_release},
    {0},
};

const operation rlock_operations[] = {
    {"acquire and release again", make, NULL, act_nested, NULL, check_both},
    {0},
};
