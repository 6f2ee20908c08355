/* What map tells about failures and progress, and what it refuses. */
#include "pool_support.h"

#define COUNT 500

/* ---- failures ---- */

enum { FAILS_WITH_MESSAGE = 1, FAILS_WITH_CODE, FAILS_BUT_RETURNS_0, REPLIES_TOO_MUCH };

static int fail_as_told(mproc_task *task)
{
    const int *how = mproc_task_input(task, NULL);
    switch (*how) {
    case FAILS_WITH_MESSAGE:
        return mproc_task_fail(task, "item %zu of process %lld", mproc_task_index(task),
                               host_pid());
    case FAILS_WITH_CODE:
        return 1234;
    case FAILS_BUT_RETURNS_0:
        mproc_task_fail(task, "silent");
        return 0;
    case REPLIES_TOO_MUCH:
        return mproc_task_reply(task, "too much for an int", 20);
    default:
        return mproc_task_reply(task, how, sizeof *how);
    }
}

static void each_failure_says_what_and_where_it_was(void **state)
{
    (void)state;
    const int items[] = {
        0, FAILS_WITH_MESSAGE, FAILS_WITH_CODE, 0, FAILS_BUT_RETURNS_0, REPLIES_TOO_MUCH, 0};
    int results[7];
    mproc_task_error errors[7];
    size_t failed = 99;
    mproc_pool *pool = new_pool(2);
    mproc_map_options options = {.errors = errors, .error_capacity = 7, .error_count = &failed};
    memset(errors, 0xAA, sizeof errors);
    assert_int_equal(mproc_pool_map(pool, fail_as_told, items, sizeof items[0], 7, results,
                                    sizeof results[0], &options),
                     MPROC_ETASK);
    assert_int_equal(failed, 4);
    const struct {
        size_t index;
        mproc_err err;
        int code;
    } expected[] = {
        {1, MPROC_ETASK, -1}, {2, MPROC_ETASK, 1234}, {4, MPROC_ETASK, 0}, {5, MPROC_EMSGSIZE, -1}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(errors[i].index, expected[i].index);
        assert_int_equal(errors[i].err, expected[i].err);
        assert_int_equal(errors[i].code, expected[i].code);
        assert_true(errors[i].pid > 0 && errors[i].pid != host_pid());
        assert_int_equal(errors[i].status.kind, MPROC_EXIT_RUNNING);
        assert_int_equal(errors[i].status.code, 0);
    }
    char text[64];
    snprintf(text, sizeof text, "item 1 of process %lld", errors[0].pid);
    assert_string_equal(errors[0].message, text);
    assert_string_equal(errors[1].message, "");
    assert_string_equal(errors[2].message, "silent");
    end_pool(pool);
}

static int fail_unless_zero(mproc_task *task)
{
    return *(const int *)mproc_task_input(task, NULL);
}

static void the_failures_with_the_lowest_indices_are_kept_in_their_order(void **state)
{
    (void)state;
    int items[COUNT];
    size_t expected = 0;
    for (int i = 0; i < COUNT; i++)
        expected += (items[i] = i % 3 == 1 ? i : 0) != 0;
    mproc_pool *pool = new_pool(4);
    const size_t capacities[] = {0, 1, 10, COUNT};
    for (size_t c = 0; c < 4; c++) {
        mproc_task_error errors[COUNT + 1];
        size_t failed = 0, kept = capacities[c] < expected ? capacities[c] : expected;
        memset(errors, 0x55, sizeof errors);
        mproc_map_options options = {.errors = capacities[c] ? errors : NULL,
                                     .error_capacity = capacities[c],
                                     .error_count = &failed,
                                     .chunk_size = c + 1};
        assert_int_equal(mproc_pool_map(pool, fail_unless_zero, items, sizeof items[0], COUNT, NULL,
                                        0, &options),
                         MPROC_ETASK);
        assert_int_equal(failed, expected);
        for (size_t i = 0; i < kept; i++) {
            assert_int_equal(errors[i].index, 3 * i + 1);
            assert_int_equal(errors[i].code, 3 * i + 1);
        }
        mproc_task_error untouched;
        memset(&untouched, 0x55, sizeof untouched);
        assert_memory_equal(&errors[kept], &untouched, sizeof untouched);
    }
    end_pool(pool);
}

