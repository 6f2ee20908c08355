#include "roles.h"

#include <stdlib.h>

/* ---- watcher ---- */

typedef struct record {
    os_watcher *watcher;
    os_process *next; /* what the first call adds, with the key 99 */
    _Atomic uint32_t calls, inside;
    _Atomic uint32_t told[100];
} record;

static void note(void *context, uint64_t key)
{
    record *into = context;
    if (atomic_fetch_add(&into->inside, 1) != 0)
        atomic_store(&into->calls, 1000); /* two calls at once */
    if (into->next) {
        os_watcher_add(into->watcher, into->next, 99);
        into->next = NULL;
    }
    if (key < 100)
        atomic_fetch_add(&into->told[key], 1);
    atomic_fetch_sub(&into->inside, 1);
    atomic_fetch_add(&into->calls, 1);
}

static void a_watcher_tells_of_each_end_once(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    record into = {.calls = 0};
    os_process children[COUNT];
    assert_int_equal(os_watcher_create(&into.watcher, note, &into), MPROC_OK);
    for (uint64_t i = 0; i < COUNT; i++) {
        children[i] = start_role("sleeper", &lifeline.watch, 1);
        assert_int_equal(os_watcher_add(into.watcher, &children[i], i), MPROC_OK);
    }
    assert_int_equal(atomic_load(&into.calls), 0);
    for (int i = 0; i < COUNT; i += 2)
        assert_int_equal(os_process_signal(&children[i], true), MPROC_OK);
    assert_true(comes_to(&into.calls, COUNT / 2));
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(atomic_load(&into.told[i]), i % 2 ? 0 : 1);
    for (int i = 1; i < COUNT; i += 2)
        assert_int_equal(os_process_signal(&children[i], false), MPROC_OK);
    assert_true(comes_to(&into.calls, COUNT));
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(atomic_load(&into.told[i]), 1);
        assert_was_ended(&children[i], i % 2 == 0);
    }
    os_watcher_free(into.watcher);
    assert_int_equal(atomic_load(&into.calls), COUNT);
}

static void a_watcher_tells_of_one_that_has_ended_before(void **state)
{
    (void)state;
    record into = {.calls = 0};
    os_process child = start_role("exit/3", NULL, 0);
    assert_int_equal(os_process_wait(&child, soon()), MPROC_OK);
    assert_int_equal(os_watcher_create(&into.watcher, note, &into), MPROC_OK);
    assert_int_equal(os_watcher_add(into.watcher, &child, 5), MPROC_OK);
    assert_true(comes_to(&into.calls, 1));
    assert_int_equal(atomic_load(&into.told[5]), 1);
    os_process_reap(&child);
    assert_int_equal(os_watcher_add(into.watcher, &child, 6), MPROC_OK);
    assert_true(comes_to(&into.calls, 2));
    assert_int_equal(atomic_load(&into.told[6]), 1);
    os_process_close(&child);
    os_watcher_free(into.watcher);
}

static void a_watcher_can_be_given_more_while_it_tells(void **state)
{
    (void)state;
    os_process first = start_role("sleeper", &lifeline.watch, 1);
    os_process second = start_role("sleeper", &lifeline.watch, 1);
    record into = {.next = &second};
    assert_int_equal(os_watcher_create(&into.watcher, note, &into), MPROC_OK);
    assert_int_equal(os_watcher_add(into.watcher, &first, 1), MPROC_OK);
    assert_int_equal(os_process_signal(&first, true), MPROC_OK);
    assert_true(comes_to(&into.calls, 1));
    assert_int_equal(os_process_signal(&second, true), MPROC_OK);
    assert_true(comes_to(&into.calls, 2));
    assert_int_equal(atomic_load(&into.told[99]), 1);
    assert_was_ended(&first, true);
    assert_was_ended(&second, true);
    os_watcher_free(into.watcher);
}

