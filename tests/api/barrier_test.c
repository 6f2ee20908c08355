/* Barriers: parties are threads of this process and other processes, at once. */
#include "barrier_stage.h"

/* ---- passing ---- */

static void one_party_passes_at_once(void **state)
{
    (void)state;
    open_court(1, NULL);
    for (int i = 0; i < 10; i++) {
        unsigned index = UNTOUCHED;
        assert_int_equal(mproc_barrier_wait(the->barrier, i % 2 ? 0 : MPROC_FOREVER, &index),
                         MPROC_OK);
        assert_int_equal(index, 0);
        assert_int_equal(mproc_barrier_wait(the->barrier, 0, NULL), MPROC_OK);
    }
    close_court();
}

static void assert_indices_are_complete(int parties, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        unsigned seen = 0;
        for (int j = 0; j < parties; j++) {
            assert_true(the->index[j][i] < (unsigned)parties);
            seen |= 1u << the->index[j][i];
        }
        assert_int_equal(seen, (1u << parties) - 1);
    }
}

static void every_index_is_given_once_and_exactly_one_party_gets_zero(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    start_waits(&all, 3, 3, (party){.rounds = 50, .timeout_ms = SOON});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_indices_are_complete(6, 50);
    close_court();
}

static void a_thousand_passes_and_nobody_is_overtaken(void **state)
{
    (void)state;
    team all;
    open_court(4, NULL);
    start_waits(&all, 2, 2, (party){.rounds = ROUNDS, .timeout_ms = MPROC_FOREVER});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_indices_are_complete(4, ROUNDS);
    assert_int_equal(the->overtaken, 0);
    close_court();
}

static void more_users_than_parties_pass_in_groups(void **state)
{
    (void)state;
    team all;
    open_court(2, NULL);
    start_waits(&all, 3, 3, (party){.rounds = 1, .timeout_ms = SOON});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    close_court();
}

static void waiting_and_parties_are_told(void **state)
{
    (void)state;
    team all;
    unsigned number = UNTOUCHED;
    open_court(5, NULL);
    assert_int_equal(mproc_barrier_parties(the->barrier, &number), MPROC_OK);
    assert_int_equal(number, 5);
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, &number), MPROC_OK);
    assert_int_equal(number, 0);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, &number), MPROC_OK);
    assert_int_equal(number, 4);
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, &number), MPROC_OK);
    assert_int_equal(number, 0);
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    close_court();
}

/* ---- the action ---- */

static void the_action_runs_once_for_each_pass_with_its_own_arguments(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 0, 0);
    start_waits(&all, 2, 2, (party){.rounds = 100, .timeout_ms = SOON});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_int_equal(the->action_runs, 100);
    assert_int_equal(the->action_sees_wrong, 0);
    assert_indices_are_complete(4, 100);
    close_court();
}

static void the_action_runs_in_whichever_process_comes_last(void **state)
{
    (void)state;
    open_court_with_action(2, 0, 0);
    team all;
    start_waits(&all, 1, 0, once);
    assert_true(await_waiting(the->barrier, 1));
    party last = once;
    last.place = place;
    last.who = 1;
    mproc_process *process = start_process(take_part, &last, sizeof last);
    long long pid = mproc_process_pid(process);
    assert_int_equal(exit_code_of(process), 0);
    join_team(&all);
    assert_int_equal(the->err[0], MPROC_OK);
    assert_int_equal(the->err[1], MPROC_OK);
    assert_int_equal(the->index[1][0], 1);
    assert_int_equal(the->action_pid, pid);
    close_court();
}

static void nobody_goes_on_before_the_action_is_done(void **state)
{
    (void)state;
    team all;
    unsigned count;
    open_court_with_action(4, 0, 1);
    start_waits(&all, 2, 2, once);
    assert_true(await_value(&the->stage, 1));
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, &count), MPROC_OK);
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(the->err[i], UNTOUCHED);
    the->go = 1;
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    close_court();
}

static void an_action_that_fails_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 3, 0);
    for (int i = 1; i <= 2; i++) {
        start_waits(&all, 2, 2, once);
        join_team(&all);
        assert_team_got(&all, MPROC_EBROKEN);
        assert_int_equal(the->index[0][0], UNTOUCHED);
        assert_true(mproc_barrier_is_broken(the->barrier));
        assert_int_equal(the->action_runs, i);
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    }
    close_court();
}

static void an_abort_while_the_action_runs_breaks_that_pass(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 0, 1);
    start_waits(&all, 2, 2, once);
    assert_true(await_value(&the->stage, 1));
    assert_int_equal(mproc_barrier_abort(the->barrier), MPROC_OK);
    the->go = 1;
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(4);
    close_court();
}

/* ---- breaking ---- */

