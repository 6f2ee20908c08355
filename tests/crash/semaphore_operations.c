/* Semaphores: a dead process loses at most what it had taken, and nothing is ever gained; who waits
 * beside a value above 0 gets it. */
#include "operation.h"

enum { AT_FIRST = 1, MAXIMUM = 3 };
enum { TAKEN, GIVEN }; /* `note`s of the victim: the call has returned */

static unsigned value_of(scene *s)
{
    unsigned value = 0;
    EXPECT(mproc_semaphore_get_value(s->semaphore, &value) == MPROC_OK);
    return value;
}

/* ---- setting up ---- */

static void make(scene *s)
{
    EXPECT(mproc_semaphore_create(&s->semaphore, AT_FIRST, MAXIMUM) == MPROC_OK);
}

static void make_empty(scene *s)
{
    EXPECT(mproc_semaphore_create(&s->semaphore, 0, 0) == MPROC_OK);
}

static void make_empty_to_be_released(scene *s)
{
    make_empty(s);
    companion_call(s, 0);
}

static void make_crowded(scene *s)
{
    make_empty(s);
    companion_call(s, 1);
    companion_await_sleep(s, 1);
    companion_call(s, 0);
}

/* ---- acts ---- */

static void act_create(scene *s)
{
    MUST(mproc_semaphore_create(&s->semaphore, AT_FIRST, MAXIMUM) == MPROC_OK);
}

static void act_destroy(scene *s)
{
    MUST(mproc_semaphore_destroy(s->semaphore) == MPROC_OK);
}

static void act_acquire(scene *s)
{
    MUST(mproc_semaphore_acquire(s->semaphore, PATIENCE_MS) == MPROC_OK);
    atomic_store(&s->note[TAKEN], 1);
}

static void act_release(scene *s)
{
    MUST(mproc_semaphore_release(s->semaphore) == MPROC_OK);
    atomic_store(&s->note[GIVEN], 1);
}

static void act_time_out(scene *s)
{
    MUST(mproc_semaphore_acquire(s->semaphore, 0) == MPROC_ETIMEDOUT);
    MUST(mproc_semaphore_acquire(s->semaphore, 2) == MPROC_ETIMEDOUT);
}

