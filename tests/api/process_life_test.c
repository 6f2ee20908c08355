/* One process from create to free: its states, its end and how that is told. */
#include "support.h"

#include <signal.h>
#include <stdlib.h>

static void life_is_told_before_while_and_after(void **state)
{
    (void)state;
    int code = 1234;
    mproc_exit_status status = {.kind = MPROC_EXIT_LOST, .code = 1234};
    hold it = {.until = new_note("go"), .code = 7};
    mproc_process *process = create_process(
        &(mproc_process_options){.target = hold_on, .args = &it, .args_size = sizeof it});
    assert_false(mproc_process_is_alive(process));
    assert_int_equal(mproc_process_pid(process), 0);
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_ESTATE);
    assert_int_equal(mproc_process_exit_status(process, &status), MPROC_ESTATE);
    assert_int_equal(status.kind, MPROC_EXIT_LOST);

    assert_int_equal(mproc_process_start(process), MPROC_OK);
    assert_true(mproc_process_is_alive(process));
    assert_true(mproc_process_pid(process) > 0);
    assert_int_not_equal(mproc_process_pid(process), host_pid());
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_ESTATE);
    assert_int_equal(code, 1234);
    assert_int_equal(mproc_process_exit_status(process, &status), MPROC_OK);
    assert_int_equal(status.kind, MPROC_EXIT_RUNNING);
    assert_int_equal(status.code, 0);
    long long pid = mproc_process_pid(process);

    assert_true(leave_note(&it.until, ""));
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_false(mproc_process_is_alive(process));
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
    assert_int_equal(code, 7);
    assert_int_equal(mproc_process_exit_status(process, &status), MPROC_OK);
    assert_int_equal(status.kind, MPROC_EXIT_EXITED);
    assert_int_equal(status.code, 7);
    assert_int_equal(status.err, MPROC_OK);
    assert_int_equal(mproc_process_pid(process), pid);
    mproc_process_free(process);
    drop_note(&it.until);
}

static void clean_end_is_zero(void **state)
{
    (void)state;
    int code = 0;
    assert_int_equal(run_process(return_code, &code, sizeof code), 0);
}

static void returned_value_is_the_exit_code(void **state)
{
    (void)state;
    for (int code = 1; code <= 255; code += 127)
        assert_int_equal(run_process(return_code, &code, sizeof code), code);
    int wide = 0x1fe;
    assert_int_equal(run_process(return_code, &wide, sizeof wide), host_is_windows ? 0x1fe : 0xfe);
}

static void end_is_noticed_without_a_join(void **state)
{
    (void)state;
    int code = 3;
    int64_t deadline = host_now() + SOON;
    mproc_process *process = start_process(return_code, &code, sizeof code);
    while (mproc_process_is_alive(process) && host_now() < deadline)
        host_nap(1);
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
    assert_int_equal(code, 3);
    assert_int_equal(mproc_process_join(process, 0), MPROC_OK);
    mproc_process_free(process);
}

/* ---- ways to end ---- */

typedef enum { BY_EXIT, BY_QUIT, BY_ABORT, BY_CRASH, BY_TERM, BY_KILL } way;

static int end_somehow(void *args, size_t size)
{
    (void)size;
    switch (*(way *)args) {
    case BY_EXIT:
        exit(11);
    case BY_QUIT:
        host_quit(12);
        break;
    case BY_ABORT:
        abort();
    case BY_CRASH:
        host_crash();
        break;
    case BY_TERM:
        raise(SIGTERM);
        break;
    case BY_KILL:
        host_kill(host_pid());
        break;
    }
    return 0;
}

static mproc_exit_status end_by(way how)
{
    return exit_status_of(start_process(end_somehow, &how, sizeof how));
}

static void assert_ends(way how, mproc_exit_kind kind, int64_t code)
{
    mproc_exit_status status = end_by(how);
    assert_int_equal(status.kind, kind);
    assert_int_equal(status.code, code);
    assert_int_equal(status.err, MPROC_OK);
}

static void target_may_call_exit(void **state)
{
    (void)state;
    assert_ends(BY_EXIT, MPROC_EXIT_EXITED, 11);
    assert_ends(BY_QUIT, MPROC_EXIT_EXITED, 12);
}

static void abort_and_crash_are_told_apart(void **state)
{
    (void)state;
    assert_ends(BY_ABORT, host_is_windows ? MPROC_EXIT_EXITED : MPROC_EXIT_SIGNALED,
                host_is_windows ? 3 : SIGABRT);
    assert_ends(BY_CRASH, host_is_windows ? MPROC_EXIT_CRASHED : MPROC_EXIT_SIGNALED,
                host_is_windows ? 0xC0000005 : SIGSEGV);
}

static void signal_of_its_own_is_no_termination(void **state)
{
    (void)state;
    if (host_is_windows) {
        assert_ends(BY_TERM, MPROC_EXIT_EXITED, 3);
        assert_ends(BY_KILL, MPROC_EXIT_EXITED, 1);
    } else {
        assert_ends(BY_TERM, MPROC_EXIT_SIGNALED, 15);
        assert_ends(BY_KILL, MPROC_EXIT_SIGNALED, 9);
    }
}

