/* The guard forgotten: a clear error, and never a second process that goes on. */
#include "support.h"

#include <stdlib.h>

static const char *method_name(void)
{
    const char *name = getenv("MPROC_TEST_METHOD");
    return name ? name : "spawn";
}

static int count_lines(const char *text, const char *with)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, with)); at++)
        count++;
    return count;
}

static void program_without_guard_is_told_what_to_add(void **state)
{
    (void)state;
    char lines[256];
    note notes = new_note("mains");
    const char *const arguments[] = {method_name(), notes.path, NULL};
    const run_result *ran = run_command(
        &(host_command){.program = getenv("MPROC_TEST_NO_GUARD"), .arguments = arguments});
    read_file(notes.path, lines, sizeof lines);
    drop_note(&notes);
    assert_string_equal(lines, "main\n");
    if (!strcmp(method_name(), "fork")) {
        assert_int_equal(ran->code, 0);
        assert_string_equal(ran->output, "");
        return;
    }
    assert_int_equal(ran->code, -MPROC_EGUARD);
    assert_non_null(strstr(ran->output, "int main(int argc, char **argv)"));
    assert_non_null(strstr(ran->output, "mproc_main_guard(argc, argv);"));
}

static void child_past_the_guard_starts_nothing(void **state)
{
    (void)state;
    char lines[1024];
    note notes = new_note("mains");
    host_set_variable("MPROC_TEST_NOTES", notes.path);
    const run_result *ran =
        run_command(&(host_command){.program = getenv("MPROC_TEST_LATE_GUARD")});
    host_set_variable("MPROC_TEST_NOTES", NULL);
    read_file(notes.path, lines, sizeof lines);
    drop_note(&notes);
    assert_int_equal(count_lines(lines, "child started"), 0);
    assert_int_equal(count_lines(lines, "first"), 1);
    assert_non_null(strstr(ran->output, "mproc_main_guard"));
    if (!strcmp(method_name(), "forkserver")) {
        /* Its server went past: no child ever runs, and the error says so. */
        assert_true(count_lines(lines, "child 0\n") <= 2);
        assert_int_not_equal(ran->code, 0);
        assert_non_null(strstr(lines, "first -"));
    } else {
        assert_int_equal(count_lines(lines, "child 0\n"), 1);
        assert_int_equal(ran->code, 33);
    }
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_without_guard_is_told_what_to_add),
        cmocka_unit_test(child_past_the_guard_starts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
