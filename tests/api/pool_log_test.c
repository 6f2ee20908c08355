/* What a pool writes into the log about tasks whose result nobody has. */
#include "support.h"

#define FAILED "whose end nobody asked for has failed: "

static int fail_with_words(mproc_task *task)
{
    return mproc_task_fail(task, "no %s", "words");
}

static int fail_with_code(mproc_task *task)
{
    (void)task;
    return 17;
}

static int crash(mproc_task *task)
{
    (void)task;
    mproc_log(MPROC_LOG_DEBUG, "before the crash");
    host_crash();
    return 0;
}

static int take_too_long(mproc_task *task)
{
    while (!mproc_task_canceled(task))
        host_nap(1);
    return 0;
}

static void ignore(void *context, const mproc_task_error *error)
{
    (void)context, (void)error;
}

static const mproc_function functions[] = {fail_with_words, fail_with_code, crash, take_too_long};
static const mproc_task_options limited = {.timeout_ms = 20, .grace_ms = MPROC_FOREVER};

static mproc_pool *pool_with_log(void)
{
    mproc_pool *pool;
    return mproc_log_to_stderr(MPROC_LOG_WARNING) ||
                   mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1, .name = "crew"})
               ? NULL
               : pool;
}

static int end(mproc_pool *pool)
{
    const int code = mproc_pool_close(pool) || mproc_pool_join(pool, SOON);
    mproc_pool_free(pool);
    return code;
}

static int ask_for_nothing(int argc, char **argv)
{
    (void)argc, (void)argv;
    mproc_pool *pool = pool_with_log();
    for (size_t i = 0; pool && i < COUNT_OF(functions); i++) {
        const mproc_task_options *options = functions[i] == take_too_long ? &limited : NULL;
        if (mproc_pool_apply_async(pool, functions[i], NULL, 0, options, NULL))
            return 2;
    }
    return !pool || end(pool);
}

static int ask_for_all(int argc, char **argv)
{
    (void)argc, (void)argv;
    mproc_pool *pool = pool_with_log();
    mproc_task_options called = limited;
    called.error_callback = ignore;
    for (size_t i = 0; pool && i < COUNT_OF(functions); i++) {
        mproc_result *result = NULL;
        if (mproc_pool_apply_async(pool, functions[i], NULL, 0, &limited, &result) ||
            mproc_result_wait(result, SOON) ||
            mproc_pool_apply_async(pool, functions[i], NULL, 0, &called, NULL))
            return 2;
        mproc_result_free(result);
    }
    return !pool || end(pool);
}

static const role roles[] = {{"ask_for_nothing", ask_for_nothing}, {"ask_for_all", ask_for_all}};

static size_t count_lines(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void failures_that_nobody_asked_for_are_warnings(void **state)
{
    (void)state;
    const run_result *ran = run_role("ask_for_nothing", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_int_equal(count_lines(ran->output, "[WARNING/MainProcess] crew: "), 4);
    assert_non_null(strstr(ran->output, FAILED "no words\n"));
    assert_non_null(strstr(ran->output, ", code 17\n"));
    assert_non_null(strstr(ran->output, FAILED "its worker "));
    assert_non_null(strstr(ran->output, "; its last message: before the crash\n"));
    assert_non_null(strstr(ran->output, FAILED "it ran for longer than 20 ms\n"));
}

static void failures_that_somebody_is_told_of_are_none(void **state)
{
    (void)state;
    const run_result *ran = run_role("ask_for_all", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_int_equal(count_lines(ran->output, "WARNING"), 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_that_nobody_asked_for_are_warnings),
        cmocka_unit_test(failures_that_somebody_is_told_of_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
