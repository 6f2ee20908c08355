/* Many children alive at once: MPROC_TEST_MANY of them (default 1000), with 256 descriptors. */
#include "support.h"

#include <stdlib.h>

static size_t many(void)
{
    const char *text = getenv("MPROC_TEST_MANY");
    return text ? (size_t)atoi(text) : 1000;
}

static int wait_for_parent(void *args, size_t size)
{
    (void)args;
    (void)size;
    host_wait_forever();
    return 0;
}

static int start_many(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    size_t wanted = many(), count = 0;
    mproc_process **processes = calloc(wanted, sizeof *processes);
    if (!processes || !host_limit_handles(256))
        return 10;
    for (size_t i = 0; i < wanted; i++) {
        mproc_process *process;
        const mproc_process_options options = {.target = wait_for_parent, .daemon = true};
        mproc_err err = mproc_process_create(&process, &options);
        if (!err)
            err = mproc_process_start(process);
        if (err) {
            printf("%u: %s (%d)\n", (unsigned)i, mproc_strerror(err), mproc_os_error());
            return 11;
        }
        processes[i] = process;
    }
    if (mproc_active_children(NULL, 0, &count) || count != wanted)
        return 12;
    for (size_t i = 0; i < wanted; i++) {
        if (!mproc_process_is_alive(processes[i]) ||
            mproc_process_join(processes[i], 0) != MPROC_ETIMEDOUT)
            return 13;
    }
    for (size_t i = 0; i < wanted; i++) {
        if (i % 2 ? mproc_process_kill(processes[i]) : mproc_process_terminate(processes[i]))
            return 14;
    }
    for (size_t i = 0; i < wanted; i++) {
        int code = 0;
        if (mproc_process_join(processes[i], SOON) || mproc_process_exitcode(processes[i], &code) ||
            code != (i % 2 ? -9 : -15))
            return 15;
        mproc_process_free(processes[i]);
    }
    free(processes);
    return mproc_active_children(NULL, 0, &count) || count != 0 ? 16 : 0;
}

static void many_children_live_at_once(void **state)
{
    (void)state;
    const run_result *ran = run_role("start_many", NULL, NULL);
    assert_string_equal(ran->output, "");
    assert_int_equal(ran->code, 0);
}

static const role roles[] = {{"start_many", start_many}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_children_live_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
