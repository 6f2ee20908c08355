/* What makes no sense is a clear error, changes nothing, and the next start works. */
#include "support.h"

#include <limits.h>
#include <stdlib.h>

static const mproc_start_method all_methods[] = {MPROC_FORK, MPROC_SPAWN, MPROC_FORKSERVER};

static void assert_next_start_works(void)
{
    int code = 42;
    assert_int_equal(run_process(return_code, &code, sizeof code), 42);
}

static void assert_refuses(const mproc_process_options *options, mproc_err expected)
{
    int unused;
    mproc_process *untouched = (mproc_process *)(void *)&unused, *process = untouched;
    assert_int_equal(mproc_process_create(&process, options), expected);
    assert_ptr_equal(process, untouched);
}

static void create_needs_a_place_options_and_a_target(void **state)
{
    (void)state;
    assert_int_equal(mproc_process_create(NULL, &(mproc_process_options){.target = return_code}),
                     MPROC_EINVAL);
    assert_refuses(NULL, MPROC_EINVAL);
    assert_refuses(&(mproc_process_options){.name = "no target"}, MPROC_EINVAL);
    assert_next_start_works();
}

static void size_without_pointer_is_refused(void **state)
{
    (void)state;
    assert_refuses(&(mproc_process_options){.target = return_code, .args_size = 1}, MPROC_EINVAL);
    assert_next_start_works();
}

static void absurd_size_is_no_memory(void **state)
{
    (void)state;
    int args = 0;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 64, SIZE_MAX / 2};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_refuses(
            &(mproc_process_options){.target = return_code, .args = &args, .args_size = sizes[i]},
            MPROC_ENOMEM);
    assert_next_start_works();
}

static void unknown_method_is_refused(void **state)
{
    (void)state;
    const int numbers[] = {-1, 4, 1000, INT_MAX, INT_MIN};
    mproc_start_method before = mproc_get_start_method();
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        mproc_start_method method = (mproc_start_method)numbers[i];
        assert_refuses(&(mproc_process_options){.target = return_code, .method = method},
                       MPROC_EINVAL);
        assert_int_equal(mproc_set_start_method(method), MPROC_EINVAL);
    }
    assert_int_equal(mproc_get_start_method(), before);
}

static void method_that_the_system_lacks_is_refused(void **state)
{
    (void)state;
    mproc_start_method before = mproc_get_start_method();
    for (size_t i = 0; i < COUNT_OF(all_methods); i++) {
        bool there = !host_is_windows || all_methods[i] == MPROC_SPAWN;
        if (!there)
            assert_refuses(
                &(mproc_process_options){.target = return_code, .method = all_methods[i]},
                MPROC_ENOSYS);
        assert_int_equal(mproc_set_start_method(all_methods[i]), there ? MPROC_OK : MPROC_ENOSYS);
        if (there)
            assert_int_equal(mproc_get_start_method(), all_methods[i]);
    }
    assert_int_equal(mproc_set_start_method(MPROC_START_DEFAULT), MPROC_OK);
    assert_int_not_equal(mproc_get_start_method(), MPROC_START_DEFAULT);
    assert_int_equal(mproc_set_start_method(before), MPROC_OK);
}

