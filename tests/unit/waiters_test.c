/* The table of those who wait, with the states in it that a kill can leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mproc/condition.h>

#include "family/family.h"
#include "family/waiters.h"

enum { SOME = 40, PLACES = WAITERS_MOST - 1 };

static waiting waits[PLACES];
static mproc_condition condition, other;

static void join(uint32_t index, mproc_condition to)
{
    assert_int_equal(waiters_join(&waits[index], to.id, to.id), MPROC_OK);
}

/* Whether it has been notified; it has left in any case. */
static bool leave(uint32_t index)
{
    bool notified = waiters_await(&waits[index], 0) == MPROC_OK;
    if (notified)
        waiters_leave(&waits[index]);
    return notified;
}

/* Joins in the name of another process, which lives until slot_free. */
static slot_id victim;

static void be(slot_id who)
{
    family.self = who;
    objects.me = 0;
    assert_int_equal(object_enter(), MPROC_OK);
}

static void join_as_victim(uint32_t index, mproc_condition to)
{
    const slot_id self = family.self;
    be(victim);
    join(index, to);
    be(self);
}

static bool is_free(uint32_t index)
{
    return !(atomic_load(&waits[index].place->state) & ((1 << WAITER_COUNT_SHIFT) - 1));
}

/* ---- in order ---- */

static void the_oldest_are_notified_first(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SOME; i++)
        join(i, i % 2 ? condition : other);
    waiters_notify(condition.id, 3);
    for (uint32_t i = 0; i < SOME; i++)
        assert_int_equal(leave(i), i == 1 || i == 3 || i == 5);
}

static void more_than_a_handful_are_notified_in_order(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4 * SOME; i++)
        join(i, condition);
    waiters_notify(condition.id, 2 * SOME);
    for (uint32_t i = 0; i < 4 * SOME; i++)
        assert_int_equal(leave(i), i < 2 * SOME);
}

static void places_in_any_order_are_notified_in_the_order_of_arrival(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SOME; i++)
        join(i, other);
    for (uint32_t i = SOME; i--;) {
        assert_false(leave(i));
        join(i, condition);
    }
    for (uint32_t i = SOME; i--;) {
        waiters_notify(condition.id, 1);
        assert_true(leave(i));
    }
}

static void one_who_has_left_is_not_notified(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        join(i, condition);
    assert_false(leave(0));
    waiters_notify(condition.id, 1);
    assert_true(leave(1));
    assert_false(leave(2));
    waiters_notify(condition.id, 1);
    join(0, condition);
    assert_false(leave(0));
}

static void a_full_table_refuses(void **state)
{
    (void)state;
    waiting more;
    for (uint32_t i = 0; i < PLACES; i++)
        join(i, condition);
    assert_int_equal(waiters_join(&more, condition.id, condition.id), MPROC_EAGAIN);
    assert_int_equal(mproc_condition_acquire(condition, 0), MPROC_OK);
    assert_int_equal(mproc_condition_wait(condition, 1000), MPROC_EAGAIN);
    assert_int_equal(mproc_condition_release(condition), MPROC_OK);
    waiters_notify(condition.id, PLACES / 2);
    for (uint32_t i = 0; i < PLACES; i++)
        assert_int_equal(leave(i), i < PLACES / 2);
    join(0, condition);
    assert_false(leave(0));
}

/* ---- after an end ---- */

static void a_dead_waiter_leaves_its_place(void **state)
{
    (void)state;
    join_as_victim(0, condition);
    join(1, condition);
    waiters_sweep(victim);
    assert_true(is_free(0));
    waiters_sweep(victim);
    waiters_notify(condition.id, 1);
    assert_true(leave(1));
}

static void a_notification_of_a_dead_waiter_is_handed_on(void **state)
{
    (void)state;
    join_as_victim(0, condition);
    join_as_victim(1, condition);
    join(2, other);
    join(3, condition);
    join(4, condition);
    waiters_notify(condition.id, 1);
    waiters_sweep(victim);
    waiters_sweep(victim);
    assert_true(is_free(0) && is_free(1));
    assert_false(leave(2));
    assert_true(leave(3));
    assert_false(leave(4));
}

static void a_notification_that_nobody_is_left_for_is_dropped(void **state)
{
    (void)state;
    join_as_victim(0, condition);
    waiters_notify(condition.id, UINT32_MAX);
    waiters_sweep(victim);
    assert_true(is_free(0));
    join(1, condition);
    assert_false(leave(1));
}

static void a_sweep_rings_whom_the_dead_one_had_notified(void **state)
{
    (void)state;
    join(0, condition);
    join(1, condition);
    waiters_notify(condition.id, 1);
    const uint32_t rung = atomic_load(&waits[0].place->wake);
    const uint32_t quiet = atomic_load(&waits[1].place->wake);
    waiters_sweep(victim);
    assert_int_equal(atomic_load(&waits[0].place->wake), rung + 1);
    assert_int_equal(atomic_load(&waits[1].place->wake), quiet);
    assert_true(leave(0));
    assert_false(leave(1));
}

static void a_sweep_rings_whose_condition_is_gone(void **state)
{
    (void)state;
    mproc_condition gone;
    assert_int_equal(mproc_condition_create(&gone, NULL), MPROC_OK);
    join(0, gone);
    assert_int_equal(object_destroy(gone.id, OBJECT_CONDITION), MPROC_OK);
    const uint32_t quiet = atomic_load(&waits[0].place->wake);
    waiters_sweep(victim);
    assert_int_equal(atomic_load(&waits[0].place->wake), quiet + 1);
    assert_int_equal(waiters_await(&waits[0], OS_FOREVER), MPROC_ESTALE);
    assert_true(is_free(0));
}

/* Its slot has another generation by now. */
static void a_forgotten_place_gets_no_notification(void **state)
{
    (void)state;
    const slot_id before = victim;
    assert_int_equal(slot_claim(family.self, "forgotten", false, &victim), MPROC_OK);
    assert_int_equal(slot_enter(victim, os_getpid()), MPROC_OK);
    join_as_victim(0, condition);
    join(1, condition);
    slot_free(victim);
    victim = before;
    waiters_notify(condition.id, 1);
    assert_true(is_free(0));
    assert_true(leave(1));
}

static int found(void **state)
{
    (void)state;
    return mproc_condition_create(&condition, NULL) || mproc_condition_create(&other, NULL) ||
           slot_claim(family.self, "victim", false, &victim) || slot_enter(victim, os_getpid());
}

static int end(void **state)
{
    (void)state;
    slot_free(victim);
    return mproc_condition_destroy(condition) || mproc_condition_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_are_notified_first),
        cmocka_unit_test(more_than_a_handful_are_notified_in_order),
        cmocka_unit_test(places_in_any_order_are_notified_in_the_order_of_arrival),
        cmocka_unit_test(one_who_has_left_is_not_notified),
        cmocka_unit_test(a_full_table_refuses),
        cmocka_unit_test(a_dead_waiter_leaves_its_place),
        cmocka_unit_test(a_notification_of_a_dead_waiter_is_handed_on),
        cmocka_unit_test(a_notification_that_nobody_is_left_for_is_dropped),
        cmocka_unit_test(a_sweep_rings_whom_the_dead_one_had_notified),
        cmocka_unit_test(a_sweep_rings_whose_condition_is_gone),
        cmocka_unit_test(a_forgotten_place_gets_no_notification),
    };
    return cmocka_run_group_tests(tests, found, end);
}