static void a_watcher_needs_no_process_object(void **state)
{
    (void)state;
    record into = {.calls = 0};
    os_process child = start_role("sleeper", &lifeline.watch, 1), copy = child;
    os_handle sentinel;
    assert_int_equal(os_watcher_create(&into.watcher, note, &into), MPROC_OK);
    assert_int_equal(os_process_sentinel(&copy, &sentinel), MPROC_OK);
    child = copy;
    assert_int_equal(os_watcher_add(into.watcher, &copy, 2), MPROC_OK);
    copy = (os_process){.pid = 0, .handle = OS_NO_HANDLE};
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_true(comes_to(&into.calls, 1));
    assert_was_ended(&child, true);
    os_watcher_free(into.watcher);
}

static void a_watcher_is_freed_while_it_watches(void **state)
{
    (void)state;
    record into = {.calls = 0};
    os_process child = start_role("sleeper", &lifeline.watch, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(os_watcher_create(&into.watcher, note, &into), MPROC_OK);
        assert_int_equal(os_watcher_add(into.watcher, &child, 1), MPROC_OK);
        assert_int_equal(os_watcher_add(into.watcher, &child, 2), MPROC_OK);
        os_watcher_free(into.watcher);
    }
    assert_int_equal(os_process_signal(&child, true), MPROC_OK);
    assert_was_ended(&child, true);
    assert_int_equal(atomic_load(&into.calls), 0);
}

static void a_fork_lets_go_of_the_watcher(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip();
    record into = {.calls = 0};
    os_process watched = start_role("sleeper", &lifeline.watch, 1), child;
    bool in_child;
    assert_int_equal(os_watcher_create(&into.watcher, note, &into), MPROC_OK);
    assert_int_equal(os_watcher_add(into.watcher, &watched, 1), MPROC_OK);
    assert_int_equal(os_fork(&child, &in_child), MPROC_OK);
    if (in_child) {
        os_watcher_after_fork(into.watcher);
        _Exit(4);
    }
    assert_exits_with(&child, 4);
    assert_int_equal(os_process_signal(&watched, true), MPROC_OK);
    assert_true(comes_to(&into.calls, 1));
    assert_was_ended(&watched, true);
    os_watcher_free(into.watcher);
}

/* ---- the life line ---- */

static void a_life_line_holds_while_its_maker_lives(void **state)
{
    (void)state;
    os_lifeline other;
    assert_int_equal(os_lifeline_create(&other), MPROC_OK);
    assert_int_equal(os_lifeline_wait(other.watch, 0), MPROC_ETIMEDOUT);
    assert_int_equal(os_lifeline_wait(other.watch, in_milliseconds(10)), MPROC_ETIMEDOUT);
    os_lifeline_close(&other);
    assert_true(other.watch == OS_NO_HANDLE && other.hold == OS_NO_HANDLE);
    os_lifeline_close(&other);
}

/* Handles: the board, the line of whoever started it. */
static int play_mortal(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    CHECK(os_lifeline_arm(entry->handles[1]) == MPROC_OK);
    atomic_store(&on->word[0], 1);
    for (;;)
        os_lifeline_wait(entry->handles[2], OS_FOREVER);
}

static int play_maker(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_shared shared;
    os_lifeline own;
    os_process child;
    board *on = find_board(&shared, entry->handles[0]);
    CHECK(on != NULL);
    CHECK(os_lifeline_create(&own) == MPROC_OK);
    const os_handle handles[] = {entry->handles[0], own.watch, entry->handles[1]};
    CHECK(os_spawn(&child, "mortal", handles, 3, &own) == MPROC_OK);
    atomic_store(&on->pid, child.pid);
    atomic_store(&on->born, child.born);
    CHECK(comes_to(&on->word[0], 1));
    CHECK(os_process_wait(&child, in_milliseconds(20)) == MPROC_ETIMEDOUT);
    atomic_store(&on->word[1], 1);
    os_lifeline_wait(entry->handles[1], OS_FOREVER);
    return 0;
}

