/* Barriers asked for wrongly, made up, or destroyed. */
#include "barrier_stage.h"

static void bad_options_are_refused_and_change_nothing(void **state)
{
    (void)state;
    mproc_barrier barrier = {UNTOUCHED};
    static int data;
    const mproc_barrier_options bad[] = {
        {.timeout_ms = -2},
        {.action = action, .args_size = 1},
        {.args = &data, .args_size = sizeof data},
    };
    assert_int_equal(mproc_barrier_create(NULL, 1, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_create(&barrier, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_create(&barrier, MPROC_BARRIER_PARTIES_MAX + 1, NULL),
                     MPROC_EINVAL);
    assert_int_equal(mproc_barrier_create(&barrier, (unsigned)-1, NULL), MPROC_EINVAL);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(mproc_barrier_create(&barrier, 1, &bad[i]), MPROC_EINVAL);
    const mproc_barrier_options nowhere = {.action = (mproc_target)(uintptr_t)&data};
    assert_int_equal(mproc_barrier_create(&barrier, 1, &nowhere), MPROC_EIMAGE);
    const size_t huge[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)1 << 60};
    for (size_t i = 0; i < COUNT_OF(huge); i++) {
        const mproc_barrier_options large = {.action = action, .args = &data, .args_size = huge[i]};
        assert_int_equal(mproc_barrier_create(&barrier, 1, &large), MPROC_ENOMEM);
    }
    assert_int_equal(barrier.id, UNTOUCHED);
    open_court(MPROC_BARRIER_PARTIES_MAX, &(mproc_barrier_options){.timeout_ms = MPROC_FOREVER});
    assert_int_equal(mproc_barrier_wait(the->barrier, -2, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_parties(the->barrier, NULL), MPROC_EINVAL);
    assert_false(mproc_barrier_is_broken(the->barrier));
    close_court();
}

static void assert_stale(mproc_barrier barrier)
{
    unsigned number = UNTOUCHED;
    assert_int_equal(mproc_barrier_wait(barrier, MPROC_FOREVER, &number), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_wait(barrier, 0, &number), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_abort(barrier), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_reset(barrier), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_n_waiting(barrier, &number), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_parties(barrier, &number), MPROC_ESTALE);
    assert_false(mproc_barrier_is_broken(barrier));
    assert_int_equal(mproc_barrier_destroy(barrier), MPROC_ESTALE);
    assert_int_equal(number, UNTOUCHED);
}

static void what_is_no_barrier_is_stale(void **state)
{
    (void)state;
    mproc_lock lock;
    mproc_barrier barrier;
    assert_stale((mproc_barrier){0});
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    assert_stale((mproc_barrier){lock.id});
    assert_int_equal(mproc_lock_acquire(lock, 0), MPROC_OK);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mproc_barrier_create(&barrier, 1, NULL), MPROC_OK);
        assert_int_equal(mproc_lock_acquire((mproc_lock){barrier.id}, 0), MPROC_ESTALE);
        assert_int_equal(mproc_barrier_wait(barrier, 0, NULL), MPROC_OK);
        assert_int_equal(mproc_barrier_destroy(barrier), MPROC_OK);
        assert_stale(barrier);
    }
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        const uint64_t random = next_random(&seed);
        assert_stale((mproc_barrier){random});
        assert_stale((mproc_barrier){(random << 32) | (random >> 44 & 15)});
    }
}

static void waiters_of_a_destroyed_barrier_find_it_stale(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    join_team(&all);
    assert_team_got(&all, MPROC_ESTALE);
    free_shared(place);
}

static void an_action_may_outlive_its_barrier(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 0, 1);
    start_waits(&all, 2, 2, once);
    assert_true(await_value(&the->stage, 1));
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    the->go = 1;
    join_team(&all);
    assert_team_got(&all, MPROC_ESTALE);
    assert_int_equal(the->action_sees_wrong, 0);
    free_shared(place);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options_are_refused_and_change_nothing),
        cmocka_unit_test(what_is_no_barrier_is_stale),
        cmocka_unit_test(waiters_of_a_destroyed_barrier_find_it_stale),
        cmocka_unit_test(an_action_may_outlive_its_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
