/* Barriers whose members are killed, or end of themselves, at whatever they are just doing. */
#include "barrier_stage.h"

#include <stdlib.h>

/* Passes once and stays. */
static int pass_and_stay(void *args, size_t size)
{
    court *here = place_of(args, size);
    if (!here || mproc_barrier_wait(here->barrier, SOON, NULL))
        return 1;
    here->stage = 1;
    host_wait_forever();
    return 0;
}

static mproc_process *start_member(mproc_target part)
{
    return start_party(part, (party){.place = place, .who = 7, .rounds = 1, .timeout_ms = -1});
}

static void a_member_killed_while_it_waits_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    mproc_process *victim = start_member(take_part);
    assert_true(await_waiting(the->barrier, 1));
    start_waits(&all, 2, 2, once);
    assert_true(await_waiting(the->barrier, 5));
    mproc_process_kill(victim);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_true(mproc_barrier_is_broken(the->barrier));
    end_process(victim);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(6);
    close_court();
}

/* A process that has passed together with this one, and computes. */
static mproc_process *start_computing(void)
{
    open_court(2, NULL);
    mproc_process *other = start_member(pass_and_stay);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    assert_true(await_value(&the->stage, 1));
    return other;
}

static void a_member_killed_between_two_passes_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    mproc_process *victim = start_computing();
    start_waits(&all, 0, 1, once);
    assert_true(await_waiting(the->barrier, 1));
    mproc_process_kill(victim);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    end_process(victim);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_EBROKEN);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(2);
    close_court();
}

static void a_reset_forgets_its_members(void **state)
{
    (void)state;
    mproc_process *other = start_computing();
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    end_process(other);
    assert_false(mproc_barrier_is_broken(the->barrier));
    assert_it_works(2);
    close_court();
}

static int act_for_ever(void *args, size_t size)
{
    court *here = size == sizeof place ? mproc_memory_data(*(mproc_memory *)args) : NULL;
    if (!here)
        return 1;
    here->stage = 1;
    host_wait_forever();
    return 0;
}

static void open_court_of_eternal_action(unsigned parties)
{
    open_court(1, NULL);
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    assert_int_equal(mproc_barrier_create(&the->barrier, parties,
                                          &(mproc_barrier_options){.action = act_for_ever,
                                                                   .args = &place,
                                                                   .args_size = sizeof place}),
                     MPROC_OK);
}

static void a_member_killed_while_it_runs_the_action_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court_of_eternal_action(5);
    start_waiters(&all);
    mproc_process *victim = start_member(take_part);
    assert_true(await_value(&the->stage, 1));
    mproc_process_kill(victim);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    end_process(victim);
    close_court();
}

static void a_time_out_counts_while_the_action_runs(void **state)
{
    (void)state;
    team all;
    open_court_of_eternal_action(3);
    start_waits(&all, 0, 1, once);
    assert_true(await_waiting(the->barrier, 1));
    party hurried = {.place = place, .who = 6, .rounds = 1, .timeout_ms = pace_limit(500)};
    mproc_process *other = start_process(take_part, &hurried, sizeof hurried);
    assert_true(await_waiting(the->barrier, 2));
    mproc_process *victim = start_member(take_part);
    assert_true(await_value(&the->err[6], MPROC_ETIMEDOUT));
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(exit_code_of(other), 0);
    end_process(victim);
    close_court();
}

static void a_member_that_returns_breaks_nothing(void **state)
{
    (void)state;
    open_court(2, NULL);
    mproc_process *other = start_member(take_part);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    assert_int_equal(exit_code_of(other), 0);
    assert_false(mproc_barrier_is_broken(the->barrier));
    assert_it_works(2);
    close_court();
}