static void the_failures_of_one_map_are_forgotten_in_the_next(void **state)
{
    (void)state;
    int bad[64], good[64] = {0};
    for (int i = 0; i < 64; i++)
        bad[i] = i + 1;
    mproc_pool *pool = new_pool(8);
    for (int round = 0; round < 100; round++) {
        size_t failed = 99;
        mproc_task_error error;
        mproc_map_options options = {.errors = &error, .error_capacity = 1, .error_count = &failed};
        mproc_pool_map(pool, fail_unless_zero, bad, sizeof bad[0], 64, NULL, 0, &options);
        assert_int_equal(failed, 64);
        int one = 1000 + round;
        mproc_pool_map(pool, fail_unless_zero, &one, sizeof one, 1, NULL, 0, &options);
        assert_int_equal(failed, 1);
        assert_int_equal(error.code, one);
        assert_int_equal(
            mproc_pool_map(pool, fail_unless_zero, good, sizeof good[0], 64, NULL, 0, &options),
            MPROC_OK);
        assert_int_equal(failed, 0);
    }
    end_pool(pool);
}

/* `before` ASCII letters, then characters of 2 or 4 bytes, far beyond the limit. */
static int fail_at_length(mproc_task *task)
{
    const int *item = mproc_task_input(task, NULL);
    char text[600] = "";
    for (int i = 0; i < *item; i++)
        strcat(text, "x");
    while (strlen(text) < 500)
        strcat(text, *item % 2 ? "\xc3\xa9" : "\xf0\x9f\x90\xa7");
    return mproc_task_fail(task, "%s", text);
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    (void)state;
    int items[12];
    for (int i = 0; i < 12; i++)
        items[i] = i;
    mproc_task_error errors[12];
    mproc_pool *pool = new_pool(1);
    mproc_map_options options = {.errors = errors, .error_capacity = 12};
    mproc_pool_map(pool, fail_at_length, items, sizeof items[0], 12, NULL, 0, &options);
    for (size_t i = 0; i < 12; i++) {
        size_t width = i % 2 ? 2 : 4;
        size_t whole = i + (MPROC_MESSAGE_SIZE - 1 - i) / width * width;
        assert_int_equal(strlen(errors[i].message), whole);
    }
    end_pool(pool);
}

/* ---- progress ---- */

typedef struct course {
    size_t calls, done, total, failed;
    bool went_back;
} course;

static void follow(void *context, size_t done, size_t total, size_t failed)
{
    course *seen = context;
    seen->went_back |= done < seen->done || failed < seen->failed || done > total;
    seen->calls++;
    seen->done = done;
    seen->total = total;
    seen->failed = failed;
}

static int rest_and_fail_some(mproc_task *task)
{
    host_sleep(10);
    return mproc_task_index(task) % 5 == 0 ? mproc_task_fail(task, "a fifth") : 0;
}

static void progress_grows_to_the_end(void **state)
{
    (void)state;
    int items[100] = {0};
    course seen = {0};
    size_t failed;
    mproc_pool *pool = new_pool(2);
    mproc_map_options options = {
        .progress = follow, .progress_context = &seen, .error_count = &failed};
    double begin = host_seconds();
    assert_int_equal(
        mproc_pool_map(pool, rest_and_fail_some, items, sizeof items[0], 100, NULL, 0, &options),
        MPROC_ETASK);
    double seconds = host_seconds() - begin;
    assert_false(seen.went_back);
    assert_int_equal(seen.done, 100);
    assert_int_equal(seen.total, 100);
    assert_int_equal(seen.failed, 20);
    assert_int_equal(failed, 20);
    assert_true(seen.calls > 1);
    assert_true((double)seen.calls <= seconds * 10 + 1);
    end_pool(pool);
}

static void a_short_map_reports_its_end_only(void **state)
{
    (void)state;
    int items[3] = {0};
    course seen = {0};
    mproc_pool *pool = new_pool(2);
    mproc_map_options options = {.progress = follow, .progress_context = &seen};
    map_squares(pool, 10, 0);
    assert_int_equal(
        mproc_pool_map(pool, fail_unless_zero, items, sizeof items[0], 3, NULL, 0, &options),
        MPROC_OK);
    assert_true(seen.calls >= 1);
    assert_int_equal(seen.done, 3);
    assert_int_equal(seen.total, 3);
    assert_int_equal(seen.failed, 0);
    end_pool(pool);
}

