/* Recursive locks: what they alone do. The rest is in lock_cases.h. */
#include "lock_cases.h"

static int find_it_held(void *args, size_t size)
{
    room *here = place_of(args, size);
    return !here                                                 ? 1
           : lock_acquire(here->lock, 0) != MPROC_ETIMEDOUT      ? 2
           : lock_release(here->lock) != MPROC_ENOTOWNER         ? 3
           : lock_mark_consistent(here->lock) != MPROC_ENOTOWNER ? 4
                                                                 : 0;
}

static void assert_held(void)
{
    team all;
    start_team(&all, find_it_held, 1, 1, (party){.place = place});
    join_team(&all);
}

static void it_is_held_until_it_was_released_as_often_as_taken(void **state)
{
    (void)state;
    enum { DEPTH = 100 };
    open_room(RECURSIVE);
    for (int i = 0; i < DEPTH; i++)
        assert_int_equal(lock_acquire(the->lock, i % 2 ? 0 : MPROC_FOREVER), MPROC_OK);
    assert_held();
    for (int i = 1; i < DEPTH; i++)
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_held();
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
    assert_free();
    close_room();
}

static void nobody_but_the_thread_that_holds_it_releases_it(void **state)
{
    (void)state;
    open_room(RECURSIVE);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    assert_held();
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_free();
    close_room();
}

static int take_deeply(void *args, size_t size)
{
    room *here = place_of(args, size);
    for (int i = 0; here && i < 5; i++) {
        if (lock_acquire(here->lock, 0))
            return 1;
    }
    return here ? 0 : 2;
}

static void the_depth_of_a_dead_holder_dies_with_it(void **state)
{
    (void)state;
    team all;
    open_room(RECURSIVE);
    start_team(&all, take_deeply, 0, 1, (party){.place = place});
    join_team(&all);
    assert_int_equal(lock_acquire(the->lock, SOON), MPROC_EOWNERDEAD);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_EOWNERDEAD);
    assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    assert_held();
    for (int i = 0; i < 3; i++)
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
    assert_free();
    close_room();
}

static int nest(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    for (int i = 0; i < me->rounds; i++) {
        for (int j = 0; j < 3; j++) {
            if (lock_acquire(here->lock, MPROC_FOREVER))
                return 2;
            here->counter++;
        }
        for (int j = 0; j < 3; j++) {
            here->counter++;
            if (lock_release(here->lock))
                return 3;
        }
    }
    return 0;
}

static void nested_users_exclude_one_another(void **state)
{
    (void)state;
    team all;
    open_room(RECURSIVE);
    start_team(&all, nest, 3, 3, (party){.place = place, .rounds = 1000});
    join_team(&all);
    assert_int_equal(the->counter, 6 * 1000 * 6);
    close_room();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const struct CMUnitTest own[] = {
        cmocka_unit_test(it_is_held_until_it_was_released_as_often_as_taken),
        cmocka_unit_test(nobody_but_the_thread_that_holds_it_releases_it),
        cmocka_unit_test(the_depth_of_a_dead_holder_dies_with_it),
        cmocka_unit_test(nested_users_exclude_one_another),
    };
    return lock_main(argc, argv, RECURSIVE, own, COUNT_OF(own));
}
