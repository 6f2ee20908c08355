/* mproc_log: the program's own messages. What the log does with those of mproc itself stands in
 * settings_test.c. */
#include "support.h"

#include <stdlib.h>

enum { LINES = 400, WRITERS = 4, LONGEST = 1024 };

/* ---- the programs ---- */

static bool log_each(const char *text)
{
    return !mproc_log(MPROC_LOG_DEBUG, "%s", text) && !mproc_log(MPROC_LOG_INFO, "%s", text) &&
           !mproc_log(MPROC_LOG_WARNING, "%s", text) && !mproc_log(MPROC_LOG_ERROR, "%s", text);
}

static int log_in_child(void *args, size_t size)
{
    (void)size;
    return log_each(args) ? 0 : 1;
}

static int run_child(mproc_target target, const void *args, size_t size, const char *name)
{
    return try_process(
        &(mproc_process_options){.target = target, .args = args, .args_size = size, .name = name});
}

/* "-" leaves the level as it is. */
static int log_at(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[0], "-") != 0 && mproc_log_to_stderr((mproc_log_level)atoi(argv[0])))
        return 1;
    if (!log_each("of the parent"))
        return 2;
    static const char text[] = "of the child";
    return run_child(log_in_child, text, sizeof text, NULL);
}

static int log_badly(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const char *const none = NULL;
    const int levels[] = {MPROC_LOG_DEFAULT, MPROC_LOG_OFF, MPROC_LOG_OFF + 1, -1, 1000};
    if (mproc_log_to_stderr(MPROC_LOG_DEBUG))
        return 1;
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        if (mproc_log((mproc_log_level)levels[i], "never") != MPROC_EINVAL)
            return 2;
    }
    return mproc_log(MPROC_LOG_ERROR, none) == MPROC_EINVAL ? 0 : 3;
}

static int log_long(int argc, char **argv)
{
    (void)argc;
    char text[3 * 2000 + 1] = "";
    for (size_t i = 0; i < 2000; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 4);
    if (mproc_log_to_stderr(MPROC_LOG_INFO))
        return 1;
    /* So that one of three lengths would cut each of the three bytes. */
    return mproc_log(MPROC_LOG_INFO, "%s%s", argv[0], text) ||
                   mproc_log(MPROC_LOG_INFO, "%d%% of %s", 7, "it") ||
                   mproc_log(MPROC_LOG_INFO, "%s", "")
               ? 2
               : 0;
}

static void log_much(void *argument)
{
    for (int i = 0; i < LINES; i++)
        mproc_log(MPROC_LOG_INFO, "%s %d, and something that makes it longer", (char *)argument, i);
}

static int log_from_threads(void *args, size_t size)
{
    (void)args;
    (void)size;
    static char name[] = "line";
    host_thread threads[2];
    for (int i = 0; i < 2; i++) {
        if (!host_thread_start(&threads[i], log_much, name))
            return 1;
    }
    for (int i = 0; i < 2; i++)
        host_thread_join(&threads[i]);
    return 0;
}

static int log_at_once(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_process *processes[WRITERS];
    if (mproc_log_to_stderr(MPROC_LOG_INFO))
        return 1;
    for (int i = 0; i < WRITERS; i++) {
        if (mproc_process_create(&processes[i],
                                 &(mproc_process_options){.target = log_from_threads}) ||
            mproc_process_start(processes[i]))
            return 2;
    }
    for (int i = 0; i < WRITERS; i++) {
        int code = -1;
        if (mproc_process_join(processes[i], SOON) || mproc_process_exitcode(processes[i], &code) ||
            code)
            return 3;
        mproc_process_free(processes[i]);
    }
    return 0;
}

static const role roles[] = {{"log_at", log_at},
                             {"log_badly", log_badly},
                             {"log_long", log_long},
                             {"log_at_once", log_at_once}};

/* ---- the tests ---- */

static bool says(const run_result *ran, const char *level, const char *process, const char *text)
{
    char line[200];
    snprintf(line, sizeof line, "[%s/%s] %s\n", level, process, text);
    return strstr(ran->output, line) != NULL;
}

static void level_lets_messages_through(void **state)
{
    (void)state;
    const char *const names[] = {"", "DEBUG", "INFO", "WARNING", "ERROR"};
    for (int level = MPROC_LOG_DEBUG; level <= MPROC_LOG_OFF; level++) {
        char argument[16];
        snprintf(argument, sizeof argument, "%d", level);
        const run_result *ran = run_role("log_at", argument, NULL);
        assert_int_equal(ran->code, 0);
        for (int of = MPROC_LOG_DEBUG; of <= MPROC_LOG_ERROR; of++) {
            assert_int_equal(says(ran, names[of], "MainProcess", "of the parent"), of >= level);
            assert_int_equal(says(ran, names[of], "Process-1", "of the child"), of >= level);
        }
    }
}

static void nothing_is_logged_unless_asked(void **state)
{
    (void)state;
    const run_result *ran = run_role("log_at", "-", NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "");
}

static void what_is_no_level_is_refused(void **state)
{
    (void)state;
    const run_result *ran = run_role("log_badly", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "");
}

static void long_message_is_cut_at_a_character(void **state)
{
    (void)state;
    const char *const heads[] = {"", "x", "xx"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        const char *const arguments[] = {"--role", "log_long", heads[i], NULL};
        const run_result *ran = run_command(&(host_command){.arguments = arguments});
        assert_int_equal(ran->code, 0);
        char prefix[60];
        int length = snprintf(prefix, sizeof prefix, "[INFO/MainProcess] %s", heads[i]);
        assert_memory_equal(ran->output, prefix, (size_t)length);
        const char *end = strchr(ran->output, '\n');
        assert_non_null(end);
        const size_t line = (size_t)(end - ran->output);
        assert_true(line < LONGEST && line >= LONGEST - 4);
        assert_int_equal((line - (size_t)length) % 3, 0);
        assert_true(says(ran, "INFO", "MainProcess", "7% of it"));
        assert_true(says(ran, "INFO", "MainProcess", ""));
    }
}

static void lines_of_many_do_not_mix(void **state)
{
    (void)state;
    static char output[WRITERS * 2 * LINES * 80 + 1];
    note place = new_note("output");
    int code = -1;
    host_program program = start_role("log_at_once", NULL, place.path);
    assert_true(host_wait(&program, SOON, &code));
    assert_int_equal(code, 0);
    read_file(place.path, output, sizeof output);
    drop_note(&place);
    int count = 0;
    for (const char *line = output, *end; (end = strchr(line, '\n')); line = end + 1, count++) {
        int process, number, used = 0;
        assert_int_equal(sscanf(line,
                                "[INFO/Process-%d] line %d, and something that makes it longer%n",
                                &process, &number, &used),
                         2);
        assert_int_equal(used, end - line);
    }
    assert_int_equal(count, WRITERS * 2 * LINES);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_lets_messages_through),
        cmocka_unit_test(nothing_is_logged_unless_asked),
        cmocka_unit_test(what_is_no_level_is_refused),
        cmocka_unit_test(long_message_is_cut_at_a_character),
        cmocka_unit_test(lines_of_many_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
