/* What is set for a whole program: mproc_init, the start method, the log, the processors. */
#include "support.h"

#include <ctype.h>
#include <stdlib.h>

static const uint64_t mib = (uint64_t)1 << 20;

/* ---- init ---- */

static int init_badly(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const mproc_options bad[] = {
        {.method = (mproc_start_method)4},
        {.method = (mproc_start_method)-1},
        {.arena_size = 1},
        {.arena_size = ((uint64_t)1 << 20) - 1},
        {.arena_limit = 4096},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (mproc_init(&bad[i]) != MPROC_EINVAL)
            return 10 + (int)i;
    }
    mproc_start_method method = host_is_windows ? MPROC_FORK : MPROC_FORKSERVER;
    if (mproc_init(&(mproc_options){.method = method}) !=
        (host_is_windows ? MPROC_ENOSYS : MPROC_OK))
        return 20;
    return mproc_init(NULL) == MPROC_OK ? 0 : 21;
}

static void init_refuses_bad_numbers(void **state)
{
    (void)state;
    assert_int_equal(run_role("init_badly", NULL, NULL)->code, 0);
}

static int run_one(void)
{
    const int code = 7;
    return try_process(
        &(mproc_process_options){.target = return_code, .args = &code, .args_size = sizeof code});
}

static int init_late(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc_init(NULL) != MPROC_OK || mproc_init(NULL) != MPROC_OK)
        return 1;
    mproc_process *process;
    if (mproc_process_create(&process, &(mproc_process_options){.target = return_code}))
        return 2;
    mproc_process_free(process);
    if (mproc_init(NULL) != MPROC_ESTATE)
        return 3;
    return mproc_init(&(mproc_options){.arena_size = 1}) == MPROC_EINVAL ? 0 : 4;
}

static void init_after_the_first_process_is_too_late(void **state)
{
    (void)state;
    assert_int_equal(run_role("init_late", NULL, NULL)->code, 0);
}

static int init_small(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_start_method method = mproc_get_start_method();
    const mproc_options options = {
        .method = method, .arena_size = 64 * mib, .arena_limit = 32 * mib};
    if (mproc_init(&options) || mproc_get_start_method() != method)
        return 1;
    return run_one();
}

static void small_arena_suffices_for_processes(void **state)
{
    (void)state;
    assert_int_equal(run_role("init_small", NULL, NULL)->code, 7);
}

static int init_method(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc_init(&(mproc_options){.method = MPROC_SPAWN}))
        return 1;
    return mproc_get_start_method() == MPROC_SPAWN ? run_one() : 2;
}

static void init_chooses_the_start_method(void **state)
{
    (void)state;
    assert_int_equal(run_role("init_method", NULL, NULL)->code, 7);
}

static int just_run_one(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return run_one();
}

static void environment_sets_the_arena(void **state)
{
    (void)state;
    const char *const values[] = {"67108864", "65536K", "64M", "1G",  "",
                                  "nonsense", "-5",     "0",   "64MX"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        host_set_variable("MPROC_ARENA_SIZE", values[i]);
        assert_int_equal(run_role("just_run_one", NULL, NULL)->code, 7);
    }
    host_set_variable("MPROC_ARENA_SIZE", NULL);
}

/* ---- log ---- */

static int log_badly(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mproc_log_to_stderr((mproc_log_level)-1) == MPROC_EINVAL &&
                   mproc_log_to_stderr((mproc_log_level)6) == MPROC_EINVAL
               ? run_one()
               : 1;
}

static void log_is_quiet_unless_asked(void **state)
{
    (void)state;
    const run_result *ran = run_role("just_run_one", NULL, NULL);
    assert_int_equal(ran->code, 7);
    assert_string_equal(ran->output, "");
    ran = run_role("log_badly", NULL, NULL);
    assert_int_equal(ran->code, 7);
    assert_string_equal(ran->output, "");
}

static int log_everything(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mproc_log_to_stderr(MPROC_LOG_DEBUG) ? 1 : run_one();
}

static void log_names_level_and_process(void **state)
{
    (void)state;
    const run_result *ran = run_role("log_everything", NULL, NULL);
    assert_int_equal(ran->code, 7);
    assert_non_null(strstr(ran->output, "[DEBUG/MainProcess] Process-1 started, pid "));
    assert_non_null(strstr(ran->output, "[DEBUG/MainProcess] Process-1 (pid "));
    for (const char *line = ran->output; *line;) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(!strncmp(line, "[DEBUG/", 7));
        line = end + 1;
    }
}

