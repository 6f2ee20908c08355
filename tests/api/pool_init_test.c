/* What runs in a worker before its first task, and what happens when that fails. */
#include "pool_support.h"

/* A worker's own, set by the initializer. */
static int factor;
static char greeting[16];

typedef struct start {
    int factor;
    char greeting[16];
} start;

static int prepare(void *args, size_t size)
{
    const start *with = args;
    if (size != sizeof *with || (uintptr_t)args % _Alignof(max_align_t))
        return 1;
    factor = with->factor;
    memcpy(greeting, with->greeting, sizeof greeting);
    return 0;
}

static int multiply(mproc_task *task)
{
    const int *item = mproc_task_input(task, NULL);
    int product = *item * factor;
    if (strcmp(greeting, "hello") != 0)
        return mproc_task_fail(task, "\"%s\"", greeting);
    return mproc_task_reply(task, &product, sizeof product);
}

static mproc_pool *pool_with(int workers, mproc_target initializer, const void *args, size_t size)
{
    mproc_pool *pool = NULL;
    host_crash_plainly();
    assert_int_equal(mproc_pool_create(&pool, &(mproc_pool_options){.workers = workers,
                                                                    .initializer = initializer,
                                                                    .initializer_args = args,
                                                                    .initializer_args_size = size}),
                     MPROC_OK);
    return pool;
}

static void every_worker_runs_the_initializer_first(void **state)
{
    (void)state;
    start with = {.factor = 7, .greeting = "hello"};
    int items[300], results[300];
    for (int i = 0; i < 300; i++)
        items[i] = i;
    mproc_pool *pool = pool_with(4, prepare, &with, sizeof with);
    memset(&with, 0, sizeof with); /* it was copied */
    assert_int_equal(mproc_pool_map(pool, multiply, items, sizeof items[0], 300, results,
                                    sizeof results[0], NULL),
                     MPROC_OK);
    for (int i = 0; i < 300; i++)
        assert_int_equal(results[i], 7 * i);
    assert_int_equal(factor, 0);
    end_pool(pool);
}

static int multiply_or_crash(mproc_task *task)
{
    if (mproc_task_index(task) % 10 == 0)
        abort();
    return multiply(task);
}

static void a_successor_runs_the_initializer_too(void **state)
{
    (void)state;
    const start with = {.factor = 3, .greeting = "hello"};
    int items[100], results[100];
    size_t failed;
    for (int i = 0; i < 100; i++)
        items[i] = i;
    mproc_map_options options = {.error_count = &failed};
    mproc_pool *pool = pool_with(2, prepare, &with, sizeof with);
    assert_int_equal(mproc_pool_map(pool, multiply_or_crash, items, sizeof items[0], 100, results,
                                    sizeof results[0], &options),
                     MPROC_ECRASHED);
    assert_int_equal(failed, 10);
    for (int i = 0; i < 100; i++) {
        if (i % 10)
            assert_int_equal(results[i], 3 * i);
    }
    end_pool(pool);
}

static int expect_nothing(void *args, size_t size)
{
    return args || size;
}

static void an_initializer_needs_no_args(void **state)
{
    (void)state;
    mproc_pool *pool = pool_with(2, expect_nothing, NULL, 0);
    map_squares(pool, 50, 0);
    end_pool(pool);
}

/* ---- failing ---- */

static int note_and_fail(void *args, size_t size)
{
    (void)size;
    host_append(((test_path *)args)->text, "+", 1);
    return 1;
}

static int note_and_crash(void *args, size_t size)
{
    (void)size;
    host_append(((test_path *)args)->text, "+", 1);
    abort();
}

static void breaks_after_few_starts(int workers, mproc_target initializer)
{
    test_path path;
    int items[10] = {0};
    double begin = host_seconds();
    new_file(&path);
    mproc_pool *pool = pool_with(workers, initializer, &path, sizeof path);
    for (int round = 0; round < 3; round++)
        assert_int_equal(mproc_pool_map(pool, square, items, sizeof items[0], 10, NULL, 0, NULL),
                         MPROC_EBROKEN);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, MPROC_FOREVER), MPROC_OK);
    mproc_pool_free(pool);
    assert_true(host_seconds() - begin < PATIENCE);
    assert_true(file_size(&path) >= 1);
    assert_true(file_size(&path) <= (size_t)(2 * workers + 3));
    remove_file(&path);
}

static void a_failing_initializer_breaks_the_pool(void **state)
{
    (void)state;
    breaks_after_few_starts(1, note_and_fail);
    breaks_after_few_starts(4, note_and_fail);
    breaks_after_few_starts(16, note_and_fail);
}

static void a_crashing_initializer_breaks_the_pool(void **state)
{
    (void)state;
    breaks_after_few_starts(1, note_and_crash);
    breaks_after_few_starts(4, note_and_crash);
}

static void a_pool_that_breaks_unused_can_be_ended(void **state)
{
    (void)state;
    test_path path;
    new_file(&path);
    mproc_pool *pool = pool_with(2, note_and_fail, &path, sizeof path);
    await_size(&path, 3);
    end_pool(pool);
    mproc_pool_free(pool_with(8, note_and_fail, &path, sizeof path));
    remove_file(&path);
}

/* Even attempts fail. */
static int fail_every_second_time(void *args, size_t size)
{
    (void)size;
    host_append(((test_path *)args)->text, "+", 1);
    return file_size(args) % 2 == 0;
}

static int crash_at_first(mproc_task *task)
{
    if (mproc_task_index(task) == 0)
        abort();
    return square(task);
}

/* What its predecessor was working on is not its fault. */
static void a_worker_that_fails_to_start_is_blamed_for_no_item(void **state)
{
    (void)state;
    test_path path;
    int items[32];
    long long results[32];
    size_t failed = 0;
    new_file(&path);
    for (int i = 0; i < 32; i++)
        items[i] = i;
    mproc_map_options options = {.chunk_size = 8, .error_count = &failed};
    mproc_pool *pool = pool_with(1, fail_every_second_time, &path, sizeof path);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(mproc_pool_map(pool, crash_at_first, items, sizeof items[0], 32, results,
                                        sizeof results[0], &options),
                         MPROC_ECRASHED);
        assert_int_equal(failed, 1);
        for (long long i = 1; i < 32; i++)
            assert_int_equal(results[i], i * i);
    }
    end_pool(pool);
    assert_int_equal(file_size(&path), 11);
    remove_file(&path);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_runs_the_initializer_first),
        cmocka_unit_test(a_successor_runs_the_initializer_too),
        cmocka_unit_test(an_initializer_needs_no_args),
        cmocka_unit_test(a_failing_initializer_breaks_the_pool),
        cmocka_unit_test(a_crashing_initializer_breaks_the_pool),
        cmocka_unit_test(a_pool_that_breaks_unused_can_be_ended),
        cmocka_unit_test(a_worker_that_fails_to_start_is_blamed_for_no_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
