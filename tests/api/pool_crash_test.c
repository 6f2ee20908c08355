/* A task that takes its worker with it fails alone. */
#include "pool_support.h"

#include <signal.h>

#define COUNT 1000
#define EACH 20 /* one item in so many of each kind */

enum { ABORTS = 0, FAULTS = 5, LEAVES = 10, FAILS = 15 };

static void fault(void)
{
    /* As of a member of a structure at NULL, which sanitizers leave to the processor. */
    volatile int *volatile nowhere = (int *)(uintptr_t)16;
    *nowhere = 1;
}

/* False: the task has failed politely, and a crash does not return. */
static bool survive(mproc_task *task)
{
    switch (mproc_task_index(task) % EACH) {
    case ABORTS:
        abort();
    case FAULTS:
        fault();
        return true;
    case LEAVES:
        _Exit(7);
    case FAILS:
        mproc_task_fail(task, "item %zu fails", mproc_task_index(task));
        return false;
    default:
        return true;
    }
}

static void check_status(const mproc_task_error *error)
{
    mproc_exit_kind kind = MPROC_EXIT_EXITED;
    int64_t code = 7;
    if (error->index % EACH == ABORTS && host_has_signals()) {
        kind = MPROC_EXIT_SIGNALED;
        code = SIGABRT;
    } else if (error->index % EACH == ABORTS) {
        code = 3;
    } else if (error->index % EACH == FAULTS) {
        kind = host_has_signals() ? MPROC_EXIT_SIGNALED : MPROC_EXIT_CRASHED;
        code = host_has_signals() ? SIGSEGV : INT64_C(0xC0000005);
    }
    assert_int_equal(error->status.kind, kind);
    assert_int_equal(error->status.code, code);
    assert_true(strlen(error->message) > 0);
}

/* All of the kinds, at their indices and nowhere else. */
static void check_errors(const mproc_task_error *errors, size_t failed)
{
    assert_int_equal(failed, COUNT / EACH * 4);
    for (size_t i = 0; i < failed; i++) {
        const mproc_task_error *error = &errors[i];
        assert_int_equal(error->index, i * (EACH / 4));
        assert_true(error->pid > 0);
        if (error->index % EACH == FAILS) {
            char text[64];
            snprintf(text, sizeof text, "item %zu fails", error->index);
            assert_int_equal(error->err, MPROC_ETASK);
            assert_string_equal(error->message, text);
            assert_int_equal(error->status.kind, MPROC_EXIT_RUNNING);
        } else {
            assert_int_equal(error->err, MPROC_ECRASHED);
            check_status(error);
        }
    }
}

/* ---- replies of one size ---- */

static int triple_or_crash(mproc_task *task)
{
    size_t result = 3 * *(const size_t *)mproc_task_input(task, NULL);
    return survive(task) ? mproc_task_reply(task, &result, sizeof result) : 1;
}

static void map_with_crashes(size_t chunk_size)
{
    size_t items[COUNT], results[COUNT], failed = 0;
    mproc_task_error *errors = calloc(COUNT, sizeof *errors);
    assert_non_null(errors);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = i;
        results[i] = SIZE_MAX;
    }
    mproc_map_options options = {.errors = errors,
                                 .error_capacity = COUNT,
                                 .error_count = &failed,
                                 .chunk_size = chunk_size};
    mproc_pool *pool = new_pool(4);
    assert_int_equal(mproc_pool_map(pool, triple_or_crash, items, sizeof items[0], COUNT, results,
                                    sizeof results[0], &options),
                     MPROC_ECRASHED);
    check_errors(errors, failed);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i % (EACH / 4) ? 3 * i : SIZE_MAX);
    map_squares(pool, 100, chunk_size);
    end_pool(pool);
    free(errors);
}

static void crashes_fail_their_items_only_in_chunks_of_1(void **state)
{
    (void)state;
    map_with_crashes(1);
}

static void crashes_fail_their_items_only_in_chunks_of_16(void **state)
{
    (void)state;
    map_with_crashes(16);
}

/* ---- replies of any size ---- */

static size_t size_of_reply(size_t index)
{
    return index * 37 % 3001;
}

static int fill_or_crash(mproc_task *task)
{
    size_t index = mproc_task_index(task), size = size_of_reply(index);
    unsigned char *room = mproc_task_reply_buffer(task, size);
    if (!room)
        return 1;
    memset(room, (int)(index & 0xff), size);
    return survive(task) ? 0 : 2;
}

/* Most were said by workers that died later. */
static void check_replies(const mproc_results *results)
{
    assert_int_equal(mproc_results_count(results), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const void *data = NULL;
        size_t size = 0, wrong = 0;
        mproc_err expected = i % (EACH / 4)      ? MPROC_OK
                             : i % EACH == FAILS ? MPROC_ETASK
                                                 : MPROC_ECRASHED;
        assert_int_equal(mproc_results_get(results, i, &data, &size), expected);
        if (expected)
            continue;
        assert_int_equal(size, size_of_reply(i));
        for (size_t at = 0; at < size; at++)
            wrong += ((const unsigned char *)data)[at] != (i & 0xff);
        assert_int_equal(wrong, 0);
    }
}

