/* The end of a program: its children are joined or ended, and nothing that was printed is lost. */
#include "support.h"

#include <stdlib.h>

enum { LINES = 5000 };

typedef struct trace {
    note started, go;
} trace;

/* Registered after the guard, so it runs before mproc's own handler. */
static note leaving;

static void tell_leaving(void)
{
    leave_note(&leaving, "");
}

static mproc_err start(mproc_target target, const trace *args, bool daemon)
{
    mproc_process *process;
    const mproc_process_options options = {
        .target = target, .args = args, .args_size = sizeof *args, .daemon = daemon};
    mproc_err err = mproc_process_create(&process, &options);
    if (err)
        return err;
    err = mproc_process_start(process);
    mproc_process_free(process);
    return err;
}

/* ---- non-daemons ---- */

static int print_late(void *args, size_t size)
{
    (void)size;
    const trace *it = args;
    leave_number(&it->started, host_pid());
    bool came = await_note(&it->go, NULL, 0);
    for (int i = 0; i < LINES; i++)
        printf("child %d\n", i);
    return came ? 0 : 1;
}

static trace trace_of(char **argv)
{
    return (trace){.started = note_at(argv[0]), .go = note_at(argv[1])};
}

static int leave_child_running(int argc, char **argv)
{
    trace it = trace_of(argv);
    (void)argc;
    leaving = note_at(argv[2]);
    atexit(tell_leaving);
    printf("first\n");
    if (start(print_late, &it, false))
        return 1;
    printf("main returns\n");
    return 5;
}

static void program_joins_its_children_at_exit(void **state)
{
    (void)state;
    static char expected[LINES * 16], got[LINES * 16];
    note started = new_note("started"), go = new_note("go"), left = new_note("leaving"),
         output = new_note("output");
    const char *const arguments[] = {started.path, go.path, left.path, NULL};
    int code = -1;
    host_program program = start_role("leave_child_running", arguments, output.path);
    assert_true(await_number(&started) > 0);
    assert_true(await_note(&left, NULL, 0));
    assert_false(host_wait(&program, 100, &code));
    assert_true(leave_note(&go, ""));
    assert_true(host_wait(&program, SOON, &code));
    assert_int_equal(code, 5);
    read_file(output.path, got, sizeof got);
    /* Some C libraries write what main has printed before its handlers run. */
    bool early = !strncmp(got, "first\nmain", 10);
    size_t length =
        (size_t)snprintf(expected, sizeof expected, "first\n%s", early ? "main returns\n" : "");
    for (int i = 0; i < LINES; i++)
        length += (size_t)snprintf(expected + length, sizeof expected - length, "child %d\n", i);
    snprintf(expected + length, sizeof expected - length, "%s", early ? "" : "main returns\n");
    drop_note(&output);
    drop_note(&left);
    drop_note(&go);
    assert_string_equal(got, expected);
}

/* ---- daemons ---- */

static int daemon_for_ever(void *args, size_t size)
{
    (void)size;
    const trace *it = args;
    leave_number(&it->started, host_pid());
    host_wait_forever();
    return 0;
}

static int leave_daemon_running(int argc, char **argv)
{
    (void)argc;
    trace it = trace_of(argv);
    if (start(daemon_for_ever, &it, true))
        return 1;
    return await_note(&it.started, NULL, 0) ? 6 : 2;
}

static void program_ends_its_daemons_at_exit(void **state)
{
    (void)state;
    note started = new_note("started"), go = new_note("go");
    const run_result *ran = run_role("leave_daemon_running", started.path, go.path);
    assert_int_equal(ran->code, 6);
    long long pid = await_number(&started);
    assert_true(pid > 0);
    assert_false(host_is_running(pid));
}

static int deaf_daemon(void *args, size_t size)
{
    host_ignore_terminate();
    return daemon_for_ever(args, size);
}

static int leave_deaf_daemon_running(int argc, char **argv)
{
    (void)argc;
    trace it = trace_of(argv);
    if (start(deaf_daemon, &it, true))
        return 1;
    return await_note(&it.started, NULL, 0) ? 6 : 2;
}

static void daemon_that_ignores_its_termination_is_killed(void **state)
{
    (void)state;
    note started = new_note("started"), go = new_note("go");
    const run_result *ran = run_role("leave_deaf_daemon_running", started.path, go.path);
    assert_int_equal(ran->code, 6);
    long long pid = await_number(&started);
    assert_true(pid > 0);
    assert_false(host_is_running(pid));
}

/* ---- children of children ---- */