static void null_process_is_refused(void **state)
{
    (void)state;
    int code = 77;
    intptr_t sentinel = 77;
    mproc_exit_status status = {.code = 77};
    assert_int_equal(mproc_process_start(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_process_join(NULL, 0), MPROC_EINVAL);
    assert_false(mproc_process_is_alive(NULL));
    assert_int_equal(mproc_process_exitcode(NULL, &code), MPROC_EINVAL);
    assert_int_equal(mproc_process_exit_status(NULL, &status), MPROC_EINVAL);
    assert_int_equal(mproc_process_terminate(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_process_kill(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_process_pid(NULL), 0);
    assert_null(mproc_process_name(NULL));
    assert_false(mproc_process_is_daemon(NULL));
    assert_int_equal(mproc_process_sentinel(NULL, &sentinel), MPROC_EINVAL);
    mproc_process_free(NULL);
    assert_int_equal(code, 77);
    assert_int_equal(status.code, 77);
    assert_int_equal(sentinel, 77);
}

static void null_results_are_refused(void **state)
{
    (void)state;
    int zero = 0;
    size_t count = 77;
    mproc_process *process = start_process(return_code, &zero, sizeof zero);
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_int_equal(mproc_process_exitcode(process, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_process_exit_status(process, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_process_sentinel(process, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_active_children(NULL, 1, &count), MPROC_EINVAL);
    assert_int_equal(count, 77);
    assert_int_equal(mproc_active_children(NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(exit_code_of(process), 0);
}

static void unstarted_process_can_only_be_started(void **state)
{
    (void)state;
    intptr_t sentinel = 77;
    int code = 6;
    mproc_process *process = create_process(
        &(mproc_process_options){.target = return_code, .args = &code, .args_size = sizeof code});
    assert_int_equal(mproc_process_join(process, 0), MPROC_ESTATE);
    assert_int_equal(mproc_process_join(process, MPROC_FOREVER), MPROC_ESTATE);
    assert_int_equal(mproc_process_terminate(process), MPROC_ESTATE);
    assert_int_equal(mproc_process_kill(process), MPROC_ESTATE);
    assert_int_equal(mproc_process_sentinel(process, &sentinel), MPROC_ESTATE);
    assert_int_equal(sentinel, 77);
    assert_int_equal(mproc_process_start(process), MPROC_OK);
    assert_int_equal(exit_code_of(process), 6);
}

static void process_starts_only_once(void **state)
{
    (void)state;
    hold it = {.until = new_note("go"), .code = 5};
    mproc_process *process = start_process(hold_on, &it, sizeof it);
    assert_int_equal(mproc_process_start(process), MPROC_ESTATE);
    assert_true(leave_note(&it.until, ""));
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_int_equal(mproc_process_start(process), MPROC_ESTATE);
    assert_int_equal(exit_code_of(process), 5);
    drop_note(&it.until);
}

static void negative_timeouts_are_refused(void **state)
{
    (void)state;
    mproc_process *process = start_process(wait_forever, NULL, 0);
    assert_int_equal(mproc_process_join(process, -2), MPROC_EINVAL);
    assert_int_equal(mproc_process_join(process, INT_MIN), MPROC_EINVAL);
    assert_true(mproc_process_is_alive(process));
    end_process(process);
}

/* ---- code ---- */

static void target_outside_of_any_module_is_refused(void **state)
{
    (void)state;
    if (mproc_get_start_method() == MPROC_FORK)
        skip();
    void *heap = malloc(64);
    int stack = 0;
    const uintptr_t addresses[] = {(uintptr_t)heap, (uintptr_t)&stack, 1, UINTPTR_MAX,
                                   (uintptr_t)&all_methods};
    for (size_t i = 0; i < COUNT_OF(addresses); i++)
        assert_refuses(&(mproc_process_options){.target = (mproc_target)addresses[i]},
                       MPROC_EIMAGE);
    free(heap);
    assert_next_start_works();
}

static const char *plugin(void)
{
    return getenv("MPROC_TEST_PLUGIN");
}

static void target_in_a_module_that_the_child_lacks_is_refused(void **state)
{
    (void)state;
    mproc_target target = plugin() ? (mproc_target)host_load(plugin(), "plugin_answer") : NULL;
    if (!target)
        skip();
    mproc_exit_status status;
    int code = -1;
    mproc_process *process = start_options((mproc_process_options){.target = target});
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_int_equal(mproc_process_exit_status(process, &status), MPROC_OK);
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
    mproc_process_free(process);
    if (mproc_get_start_method() == MPROC_FORK) {
        assert_int_equal(code, 65);
        return;
    }
    assert_int_equal(status.kind, MPROC_EXIT_REFUSED);
    assert_int_equal(status.err, MPROC_EIMAGE);
    assert_int_equal(status.code, 0);
    assert_int_equal(code, 255);
    assert_next_start_works();
}

/* Its main loads the plugin above the guard, so that every child has it, too. */
static int start_from_plugin(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return try_process(
        &(mproc_process_options){.target = (mproc_target)host_load(plugin(), "plugin_answer")});
}

static void target_in_a_library_that_both_load_runs(void **state)
{
    (void)state;
    if (!plugin() || !host_load(plugin(), "plugin_answer"))
        skip();
    host_set_variable("MPROC_TEST_LOADS_PLUGIN", "1");
    const run_result *ran = run_role("start_from_plugin", NULL, NULL);
    host_set_variable("MPROC_TEST_LOADS_PLUGIN", NULL);
    assert_int_equal(ran->code, 65);
}

/* ---- objects of another process ---- */

static mproc_process *parents_object;

static int use_object_of_the_parent(void *args, size_t size)
{
    (void)args;
    (void)size;
    int code = 9;
    intptr_t sentinel;
    mproc_exit_status status;
    bool good = mproc_process_join(parents_object, 0) == MPROC_ESTATE &&
                mproc_process_start(parents_object) == MPROC_ESTATE &&
                mproc_process_kill(parents_object) == MPROC_ESTATE &&
                mproc_process_terminate(parents_object) == MPROC_ESTATE &&
                mproc_process_exitcode(parents_object, &code) == MPROC_ESTATE &&
                mproc_process_exit_status(parents_object, &status) == MPROC_ESTATE &&
                mproc_process_sentinel(parents_object, &sentinel) == MPROC_ESTATE &&
                !mproc_process_is_alive(parents_object);
    mproc_process_free(parents_object);
    return good ? 0 : 1;
}

static void object_of_the_parent_is_no_use_in_a_forked_child(void **state)
{
    (void)state;
    if (host_is_windows)
        skip();
    parents_object = start_process(wait_forever, NULL, 0);
    mproc_process *process = start_options(
        (mproc_process_options){.target = use_object_of_the_parent, .method = MPROC_FORK});
    assert_int_equal(exit_code_of(process), 0);
    assert_true(mproc_process_is_alive(parents_object));
    end_process(parents_object);
}

/* ---- the private argument ---- */

static void forged_private_argument_is_refused(void **state)
{
    (void)state;
    const char *const forged[] = {
        "--mproc-child=",
        "--mproc-child=:0",
        "--mproc-child=child",
        "--mproc-child=child.1.2:0",
        "--mproc-child=child.10001.10000000:2",
        "--mproc-child=child.10001.10000000:4,8",
        "--mproc-child=child.10001.10000000:9",
        "--mproc-child=server.0.1000000000:3",
        "--mproc-child=child.ffffffffffffffff.ffffffffffffffff:2",
        "--mproc-child=child.10001.10000000:-1",
        "--mproc-child=child.10001.10000000:4,8,c,10,14,18,1c",
        "--mproc-child=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        ":0",
    };
    for (size_t i = 0; i < COUNT_OF(forged); i++) {
        const char *const arguments[] = {forged[i], "--role", "say_main", NULL};
        const run_result *ran = run_command(&(host_command){.arguments = arguments});
        assert_int_equal(ran->code, 255);
        assert_null(strstr(ran->output, "main runs"));
        assert_non_null(strstr(ran->output, "private argument"));
    }
}

static int say_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("main runs\n");
    return 0;
}

static void private_argument_counts_only_as_the_first(void **state)
{
    (void)state;
    const run_result *ran = run_role("say_main", "--mproc-child=child.1.2:0", NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "main runs\n");
}

/* ---- memory ---- */

static int count_code(void *args, size_t size)
{
    (void)args;
    return size > 1000 ? 1 : 7;
}

static int start_large_then_small(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const size_t large = (size_t)16 << 20;
    int code = -1;
    unsigned char *args = calloc(large, 1);
    for (int i = 0; i < 3; i++) {
        mproc_process *process;
        mproc_process_options options = {.target = count_code, .args = args, .args_size = large};
        if (mproc_process_create(&process, &options))
            return 101;
        if (mproc_process_start(process) != MPROC_ENOMEM)
            return 102;
        mproc_process_free(process);
        options.args_size = 100;
        if (mproc_process_create(&process, &options))
            return 103;
        if (mproc_process_start(process) || mproc_process_join(process, SOON) ||
            mproc_process_exitcode(process, &code) || code != 7)
            return 104;
        mproc_process_free(process);
    }
    free(args);
    return 0;
}

static void full_arena_is_no_memory_and_the_next_start_works(void **state)
{
    (void)state;
    if (mproc_get_start_method() == MPROC_FORK)
        skip();
    host_set_variable("MPROC_ARENA_LIMIT", "4M");
    const run_result *ran = run_role("start_large_then_small", NULL, NULL);
    host_set_variable("MPROC_ARENA_LIMIT", NULL);
    assert_int_equal(ran->code, 0);
}

static int create_in_vain(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < 3; i++) {
        mproc_process *process;
        const mproc_process_options options = {.target = return_code};
        mproc_err err = mproc_process_create(&process, &options);
        if (err != MPROC_ENOMEM)
            return -err;
    }
    return 100;
}

static void no_arena_at_all_is_no_memory(void **state)
{
    (void)state;
    host_set_variable("MPROC_ARENA_LIMIT", "1");
    const run_result *ran = run_role("create_in_vain", NULL, NULL);
    host_set_variable("MPROC_ARENA_LIMIT", NULL);
    assert_int_equal(ran->code, 100);
}

static const role roles[] = {{"say_main", say_main},
                             {"start_from_plugin", start_from_plugin},
                             {"start_large_then_small", start_large_then_small},
                             {"create_in_vain", create_in_vain}};

int main(int argc, char **argv)
{
    if (getenv("MPROC_TEST_LOADS_PLUGIN"))
        host_load(plugin(), "plugin_answer");
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_needs_a_place_options_and_a_target),
        cmocka_unit_test(size_without_pointer_is_refused),
        cmocka_unit_test(absurd_size_is_no_memory),
        cmocka_unit_test(unknown_method_is_refused),
        cmocka_unit_test(method_that_the_system_lacks_is_refused),
        cmocka_unit_test(null_process_is_refused),
        cmocka_unit_test(null_results_are_refused),
        cmocka_unit_test(unstarted_process_can_only_be_started),
        cmocka_unit_test(process_starts_only_once),
        cmocka_unit_test(negative_timeouts_are_refused),
        cmocka_unit_test(target_outside_of_any_module_is_refused),
        cmocka_unit_test(target_in_a_library_that_both_load_runs),
        cmocka_unit_test(target_in_a_module_that_the_child_lacks_is_refused),
        cmocka_unit_test(object_of_the_parent_is_no_use_in_a_forked_child),
        cmocka_unit_test(forged_private_argument_is_refused),
        cmocka_unit_test(private_argument_counts_only_as_the_first),
        cmocka_unit_test(full_arena_is_no_memory_and_the_next_start_works),
        cmocka_unit_test(no_arena_at_all_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
