/* Semaphores: users are threads of this process and other processes, at once. */
#include "sync_support.h"

#include <stdlib.h>

/* In shared memory. */
typedef struct depot {
    mproc_semaphore semaphore;
    _Atomic int inside, most, calls, got, go;
    _Atomic int err[MOST_PARTIES];
} depot;

static mproc_memory place;
static depot *the;

static void open_depot(unsigned value, unsigned maximum)
{
    the = alloc_shared(&place, sizeof *the);
    assert_int_equal(mproc_semaphore_create(&the->semaphore, value, maximum), MPROC_OK);
}

static void close_depot(void)
{
    assert_int_equal(mproc_semaphore_destroy(the->semaphore), MPROC_OK);
    free_shared(place);
}

static unsigned value_now(void)
{
    unsigned value = UNTOUCHED;
    assert_int_equal(mproc_semaphore_get_value(the->semaphore, &value), MPROC_OK);
    return value;
}

static int take_one(void *args, size_t size)
{
    const party *me = args;
    depot *here = place_of(args, size);
    if (!here)
        return 1;
    here->calls++;
    mproc_err err = mproc_semaphore_acquire(here->semaphore, me->timeout_ms);
    here->err[me->who] = err;
    here->got += !err;
    return 0;
}

static void start_takers(team *all, int threads, int processes, int timeout_ms)
{
    the->calls = 0;
    start_team(all, take_one, threads, processes,
               (party){.place = place, .timeout_ms = timeout_ms});
    assert_true(await_value(&the->calls, threads + processes));
    host_nap(10); /* so that most of them sleep; it holds for the others as well */
}

static void assert_all_got(const team *all, mproc_err err)
{
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(the->err[i], err);
}

/* ---- counting ---- */

static void it_counts_down_to_zero_and_up_again(void **state)
{
    (void)state;
    open_depot(3, 0);
    for (unsigned i = 3; i > 0; i--) {
        assert_int_equal(value_now(), i);
        assert_int_equal(mproc_semaphore_acquire(the->semaphore, i % 2 ? 0 : SOON), MPROC_OK);
    }
    assert_int_equal(value_now(), 0);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, 20), MPROC_ETIMEDOUT);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
        assert_int_equal(value_now(), i);
    }
    close_depot();
}

static void a_plain_one_may_rise_above_its_first_value(void **state)
{
    (void)state;
    open_depot(1, 0);
    for (unsigned i = 2; i < 100; i++) {
        assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
        assert_int_equal(value_now(), i);
    }
    close_depot();
}

static void a_bounded_one_may_not_rise_above_its_maximum(void **state)
{
    (void)state;
    open_depot(2, 2);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_ERANGE);
    assert_int_equal(value_now(), 2);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, 0), MPROC_OK);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_ERANGE);
    close_depot();
    open_depot(MPROC_SEMAPHORE_MAX - 1, 0);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_ERANGE);
    assert_int_equal(value_now(), MPROC_SEMAPHORE_MAX);
    close_depot();
}

static int release_one(void *args, size_t size)
{
    depot *here = place_of(args, size);
    return here ? -mproc_semaphore_release(here->semaphore) : 1;
}

static void anybody_may_release_it(void **state)
{
    (void)state;
    team all;
    open_depot(0, 4);
    start_team(&all, release_one, 2, 2, (party){.place = place});
    join_team(&all);
    assert_int_equal(value_now(), 4);
    close_depot();
}

/* ---- waiting ---- */

static void each_release_lets_one_in(void **state)
{
    (void)state;
    team all;
    open_depot(0, 0);
    start_takers(&all, 3, 3, MPROC_FOREVER);
    for (int i = 1; i <= 6; i++) {
        assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
        assert_true(await_value(&the->got, i));
        host_nap(2);
        assert_int_equal(the->got, i);
    }
    join_team(&all);
    assert_all_got(&all, MPROC_OK);
    assert_int_equal(value_now(), 0);
    close_depot();
}

static void many_releases_at_once_let_as_many_in(void **state)
{
    (void)state;
    team all;
    open_depot(0, 0);
    for (int round = 0; round < 20; round++) {
        start_takers(&all, 3, 3, MPROC_FOREVER);
        for (int i = 0; i < 6; i++)
            assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
        join_team(&all);
        assert_int_equal(value_now(), 0);
    }
    close_depot();
}

static void who_times_out_leaves_the_value_alone(void **state)
{
    (void)state;
    team all;
    open_depot(0, 0);
    start_takers(&all, 2, 2, 0);
    join_team(&all);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    start_takers(&all, 2, 2, 50);
    join_team(&all);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    assert_int_equal(value_now(), 0);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, 0), MPROC_OK);
    close_depot();
}

static int come_and_go(void *args, size_t size)
{
    const party *me = args;
    depot *here = place_of(args, size);
    if (!here)
        return 1;
    for (int i = 0; i < me->rounds; i++) {
        if (mproc_semaphore_acquire(here->semaphore, MPROC_FOREVER))
            return 2;
        int now = ++here->inside, most = here->most;
        while (most < now && !atomic_compare_exchange_weak(&here->most, &most, now)) {
        }
        here->inside--;
        if (mproc_semaphore_release(here->semaphore))
            return 3;
    }
    return 0;
}