static void exit_code_of_a_crash_is_negative_signal_or_status(void **state)
{
    (void)state;
    way how = BY_CRASH;
    int code = run_process(end_somehow, &how, sizeof how);
    assert_int_equal(code, host_is_windows ? (int)0xC0000005 : -SIGSEGV);
    how = BY_ABORT;
    code = run_process(end_somehow, &how, sizeof how);
    assert_int_equal(code, host_is_windows ? 3 : -SIGABRT);
}

static void terminate_and_kill_are_told(void **state)
{
    (void)state;
    for (int hard = 0; hard <= 1; hard++) {
        int code;
        mproc_exit_status status;
        mproc_process *process = start_process(wait_forever, NULL, 0);
        mproc_err err = hard ? mproc_process_kill(process) : mproc_process_terminate(process);
        assert_int_equal(err, MPROC_OK);
        assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
        assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
        assert_int_equal(code, hard ? -9 : -15);
        assert_int_equal(mproc_process_exit_status(process, &status), MPROC_OK);
        assert_int_equal(status.kind, MPROC_EXIT_TERMINATED);
        assert_int_equal(status.code, hard ? 9 : 15);
        mproc_process_free(process);
    }
}

static void terminate_of_one_that_has_ended_does_nothing(void **state)
{
    (void)state;
    int code = 5;
    mproc_process *process = start_process(return_code, &code, sizeof code);
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_int_equal(mproc_process_terminate(process), MPROC_OK);
    assert_int_equal(mproc_process_kill(process), MPROC_OK);
    assert_int_equal(exit_code_of(process), 5);
}

static void terminate_right_after_start(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        mproc_process *process = start_process(wait_forever, NULL, 0);
        assert_int_equal(i % 2 ? mproc_process_kill(process) : mproc_process_terminate(process),
                         MPROC_OK);
        mproc_exit_status status = exit_status_of(process);
        assert_int_equal(status.kind, MPROC_EXIT_TERMINATED);
        assert_int_equal(status.code, i % 2 ? 9 : 15);
    }
}

static void code_15_of_its_own_is_no_termination(void **state)
{
    (void)state;
    for (int code = 9; code <= 15; code += 6) {
        mproc_process *process = start_process(return_code, &code, sizeof code);
        mproc_exit_status status = exit_status_of(process);
        assert_int_equal(status.kind, MPROC_EXIT_EXITED);
        assert_int_equal(status.code, code);
    }
}

/* ---- join ---- */

static void join_times_out_while_the_child_runs(void **state)
{
    (void)state;
    mproc_process *process = start_process(wait_forever, NULL, 0);
    int64_t before = host_now();
    assert_int_equal(mproc_process_join(process, 0), MPROC_ETIMEDOUT);
    assert_true(host_now() - before < SOON);
    before = host_now();
    assert_int_equal(mproc_process_join(process, 100), MPROC_ETIMEDOUT);
    assert_true(host_now() - before >= 80); /* the clock of Windows moves in steps of 16 */
    assert_true(mproc_process_is_alive(process));
    end_process(process);
}

static void join_may_be_repeated(void **state)
{
    (void)state;
    int code = 4;
    mproc_process *process = start_process(return_code, &code, sizeof code);
    assert_int_equal(mproc_process_join(process, MPROC_FOREVER), MPROC_OK);
    assert_int_equal(mproc_process_join(process, MPROC_FOREVER), MPROC_OK);
    assert_int_equal(mproc_process_join(process, 0), MPROC_OK);
    assert_int_equal(exit_code_of(process), 4);
}

typedef struct joiner {
    host_thread thread;
    mproc_process *process;
    mproc_err err;
    int code;
    int timeout_ms;
} joiner;

static void join_in_thread(void *argument)
{
    joiner *self = argument;
    self->err = mproc_process_join(self->process, self->timeout_ms);
    mproc_process_exitcode(self->process, &self->code);
}

static void several_threads_join_at_once(void **state)
{
    (void)state;
    joiner joiners[6];
    hold it = {.until = new_note("go"), .code = 21};
    mproc_process *process = start_process(hold_on, &it, sizeof it);
    for (size_t i = 0; i < COUNT_OF(joiners); i++) {
        joiners[i] = (joiner){.process = process,
                              .err = MPROC_EOS,
                              .code = -1,
                              .timeout_ms = i % 2 ? SOON : MPROC_FOREVER};
        assert_true(host_thread_start(&joiners[i].thread, join_in_thread, &joiners[i]));
    }
    assert_true(leave_note(&it.until, ""));
    for (size_t i = 0; i < COUNT_OF(joiners); i++) {
        host_thread_join(&joiners[i].thread);
        assert_int_equal(joiners[i].err, MPROC_OK);
        assert_int_equal(joiners[i].code, 21);
    }
    mproc_process_free(process);
    drop_note(&it.until);
}

