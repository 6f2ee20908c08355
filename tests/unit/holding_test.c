/* What a process holds: ids, who is inside, closing, and what a fork keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "family/family.h"
#include "family/gate.h"
#include "family/holding.h"
#include "family_support.h"

static _Atomic int detached;

static void detach(void *attached)
{
    atomic_fetch_add((_Atomic int *)attached, 1);
}

static uint64_t add(uint32_t flags)
{
    uint64_t id = 0;
    gate_enter();
    assert_int_equal(holding_add(OS_NO_HANDLE, flags, &id), MPROC_OK);
    gate_leave();
    assert_true(id != 0);
    return id;
}

static mproc_err receive(uint64_t id, uint32_t flags)
{
    gate_enter();
    mproc_err err = holding_receive(id, OS_NO_HANDLE, flags);
    gate_leave();
    return err;
}

static bool is_held(uint64_t id)
{
    holding *found = holding_enter(id);
    if (found)
        holding_leave(found);
    return found != NULL;
}

static void nothing_is_held_at_first(void **state)
{
    (void)state;
    assert_false(atomic_load(&family.holds));
    assert_null(holding_enter(0));
    assert_null(holding_enter(1));
    assert_int_equal(holding_close(1, detach), MPROC_ENOTHELD);
}

static void what_was_added_is_found_until_it_is_closed(void **state)
{
    (void)state;
    uint64_t id = add(5);
    holding *found = holding_enter(id);
    assert_non_null(found);
    assert_true(found->id == id && found->flags == 5 && found->handle == OS_NO_HANDLE);
    assert_null(found->attached);
    holding_leave(found);
    assert_null(holding_enter(id + 1));
    assert_int_equal(holding_close(id, detach), MPROC_OK);
    assert_null(holding_enter(id));
    assert_int_equal(holding_close(id, detach), MPROC_ENOTHELD);
}

static void it_stays_while_somebody_is_inside(void **state)
{
    (void)state;
    uint64_t id = add(0);
    holding *first = holding_enter(id), *second = holding_enter(id);
    assert_ptr_equal(first, second);
    first->attached = (void *)&detached;
    atomic_store(&detached, 0);
    assert_int_equal(holding_close(id, detach), MPROC_OK);
    assert_int_equal(holding_close(id, detach), MPROC_ENOTHELD);
    assert_null(holding_enter(id));
    holding_leave(first);
    assert_int_equal(atomic_load(&detached), 0);
    holding_leave(second);
    assert_int_equal(atomic_load(&detached), 1);
}

static void what_is_received_again_stays_as_it_is(void **state)
{
    (void)state;
    uint64_t id = add(1);
    assert_int_equal(receive(id, 2), MPROC_OK);
    holding *found = holding_enter(id);
    assert_int_equal(found->flags, 1);
    assert_int_equal(holding_close(id, NULL), MPROC_OK);
    assert_int_equal(receive(id, 2), MPROC_OK); /* while the closed one is still in use */
    holding *other = holding_enter(id);
    assert_int_equal(other->flags, 2);
    holding_leave(found);
    holding_leave(other);
    assert_true(is_held(id));
    assert_int_equal(holding_close(id, NULL), MPROC_OK);
    assert_false(is_held(id));
    assert_int_equal(receive(0, 1), MPROC_EINVAL);
}

static void thousands_are_told_apart(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static uint64_t ids[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        ids[i] = add(i);
    for (uint32_t i = 0; i < COUNT; i += 2)
        assert_int_equal(holding_close(ids[i], NULL), MPROC_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        holding *found = holding_enter(ids[i]);
        assert_true(i % 2 ? found && found->flags == i : !found);
        if (found)
            holding_leave(found);
    }
    for (uint32_t i = 1; i < COUNT; i += 2)
        assert_int_equal(holding_close(ids[i], NULL), MPROC_OK);
}

enum { ROUNDS = 20000 };
static uint64_t shared_ids[2];

static void come_and_go(void *argument)
{
    _Atomic int *failed = argument;
    for (int i = 0; i < ROUNDS; i++) {
        holding *found = holding_enter(shared_ids[i % 2]);
        if (found)
            holding_leave(found);
        else if (i % 2) /* that one is never closed */
            atomic_fetch_add(failed, 1);
    }
}

static void threads_come_and_go_while_one_closes(void **state)
{
    (void)state;
    os_handle threads[3];
    _Atomic int failed = 0;
    atomic_store(&detached, 0);
    shared_ids[0] = add(0);
    shared_ids[1] = add(1);
    holding *found = holding_enter(shared_ids[0]);
    found->attached = (void *)&detached;
    holding_leave(found);
    for (int i = 0; i < 3; i++)
        assert_int_equal(os_thread_start(&threads[i], come_and_go, (void *)&failed), MPROC_OK);
    assert_int_equal(holding_close(shared_ids[0], detach), MPROC_OK);
    for (int i = 0; i < 3; i++)
        os_thread_join(threads[i]);
    assert_int_equal(atomic_load(&failed), 0);
    assert_int_equal(atomic_load(&detached), 1);
    assert_int_equal(holding_close(shared_ids[1], NULL), MPROC_OK);
}

static int check_fork(const uint64_t *ids, uint64_t closed)
{
    const uint64_t keep[] = {ids[2], ids[0], ids[2], closed};
    holdings_after_fork(keep, sizeof keep / sizeof *keep);
    if (!is_held(ids[0]) || !is_held(ids[2]) || !is_held(closed))
        return 1;
    if (is_held(ids[1]) || holding_close(ids[1], NULL) != MPROC_ENOTHELD)
        return 2;
    holding *kept = holding_enter(ids[0]);
    if (kept->attached || kept->flags != 7)
        return 3;
    kept->attached = (void *)&detached;
    atomic_store(&detached, 0);
    holding_leave(kept);
    if (holding_close(ids[0], detach) || atomic_load(&detached) != 1 || is_held(ids[0]))
        return 4;
    return 0;
}

static void a_forked_child_keeps_what_it_was_given(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip();
    uint64_t ids[3] = {add(7), add(8), add(9)}, closed = add(0);
    holding *inside = holding_enter(ids[0]), *pinned = holding_enter(closed);
    inside->attached = (void *)&detached;
    assert_int_equal(holding_close(closed, NULL), MPROC_OK);
    os_process child;
    mproc_exit_status status;
    bool in_child = false;
    assert_int_equal(os_fork(&child, &in_child), MPROC_OK);
    if (in_child) {
        gate_init();
        _Exit(check_fork(ids, closed));
    }
    assert_int_equal(os_process_wait(&child, OS_FOREVER), MPROC_OK);
    os_process_collect(&child, &status);
    os_process_close(&child);
    assert_int_equal(status.code, 0);
    inside->attached = NULL;
    holding_leave(inside);
    holding_leave(pinned);
    for (int i = 0; i < 3; i++)
        assert_int_equal(holding_close(ids[i], NULL), MPROC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_at_first),
        cmocka_unit_test(what_was_added_is_found_until_it_is_closed),
        cmocka_unit_test(it_stays_while_somebody_is_inside),
        cmocka_unit_test(what_is_received_again_stays_as_it_is),
        cmocka_unit_test(thousands_are_told_apart),
        cmocka_unit_test(threads_come_and_go_while_one_closes),
        cmocka_unit_test(a_forked_child_keeps_what_it_was_given),
    };
    return cmocka_run_group_tests_name("unit holding", tests, found_family, NULL);
}
