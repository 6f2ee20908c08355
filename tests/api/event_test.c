/* Events: waiters are threads of this process and other processes, at once. */
#include "sync_support.h"

#include <stdlib.h>

/* In shared memory. */
typedef struct gate {
    mproc_event event;
    mproc_semaphore done;
    _Atomic int calls, inside, go;
    _Atomic int err[MOST_PARTIES];
} gate;

static mproc_memory place;
static gate *the;

static void open_gate(void)
{
    the = alloc_shared(&place, sizeof *the);
    assert_int_equal(mproc_event_create(&the->event), MPROC_OK);
}

static void close_gate(void)
{
    assert_int_equal(mproc_event_destroy(the->event), MPROC_OK);
    free_shared(place);
}

static int wait_for_it(void *args, size_t size)
{
    const party *me = args;
    gate *here = place_of(args, size);
    if (!here)
        return 1;
    here->calls++;
    here->err[me->who] = mproc_event_wait(here->event, me->timeout_ms);
    return 0;
}

static void start_waiters(team *all, int timeout_ms)
{
    the->calls = 0;
    start_team(all, wait_for_it, 3, 3, (party){.place = place, .timeout_ms = timeout_ms});
    assert_true(await_value(&the->calls, 6));
    host_nap(10); /* so that most of them sleep; it holds for the others as well */
}

static void assert_all_got(const team *all, mproc_err err)
{
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(the->err[i], err);
}

/* ---- the flag ---- */

static void it_is_set_and_cleared_as_often_as_one_likes(void **state)
{
    (void)state;
    open_gate();
    assert_false(mproc_event_is_set(the->event));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mproc_event_wait(the->event, 0), MPROC_ETIMEDOUT);
        assert_int_equal(mproc_event_wait(the->event, 20), MPROC_ETIMEDOUT);
        for (int j = 0; j < 2; j++) {
            assert_int_equal(mproc_event_set(the->event), MPROC_OK);
            assert_true(mproc_event_is_set(the->event));
            assert_int_equal(mproc_event_wait(the->event, 0), MPROC_OK);
            assert_int_equal(mproc_event_wait(the->event, MPROC_FOREVER), MPROC_OK);
        }
        for (int j = 0; j < 2; j++) {
            assert_int_equal(mproc_event_clear(the->event), MPROC_OK);
            assert_false(mproc_event_is_set(the->event));
        }
    }
    close_gate();
}

static void a_set_releases_all_who_wait(void **state)
{
    (void)state;
    team all;
    open_gate();
    for (int i = 0; i < 10; i++) {
        start_waiters(&all, MPROC_FOREVER);
        assert_int_equal(mproc_event_set(the->event), MPROC_OK);
        join_team(&all);
        assert_all_got(&all, MPROC_OK);
        start_waiters(&all, MPROC_FOREVER); /* set already */
        join_team(&all);
        assert_all_got(&all, MPROC_OK);
        assert_int_equal(mproc_event_clear(the->event), MPROC_OK);
    }
    close_gate();
}

static void who_waits_is_not_released_before(void **state)
{
    (void)state;
    team all;
    open_gate();
    start_waiters(&all, 0);
    join_team(&all);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    start_waiters(&all, 60);
    join_team(&all);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    close_gate();
}

/* Each round's waiters are asleep, or have looked, when it is set and cleared at once. */
static int wait_for_pulses(void *args, size_t size)
{
    const party *me = args;
    gate *here = place_of(args, size);
    for (int i = 0; here && i < me->rounds; i++) {
        here->calls++;
        if (mproc_event_wait(here->event, MPROC_FOREVER) || mproc_semaphore_release(here->done))
            return 1;
        if (!await_at_least(&here->go, i + 1))
            return 2;
    }
    return here ? 0 : 3;
}