static void let_one_wait(scene *s)
{
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

static void let_two_wait(scene *s)
{
    let_one_wait(s);
    companion_call(s, 0);
    companion_await_sleep(s, 0);
}

static void act_release_twice(scene *s)
{
    act_release(s);
    act_release(s);
}

/* ---- companions ---- */

static void wait_for_it(scene *s, int who)
{
    companion_says(s, who, STAGE_CALLS);
    mproc_err err = mproc_semaphore_acquire(s->semaphore, PATIENCE_MS);
    atomic_store(&s->companions[who].result, (int)err);
}

/* The first one releases when the victim sleeps. */
static void accompany(scene *s, int who)
{
    if (who) {
        wait_for_it(s, who);
        return;
    }
    victim_await_sleep(s);
    MUST(mproc_semaphore_release(s->semaphore) == MPROC_OK);
}

static void accompany_two(scene *s, int who)
{
    accompany(s, who);
    if (!who)
        MUST(mproc_semaphore_release(s->semaphore) == MPROC_OK);
}

/* ---- checks ---- */

static void use_and_destroy(scene *s)
{
    const unsigned before = value_of(s);
    EXPECT(mproc_semaphore_release(s->semaphore) == MPROC_OK);
    EXPECT(mproc_semaphore_acquire(s->semaphore, 0) == MPROC_OK);
    EXPECT(value_of(s) == before);
    EXPECT(mproc_semaphore_destroy(s->semaphore) == MPROC_OK);
    EXPECT(mproc_semaphore_acquire(s->semaphore, 0) == MPROC_ESTALE);
}

static bool is_gone(scene *s)
{
    unsigned value;
    mproc_err err = mproc_semaphore_get_value(s->semaphore, &value);
    EXPECT(err == MPROC_ESTALE || (err == MPROC_OK && value == AT_FIRST));
    return err != MPROC_OK;
}

static outcome check_create(scene *s)
{
    if (is_gone(s))
        return OUTCOME_BEFORE;
    use_and_destroy(s);
    return OUTCOME_AFTER;
}

static outcome check_destroy(scene *s)
{
    if (is_gone(s))
        return OUTCOME_AFTER;
    use_and_destroy(s);
    return OUTCOME_BEFORE;
}

static outcome check_acquire(scene *s)
{
    const unsigned value = value_of(s);
    EXPECT(value == AT_FIRST || value == AT_FIRST - 1);
    use_and_destroy(s);
    return value == AT_FIRST ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_release(scene *s)
{
    const unsigned value = value_of(s);
    EXPECT(value == AT_FIRST || value == AT_FIRST + 1);
    use_and_destroy(s);
    return value == AT_FIRST ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_time_out(scene *s)
{
    EXPECT(value_of(s) == 0);
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static bool has_finished(const companion *one)
{
    return atomic_load(&one->done) == atomic_load(&one->order);
}

/* No value is left beside one that sleeps: he gets it without another release. */
static void await_balance(scene *s)
{
    const int64_t end = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (value_of(s) && !has_finished(&s->companions[1]) && os_now() < end)
        scene_nap(s);
    EXPECT(!value_of(s) || has_finished(&s->companions[1]));
}

static void expect_finish(scene *s, int who)
{
    int result = -1;
    EXPECT(companion_finish(s, who, &result));
    EXPECT(result == (int)MPROC_OK);
}

/* Nothing is lost but what the victim had taken. */
static outcome check_contended(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    const unsigned value = value_of(s);
    EXPECT(value <= 1 && (!value || !atomic_load(&s->note[TAKEN])));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

/* Enough for both. */
static outcome check_crowded(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    expect_finish(s, 1);
    const unsigned value = value_of(s);
    EXPECT(value <= 1 && (!value || !atomic_load(&s->note[TAKEN])));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

/* The victim has released, or this one does it. */
static outcome check_handed_over(scene *s)
{
    await_balance(s);
    const bool before = !atomic_load(&s->note[GIVEN]) && !has_finished(&s->companions[1]);
    EXPECT(mproc_semaphore_release(s->semaphore) == MPROC_OK);
    expect_finish(s, 1);
    const unsigned value = value_of(s);
    EXPECT(value <= 1 && (value || !atomic_load(&s->note[GIVEN])));
    EXPECT(value || before);
    use_and_destroy(s);
    return value ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_two_handed_over(scene *s)
{
    const bool done = atomic_load(&s->done);
    for (int i = 0; i < 2 && !done; i++)
        EXPECT(mproc_semaphore_release(s->semaphore) == MPROC_OK);
    expect_finish(s, 0);
    expect_finish(s, 1);
    EXPECT(value_of(s) <= 2 && (!done || value_of(s) == 0));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static outcome check_destroyed_under_waiters(scene *s)
{
    int result = 0;
    mproc_err gone = mproc_semaphore_destroy(s->semaphore);
    EXPECT(gone == MPROC_OK || gone == MPROC_ESTALE);
    EXPECT(companion_finish(s, 1, &result));
    EXPECT(result == (int)MPROC_ESTALE);
    return gone ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static void wait_alike(scene *s, int who)
{
    wait_for_it(s, who);
}

const operation semaphore_operations[] = {
    {"create", NULL, NULL, act_create, NULL, check_create},
    {"destroy", make, NULL, act_destroy, NULL, check_destroy},
    {"destroy under a waiter", make_empty, let_one_wait, act_destroy, wait_alike,
     check_destroyed_under_waiters},
    {"acquire", make, NULL, act_acquire, NULL, check_acquire},
    {"release", make, NULL, act_release, NULL, check_release},
    {"acquire in vain", make_empty, NULL, act_time_out, NULL, check_time_out},
    {"acquire after waiting", make_empty_to_be_released, NULL, act_acquire, accompany,
     check_contended},
    {"acquire beside a waiter", make_crowded, NULL, act_acquire, accompany_two, check_crowded},
    {"release to a waiter", make_empty, let_one_wait, act_release, wait_alike, check_handed_over},
    {"release twice to two waiters", make_empty, let_two_wait, act_release_twice, wait_alike,
     check_two_handed_over},
    {0},
};
