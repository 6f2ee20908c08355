/* What passes between a process and its child: arguments, standard streams, descriptors. */
#include "support.h"

#include <stdlib.h>

/* ---- arguments ---- */

static int check_pattern(void *args, size_t size)
{
    const unsigned char *bytes = args;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != (unsigned char)(i * 7 + i / 251))
            return 1;
    }
    return size % 200 ? (int)(size % 200) : 201;
}

static void arguments_of_all_sizes_arrive(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 7, 64, 4096, 65537, (size_t)16 << 20};
    unsigned char *bytes = malloc(sizes[COUNT_OF(sizes) - 1]);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizes[COUNT_OF(sizes) - 1]; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int expected = sizes[i] % 200 ? (int)(sizes[i] % 200) : 201;
        assert_int_equal(run_process(check_pattern, bytes, sizes[i]), expected);
    }
    free(bytes);
}

static void arguments_are_copied_before_create_returns(void **state)
{
    (void)state;
    int code = 17;
    mproc_process *process = create_process(
        &(mproc_process_options){.target = return_code, .args = &code, .args_size = sizeof code});
    code = 18;
    assert_int_equal(mproc_process_start(process), MPROC_OK);
    code = 19;
    assert_int_equal(exit_code_of(process), 17);
}

static int expect_nothing(void *args, size_t size)
{
    return args == NULL && size == 0 ? 0 : 1;
}

static void no_arguments_are_null(void **state)
{
    (void)state;
    int unused = 5;
    assert_int_equal(run_process(expect_nothing, NULL, 0), 0);
    assert_int_equal(run_process(expect_nothing, &unused, 0), 0);
}

static int check_alignment(void *args, size_t size)
{
    return (uintptr_t)args % _Alignof(max_align_t) ? 1 : (int)size;
}

static void arguments_are_aligned_for_any_type(void **state)
{
    (void)state;
    unsigned char bytes[40] = {0};
    for (size_t size = 1; size < sizeof bytes; size += 13)
        assert_int_equal(run_process(check_alignment, bytes, size), (int)size);
}

static int scribble(void *args, size_t size)
{
    memset(args, 0xff, size);
    return 0;
}

static void child_may_write_to_its_copy(void **state)
{
    (void)state;
    unsigned char bytes[1000] = {1, 2, 3};
    assert_int_equal(run_process(scribble, bytes, sizeof bytes), 0);
    assert_int_equal(bytes[2], 3);
}

typedef struct pattern {
    unsigned char bytes[512];
} pattern;

/* Only a fork has its parent's object: elsewhere there is none to be freed. */
static mproc_process *own_object;

static int free_own_object(void *args, size_t size)
{
    unsigned char *blocks[128];
    mproc_process_free(own_object);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = malloc((i + 1) * 16);
        if (blocks[i])
            memset(blocks[i], 0xee, (i + 1) * 16);
    }
    int code = check_pattern(args, size);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        free(blocks[i]);
    return code;
}

static void child_keeps_its_arguments_when_it_frees_its_own_object(void **state)
{
    (void)state;
    pattern it;
    for (size_t i = 0; i < sizeof it.bytes; i++)
        it.bytes[i] = (unsigned char)(i * 7 + i / 251);
    own_object = create_process(
        &(mproc_process_options){.target = free_own_object, .args = &it, .args_size = sizeof it});
    assert_int_equal(mproc_process_start(own_object), MPROC_OK);
    assert_int_equal(exit_code_of(own_object), sizeof it % 200);
}

/* ---- standard streams ---- */

static int print_as_child(void *args, size_t size)
{
    (void)args;
    (void)size;
    printf("child\n");
    return 0;
}

static int print_around_child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_process *process;
    const mproc_process_options options = {.target = print_as_child};
    printf("before\n");
    if (mproc_process_create(&process, &options) || mproc_process_start(process) ||
        mproc_process_join(process, SOON))
        return 1;
    mproc_process_free(process);
    printf("after\n");
    return 0;
}