static int start_another(void *args, size_t size)
{
    (void)args;
    (void)size;
    return run_one();
}

static int log_in_child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mproc_log_to_stderr(MPROC_LOG_DEBUG)
               ? 1
               : try_process(&(mproc_process_options){.target = start_another});
}

static void children_log_as_their_parent(void **state)
{
    (void)state;
    const run_result *ran = run_role("log_in_child", NULL, NULL);
    assert_int_equal(ran->code, 7);
    assert_non_null(strstr(ran->output, "[DEBUG/Process-1] Process-1:1 started, pid "));
}

static int log_errors_only(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc_log_to_stderr(MPROC_LOG_DEBUG) || mproc_log_to_stderr(MPROC_LOG_DEFAULT) ||
        run_one() != 7)
        return 1;
    return mproc_log_to_stderr(MPROC_LOG_OFF) ? 1 : run_one();
}

static void higher_level_hides_the_lower_ones(void **state)
{
    (void)state;
    const run_result *ran = run_role("log_errors_only", NULL, NULL);
    assert_int_equal(ran->code, 7);
    assert_string_equal(ran->output, "");
}

/* ---- errors ---- */

static void every_error_has_a_sentence(void **state)
{
    (void)state;
    for (int err = MPROC_OK; err >= MPROC_EPROTO; err--) {
        const char *text = mproc_strerror((mproc_err)err);
        assert_non_null(text);
        assert_string_not_equal(text, "unknown error");
        assert_true(strlen(text) > 1 && text[strlen(text) - 1] != '.');
    }
    assert_string_equal(mproc_strerror((mproc_err)(MPROC_EPROTO - 1)), "unknown error");
    assert_string_equal(mproc_strerror((mproc_err)1), "unknown error");
}

/* ---- processors ---- */

static int tell_processors(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mproc_cpu_count();
}

static int bind_to_one(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return host_use_one_processor() ? mproc_cpu_count() : 200;
}

static void processors_are_counted(void **state)
{
    (void)state;
    int count = mproc_cpu_count();
    assert_true(count >= 1);
    assert_int_equal(run_role("tell_processors", NULL, NULL)->code, count);
    /* What a process is bound to is not for every system to tell. */
    if (getenv("MPROC_TEST_PORTABLE"))
        return;
    int one = run_role("bind_to_one", NULL, NULL)->code;
    assert_true(one == 1 || one == 200);
}

static void environment_lowers_the_count(void **state)
{
    (void)state;
    const struct {
        const char *value;
        bool one;
    } cases[] = {{"1", true}, {"100000", false}, {"0", false},
                 {"", false}, {"many", false},   {"-1", false}};
    int count = mproc_cpu_count();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        host_set_variable("MPROC_CPU_COUNT", cases[i].value);
        int told = run_role("tell_processors", NULL, NULL)->code;
        host_set_variable("MPROC_CPU_COUNT", NULL);
        assert_int_equal(told, cases[i].one ? 1 : count);
    }
}

static const role roles[] = {
    {"init_badly", init_badly},           {"init_late", init_late},
    {"init_small", init_small},           {"init_method", init_method},
    {"just_run_one", just_run_one},       {"log_badly", log_badly},
    {"log_everything", log_everything},   {"log_in_child", log_in_child},
    {"log_errors_only", log_errors_only}, {"tell_processors", tell_processors},
    {"bind_to_one", bind_to_one}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_refuses_bad_numbers),
        cmocka_unit_test(init_after_the_first_process_is_too_late),
        cmocka_unit_test(small_arena_suffices_for_processes),
        cmocka_unit_test(init_chooses_the_start_method),
        cmocka_unit_test(environment_sets_the_arena),
        cmocka_unit_test(log_is_quiet_unless_asked),
        cmocka_unit_test(log_names_level_and_process),
        cmocka_unit_test(children_log_as_their_parent),
        cmocka_unit_test(higher_level_hides_the_lower_ones),
        cmocka_unit_test(every_error_has_a_sentence),
        cmocka_unit_test(processors_are_counted),
        cmocka_unit_test(environment_lowers_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
