/* Locks whose holders die, and a family whose first process does. */
#include "lock_cases.h"

#include <stdlib.h>

/* ---- dead holders ---- */

/* Exactly one waiter after the other is warned, until somebody has put it right. */
static void assert_all_are_warned(team *waiting)
{
    join_team(waiting);
    assert_all_got(waiting, MPROC_EOWNERDEAD);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_EOWNERDEAD);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    assert_int_equal(lock_mark_consistent(the->lock), MPROC_ENOTOWNER);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_EOWNERDEAD);
    assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_free();
}

static void who_waits_for_a_killed_holder_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    for (int i = 0; i < 5; i++) {
        mproc_process *holder = start_keeper(take_and_keep);
        start_waiters(&all);
        end_process(holder);
        assert_all_are_warned(&all);
    }
    close_room();
}

static void a_lock_whose_holder_has_been_killed_before_is_taken_with_a_warning(void **state)
{
    (void)state;
    team none = {.part = NULL};
    open_room(tested);
    end_process(start_keeper(take_and_keep));
    assert_all_are_warned(&none);
    close_room();
}

static int take_and_crash(void *args, size_t size)
{
    room *here = place_of(args, size);
    if (!here || lock_acquire(here->lock, 0))
        return 1;
    here->inside = 1;
    if (!await_value(&here->go, 1))
        return 2;
    host_crash();
    return 3;
}

static void who_waits_for_a_crashed_holder_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    mproc_process *holder = start_keeper(take_and_crash);
    start_waiters(&all);
    the->go = 1;
    assert_all_are_warned(&all);
    assert_int_not_equal(exit_status_of(holder).kind, MPROC_EXIT_EXITED);
    close_room();
}

static void who_waits_for_a_holder_that_returns_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    mproc_process *holder = start_keeper(take_and_keep);
    start_waiters(&all);
    the->go = 1;
    assert_all_are_warned(&all);
    assert_int_equal(exit_code_of(holder), 0);
    close_room();
}

static int take_and_quit(void *args, size_t size)
{
    int code = take_and_keep(args, size);
    host_quit(code);
    return code;
}

static void who_waits_for_a_holder_that_exits_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    mproc_process *holder = start_keeper(take_and_quit);
    start_waiters(&all);
    the->go = 1;
    assert_all_are_warned(&all);
    assert_int_equal(exit_code_of(holder), 0);
    close_room();
}

static void a_killed_waiter_takes_nothing_with_it(void **state)
{
    (void)state;
    team all;
    mproc_process *victim[4];
    open_room(tested);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        the->calls = 0;
        for (size_t j = 0; j < COUNT_OF(victim); j++)
            victim[j] = start_party(take_and_release,
                                    (party){.place = place, .who = 60, .timeout_ms = SOON});
        assert_true(await_value(&the->calls, COUNT_OF(victim)));
        start_waiters(&all);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
        for (size_t j = 0; j < COUNT_OF(victim); j++)
            end_process(victim[j]);
        join_team(&all);
        mproc_err err = lock_acquire(the->lock, SOON);
        assert_true(!err || err == MPROC_EOWNERDEAD); /* killed while it held it */
        assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    close_room();
}

/* ---- a family whose first process is dead ---- */

/* Starts a holder and two who will wait, and tells the holder's pid. */
int be_first(int argc, char **argv)
{
    static const mproc_target parts[] = {take_and_keep, take_and_release, take_and_release};
    mproc_process *process[COUNT_OF(parts)];
    if (argc < 2)
        return 1;
    open_room(atoi(argv[1]) ? RECURSIVE : PLAIN);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        process[i] = start_party(parts[i], (party){.place = place, .timeout_ms = MPROC_FOREVER});
        if (!i && !await_value(&the->inside, 1))
            return 2;
    }
    if (!await_value(&the->calls, 2))
        return 3;
    host_nap(argc > 2 ? atoi(argv[2]) : 0);
    const note answer = note_at(argv[0]);
    leave_number(&answer, mproc_process_pid(process[0]));
    host_wait_forever();
    return 0;
}

/* It dies when its children have waited for `nap`; at last nobody is left. */
static void kill_first_and_holder_after(const char *nap)
{
    char mark[64];
    snprintf(mark, sizeof mark, "lock-%d-%lld", (int)tested, host_pid());
    if (host_is_windows || host_count_marked(mark) < 0)
        skip(); /* nobody can tell when they have ended */
    note answer = new_note("answer");
    const char *const arguments[] = {answer.path, tested == PLAIN ? "0" : "1", nap, NULL};
    host_program first = start_marked_role(mark, "be_first", arguments);
    const long long holder = await_number(&answer);
    assert_true(holder > 0);
    host_kill(first.pid);
    int code;
    assert_true(host_wait(&first, SOON, &code));
    host_kill(holder);
    assert_true(await_end_of_marked(mark));
}

static void waiters_prove_a_death_themselves_when_nobody_else_can(void **state)
{
    (void)state;
    kill_first_and_holder_after("0");
}

static void waiters_notice_that_nobody_watches_any_more(void **state)
{
    (void)state;
    kill_first_and_holder_after("300");
}

int run_lock_crash_cases(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_a_killed_holder_gets_it_and_is_warned),
        cmocka_unit_test(a_lock_whose_holder_has_been_killed_before_is_taken_with_a_warning),
        cmocka_unit_test(who_waits_for_a_crashed_holder_gets_it_and_is_warned),
        cmocka_unit_test(who_waits_for_a_holder_that_returns_gets_it_and_is_warned),
        cmocka_unit_test(who_waits_for_a_holder_that_exits_gets_it_and_is_warned),
        cmocka_unit_test(a_killed_waiter_takes_nothing_with_it),
        cmocka_unit_test(waiters_prove_a_death_themselves_when_nobody_else_can),
        cmocka_unit_test(waiters_notice_that_nobody_watches_any_more),
    };
    return cmocka_run_group_tests_name("deaths", tests, NULL, NULL);
}