static void terminate_by_one_thread_ends_the_join_of_another(void **state)
{
    (void)state;
    joiner one = {.process = start_process(wait_forever, NULL, 0), .timeout_ms = MPROC_FOREVER};
    assert_true(host_thread_start(&one.thread, join_in_thread, &one));
    assert_int_equal(mproc_process_terminate(one.process), MPROC_OK);
    host_thread_join(&one.thread);
    assert_int_equal(one.err, MPROC_OK);
    assert_int_equal(one.code, -15);
    mproc_process_free(one.process);
}

/* ---- sentinel ---- */

static void sentinel_becomes_ready_at_the_end(void **state)
{
    (void)state;
    intptr_t sentinel, again;
    hold it = {.until = new_note("go"), .code = 0};
    mproc_process *process = start_process(hold_on, &it, sizeof it);
    assert_int_equal(mproc_process_sentinel(process, &sentinel), MPROC_OK);
    assert_false(host_is_ready(sentinel, 0));
    assert_false(host_is_ready(sentinel, 50));
    assert_true(leave_note(&it.until, ""));
    assert_true(host_is_ready(sentinel, SOON));
    assert_true(host_is_ready(sentinel, 0));
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_true(host_is_ready(sentinel, 0));
    assert_int_equal(mproc_process_sentinel(process, &again), MPROC_OK);
    assert_true(again == sentinel);
    mproc_process_free(process);
    drop_note(&it.until);
}

static void sentinel_is_ready_when_first_asked_for_after_the_end(void **state)
{
    (void)state;
    int code = 0;
    intptr_t sentinel;
    mproc_process *process = start_process(return_code, &code, sizeof code);
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_int_equal(mproc_process_sentinel(process, &sentinel), MPROC_OK);
    assert_true(host_is_ready(sentinel, 0));
    assert_int_equal(exit_code_of(process), 0);
}

static void sentinel_tells_of_a_killed_child(void **state)
{
    (void)state;
    intptr_t sentinel;
    mproc_process *process = start_process(wait_forever, NULL, 0);
    assert_int_equal(mproc_process_sentinel(process, &sentinel), MPROC_OK);
    assert_int_equal(mproc_process_kill(process), MPROC_OK);
    assert_true(host_is_ready(sentinel, SOON));
    assert_int_equal(exit_code_of(process), -9);
}

/* ---- many ---- */

static void hundred_start_at_once(void **state)
{
    (void)state;
    enum { MANY = 100 };
    mproc_process *processes[MANY];
    for (int i = 0; i < MANY; i++)
        processes[i] = start_process(return_code, &i, sizeof i);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(exit_code_of(processes[i]), i);
}

enum { STARTS = 10 };
typedef struct starter {
    host_thread thread;
    int wrong;
} starter;

static void start_in_thread(void *argument)
{
    starter *self = argument;
    for (int i = 0; i < STARTS; i++) {
        mproc_process *process;
        int code = -1;
        const mproc_process_options options = {
            .target = return_code, .args = &i, .args_size = sizeof i};
        if (mproc_process_create(&process, &options)) {
            self->wrong++;
            continue;
        }
        self->wrong += mproc_process_start(process) != MPROC_OK ||
                       mproc_process_join(process, SOON) != MPROC_OK ||
                       mproc_process_exitcode(process, &code) != MPROC_OK || code != i;
        mproc_process_free(process);
    }
}

static void several_threads_start_at_once(void **state)
{
    (void)state;
    starter starters[4] = {{.wrong = 0}};
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        assert_true(host_thread_start(&starters[i].thread, start_in_thread, &starters[i]));
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        host_thread_join(&starters[i].thread);
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        assert_int_equal(starters[i].wrong, 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_is_told_before_while_and_after),
        cmocka_unit_test(clean_end_is_zero),
        cmocka_unit_test(returned_value_is_the_exit_code),
        cmocka_unit_test(end_is_noticed_without_a_join),
        cmocka_unit_test(target_may_call_exit),
        cmocka_unit_test(abort_and_crash_are_told_apart),
        cmocka_unit_test(signal_of_its_own_is_no_termination),
        cmocka_unit_test(exit_code_of_a_crash_is_negative_signal_or_status),
        cmocka_unit_test(terminate_and_kill_are_told),
        cmocka_unit_test(terminate_of_one_that_has_ended_does_nothing),
        cmocka_unit_test(terminate_right_after_start),
        cmocka_unit_test(code_15_of_its_own_is_no_termination),
        cmocka_unit_test(join_times_out_while_the_child_runs),
        cmocka_unit_test(join_may_be_repeated),
        cmocka_unit_test(several_threads_join_at_once),
        cmocka_unit_test(terminate_by_one_thread_ends_the_join_of_another),
        cmocka_unit_test(sentinel_becomes_ready_at_the_end),
        cmocka_unit_test(sentinel_is_ready_when_first_asked_for_after_the_end),
        cmocka_unit_test(sentinel_tells_of_a_killed_child),
        cmocka_unit_test(hundred_start_at_once),
        cmocka_unit_test(several_threads_start_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
