/* Conditions used wrongly: forged, destroyed, not held. */
#include "condition_stage.h"

static bool never(void *context)
{
    (void)context;
    return false;
}

/* Every call says the same of such a handle. */
static void expect_all(mproc_condition condition, mproc_err err)
{
    assert_int_equal(mproc_condition_acquire(condition, 0), err);
    assert_int_equal(mproc_condition_release(condition), err);
    assert_int_equal(mproc_condition_mark_consistent(condition), err);
    assert_int_equal(mproc_condition_wait(condition, 0), err);
    assert_int_equal(mproc_condition_wait_for(condition, never, NULL, 0), err);
    assert_int_equal(mproc_condition_notify(condition, 1), err);
    assert_int_equal(mproc_condition_notify(condition, 0), err);
    assert_int_equal(mproc_condition_notify_all(condition), err);
}

/* ---- creation ---- */

static void create_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    mproc_condition condition = {7};
    mproc_lock lock;
    mproc_rlock rlock;
    mproc_event event;
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    assert_int_equal(mproc_rlock_create(&rlock), MPROC_OK);
    assert_int_equal(mproc_event_create(&event), MPROC_OK);
    assert_int_equal(mproc_condition_create(NULL, NULL), MPROC_EINVAL);
    const mproc_condition_options both = {.lock = lock, .rlock = rlock};
    const mproc_condition_options wrong[] = {{.lock = {rlock.id}},
                                             {.rlock = {lock.id}},
                                             {.lock = {event.id}},
                                             {.lock = {UINT64_MAX}},
                                             {.rlock = {1}}};
    assert_int_equal(mproc_condition_create(&condition, &both), MPROC_EINVAL);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(mproc_condition_create(&condition, &wrong[i]), MPROC_ESTALE);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    const mproc_condition_options gone = {.lock = lock};
    assert_int_equal(mproc_condition_create(&condition, &gone), MPROC_ESTALE);
    assert_int_equal(condition.id, 7);
    assert_int_equal(mproc_rlock_destroy(rlock), MPROC_OK);
    assert_int_equal(mproc_event_destroy(event), MPROC_OK);
}

/* ---- handles ---- */

static void forged_handles_are_stale(void **state)
{
    (void)state;
    mproc_lock lock;
    mproc_condition good;
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    assert_int_equal(mproc_condition_create(&good, NULL), MPROC_OK);
    const uint64_t forged[] = {0,
                               1,
                               UINT64_MAX,
                               UINT32_MAX,
                               lock.id,
                               good.id ^ 1,
                               good.id + 1,
                               good.id ^ UINT64_C(1) << 63,
                               good.id ^ UINT64_C(1) << 36};
    for (size_t i = 0; i < COUNT_OF(forged); i++) {
        expect_all((mproc_condition){forged[i]}, MPROC_ESTALE);
        assert_int_equal(mproc_condition_destroy((mproc_condition){forged[i]}), MPROC_ESTALE);
    }
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < 100000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        if (random != good.id)
            expect_all((mproc_condition){random}, MPROC_ESTALE);
    }
    assert_int_equal(mproc_condition_acquire(good, 0), MPROC_OK);
    assert_int_equal(mproc_condition_destroy(good), MPROC_OK);
    expect_all(good, MPROC_ESTALE);
    assert_int_equal(mproc_condition_destroy(good), MPROC_ESTALE);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
}

static void without_its_lock_a_condition_is_stale(void **state)
{
    (void)state;
    for (int kind = PLAIN_LOCK; kind < LOCK_KINDS; kind++) {
        stage at = stage_set(kind);
        mproc_lock_destroy(at.lock);
        mproc_rlock_destroy(at.rlock);
        expect_all(at.condition, MPROC_ESTALE);
        assert_int_equal(mproc_condition_destroy(at.condition), MPROC_OK);
        stage_clear(&at);
    }
}

/* ---- not held ---- */

static void expect_not_held(const stage *at)
{
    assert_int_equal(mproc_condition_wait(at->condition, 0), MPROC_ENOTOWNER);
    assert_int_equal(mproc_condition_wait_for(at->condition, never, NULL, 0), MPROC_ENOTOWNER);
    assert_int_equal(mproc_condition_notify(at->condition, 1), MPROC_ENOTOWNER);
    assert_int_equal(mproc_condition_notify_all(at->condition), MPROC_ENOTOWNER);
    assert_int_equal(mproc_condition_mark_consistent(at->condition), MPROC_ENOTOWNER);
}