/* ---- what is refused ---- */

static void arguments_without_sense_are_refused(void **state)
{
    (void)state;
    mproc_pool *none = NULL, *pool = new_pool(1);
    const mproc_pool_options bad[] = {{.workers = -1},
                                      {.workers = 1025},
                                      {.initializer_args_size = 4},
                                      {.method = (mproc_start_method)77}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(mproc_pool_create(&none, &bad[i]), MPROC_EINVAL);
    assert_int_equal(mproc_pool_create(NULL, NULL), MPROC_EINVAL);
    assert_null(none);

    int item = 1, result = 0;
    mproc_map_options no_errors = {.error_capacity = 3};
    assert_int_equal(mproc_pool_map(NULL, square, &item, 4, 1, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_map(pool, NULL, &item, 4, 1, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_map(pool, square, NULL, 4, 1, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_map(pool, square, &item, 0, 1, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_map(pool, square, &item, 4, 1, NULL, 8, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_map(pool, square, &item, 4, 1, NULL, 0, &no_errors), MPROC_EINVAL);
    assert_int_equal(mproc_pool_map_bytes(pool, square, NULL, 1, NULL, NULL), MPROC_EINVAL);
    mproc_bytes hollow = {NULL, 4};
    assert_int_equal(mproc_pool_map_bytes(pool, square, &hollow, 1, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(result, 0);
    assert_int_equal(mproc_pool_close(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_join(NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_pool_terminate(NULL), MPROC_EINVAL);
    map_squares(pool, 10, 0);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, -7), MPROC_EINVAL);
    end_pool(pool);
}

static void absurd_counts_and_sizes_are_refused_before_anything_is_read(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(1);
    int item = 3;
    mproc_bytes span = {&item, sizeof item}, huge = {&item, SIZE_MAX};
    assert_int_equal(mproc_pool_map(pool, square, &item, 8, SIZE_MAX / 4, NULL, 0, NULL),
                     MPROC_ERANGE);
    assert_int_equal(mproc_pool_map(pool, square, &item, SIZE_MAX, 2, NULL, 0, NULL), MPROC_ERANGE);
    assert_int_equal(mproc_pool_map(pool, square, &item, 1, 2, &item, SIZE_MAX, NULL),
                     MPROC_ERANGE);
    assert_int_equal(mproc_pool_map(pool, square, &item, 1, SIZE_MAX, NULL, 0, NULL), MPROC_ERANGE);
    assert_int_equal(mproc_pool_map_bytes(pool, square, &span, SIZE_MAX, NULL, NULL), MPROC_ERANGE);
    assert_int_equal(mproc_pool_map_bytes(pool, square, &huge, 1, NULL, NULL), MPROC_ERANGE);
    assert_int_equal(mproc_pool_map(pool, square, &item, (size_t)1 << 50, 1, NULL, 0, NULL),
                     MPROC_ENOMEM);
    map_squares(pool, 10, 0);
    end_pool(pool);
}

static void code_in_no_module_is_refused(void **state)
{
    (void)state;
    static int data;
    mproc_pool *pool = NULL;
    long long pids[8];
    mproc_target nowhere = (mproc_target)(uintptr_t)&data;
    host_crash_plainly();
    assert_int_equal(
        mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2, .initializer = nowhere}),
        MPROC_EIMAGE);
    assert_null(pool);
    assert_int_equal(worker_pids(pids, 8), 0);
    pool = new_pool(1);
    int item = 1;
    assert_int_equal(mproc_pool_map(pool, (mproc_function)(uintptr_t)&data, &item, sizeof item, 1,
                                    NULL, 0, NULL),
                     MPROC_EIMAGE);
    map_squares(pool, 10, 0);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_says_what_and_where_it_was),
        cmocka_unit_test(the_failures_with_the_lowest_indices_are_kept_in_their_order),
        cmocka_unit_test(the_failures_of_one_map_are_forgotten_in_the_next),
        cmocka_unit_test(a_long_message_is_cut_at_a_character),
        cmocka_unit_test(progress_grows_to_the_end),
        cmocka_unit_test(a_short_map_reports_its_end_only),
        cmocka_unit_test(arguments_without_sense_are_refused),
        cmocka_unit_test(absurd_counts_and_sizes_are_refused_before_anything_is_read),
        cmocka_unit_test(code_in_no_module_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
