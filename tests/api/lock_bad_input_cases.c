/* Locks that are made up, destroyed, or too many. */
#include "lock_cases.h"

#include <stdlib.h>

static void assert_stale(any_lock lock)
{
    assert_int_equal(lock_acquire(lock, 0), MPROC_ESTALE);
    assert_int_equal(lock_acquire(lock, MPROC_FOREVER), MPROC_ESTALE);
    assert_int_equal(lock_release(lock), MPROC_ESTALE);
    assert_int_equal(lock_mark_consistent(lock), MPROC_ESTALE);
    assert_int_equal(lock_destroy(lock), MPROC_ESTALE);
}

static void null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mproc_lock_create(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_rlock_create(NULL), MPROC_EINVAL);
}

static void a_destroyed_lock_stays_stale_when_its_place_is_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        any_lock lock = {0};
        assert_int_equal(lock_create(&lock, tested), MPROC_OK);
        if (i % 2)
            assert_int_equal(lock_acquire(lock, 0), MPROC_OK);
        assert_int_equal(lock_destroy(lock), MPROC_OK);
        assert_stale(lock);
    }
}

static void another_type_of_handle_is_stale(void **state)
{
    (void)state;
    any_lock lock = {0};
    mproc_semaphore semaphore;
    mproc_event event;
    open_room(tested);
    assert_int_equal(lock_create(&lock, tested == PLAIN ? RECURSIVE : PLAIN), MPROC_OK);
    assert_int_equal(mproc_semaphore_create(&semaphore, 1, 0), MPROC_OK);
    assert_int_equal(mproc_event_create(&event), MPROC_OK);
    assert_stale((any_lock){tested, lock.id});
    assert_stale((any_lock){tested, semaphore.id});
    assert_stale((any_lock){tested, event.id});
    assert_stale((any_lock){tested, place.id});
    assert_stale((any_lock){tested, 0});
    assert_int_equal(lock_destroy(lock), MPROC_OK);
    assert_int_equal(mproc_semaphore_destroy(semaphore), MPROC_OK);
    assert_int_equal(mproc_event_destroy(event), MPROC_OK);
    close_room();
}

static void a_million_forged_handles_are_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    int wrong = 0;
    open_room(tested);
    for (int i = 0; i < 1000000; i++) {
        any_lock lock = {tested, next_random(&seed)};
        if (i % 2) /* one that names a place */
            lock.id = (lock.id & ~(uint64_t)UINT32_MAX) | (lock.id & 63);
        if (lock.id == the->lock.id)
            continue;
        wrong += lock_acquire(lock, 0) != MPROC_ESTALE || lock_release(lock) != MPROC_ESTALE ||
                 lock_destroy(lock) != MPROC_ESTALE;
    }
    assert_int_equal(wrong, 0);
    assert_free();
    close_room();
}

static void who_waits_for_a_destroyed_lock_finds_it_stale(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    start_waiters(&all);
    assert_int_equal(lock_destroy(the->lock), MPROC_OK);
    join_team(&all);
    assert_all_got(&all, MPROC_ESTALE);
    free_shared(place);
}

/* Destroys it, and makes others until one lies in its place. */
static void replace_lock(void)
{
    const any_lock former = the->lock;
    assert_int_equal(lock_destroy(former), MPROC_OK);
    for (int tries = 0; tries < 1 << 20; tries++) {
        assert_int_equal(lock_create(&the->lock, tested), MPROC_OK);
        if (is_successor(the->lock.id, former.id))
            return;
        assert_int_equal(lock_destroy(the->lock), MPROC_OK);
    }
    fail();
}

/* With a handle of its own, as fast as it can, until that is stale. */
static int hammer(void *args, size_t size)
{
    room *here = place_of(args, size);
    if (!here)
        return 1;
    const any_lock lock = here->lock;
    here->inside = 1;
    for (;;) {
        mproc_err err = lock_acquire(lock, 0);
        if (!err)
            err = lock_release(lock);
        if (err)
            return err == MPROC_ESTALE ? 0 : 2;
    }
}