static void buffered_output_is_neither_lost_nor_doubled(void **state)
{
    (void)state;
    const run_result *ran = run_role("print_around_child", NULL, NULL);
    assert_int_equal(ran->code, 0);
    assert_string_equal(ran->output, "before\nchild\nafter\n");
}

/* For a main that prints above its guard. */
#define PRINTS_ABOVE "MPROC_TEST_PRINTS_ABOVE"

static int print_with_three(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < 3; i++) {
        mproc_process *process;
        const mproc_process_options options = {.target = print_as_child};
        if (mproc_process_create(&process, &options) || mproc_process_start(process) ||
            mproc_process_join(process, SOON))
            return 1;
        mproc_process_free(process);
    }
    return 0;
}

static int count_lines(const char *text, const char *line)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, line)) != NULL; at += strlen(line))
        count++;
    return count;
}

static void what_main_prints_above_the_guard_appears_once_for_each_main(void **state)
{
    (void)state;
    host_set_variable(PRINTS_ABOVE, "1");
    const run_result *ran = run_role("print_with_three", NULL, NULL);
    host_set_variable(PRINTS_ABOVE, NULL);
    mproc_start_method method = mproc_get_start_method();
    int mains = method == MPROC_FORK ? 1 : method == MPROC_FORKSERVER ? 2 : 4;
    assert_int_equal(ran->code, 0);
    assert_int_equal(count_lines(ran->output, "main\n"), mains);
    assert_int_equal(count_lines(ran->output, "child\n"), 3);
    assert_int_equal(strlen(ran->output), (size_t)mains * strlen("main\n") + 3 * strlen("child\n"));
}

static int read_input(void *args, size_t size)
{
    (void)args;
    (void)size;
    return getchar() == EOF ? 0 : 1;
}

static int share_input(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const int first = getchar(); /* reads ahead */
    if (try_process(&(mproc_process_options){.target = read_input}))
        return 10;
    return first == 'a' && getchar() == 'b' ? 0 : 11;
}

static void input_of_a_child_is_empty(void **state)
{
    (void)state;
    note input = new_note("input");
    assert_true(leave_note(&input, "abc"));
    const char *const arguments[] = {"--role", "share_input", NULL};
    const run_result *ran =
        run_command(&(host_command){.arguments = arguments, .input = input.path});
    drop_note(&input);
    assert_int_equal(ran->code, 0);
}

static int print_to_nowhere(void *args, size_t size)
{
    (void)args;
    (void)size;
    printf("lost\n");
    host_break_output();
    return 0;
}

static void broken_output_keeps_the_exit_code(void **state)
{
    (void)state;
    assert_int_equal(run_process(print_to_nowhere, NULL, 0), 0);
}

static int start_without_output(int argc, char **argv)
{
    (void)argc;
    mproc_process *process;
    int code = 23, got = -1;
    const mproc_process_options options = {
        .target = return_code, .args = &code, .args_size = sizeof code};
    fclose(stdin);
    fclose(stdout);
    fclose(stderr);
    if (mproc_process_create(&process, &options))
        return 1;
    mproc_err err = mproc_process_start(process);
    if (!err)
        err = mproc_process_join(process, SOON);
    if (!err)
        err = mproc_process_exitcode(process, &got);
    mproc_process_free(process);
    const note answer = note_at(argv[0]);
    leave_number(&answer, err ? err : got);
    return 0;
}

static void program_without_standard_streams_starts_children(void **state)
{
    (void)state;
    note answer = new_note("answer");
    const run_result *ran = run_role("start_without_output", answer.path, NULL);
    assert_int_equal(ran->code, 0);
    assert_int_equal(await_number(&answer), 23);
}

/* ---- descriptors ---- */