static void a_set_that_is_cleared_at_once_still_releases_who_slept(void **state)
{
    (void)state;
    enum { ROUNDS = 20, WAITERS = 4 };
    team all;
    open_gate();
    assert_int_equal(mproc_semaphore_create(&the->done, 0, 0), MPROC_OK);
    start_team(&all, wait_for_pulses, 2, 2, (party){.place = place, .rounds = ROUNDS});
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(await_value(&the->calls, (i + 1) * WAITERS));
        for (int released = 0; released < WAITERS;) {
            /* One that had only just announced itself is caught by the next pulse. */
            assert_int_equal(mproc_event_set(the->event), MPROC_OK);
            assert_int_equal(mproc_event_clear(the->event), MPROC_OK);
            while (released < WAITERS && !mproc_semaphore_acquire(the->done, 20))
                released++;
        }
        the->go = i + 1;
    }
    join_team(&all);
    assert_int_equal(mproc_semaphore_destroy(the->done), MPROC_OK);
    close_gate();
}

/* ---- ends of processes ---- */

static int set_it(void *args, size_t size)
{
    gate *here = place_of(args, size);
    return here ? -mproc_event_set(here->event) : 1;
}

static void it_stays_set_when_its_setter_has_ended(void **state)
{
    (void)state;
    team all;
    open_gate();
    start_waiters(&all, MPROC_FOREVER);
    mproc_process *setter = start_party(set_it, (party){.place = place});
    join_team(&all);
    assert_all_got(&all, MPROC_OK);
    assert_int_equal(exit_code_of(setter), 0);
    assert_true(mproc_event_is_set(the->event));
    close_gate();
}

static void killed_waiters_keep_nobody_else(void **state)
{
    (void)state;
    team all;
    mproc_process *victim[4];
    open_gate();
    for (int round = 0; round < 10; round++) {
        the->calls = 0;
        for (size_t i = 0; i < COUNT_OF(victim); i++)
            victim[i] =
                start_party(wait_for_it, (party){.place = place, .who = 60, .timeout_ms = SOON});
        assert_true(await_value(&the->calls, COUNT_OF(victim)));
        start_waiters(&all, MPROC_FOREVER);
        mproc_process_kill(victim[0]);
        mproc_process_kill(victim[1]);
        assert_int_equal(mproc_event_set(the->event), MPROC_OK);
        assert_int_equal(mproc_event_clear(the->event), MPROC_OK);
        mproc_process_kill(victim[2]);
        mproc_process_kill(victim[3]);
        host_nap(1);
        assert_int_equal(mproc_event_set(the->event), MPROC_OK);
        join_team(&all);
        assert_all_got(&all, MPROC_OK);
        for (size_t i = 0; i < COUNT_OF(victim); i++)
            end_process(victim[i]);
        assert_int_equal(mproc_event_clear(the->event), MPROC_OK);
    }
    close_gate();
}

/* ---- bad input ---- */

static void assert_stale(mproc_event event)
{
    assert_int_equal(mproc_event_set(event), MPROC_ESTALE);
    assert_int_equal(mproc_event_clear(event), MPROC_ESTALE);
    assert_int_equal(mproc_event_wait(event, 0), MPROC_ESTALE);
    assert_int_equal(mproc_event_wait(event, MPROC_FOREVER), MPROC_ESTALE);
    assert_false(mproc_event_is_set(event));
    assert_int_equal(mproc_event_destroy(event), MPROC_ESTALE);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    open_gate();
    assert_int_equal(mproc_event_create(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_event_wait(the->event, -2), MPROC_EINVAL);
    assert_int_equal(mproc_event_wait(the->event, 0), MPROC_ETIMEDOUT);
    close_gate();
}

static void what_is_no_event_is_stale(void **state)
{
    (void)state;
    mproc_semaphore semaphore;
    assert_stale((mproc_event){0});
    assert_int_equal(mproc_semaphore_create(&semaphore, 1, 0), MPROC_OK);
    assert_stale((mproc_event){semaphore.id});
    assert_int_equal(mproc_semaphore_destroy(semaphore), MPROC_OK);
    for (int i = 0; i < 1000; i++) {
        mproc_event event;
        assert_int_equal(mproc_event_create(&event), MPROC_OK);
        assert_int_equal(mproc_event_set(event), MPROC_OK);
        assert_int_equal(mproc_event_destroy(event), MPROC_OK);
        assert_stale(event);
    }
}

static void a_million_forged_handles_are_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    int wrong = 0;
    open_gate();
    for (int i = 0; i < 1000000; i++) {
        mproc_event event = {next_random(&seed)};
        if (i % 2) /* one that names a place */
            event.id = (event.id & ~(uint64_t)UINT32_MAX) | (event.id & 63);
        if (event.id == the->event.id)
            continue;
        wrong += mproc_event_set(event) != MPROC_ESTALE || mproc_event_is_set(event) ||
                 mproc_event_wait(event, 0) != MPROC_ESTALE ||
                 mproc_event_destroy(event) != MPROC_ESTALE;
    }
    assert_int_equal(wrong, 0);
    assert_false(mproc_event_is_set(the->event));
    close_gate();
}

