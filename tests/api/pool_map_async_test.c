/* Maps that nobody waits in: what comes of them, and how it is told. */
#include "task_stage.h"

#include <stdatomic.h>

enum { COUNT = 500 };

static int square(mproc_task *task)
{
    const int *x = mproc_task_input(task, NULL);
    const int y = *x * *x;
    return mproc_task_reply(task, &y, sizeof y);
}

/* Fails with the number itself when it can be divided by ten. */
static int square_most(mproc_task *task)
{
    const int *x = mproc_task_input(task, NULL);
    return *x % 10 ? square(task) : *x ? *x : 1000;
}

static int *numbers(void)
{
    static int items[COUNT];
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    return items;
}

static mproc_result *map_numbers(mproc_pool *pool, mproc_function function, int *results,
                                 const mproc_map_options *options, const mproc_task_options *task)
{
    mproc_result *result = NULL;
    assert_int_equal(mproc_pool_map_async(pool, function, numbers(), sizeof(int), COUNT, results,
                                          results ? sizeof(int) : 0, options, task, &result),
                     MPROC_OK);
    assert_non_null(result);
    return result;
}

static void check_squares(const int *results)
{
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i * i);
}

/* ---- what a callback was told ---- */

typedef struct told {
    _Atomic int calls, error_calls;
    const void *reply;
    size_t size;
    mproc_task_error error;
} told;

static void note_reply(void *context, const void *reply, size_t size)
{
    told *to = context;
    host_nap(5); /* whoever does not wait for it misses it */
    to->reply = reply;
    to->size = size;
    to->calls++;
}

static void note_error(void *context, const mproc_task_error *error)
{
    told *to = context;
    to->error = *error;
    to->error_calls++;
}

static mproc_task_options tell(told *to)
{
    return (mproc_task_options){
        .callback = note_reply, .error_callback = note_error, .callback_context = to};
}

/* ---- success ---- */

static void the_results_are_complete_when_the_result_is_ready(void **state)
{
    (void)state;
    int results[COUNT];
    size_t failed = 99, size = 0;
    const void *reply = NULL;
    bool successful = false;
    mproc_pool *pool = new_pool(3);
    for (int round = 0; round < 50; round++) {
        memset(results, 0xAA, sizeof results);
        mproc_result *result =
            map_numbers(pool, square, results,
                        &(mproc_map_options){.error_count = &failed, .chunk_size = 3}, NULL);
        assert_int_equal(mproc_result_get(result, SOON, &reply, &size), MPROC_OK);
        assert_ptr_equal(reply, results);
        assert_int_equal(size, sizeof results);
        assert_int_equal(failed, 0);
        check_squares(results);
        assert_true(mproc_result_ready(result));
        assert_int_equal(mproc_result_successful(result, &successful), MPROC_OK);
        assert_true(successful);
        mproc_result_free(result);
    }
    end_pool(pool);
}

static void items_may_be_overwritten_as_soon_as_the_call_has_returned(void **state)
{
    (void)state;
    door before = new_door();
    door items[4] = {before, before, before, before};
    long long pids[4] = {0};
    mproc_result *result;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_map_async(pool, pass_door, items, sizeof items[0], 4, pids,
                                          sizeof pids[0], NULL, NULL, &result),
                     MPROC_OK);
    memset(items, 0, sizeof items);
    open_door(before);
    assert_int_equal(outcome_of(result), MPROC_OK);
    for (size_t i = 0; i < 4; i++)
        assert_true(pids[i] > 0);
    end_pool(pool);
    drop_door(before);
}

static void a_map_of_bytes_hands_out_its_results(void **state)
{
    (void)state;
    char texts[COUNT][12];
    mproc_bytes items[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "%0*d", i % 7, i);
        items[i] = (mproc_bytes){i % 5 ? texts[i] : NULL, i % 5 ? strlen(texts[i]) + 1 : 0};
    }
    mproc_results *results = NULL;
    mproc_result *result;
    mproc_pool *pool = new_pool(3);
    assert_int_equal(
        mproc_pool_map_bytes_async(pool, echo, items, COUNT, &results, NULL, NULL, &result),
        MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_OK);
    assert_int_equal(mproc_results_count(results), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const void *reply;
        size_t size;
        assert_int_equal(mproc_results_get(results, i, &reply, &size), MPROC_OK);
        assert_int_equal(size, items[i].size);
        if (size)
            assert_memory_equal(reply, texts[i], size);
    }
    mproc_results_free(results);
    end_pool(pool);
}