static void map_bytes_with_crashes(size_t chunk_size)
{
    mproc_bytes spans[COUNT] = {{NULL, 0}};
    size_t failed = 0;
    mproc_results *results = NULL;
    mproc_task_error *errors = calloc(COUNT, sizeof *errors);
    assert_non_null(errors);
    mproc_map_options options = {.errors = errors,
                                 .error_capacity = COUNT,
                                 .error_count = &failed,
                                 .chunk_size = chunk_size};
    mproc_pool *pool = new_pool(4);
    assert_int_equal(mproc_pool_map_bytes(pool, fill_or_crash, spans, COUNT, &results, &options),
                     MPROC_ECRASHED);
    check_errors(errors, failed);
    check_replies(results);
    mproc_results_free(results);
    end_pool(pool);
    free(errors);
}

static void replies_outlive_the_crash_of_their_worker_in_chunks_of_1(void **state)
{
    (void)state;
    map_bytes_with_crashes(1);
}

static void replies_outlive_the_crash_of_their_worker_in_chunks_of_16(void **state)
{
    (void)state;
    map_bytes_with_crashes(16);
}

/* ---- other ways to go ---- */

static int crash_always(mproc_task *task)
{
    (void)task;
    abort();
}

static void a_map_of_nothing_but_crashes_ends(void **state)
{
    (void)state;
    char items[30] = {0};
    size_t failed = 0;
    mproc_map_options options = {.error_count = &failed};
    mproc_pool *pool = new_pool(2);
    for (size_t chunk = 1; chunk < 60; chunk *= 6) {
        options.chunk_size = chunk;
        assert_int_equal(mproc_pool_map(pool, crash_always, items, 1, 30, NULL, 0, &options),
                         MPROC_ECRASHED);
        assert_int_equal(failed, 30);
    }
    map_squares(pool, 100, 0);
    end_pool(pool);
}

static int exit_at_7(mproc_task *task)
{
    if (mproc_task_index(task) == 7)
        exit(0);
    return 0;
}

static void a_task_that_exits_cleanly_fails_all_the_same(void **state)
{
    (void)state;
    char items[40] = {0};
    mproc_task_error error;
    size_t failed = 0;
    mproc_map_options options = {.errors = &error, .error_capacity = 1, .error_count = &failed};
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, exit_at_7, items, 1, 40, NULL, 0, &options),
                     MPROC_ECRASHED);
    assert_int_equal(failed, 1);
    assert_int_equal(error.index, 7);
    assert_int_equal(error.status.kind, MPROC_EXIT_EXITED);
    assert_int_equal(error.status.code, 0);
    map_squares(pool, 100, 0);
    end_pool(pool);
}

static int close_output(mproc_task *task)
{
    static bool closed;
    if (!closed)
        fclose(stdout);
    closed = true;
    return square(task);
}

static void a_task_may_close_the_standard_output(void **state)
{
    (void)state;
    int items[40];
    long long results[40];
    for (int i = 0; i < 40; i++)
        items[i] = i;
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, close_output, items, sizeof items[0], 40, results,
                                    sizeof results[0], NULL),
                     MPROC_OK);
    for (long long i = 0; i < 40; i++)
        assert_int_equal(results[i], i * i);
    map_squares(pool, 100, 0);
    end_pool(pool);
}

/* Its own heap in ruins, in whatever way the C library or a sanitizer takes notice. */
static int ruin_the_heap_at_7(mproc_task *task)
{
    if (mproc_task_index(task) != 7)
        return square(task);
    freopen("/dev/null", "w", stderr);
    for (int i = 0; i < 100; i++) {
        unsigned char *volatile block = malloc(40);
        memset(block - 16, 0x7f, 72);
        free(block);
    }
    abort();
}

static void a_ruined_heap_is_the_worker_s_own(void **state)
{
    (void)state;
    int items[40];
    long long results[40];
    for (int i = 0; i < 40; i++)
        items[i] = i;
    mproc_task_error error;
    size_t failed = 0;
    mproc_map_options options = {.errors = &error, .error_capacity = 1, .error_count = &failed};
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, ruin_the_heap_at_7, items, sizeof items[0], 40, results,
                                    sizeof results[0], &options),
                     MPROC_ECRASHED);
    assert_int_equal(failed, 1);
    assert_int_equal(error.index, 7);
    for (long long i = 0; i < 40; i++) {
        if (i != 7)
            assert_int_equal(results[i], i * i);
    }
    map_squares(pool, 100, 0);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_fail_their_items_only_in_chunks_of_1),
        cmocka_unit_test(crashes_fail_their_items_only_in_chunks_of_16),
        cmocka_unit_test(replies_outlive_the_crash_of_their_worker_in_chunks_of_1),
        cmocka_unit_test(replies_outlive_the_crash_of_their_worker_in_chunks_of_16),
        cmocka_unit_test(a_map_of_nothing_but_crashes_ends),
        cmocka_unit_test(a_task_that_exits_cleanly_fails_all_the_same),
        cmocka_unit_test(a_task_may_close_the_standard_output),
        cmocka_unit_test(a_ruined_heap_is_the_worker_s_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