static void who_waits_for_a_destroyed_one_finds_it_stale(void **state)
{
    (void)state;
    team all;
    open_gate();
    start_waiters(&all, MPROC_FOREVER);
    assert_int_equal(mproc_event_destroy(the->event), MPROC_OK);
    join_team(&all);
    assert_all_got(&all, MPROC_ESTALE);
    free_shared(place);
}

/* Destroys it, and makes others until one lies in its place. */
static void replace_event(void)
{
    const mproc_event former = the->event;
    assert_int_equal(mproc_event_destroy(former), MPROC_OK);
    for (int tries = 0; tries < 1 << 20; tries++) {
        assert_int_equal(mproc_event_create(&the->event), MPROC_OK);
        if (is_successor(the->event.id, former.id))
            return;
        assert_int_equal(mproc_event_destroy(the->event), MPROC_OK);
    }
    fail();
}

/* With a handle of its own, as fast as it can, until that is stale. */
static int hammer(void *args, size_t size)
{
    gate *here = place_of(args, size);
    if (!here)
        return 1;
    const mproc_event event = here->event;
    here->inside = 1;
    for (;;) {
        mproc_err err = mproc_event_set(event);
        if (err || (err = mproc_event_clear(event)))
            return err == MPROC_ESTALE ? 0 : 2;
    }
}

static void who_was_stopped_across_a_destruction_does_not_touch_the_next_one(void **state)
{
    (void)state;
    uint64_t seed = 4101842887655102017u;
    open_gate();
    for (int i = 0; i < 100; i++) {
        the->inside = 0;
        mproc_process *other = start_party(hammer, (party){.place = place});
        assert_true(await_value(&the->inside, 1));
        for (uint64_t spins = next_random(&seed) % 20000; spins > 0; spins--)
            atomic_signal_fence(memory_order_seq_cst);
        host_pause(mproc_process_pid(other)); /* where nothing can be stopped it runs on */
        replace_event();
        assert_false(mproc_event_is_set(the->event));
        host_continue(mproc_process_pid(other));
        assert_int_equal(exit_code_of(other), 0);
        assert_false(mproc_event_is_set(the->event));
    }
    close_gate();
}

static int use_in_raw_fork(void)
{
    mproc_event event;
    return mproc_event_create(&event) != MPROC_ESTATE        ? 1
           : mproc_event_set(the->event) != MPROC_ESTATE     ? 2
           : mproc_event_clear(the->event) != MPROC_ESTATE   ? 3
           : mproc_event_wait(the->event, 0) != MPROC_ESTATE ? 4
           : mproc_event_destroy(the->event) != MPROC_ESTATE ? 5
           : mproc_event_is_set(the->event)                  ? 6
                                                             : 0;
}

static void a_child_of_the_programs_own_fork_may_not_use_it(void **state)
{
    (void)state;
    open_gate();
    const int code = host_raw_fork(use_in_raw_fork);
    if (code >= 0)
        assert_int_equal(code, 0);
    assert_int_equal(mproc_event_set(the->event), MPROC_OK);
    close_gate();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_set_and_cleared_as_often_as_one_likes),
        cmocka_unit_test(a_set_releases_all_who_wait),
        cmocka_unit_test(who_waits_is_not_released_before),
        cmocka_unit_test(a_set_that_is_cleared_at_once_still_releases_who_slept),
        cmocka_unit_test(it_stays_set_when_its_setter_has_ended),
        cmocka_unit_test(killed_waiters_keep_nobody_else),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(what_is_no_event_is_stale),
        cmocka_unit_test(a_million_forged_handles_are_stale),
        cmocka_unit_test(who_waits_for_a_destroyed_one_finds_it_stale),
        cmocka_unit_test(who_was_stopped_across_a_destruction_does_not_touch_the_next_one),
        cmocka_unit_test(a_child_of_the_programs_own_fork_may_not_use_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