static void never_more_are_inside_than_it_counts(void **state)
{
    (void)state;
    team all;
    open_depot(3, 3);
    start_team(&all, come_and_go, 4, 4, (party){.place = place, .rounds = 3000});
    join_team(&all);
    assert_true(the->most >= 1 && the->most <= 3);
    assert_int_equal(value_now(), 3);
    close_depot();
}

/* ---- ends of processes ---- */

static void a_killed_waiter_takes_nothing_with_it(void **state)
{
    (void)state;
    mproc_process *victim[4];
    team all;
    open_depot(0, 0);
    for (int round = 0; round < 20; round++) {
        the->calls = the->got = 0;
        for (size_t i = 0; i < COUNT_OF(victim); i++)
            victim[i] =
                start_party(take_one, (party){.place = place, .who = 60, .timeout_ms = SOON});
        assert_true(await_value(&the->calls, COUNT_OF(victim)));
        start_takers(&all, 2, 2, MPROC_FOREVER);
        for (size_t i = 0; i < COUNT_OF(victim); i++) {
            assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
            mproc_process_kill(victim[i]);
        }
        for (size_t i = 0; i < COUNT_OF(victim); i++)
            end_process(victim[i]);
        /* What a victim had taken before it died is lost: no more than that. */
        for (int i = 0; i < 4; i++)
            assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
        join_team(&all);
        assert_all_got(&all, MPROC_OK);
        while (!mproc_semaphore_acquire(the->semaphore, 0)) {
        }
    }
    close_depot();
}

static int take_and_stay(void *args, size_t size)
{
    int code = take_one(args, size);
    host_wait_forever();
    return code;
}

static void what_a_killed_process_has_taken_is_lost_and_the_rest_goes_on(void **state)
{
    (void)state;
    open_depot(2, 2);
    mproc_process *victim = start_party(take_and_stay, (party){.place = place});
    assert_true(await_value(&the->got, 1));
    end_process(victim);
    assert_int_equal(value_now(), 1);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, 0), MPROC_OK);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
    assert_int_equal(mproc_semaphore_release(the->semaphore), MPROC_OK);
    close_depot();
}

/* ---- bad input ---- */

static void assert_stale(mproc_semaphore semaphore)
{
    unsigned value = UNTOUCHED;
    assert_int_equal(mproc_semaphore_acquire(semaphore, 0), MPROC_ESTALE);
    assert_int_equal(mproc_semaphore_acquire(semaphore, MPROC_FOREVER), MPROC_ESTALE);
    assert_int_equal(mproc_semaphore_release(semaphore), MPROC_ESTALE);
    assert_int_equal(mproc_semaphore_get_value(semaphore, &value), MPROC_ESTALE);
    assert_int_equal(mproc_semaphore_destroy(semaphore), MPROC_ESTALE);
    assert_int_equal(value, UNTOUCHED);
}

static void bad_arguments_are_refused_and_change_nothing(void **state)
{
    (void)state;
    mproc_semaphore semaphore = {UNTOUCHED};
    assert_int_equal(mproc_semaphore_create(NULL, 1, 0), MPROC_EINVAL);
    assert_int_equal(mproc_semaphore_create(&semaphore, 3, 2), MPROC_EINVAL);
    assert_int_equal(mproc_semaphore_create(&semaphore, 0, MPROC_SEMAPHORE_MAX + 1), MPROC_EINVAL);
    assert_int_equal(mproc_semaphore_create(&semaphore, MPROC_SEMAPHORE_MAX + 1, 0), MPROC_EINVAL);
    assert_int_equal(semaphore.id, UNTOUCHED);
    open_depot(1, 1);
    assert_int_equal(mproc_semaphore_acquire(the->semaphore, -2), MPROC_EINVAL);
    assert_int_equal(mproc_semaphore_get_value(the->semaphore, NULL), MPROC_EINVAL);
    assert_int_equal(value_now(), 1);
    close_depot();
}

static void what_is_no_semaphore_is_stale(void **state)
{
    (void)state;
    mproc_lock lock;
    assert_stale((mproc_semaphore){0});
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    assert_stale((mproc_semaphore){lock.id});
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    for (int i = 0; i < 1000; i++) {
        mproc_semaphore semaphore;
        assert_int_equal(mproc_semaphore_create(&semaphore, 1, 0), MPROC_OK);
        assert_int_equal(mproc_semaphore_destroy(semaphore), MPROC_OK);
        assert_stale(semaphore);
    }
}