static int start_grandchild(void *args, size_t size)
{
    (void)size;
    printf("child\n");
    return start(print_late, args, false) ? 1 : 0;
}

static int leave_grandchild_running(int argc, char **argv)
{
    (void)argc;
    trace it = trace_of(argv);
    mproc_process *process;
    int code = -1;
    const mproc_process_options options = {
        .target = start_grandchild, .args = &it, .args_size = sizeof it};
    if (mproc_process_create(&process, &options) || mproc_process_start(process))
        return 1;
    if (!await_note(&it.started, NULL, 0) || mproc_process_join(process, 50) != MPROC_ETIMEDOUT ||
        !leave_note(&it.go, "") || mproc_process_join(process, SOON) ||
        mproc_process_exitcode(process, &code))
        return 2;
    mproc_process_free(process);
    return code;
}

static void child_joins_its_own_children_before_it_ends(void **state)
{
    (void)state;
    note started = new_note("started"), go = new_note("go");
    const run_result *ran = run_role("leave_grandchild_running", started.path, go.path);
    assert_int_equal(ran->code, 0);
    drop_note(&started);
    drop_note(&go);
    assert_true(!strncmp(ran->output, "child\nchild 0\nchild 1\n", 22));
}

/* ---- output ---- */

static int print_and_exit(void *args, size_t size)
{
    (void)args;
    (void)size;
    for (int i = 0; i < LINES; i++)
        printf("%d,", i);
    exit(9);
}

static int print_in_child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("<");
    const int code = try_process(&(mproc_process_options){.target = print_and_exit});
    printf(">");
    return code;
}

static void output_before_exit_in_a_target_is_complete(void **state)
{
    (void)state;
    static char expected[LINES * 8];
    const run_result *ran = run_role("print_in_child", NULL, NULL);
    size_t length = (size_t)snprintf(expected, sizeof expected, "<");
    for (int i = 0; i < LINES; i++)
        length += (size_t)snprintf(expected + length, sizeof expected - length, "%d,", i);
    snprintf(expected + length, sizeof expected - length, ">");
    assert_int_equal(ran->code, 9);
    assert_string_equal(ran->output, expected);
}

/* ---- handlers ---- */

static void say_handler(void)
{
    printf("handler of %s\n", mproc_process_parent() ? "the child" : "the first process");
}

static int register_handler(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int zero = 0;
    mproc_process *process;
    const mproc_process_options options = {
        .target = return_code, .args = &zero, .args_size = sizeof zero};
    atexit(say_handler);
    if (mproc_process_create(&process, &options) || mproc_process_start(process) ||
        mproc_process_join(process, SOON))
        return 1;
    mproc_process_free(process);
    return 0;
}

static void handlers_of_the_parent_run_once(void **state)
{
    (void)state;
    const run_result *ran = run_role("register_handler", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "handler of the first process\n");
}

static int start_at_exit(void *args, size_t size)
{
    (void)args;
    (void)size;
    printf("too late\n");
    return 0;
}

static void start_in_handler(void)
{
    trace unused = {0};
    start(start_at_exit, &unused, false);
    printf("handler\n");
}

/* The handler stands before the guard's, so it runs when mproc has left. */
static int end_and_start(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    size_t count;
    mproc_active_children(NULL, 0, &count);
    return 0;
}

static void start_after_the_end_is_refused(void **state)
{
    (void)state;
    host_set_variable("MPROC_TEST_STARTS_AT_EXIT", "1");
    const run_result *ran = run_role("end_and_start", NULL, NULL);
    host_set_variable("MPROC_TEST_STARTS_AT_EXIT", NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "handler\n");
}

static const role roles[] = {{"leave_child_running", leave_child_running},
                             {"leave_daemon_running", leave_daemon_running},
                             {"leave_deaf_daemon_running", leave_deaf_daemon_running},
                             {"leave_grandchild_running", leave_grandchild_running},
                             {"print_in_child", print_in_child},
                             {"register_handler", register_handler},
                             {"end_and_start", end_and_start}};

int main(int argc, char **argv)
{
    if (getenv("MPROC_TEST_STARTS_AT_EXIT"))
        atexit(start_in_handler);
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_joins_its_children_at_exit),
        cmocka_unit_test(program_ends_its_daemons_at_exit),
        cmocka_unit_test(daemon_that_ignores_its_termination_is_killed),
        cmocka_unit_test(child_joins_its_own_children_before_it_ends),
        cmocka_unit_test(output_before_exit_in_a_target_is_complete),
        cmocka_unit_test(handlers_of_the_parent_run_once),
        cmocka_unit_test(start_after_the_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