static void abort_breaks_waiters_and_stays(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    start_waiters(&all);
    assert_false(mproc_barrier_is_broken(the->barrier));
    assert_int_equal(mproc_barrier_abort(the->barrier), MPROC_OK);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    for (int i = 0; i < 3; i++) {
        unsigned count = UNTOUCHED;
        assert_true(mproc_barrier_is_broken(the->barrier));
        assert_int_equal(mproc_barrier_wait(the->barrier, MPROC_FOREVER, &count), MPROC_EBROKEN);
        assert_int_equal(mproc_barrier_wait(the->barrier, 0, NULL), MPROC_EBROKEN);
        assert_int_equal(count, UNTOUCHED);
        assert_int_equal(mproc_barrier_n_waiting(the->barrier, &count), MPROC_OK);
        assert_int_equal(count, 0);
        assert_int_equal(mproc_barrier_abort(the->barrier), MPROC_OK);
    }
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(5);
    close_court();
}

static void reset_frees_waiters_as_broken_and_then_it_works(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    for (int i = 0; i < 2; i++) {
        start_waiters(&all);
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
        join_team(&all);
        assert_team_got(&all, MPROC_EBROKEN);
        assert_it_works(5);
    }
    close_court();
}

static void many_resets_at_once_are_no_pass(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    start_waiters(&all);
    for (int i = 0; i < 64; i++)
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_it_works(5);
    close_court();
}

/* Between two passes of the second barrier. */
static int pass_and_meet(void *args, size_t size)
{
    const party *me = args;
    court *here = place_of(args, size);
    mproc_err err = here ? MPROC_OK : MPROC_EINVAL;
    for (int i = 0; i < me->rounds && !err; i++) {
        err = mproc_barrier_wait(here->barrier, SOON, NULL);
        if (!err)
            err = mproc_barrier_wait(here->second, SOON, NULL);
    }
    return -err;
}

static void a_reset_right_after_a_pass_does_not_break_that_pass(void **state)
{
    (void)state;
    open_court(2, NULL);
    assert_int_equal(mproc_barrier_create(&the->second, 2, NULL), MPROC_OK);
    party other = {.place = place, .rounds = 300};
    mproc_process *process = start_process(pass_and_meet, &other, sizeof other);
    for (int i = 0; i < other.rounds; i++) {
        assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
        assert_int_equal(mproc_barrier_wait(the->second, SOON, NULL), MPROC_OK);
    }
    assert_int_equal(exit_code_of(process), 0);
    assert_int_equal(mproc_barrier_destroy(the->second), MPROC_OK);
    close_court();
}

static void one_time_out_breaks_it_for_all(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_wait(the->barrier, 20, NULL), MPROC_ETIMEDOUT);
    assert_true(mproc_barrier_is_broken(the->barrier));
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(6);
    close_court();
}

static void a_wait_that_may_not_wait_breaks_it_unless_it_is_the_last(void **state)
{
    (void)state;
    team all;
    unsigned index = UNTOUCHED;
    open_court(5, NULL);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_wait(the->barrier, 0, &index), MPROC_OK);
    assert_int_equal(index, 4);
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_int_equal(mproc_barrier_wait(the->barrier, 0, NULL), MPROC_ETIMEDOUT);
    assert_true(mproc_barrier_is_broken(the->barrier));
    close_court();
}

static void the_time_out_of_the_barrier_is_that_of_waits_without_one(void **state)
{
    (void)state;
    open_court(2, &(mproc_barrier_options){.timeout_ms = 20});
    assert_int_equal(mproc_barrier_wait(the->barrier, MPROC_FOREVER, NULL), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    team all;
    start_waits(&all, 0, 1, once);
    assert_true(await_value(&the->err[0], MPROC_ETIMEDOUT));
    join_team(&all);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    start_waits(&all, 1, 0, (party){.rounds = 1, .timeout_ms = SOON});
    assert_true(await_waiting(the->barrier, 1));
    host_nap(60); /* longer than the barrier's own: that must not matter */
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    join_team(&all);
    assert_int_equal(the->err[0], MPROC_OK);
    close_court();
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_party_passes_at_once),
        cmocka_unit_test(every_index_is_given_once_and_exactly_one_party_gets_zero),
        cmocka_unit_test(a_thousand_passes_and_nobody_is_overtaken),
        cmocka_unit_test(more_users_than_parties_pass_in_groups),
        cmocka_unit_test(waiting_and_parties_are_told),
        cmocka_unit_test(the_action_runs_once_for_each_pass_with_its_own_arguments),
        cmocka_unit_test(the_action_runs_in_whichever_process_comes_last),
        cmocka_unit_test(nobody_goes_on_before_the_action_is_done),
        cmocka_unit_test(an_action_that_fails_breaks_the_barrier),
        cmocka_unit_test(an_abort_while_the_action_runs_breaks_that_pass),
        cmocka_unit_test(abort_breaks_waiters_and_stays),
        cmocka_unit_test(reset_frees_waiters_as_broken_and_then_it_works),
        cmocka_unit_test(many_resets_at_once_are_no_pass),
        cmocka_unit_test(a_reset_right_after_a_pass_does_not_break_that_pass),
        cmocka_unit_test(one_time_out_breaks_it_for_all),
        cmocka_unit_test(a_wait_that_may_not_wait_breaks_it_unless_it_is_the_last),
        cmocka_unit_test(the_time_out_of_the_barrier_is_that_of_waits_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