static void nothing_to_do_is_ready_at_once(void **state)
{
    (void)state;
    told to = {0};
    size_t failed = 99;
    mproc_results *results = NULL;
    const mproc_map_options options = {.error_count = &failed};
    mproc_result *result;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_map_async(pool, square, NULL, 0, 0, NULL, 0, &options, NULL, &result), MPROC_OK);
    assert_true(mproc_result_ready(result));
    assert_int_equal(failed, 0);
    assert_int_equal(outcome_of(result), MPROC_OK);
    failed = 99;
    assert_int_equal(mproc_pool_map_bytes_async(
                         pool, echo, NULL, 0, &results, &options,
                         &(mproc_task_options){.callback = note_reply, .callback_context = &to},
                         &result),
                     MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_OK);
    assert_int_equal(to.calls, 1);
    assert_int_equal(to.size, 0);
    assert_int_equal(failed, 0);
    assert_non_null(results);
    assert_int_equal(mproc_results_count(results), 0);
    mproc_results_free(results);
    end_pool(pool);
}

/* ---- failure ---- */

static void failures_are_told_as_by_a_map_that_is_waited_for(void **state)
{
    (void)state;
    int results[COUNT];
    mproc_task_error errors[5];
    size_t failed = 0;
    const mproc_map_options options = {
        .errors = errors, .error_capacity = COUNT_OF(errors), .error_count = &failed};
    memset(results, 0xff, sizeof results);
    mproc_pool *pool = new_pool(2);
    mproc_result *result = map_numbers(pool, square_most, results, &options, NULL);
    const mproc_task_error first = failure_of(result);
    assert_int_equal(first.err, MPROC_ETASK);
    assert_int_equal(first.index, 0);
    assert_int_equal(first.code, 1000);
    assert_true(first.pid > 0);
    assert_int_equal(failed, COUNT / 10);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        assert_int_equal(errors[i].index, 10 * i);
        assert_int_equal(errors[i].err, MPROC_ETASK);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i % 10 ? i * i : -1);
    end_pool(pool);
}

static int crash_at_seven(mproc_task *task)
{
    if (mproc_task_index(task) == 7)
        host_crash();
    return square(task);
}

static void a_crash_fails_its_item_only(void **state)
{
    (void)state;
    int results[COUNT];
    mproc_pool *pool = new_pool(2);
    const mproc_task_error first =
        failure_of(map_numbers(pool, crash_at_seven, results, NULL, NULL));
    assert_int_equal(first.err, MPROC_ECRASHED);
    assert_int_equal(first.index, 7);
    results[7] = 49;
    check_squares(results);
    check_pool_works(pool, 10);
    end_pool(pool);
}

/* ---- callbacks ---- */

static void the_callback_gets_all_results_before_a_waiter_returns(void **state)
{
    (void)state;
    int results[COUNT];
    mproc_pool *pool = new_pool(2);
    for (int round = 0; round < 20; round++) {
        told to = {0};
        const mproc_task_options task = tell(&to);
        mproc_result *result = map_numbers(pool, square, results, NULL, &task);
        assert_int_equal(mproc_result_get(result, SOON, NULL, NULL), MPROC_OK);
        assert_int_equal(to.calls, 1);
        assert_int_equal(to.error_calls, 0);
        assert_ptr_equal(to.reply, results);
        assert_int_equal(to.size, sizeof results);
        mproc_result_free(result);
    }
    end_pool(pool);
}

static void the_error_callback_gets_the_first_failure(void **state)
{
    (void)state;
    told to = {0};
    const mproc_task_options task = tell(&to);
    mproc_pool *pool = new_pool(2);
    assert_int_equal(outcome_of(map_numbers(pool, square_most, NULL, NULL, &task)), MPROC_ETASK);
    assert_int_equal(to.calls, 0);
    assert_int_equal(to.error_calls, 1);
    assert_int_equal(to.error.err, MPROC_ETASK);
    assert_int_equal(to.error.index, 0);
    assert_int_equal(to.error.code, 1000);
    end_pool(pool);
}

static int fail_late(mproc_task *task)
{
    (void)task;
    host_nap(10); /* so that who waits sleeps; it holds for others as well */
    return 1;
}