/* ThreadSanitizer takes the first thread of a forked child for one of its parent's. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define METHOD_FOR_THREADS MPROC_SPAWN
#endif
#elif defined(__SANITIZE_THREAD__)
#define METHOD_FOR_THREADS MPROC_SPAWN
#endif
#ifndef METHOD_FOR_THREADS
#define METHOD_FOR_THREADS MPROC_START_DEFAULT
#endif

static void take_part_as_thread(void *args)
{
    take_part(args, sizeof(party));
}

/* Returns as soon as a thread of it waits, and others do, too. */
static int return_beside_a_waiter(void *args, size_t size)
{
    static party mine;
    static host_thread thread;
    court *here = place_of(args, size);
    mine = here ? *(party *)args : mine;
    if (!here || !host_thread_start(&thread, take_part_as_thread, &mine))
        return 1;
    host_thread_leave(&thread);
    return await_waiting(here->barrier, 5) ? 0 : 2;
}

static void a_member_that_returns_while_a_thread_of_it_waits_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    party it = {.place = place, .who = 7, .rounds = 1, .timeout_ms = MPROC_FOREVER};
    mproc_process *other = start_options((mproc_process_options){.target = return_beside_a_waiter,
                                                                 .args = &it,
                                                                 .args_size = sizeof it,
                                                                 .method = METHOD_FOR_THREADS});
    start_waits(&all, 2, 2, once);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(exit_code_of(other), 0);
    close_court();
}

static int pass_and_quit(void *args, size_t size)
{
    take_part(args, size);
    host_quit(0);
    return 0;
}

static void a_member_that_exits_without_returning_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court(2, NULL);
    mproc_process *other = start_member(pass_and_quit);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    start_waits(&all, 1, 0, once);
    assert_int_equal(exit_code_of(other), 0);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    close_court();
}

/* A first process, whose end nobody watches: it passes together with its children and computes. */
static int be_first(int argc, char **argv)
{
    if (argc != 1)
        return 1;
    open_court(3, NULL);
    for (int i = 0; i < 2; i++) {
        party it = {.place = place, .who = i, .rounds = 2, .timeout_ms = MPROC_FOREVER};
        mproc_process *process;
        if (mproc_process_create(&process, &(mproc_process_options){.target = take_part,
                                                                    .args = &it,
                                                                    .args_size = sizeof it}) ||
            mproc_process_start(process))
            return 2;
        mproc_process_free(process);
    }
    if (mproc_barrier_wait(the->barrier, SOON, NULL) || !await_waiting(the->barrier, 2))
        return 3;
    const note answer = note_at(argv[0]);
    leave_number(&answer, host_count_marked(getenv("MPROC_TEST_MARK")));
    host_wait_forever();
    return 0;
}

static void waiters_notice_the_death_of_the_first_process(void **state)
{
    (void)state;
    char mark[64];
    snprintf(mark, sizeof mark, "barrier-%lld", host_pid());
    if (host_is_windows || host_count_marked(mark) < 0)
        skip(); /* nobody can tell when they have ended */
    note answer = new_note("answer");
    const char *const arguments[] = {answer.path, NULL};
    host_program first = start_marked_role(mark, "be_first", arguments);
    assert_true(await_number(&answer) >= 3);
    host_kill(first.pid);
    int code;
    assert_true(host_wait(&first, SOON, &code));
    assert_true(await_end_of_marked(mark));
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const role roles[] = {{"be_first", be_first}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_killed_while_it_waits_breaks_the_barrier),
        cmocka_unit_test(a_member_killed_between_two_passes_breaks_the_barrier),
        cmocka_unit_test(a_reset_forgets_its_members),
        cmocka_unit_test(a_member_killed_while_it_runs_the_action_breaks_the_barrier),
        cmocka_unit_test(a_time_out_counts_while_the_action_runs),
        cmocka_unit_test(a_member_that_returns_breaks_nothing),
        cmocka_unit_test(a_member_that_returns_while_a_thread_of_it_waits_breaks_the_barrier),
        cmocka_unit_test(a_member_that_exits_without_returning_breaks_the_barrier),
        cmocka_unit_test(waiters_notice_the_death_of_the_first_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