static void descriptors_do_not_grow(void **state)
{
    (void)state;
    int zero = 0;
    intptr_t sentinel;
    for (int i = 0; i < 3; i++)
        assert_int_equal(run_process(return_code, &zero, sizeof zero), 0);
    size_t before = host_open_handles();
    for (int i = 0; i < 200; i++) {
        mproc_process *process = start_process(return_code, &zero, sizeof zero);
        if (i % 4 == 0)
            assert_int_equal(mproc_process_sentinel(process, &sentinel), MPROC_OK);
        assert_int_equal(exit_code_of(process), 0);
    }
    size_t after = host_open_handles();
    /* Wine's own threads may come and go. */
    assert_true(after <= before + (host_is_windows ? 4 : 0));
}

static void failed_creation_leaves_no_descriptors(void **state)
{
    (void)state;
    mproc_process *process;
    size_t before = host_open_handles();
    for (int i = 0; i < 50; i++) {
        assert_int_equal(mproc_process_create(&process, &(mproc_process_options){.target = NULL}),
                         MPROC_EINVAL);
        mproc_process_free(create_process(&(mproc_process_options){.target = return_code}));
    }
    assert_int_equal(host_open_handles(), before);
}

static int look_for_stray(void *args, size_t size)
{
    return size == sizeof(intptr_t) && host_has_stray(*(intptr_t *)args) ? 1 : 0;
}

static void stray_descriptor_is_not_inherited(void **state)
{
    (void)state;
    if (mproc_get_start_method() == MPROC_FORK)
        skip();
    intptr_t stray = host_open_stray();
    int found = run_process(look_for_stray, &stray, sizeof stray);
    host_close_stray(stray);
    assert_int_equal(found, 0);
}

static int count_handles(void *args, size_t size)
{
    (void)args;
    (void)size;
    return (int)host_open_handles();
}

static void siblings_hand_each_other_no_descriptors(void **state)
{
    (void)state;
    mproc_process *siblings[10];
    /* A fork copies everything; on Windows the number varies by itself. */
    if (mproc_get_start_method() == MPROC_FORK || host_is_windows)
        skip();
    int alone = run_process(count_handles, NULL, 0);
    for (size_t i = 0; i < COUNT_OF(siblings); i++) {
        intptr_t sentinel;
        siblings[i] = start_process(wait_forever, NULL, 0);
        assert_int_equal(mproc_process_sentinel(siblings[i], &sentinel), MPROC_OK);
    }
    int crowded = run_process(count_handles, NULL, 0);
    for (size_t i = 0; i < COUNT_OF(siblings); i++)
        end_process(siblings[i]);
    assert_int_equal(crowded, alone);
}

static const role roles[] = {{"print_around_child", print_around_child},
                             {"print_with_three", print_with_three},
                             {"share_input", share_input},
                             {"start_without_output", start_without_output}};

int main(int argc, char **argv)
{
    if (getenv(PRINTS_ABOVE))
        printf("main\n");
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_of_all_sizes_arrive),
        cmocka_unit_test(arguments_are_copied_before_create_returns),
        cmocka_unit_test(no_arguments_are_null),
        cmocka_unit_test(arguments_are_aligned_for_any_type),
        cmocka_unit_test(child_may_write_to_its_copy),
        cmocka_unit_test(child_keeps_its_arguments_when_it_frees_its_own_object),
        cmocka_unit_test(buffered_output_is_neither_lost_nor_doubled),
        cmocka_unit_test(what_main_prints_above_the_guard_appears_once_for_each_main),
        cmocka_unit_test(input_of_a_child_is_empty),
        cmocka_unit_test(broken_output_keeps_the_exit_code),
        cmocka_unit_test(program_without_standard_streams_starts_children),
        cmocka_unit_test(descriptors_do_not_grow),
        cmocka_unit_test(failed_creation_leaves_no_descriptors),
        cmocka_unit_test(stray_descriptor_is_not_inherited),
        cmocka_unit_test(siblings_hand_each_other_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