static void who_was_stopped_across_a_destruction_does_not_touch_the_next_lock(void **state)
{
    (void)state;
    uint64_t seed = 4101842887655102017u;
    open_room(tested);
    for (int i = 0; i < 100; i++) {
        mproc_process *other = start_keeper(hammer);
        const long long pid = mproc_process_pid(other);
        for (uint64_t spins = next_random(&seed) % 20000; spins > 0; spins--)
            atomic_signal_fence(memory_order_seq_cst);
        if (!host_pause(pid))
            host_nap(0); /* it runs on: that must not matter, either */
        replace_lock();
        host_continue(pid);
        assert_int_equal(exit_code_of(other), 0);
        assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    close_room();
}

static void a_sleeper_that_was_stopped_across_a_destruction_finds_it_stale(void **state)
{
    (void)state;
    open_room(tested);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    mproc_process *other =
        start_party(take_and_release, (party){.place = place, .timeout_ms = MPROC_FOREVER});
    assert_true(await_value(&the->calls, 1));
    host_nap(10);
    const long long pid = mproc_process_pid(other);
    host_pause(pid);
    replace_lock();
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    host_continue(pid);
    assert_int_equal(exit_code_of(other), 0);
    assert_int_equal(the->err[0], MPROC_ESTALE);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    close_room();
}

static int use_in_raw_fork(void)
{
    any_lock lock = {0};
    return lock_create(&lock, tested) != MPROC_ESTATE               ? 1
           : lock_acquire(the->lock, 0) != MPROC_ESTATE             ? 2
           : lock_acquire(the->lock, MPROC_FOREVER) != MPROC_ESTATE ? 3
           : lock_release(the->lock) != MPROC_ESTATE                ? 4
           : lock_mark_consistent(the->lock) != MPROC_ESTATE        ? 5
           : lock_destroy(the->lock) != MPROC_ESTATE                ? 6
                                                                    : 0;
}

static void a_child_of_the_programs_own_fork_may_not_use_it(void **state)
{
    (void)state;
    open_room(tested);
    int code = host_raw_fork(use_in_raw_fork);
    if (code >= 0)
        assert_int_equal(code, 0);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    code = host_raw_fork(use_in_raw_fork);
    if (code >= 0)
        assert_int_equal(code, 0);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    close_room();
}

/* As many as there is room for, twice. */
int fill_arena(int argc, char **argv)
{
    enum { MOST = 1 << 20 };
    static any_lock all[MOST];
    const lock_kind kind = argc == 1 && atoi(argv[0]) ? RECURSIVE : PLAIN;
    int counts[2];
    for (int round = 0; round < 2; round++) {
        int count = 0;
        mproc_err err = MPROC_OK;
        while (count < MOST && !(err = lock_create(&all[count], kind)))
            count++;
        if (count < 1000 || err != MPROC_ENOMEM)
            return 1;
        for (int i = 0; i < count; i += 7) {
            if (lock_destroy(all[i]) || lock_create(&all[i], kind))
                return 2;
        }
        if (lock_acquire(all[count - 1], 0) || lock_release(all[count - 1]))
            return 3;
        for (int i = 0; i < count; i++) {
            if (lock_destroy(all[i]))
                return 4;
        }
        counts[round] = count;
    }
    return counts[0] != counts[1] ? 5 : 0;
}

static void a_full_arena_is_an_error_and_works_again_after_destructions(void **state)
{
    (void)state;
    host_set_variable("MPROC_ARENA_SIZE", "16M");
    const run_result *ran = run_role("fill_arena", tested == PLAIN ? "0" : "1", NULL);
    host_set_variable("MPROC_ARENA_SIZE", NULL);
    assert_int_equal(ran->code, 0);
}

int run_lock_bad_input_cases(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_refused),
        cmocka_unit_test(a_destroyed_lock_stays_stale_when_its_place_is_used_again),
        cmocka_unit_test(another_type_of_handle_is_stale),
        cmocka_unit_test(a_million_forged_handles_are_stale),
        cmocka_unit_test(who_waits_for_a_destroyed_lock_finds_it_stale),
        cmocka_unit_test(who_was_stopped_across_a_destruction_does_not_touch_the_next_lock),
        cmocka_unit_test(a_sleeper_that_was_stopped_across_a_destruction_finds_it_stale),
        cmocka_unit_test(a_child_of_the_programs_own_fork_may_not_use_it),
        cmocka_unit_test(a_full_arena_is_an_error_and_works_again_after_destructions),
    };
    return cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
}
