/* Locks: what they alone do. The rest is in lock_cases.h. */
#include "lock_cases.h"

static int release_it(void *args, size_t size)
{
    room *here = place_of(args, size);
    return here ? -lock_release(here->lock) : 1;
}

static void any_thread_of_any_process_may_release_it(void **state)
{
    (void)state;
    team all;
    open_room(PLAIN);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        start_team(&all, release_it, i, !i, (party){.place = place});
        join_team(&all);
        assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
    }
    assert_free();
    close_room();
}

static void who_takes_it_twice_waits_for_himself(void **state)
{
    (void)state;
    open_room(PLAIN);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_ETIMEDOUT);
    assert_int_equal(lock_acquire(the->lock, 20), MPROC_ETIMEDOUT);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
    close_room();
}

static int mark_it(void *args, size_t size)
{
    room *here = place_of(args, size);
    return here && lock_mark_consistent(here->lock) == MPROC_ENOTOWNER ? 0 : 1;
}

static void only_the_process_that_holds_it_marks_it_consistent(void **state)
{
    (void)state;
    team all;
    open_room(PLAIN);
    the->go = 1;
    start_team(&all, take_and_keep, 0, 1, (party){.place = place, .timeout_ms = SOON});
    join_team(&all);
    assert_int_equal(lock_acquire(the->lock, SOON), MPROC_EOWNERDEAD);
    start_team(&all, mark_it, 0, 1, (party){.place = place});
    join_team(&all);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_EOWNERDEAD);
    assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_free();
    close_room();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const struct CMUnitTest own[] = {
        cmocka_unit_test(any_thread_of_any_process_may_release_it),
        cmocka_unit_test(who_takes_it_twice_waits_for_himself),
        cmocka_unit_test(only_the_process_that_holds_it_marks_it_consistent),
    };
    return lock_main(argc, argv, PLAIN, own, COUNT_OF(own));
}