static void an_armed_child_dies_with_a_killed_maker(void **state)
{
    (void)state;
    os_shared shared;
    board *on = make_board(&shared);
    const os_handle handles[] = {shared.object, lifeline.watch};
    os_process maker = start_role("maker", handles, 2);
    assert_true(comes_to(&on->word[1], 1));
    assert_false(os_process_is_gone(atomic_load(&on->pid), atomic_load(&on->born)));
    assert_int_equal(os_process_signal(&maker, true), MPROC_OK);
    assert_was_ended(&maker, true);
    int64_t deadline = soon();
    while (!os_process_is_gone(atomic_load(&on->pid), atomic_load(&on->born)) &&
           os_now() < deadline)
        os_yield();
    assert_true(os_process_is_gone(atomic_load(&on->pid), atomic_load(&on->born)));
    drop_board(&shared);
}

static void orphan(board *on, int64_t parent)
{
    os_handle watch;
    uint32_t found = os_lifeline_find(parent, &watch) == MPROC_OK;
    found += found && os_lifeline_wait(watch, in_milliseconds(5)) == MPROC_ETIMEDOUT;
    atomic_store(&on->word[0], found);
    found += found == 2 && os_lifeline_wait(watch, soon()) == MPROC_OK;
    os_handle late;
    found += found == 3 && os_lifeline_find(parent, &late) == MPROC_OK;
    found += found == 4 && os_lifeline_wait(late, 0) == MPROC_OK;
    atomic_store(&on->word[1], found);
    _Exit(0);
}

static void a_fork_finds_a_line_to_its_parent(void **state)
{
    (void)state;
    if (!os_can_find_lifeline)
        skip();
    os_shared shared;
    os_process child, grandchild;
    bool in_child;
    board *on = make_board(&shared);
    assert_int_equal(os_fork(&child, &in_child), MPROC_OK);
    if (in_child) {
        int64_t parent = os_getpid();
        if (os_fork(&grandchild, &in_child))
            _Exit(CHILD_FAILED);
        if (in_child)
            orphan(on, parent);
        _Exit(comes_to(&on->word[0], 2) ? 0 : CHILD_FAILED);
    }
    assert_exits_with(&child, 0);
    assert_true(comes_to(&on->word[1], 5));
    drop_board(&shared);
}

static int play_late(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_lifeline_wait(entry->handles[0], soon());
    os_lifeline_arm(entry->handles[0]);
    os_lifeline_wait(entry->handles[1], soon());
    return 5;
}

/* The line broke before the child armed it. */
static void a_broken_line_ends_whoever_arms_it(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip(); /* Windows: the job does it */
    os_lifeline other;
    assert_int_equal(os_lifeline_create(&other), MPROC_OK);
    const os_handle handles[] = {other.watch, lifeline.watch};
    os_process child = start_role("late", handles, 2);
    os_lifeline_close(&other);
    assert_was_ended(&child, true);
}

static void arming_nothing_is_refused(void **state)
{
    (void)state;
    if (!os_can_start(MPROC_FORK))
        skip();
    assert_int_not_equal(os_lifeline_arm(OS_NO_HANDLE), MPROC_OK);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"sleeper", play_sleeper},
                                 {"exit", play_exit},
                                 {"mortal", play_mortal},
                                 {"maker", play_maker},
                                 {"late", play_late}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watcher_tells_of_each_end_once),
        cmocka_unit_test(a_watcher_tells_of_one_that_has_ended_before),
        cmocka_unit_test(a_watcher_can_be_given_more_while_it_tells),
        cmocka_unit_test(a_watcher_needs_no_process_object),
        cmocka_unit_test(a_watcher_is_freed_while_it_watches),
        cmocka_unit_test(a_fork_lets_go_of_the_watcher),
        cmocka_unit_test(a_life_line_holds_while_its_maker_lives),
        cmocka_unit_test(an_armed_child_dies_with_a_killed_maker),
        cmocka_unit_test(a_fork_finds_a_line_to_its_parent),
        cmocka_unit_test(a_broken_line_ends_whoever_arms_it),
        cmocka_unit_test(arming_nothing_is_refused),
    };
    return cmocka_run_group_tests_name("os watch", tests, open_lifeline, close_lifeline);
}