static void a_million_forged_handles_are_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    int wrong = 0;
    open_depot(5, 5);
    for (int i = 0; i < 1000000; i++) {
        mproc_semaphore semaphore = {next_random(&seed)};
        if (i % 2) /* one that names a place */
            semaphore.id = (semaphore.id & ~(uint64_t)UINT32_MAX) | (semaphore.id & 63);
        if (semaphore.id == the->semaphore.id)
            continue;
        wrong += mproc_semaphore_acquire(semaphore, 0) != MPROC_ESTALE ||
                 mproc_semaphore_release(semaphore) != MPROC_ESTALE ||
                 mproc_semaphore_destroy(semaphore) != MPROC_ESTALE;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(value_now(), 5);
    close_depot();
}

static void who_waits_for_a_destroyed_one_finds_it_stale(void **state)
{
    (void)state;
    team all;
    open_depot(0, 0);
    start_takers(&all, 2, 2, MPROC_FOREVER);
    assert_int_equal(mproc_semaphore_destroy(the->semaphore), MPROC_OK);
    join_team(&all);
    assert_all_got(&all, MPROC_ESTALE);
    free_shared(place);
}

/* Destroys it, and makes others until one lies in its place. */
static void replace_semaphore(unsigned value)
{
    const mproc_semaphore former = the->semaphore;
    assert_int_equal(mproc_semaphore_destroy(former), MPROC_OK);
    for (int tries = 0; tries < 1 << 20; tries++) {
        assert_int_equal(mproc_semaphore_create(&the->semaphore, value, 0), MPROC_OK);
        if (is_successor(the->semaphore.id, former.id))
            return;
        assert_int_equal(mproc_semaphore_destroy(the->semaphore), MPROC_OK);
    }
    fail();
}

/* With a handle of its own, as fast as it can, until that is stale. */
static int hammer(void *args, size_t size)
{
    depot *here = place_of(args, size);
    if (!here)
        return 1;
    const mproc_semaphore semaphore = here->semaphore;
    here->inside = 1;
    for (;;) {
        mproc_err err = mproc_semaphore_release(semaphore);
        if (!err)
            err = mproc_semaphore_acquire(semaphore, 0);
        if (err)
            return err == MPROC_ESTALE ? 0 : 2;
    }
}

static void who_was_stopped_across_a_destruction_does_not_touch_the_next_one(void **state)
{
    (void)state;
    uint64_t seed = 4101842887655102017u;
    open_depot(7, 0);
    for (int i = 0; i < 100; i++) {
        the->inside = 0;
        mproc_process *other = start_party(hammer, (party){.place = place});
        assert_true(await_value(&the->inside, 1));
        for (uint64_t spins = next_random(&seed) % 20000; spins > 0; spins--)
            atomic_signal_fence(memory_order_seq_cst);
        host_pause(mproc_process_pid(other)); /* where nothing can be stopped it runs on */
        replace_semaphore(7);
        host_continue(mproc_process_pid(other));
        assert_int_equal(exit_code_of(other), 0);
        assert_int_equal(value_now(), 7);
    }
    close_depot();
}

static int use_in_raw_fork(void)
{
    unsigned value;
    mproc_semaphore semaphore;
    return mproc_semaphore_create(&semaphore, 1, 0) != MPROC_ESTATE            ? 1
           : mproc_semaphore_acquire(the->semaphore, 0) != MPROC_ESTATE        ? 2
           : mproc_semaphore_release(the->semaphore) != MPROC_ESTATE           ? 3
           : mproc_semaphore_get_value(the->semaphore, &value) != MPROC_ESTATE ? 4
           : mproc_semaphore_destroy(the->semaphore) != MPROC_ESTATE           ? 5
                                                                               : 0;
}

static void a_child_of_the_programs_own_fork_may_not_use_it(void **state)
{
    (void)state;
    open_depot(1, 0);
    const int code = host_raw_fork(use_in_raw_fork);
    if (code >= 0)
        assert_int_equal(code, 0);
    assert_int_equal(value_now(), 1);
    close_depot();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts_down_to_zero_and_up_again),
        cmocka_unit_test(a_plain_one_may_rise_above_its_first_value),
        cmocka_unit_test(a_bounded_one_may_not_rise_above_its_maximum),
        cmocka_unit_test(anybody_may_release_it),
        cmocka_unit_test(each_release_lets_one_in),
        cmocka_unit_test(many_releases_at_once_let_as_many_in),
        cmocka_unit_test(who_times_out_leaves_the_value_alone),
        cmocka_unit_test(never_more_are_inside_than_it_counts),
        cmocka_unit_test(a_killed_waiter_takes_nothing_with_it),
        cmocka_unit_test(what_a_killed_process_has_taken_is_lost_and_the_rest_goes_on),
        cmocka_unit_test(bad_arguments_are_refused_and_change_nothing),
        cmocka_unit_test(what_is_no_semaphore_is_stale),
        cmocka_unit_test(a_million_forged_handles_are_stale),
        cmocka_unit_test(who_waits_for_a_destroyed_one_finds_it_stale),
        cmocka_unit_test(who_was_stopped_across_a_destruction_does_not_touch_the_next_one),
        cmocka_unit_test(a_child_of_the_programs_own_fork_may_not_use_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