static int hold_until_told(void *args, size_t size)
{
    const stage *at = args;
    scene *s = scene_of(at);
    if (size != sizeof *at || mproc_condition_acquire(at->condition, SOON))
        return 1;
    s->held = 1;
    while (!s->told)
        host_nap(1);
    return mproc_condition_release(at->condition) ? 2 : 0;
}

/* A plain lock is held by its whole process. */
static void held_by_somebody_else(int lock, crew_kind kind)
{
    static crew them;
    if (lock == PLAIN_LOCK && kind == CREW_THREADS)
        return;
    them = (crew){.kind = kind};
    stage at = stage_set(lock);
    scene *s = scene_of(&at);
    crew_add(&them, hold_until_told, &at, sizeof at);
    while (!s->held)
        host_nap(1);
    expect_not_held(&at);
    s->told = 1;
    crew_join(&them);
    stage_clear(&at);
}

static void who_does_not_hold_the_lock_can_neither_wait_nor_notify(void **state)
{
    (void)state;
    for (int lock = 0; lock < LOCK_KINDS; lock++) {
        stage at = stage_set(lock);
        expect_not_held(&at);
        assert_int_equal(mproc_condition_release(at.condition), MPROC_ENOTOWNER);
        stage_clear(&at);
        held_by_somebody_else(lock, CREW_PROCESSES);
        held_by_somebody_else(lock, CREW_THREADS);
    }
}

static void wrong_arguments_leave_the_lock_held(void **state)
{
    (void)state;
    for (int lock = 0; lock < LOCK_KINDS; lock++) {
        stage at = stage_set(lock);
        assert_int_equal(mproc_condition_acquire(at.condition, -2), MPROC_EINVAL);
        assert_int_equal(mproc_condition_acquire(at.condition, 0), MPROC_OK);
        assert_int_equal(mproc_condition_wait(at.condition, -2), MPROC_EINVAL);
        assert_int_equal(mproc_condition_wait_for(at.condition, never, NULL, -7), MPROC_EINVAL);
        assert_int_equal(mproc_condition_wait_for(at.condition, NULL, NULL, 0), MPROC_EINVAL);
        assert_int_equal(mproc_condition_notify(at.condition, 1), MPROC_OK);
        let_go(&at);
        stage_clear(&at);
    }
}

/* ---- destroyed ---- */

static void destroy_under(int lock, crew_kind kind, bool only_the_lock)
{
    static crew them;
    them = (crew){.kind = kind};
    stage at = stage_set(lock);
    at.expected = MPROC_ESTALE;
    at.keeps_nothing = lock == OWN_LOCK || only_the_lock;
    add_waiters(&them, &at, 4);
    take_when_waiting(&at, 4);
    if (only_the_lock) {
        assert_int_equal(mproc_lock_destroy(at.lock) && mproc_rlock_destroy(at.rlock), 0);
    } else {
        assert_int_equal(mproc_condition_destroy(at.condition), MPROC_OK);
        expect_all(at.condition, MPROC_ESTALE);
        if (lock != OWN_LOCK)
            assert_int_equal(mproc_lock_release(at.lock) && mproc_rlock_release(at.rlock), 0);
    }
    crew_join(&them);
    if (lock != OWN_LOCK && !only_the_lock)
        assert_int_equal(mproc_lock_acquire(at.lock, SOON) && mproc_rlock_acquire(at.rlock, SOON),
                         0);
    stage_clear(&at);
}

static void waiters_of_a_destroyed_condition_hold_the_given_lock(void **state)
{
    (void)state;
    for (int lock = 0; lock < LOCK_KINDS; lock++) {
        for (int kind = 0; kind < CREW_KINDS; kind++)
            destroy_under(lock, (crew_kind)kind, false);
    }
}

static void waiters_wake_when_the_given_lock_is_destroyed(void **state)
{
    (void)state;
    for (int lock = PLAIN_LOCK; lock < LOCK_KINDS; lock++) {
        for (int kind = 0; kind < CREW_KINDS; kind++)
            destroy_under(lock, (crew_kind)kind, true);
    }
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_refuses_what_makes_no_sense),
        cmocka_unit_test(forged_handles_are_stale),
        cmocka_unit_test(without_its_lock_a_condition_is_stale),
        cmocka_unit_test(who_does_not_hold_the_lock_can_neither_wait_nor_notify),
        cmocka_unit_test(wrong_arguments_leave_the_lock_held),
        cmocka_unit_test(waiters_of_a_destroyed_condition_hold_the_given_lock),
        cmocka_unit_test(waiters_wake_when_the_given_lock_is_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
