#include "lock_cases.h"

static void what_nobody_holds_can_be_taken_and_not_released(void **state)
{
    (void)state;
    open_room(tested);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
        assert_int_equal(lock_mark_consistent(the->lock), MPROC_ENOTOWNER);
        assert_int_equal(lock_acquire(the->lock, i ? 0 : MPROC_FOREVER), MPROC_OK);
        assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    assert_free();
    close_room();
}

static void who_does_not_get_it_times_out(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    start_users(&all, take_and_release, 2, 2, (party){.timeout_ms = 0});
    join_team(&all);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    const int64_t before = host_now();
    start_users(&all, take_and_release, 2, 2, (party){.timeout_ms = 50});
    join_team(&all);
    assert_true(host_now() - before >= 50);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    assert_int_equal(lock_acquire(the->lock, -2), MPROC_EINVAL);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_free();
    close_room();
}

static void a_release_lets_all_waiters_in_one_after_the_other(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        start_waiters(&all);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
        join_team(&all);
        assert_all_got(&all, MPROC_OK);
    }
    close_room();
}

static int increment(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    for (int i = 0; i < me->rounds; i++) {
        if (lock_acquire(here->lock, MPROC_FOREVER))
            return 2;
        here->together += here->inside++ != 0;
        here->counter++;
        here->inside--;
        if (lock_release(here->lock))
            return 3;
    }
    return 0;
}

static void assert_nothing_was_lost(int parties, int rounds)
{
    assert_int_equal(the->together, 0);
    assert_int_equal(the->counter, parties * rounds);
}

static void threads_and_processes_exclude_one_another(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    start_users(&all, increment, 4, 4, (party){.rounds = 5000});
    join_team(&all);
    assert_nothing_was_lost(8, 5000);
    close_room();
}

static void sixty_four_processes_lose_no_increment(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    start_users(&all, increment, 0, 64, (party){.rounds = 1000});
    join_team(&all);
    assert_nothing_was_lost(64, 1000);
    close_room();
}

typedef struct parcel {
    mproc_memory place;
    any_lock lock;
} parcel;

static int use_handle(void *args, size_t size)
{
    const parcel *it = args;
    room *here = size == sizeof *it ? mproc_memory_data(it->place) : NULL;
    if (!here || here->lock.id != it->lock.id)
        return 1;
    if (lock_acquire(it->lock, 0) != MPROC_ETIMEDOUT)
        return 2;
    here->calls = 1;
    return lock_acquire(it->lock, MPROC_FOREVER) ? 3 : -lock_release(here->lock);
}

static void a_handle_travels_in_arguments_and_in_shared_memory(void **state)
{
    (void)state;
    open_room(tested);
    const parcel it = {place, the->lock};
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    mproc_process *process = start_process(use_handle, &it, sizeof it);
    assert_true(await_value(&the->calls, 1));
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(exit_code_of(process), 0);
    close_room();
}

static void keep_for_ever(void *args)
{
    const party *me = args;
    the->err[me->who] = lock_acquire(the->lock, 0);
}

static void a_thread_that_ends_with_it_keeps_it(void **state)
{
    (void)state;
    party it = {.who = 0};
    host_thread thread;
    open_room(tested);
    assert_true(host_thread_start(&thread, keep_for_ever, &it));
    host_thread_join(&thread);
    assert_int_equal(the->err[0], MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 150), MPROC_ETIMEDOUT);
    close_room();
}

int lock_main(int argc, char **argv, lock_kind kind, const struct CMUnitTest *own, size_t count)
{
    static const role roles[] = {{"be_first", be_first}, {"fill_arena", fill_arena}};
    static const struct CMUnitTest taking[] = {
        cmocka_unit_test(what_nobody_holds_can_be_taken_and_not_released),
        cmocka_unit_test(who_does_not_get_it_times_out),
        cmocka_unit_test(a_release_lets_all_waiters_in_one_after_the_other),
        cmocka_unit_test(threads_and_processes_exclude_one_another),
        cmocka_unit_test(sixty_four_processes_lose_no_increment),
        cmocka_unit_test(a_handle_travels_in_arguments_and_in_shared_memory),
        cmocka_unit_test(a_thread_that_ends_with_it_keeps_it),
    };
    int code;
    tested = kind;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    int failed = cmocka_run_group_tests_name("taking and releasing", taking, NULL, NULL);
    failed += run_lock_crash_cases();
    failed += run_lock_bad_input_cases();
    return failed + _cmocka_run_group_tests("own", own, count, NULL, NULL);
}