/* Nobody calls back then, and still the waiter is woken. */
static void a_failure_without_an_error_callback_wakes_the_waiter(void **state)
{
    (void)state;
    told to = {0};
    const mproc_task_options task = {.callback = note_reply, .callback_context = &to};
    mproc_pool *pool = new_pool(2);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(outcome_of(map_numbers(pool, square_most, NULL, NULL, &task)),
                         MPROC_ETASK);
        assert_int_equal(outcome_of(submit(pool, fail_late, NULL, 0, &task)), MPROC_ETASK);
    }
    assert_int_equal(to.calls, 0);
    end_pool(pool);
}

static void a_result_that_nobody_wants_is_called_back_nevertheless(void **state)
{
    (void)state;
    told to = {0};
    const mproc_task_options task = tell(&to);
    static int results[COUNT];
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map_async(pool, square, numbers(), sizeof(int), COUNT, results,
                                          sizeof(int), NULL, &task, NULL),
                     MPROC_OK);
    mproc_result_free(map_numbers(pool, square_most, NULL, NULL, &task));
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    assert_int_equal(to.calls, 1);
    assert_int_equal(to.error_calls, 1);
    check_squares(results);
    mproc_pool_free(pool);
}

/* ---- progress ---- */

typedef struct track {
    _Atomic unsigned calls;
    size_t done, total, failed;
    bool backwards;
    int64_t first, last;
} track;

static void note_progress(void *context, size_t done, size_t total, size_t failed)
{
    track *to = context;
    to->backwards |= done < to->done || failed < to->failed || failed > done;
    to->done = done;
    to->total = total;
    to->failed = failed;
    to->last = host_now();
    if (!to->calls++)
        to->first = to->last;
}

static void progress_is_told_in_the_end(void **state)
{
    (void)state;
    track of = {0};
    const mproc_map_options options = {.progress = note_progress, .progress_context = &of};
    mproc_pool *pool = new_pool(2);
    assert_int_equal(outcome_of(map_numbers(pool, square_most, NULL, &options, NULL)), MPROC_ETASK);
    assert_true(of.calls > 0);
    assert_false(of.backwards);
    assert_int_equal(of.done, COUNT);
    assert_int_equal(of.total, COUNT);
    assert_int_equal(of.failed, COUNT / 10);
    end_pool(pool);
}

static void progress_is_told_while_the_map_runs_and_not_too_often(void **state)
{
    (void)state;
    track of = {0};
    door before = new_door();
    door items[6] = {before, before, before, before, before, before};
    const mproc_map_options options = {.progress = note_progress, .progress_context = &of};
    mproc_result *result;
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map_async(pool, pass_door, items, sizeof items[0], 6, NULL, 0,
                                          &options, NULL, &result),
                     MPROC_OK);
    const int64_t end = host_now() + SOON;
    while (of.calls < 5 && host_now() < end)
        host_nap(5);
    open_door(before);
    assert_int_equal(outcome_of(result), MPROC_OK);
    assert_true(of.calls >= 5);
    assert_false(of.backwards);
    assert_int_equal(of.done, 6);
    /* and one at the end, at whatever moment; the clock counts whole milliseconds */
    assert_true(of.last - of.first >= (of.calls - 2) * INT64_C(100) - of.calls);
    end_pool(pool);
    drop_door(before);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_results_are_complete_when_the_result_is_ready),
        cmocka_unit_test(items_may_be_overwritten_as_soon_as_the_call_has_returned),
        cmocka_unit_test(a_map_of_bytes_hands_out_its_results),
        cmocka_unit_test(nothing_to_do_is_ready_at_once),
        cmocka_unit_test(failures_are_told_as_by_a_map_that_is_waited_for),
        cmocka_unit_test(a_crash_fails_its_item_only),
        cmocka_unit_test(the_callback_gets_all_results_before_a_waiter_returns),
        cmocka_unit_test(the_error_callback_gets_the_first_failure),
        cmocka_unit_test(a_failure_without_an_error_callback_wakes_the_waiter),
        cmocka_unit_test(a_result_that_nobody_wants_is_called_back_nevertheless),
        cmocka_unit_test(progress_is_told_in_the_end),
        cmocka_unit_test(progress_is_told_while_the_map_runs_and_not_too_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
