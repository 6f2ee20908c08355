/* Time-outs and cancels: who is ended, who is not, and what is told of it. */
#include "task_stage.h"

#include <stdlib.h>

/* ---- time-outs ---- */

/* How long it took, in milliseconds. One whose time was over before it had begun, for the machine was
 * busy, is tried again. */
static int64_t block_too_long(mproc_pool *pool, const mproc_task_options *options,
                              mproc_task_error *error)
{
    int64_t begin;
    door before = new_door();
    do {
        begin = host_now();
        *error = failure_of(submit(pool, block_forever, &before, sizeof before, options));
        assert_int_equal(error->err, MPROC_ETIMEDOUT);
    } while (mproc_semaphore_acquire(before.arrivals, 0));
    const int64_t took = host_now() - begin;
    drop_door(before);
    return took;
}

static void a_task_that_never_returns_is_ended(void **state)
{
    (void)state;
    const mproc_task_options options = {.timeout_ms = 30};
    mproc_task_error error;
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    assert_true(block_too_long(pool, &options, &error) >= 30);
    assert_int_equal(error.pid, pid);
    assert_string_equal(error.message, "it ran for longer than 30 ms");
    assert_true(ask_pid(pool) != pid);
    check_pool_works(pool, 20);
    end_pool(pool);
}

/* Whoever returns within its grace keeps its worker. */
static void a_task_that_heeds_its_time_out_keeps_its_worker(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    const int graces[] = {SOON, MPROC_FOREVER};
    for (size_t i = 0; i < COUNT_OF(graces); i++) {
        const mproc_task_options options = {.timeout_ms = 10, .grace_ms = graces[i]};
        mproc_result *result = submit(pool, stand_until_canceled, &before, sizeof before, &options);
        assert_int_equal(failure_of(result).err, MPROC_ETIMEDOUT);
        assert_int_equal(ask_pid(pool), pid);
    }
    end_pool(pool);
    drop_door(before);
}

static void a_task_that_ignores_its_time_out_is_ended_after_its_grace(void **state)
{
    (void)state;
    const mproc_task_options options = {.timeout_ms = 10, .grace_ms = 50};
    mproc_task_error error;
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    const int64_t begin = host_now();
    block_too_long(pool, &options, &error);
    assert_true(ask_pid(pool) != pid);
    assert_true(host_now() - begin >= 60);
    end_pool(pool);
}

/* What is replied after the time-out is not delivered, whatever its size. */
static int reply_too_late(mproc_task *task)
{
    const int64_t end = host_now() + SOON;
    size_t size;
    const void *input = mproc_task_input(task, &size);
    while (!mproc_task_canceled(task) && host_now() < end) {
    }
    return mproc_task_reply(task, input, size);
}

static void a_late_reply_is_no_reply(void **state)
{
    (void)state;
    const mproc_task_options options = {.timeout_ms = 5, .grace_ms = MPROC_FOREVER};
    unsigned char input[5000] = {1};
    mproc_pool *pool = new_pool(1);
    for (int i = 0; i < 20; i++) {
        const void *reply = NULL;
        mproc_result *result =
            submit(pool, reply_too_late, input, i % 2 ? sizeof input : 8, &options);
        assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
        assert_int_equal(mproc_result_get(result, 0, &reply, NULL), MPROC_ETIMEDOUT);
        assert_null(reply);
        mproc_result_free(result);
    }
    check_pool_works(pool, 20);
    end_pool(pool);
}

static void the_time_in_the_queue_does_not_count(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    door before = new_door();
    const int limit = pace_limit(1000);
    const mproc_task_options options = {.timeout_ms = limit};
    mproc_result *results[COUNT];
    mproc_pool *pool = new_pool(1);
    mproc_result *first = submit(pool, pass_door, &before, sizeof before, NULL);
    for (int i = 0; i < COUNT; i++)
        results[i] = submit(pool, tell_pid, NULL, 0, &options);
    await_arrivals(before, 1);
    assert_int_equal(mproc_result_wait(results[0], limit + 100), MPROC_ETIMEDOUT);
    open_door(before);
    assert_int_equal(outcome_of(first), MPROC_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(outcome_of(results[i]), MPROC_OK);
    end_pool(pool);
    drop_door(before);
}

/* Among many that are limited as well and end in time, some overrun: nobody else suffers. */
static void a_time_out_hits_nobody_but_the_task_at_fault(void **state)
{
    (void)state;
    enum { COUNT = 600, EACH = 60 };
    door before = new_door();
    const mproc_task_options strict = {.timeout_ms = 20}, generous = {.timeout_ms = SOON};
    mproc_result *results[COUNT];
    mproc_pool *pool = new_pool(3);
    for (int i = 0; i < COUNT; i++)
        results[i] = i % EACH == 7 ? submit(pool, block_forever, &before, sizeof before, &strict)
                                   : submit(pool, add_one, &i, sizeof i, i % 2 ? &generous : NULL);
    for (int i = 0; i < COUNT; i++) {
        if (i % EACH == 7)
            assert_int_equal(outcome_of(results[i]), MPROC_ETIMEDOUT);
        else
            assert_int_equal(number_of(results[i]), i + 1);
    }
    end_pool(pool);
    drop_door(before);
}

/* So tight that many end just when their time is over: each is done, or timed out, and the pool
 * lives. */
static void tasks_that_end_just_then_are_done_or_timed_out(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    const mproc_task_options tight = {.timeout_ms = 1};
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < COUNT; i += 10) {
        mproc_result *results[10];
        for (int k = 0; k < 10; k++) {
            int number = i + k;
            results[k] = submit(pool, add_one, &number, sizeof number, &tight);
        }
        for (int k = 0; k < 10; k++) {
            assert_int_equal(mproc_result_wait(results[k], SOON), MPROC_OK);
            if (mproc_result_get(results[k], 0, NULL, NULL) == MPROC_OK) {
                assert_int_equal(number_of(results[k]), i + k + 1);
            } else {
                assert_int_equal(failure_of(results[k]).err, MPROC_ETIMEDOUT);
            }
        }
    }
    check_pool_works(pool, 50);
    end_pool(pool);
}

/* ---- of maps ---- */

typedef struct stop {
    door before;
    int number, blocked;
} stop;

static int block_if_told(mproc_task *task)
{
    const stop *here = mproc_task_input(task, NULL);
    if (here->blocked && !mproc_semaphore_release(here->before.arrivals))
        host_wait_forever();
    return mproc_task_reply(task, &here->number, sizeof here->number);
}

static void a_map_fails_the_items_that_last_too_long(void **state)
{
    (void)state;
    enum { COUNT = 200, EACH = 50 };
    stop items[COUNT];
    int results[COUNT] = {0};
    size_t failed = 0;
    mproc_task_error errors[COUNT / EACH + 1];
    door before = new_door();
    for (int i = 0; i < COUNT; i++)
        items[i] = (stop){.before = before, .number = i + 1, .blocked = i % EACH == 3};
    const int limit = pace_limit(500); /* what ends by itself ends long before */
    char message[64];
    snprintf(message, sizeof message, "it ran for longer than %d ms", limit);
    const mproc_map_options options = {.timeout_ms = limit,
                                       .chunk_size = 7,
                                       .errors = errors,
                                       .error_capacity = COUNT_OF(errors),
                                       .error_count = &failed};
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, block_if_told, items, sizeof items[0], COUNT, results,
                                    sizeof results[0], &options),
                     MPROC_ETIMEDOUT);
    assert_int_equal(failed, COUNT / EACH);
    for (size_t i = 0; i < COUNT / EACH; i++) {
        assert_int_equal(errors[i].index, i * EACH + 3);
        assert_int_equal(errors[i].err, MPROC_ETIMEDOUT);
        assert_true(errors[i].pid > 0);
        assert_string_equal(errors[i].message, message);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i % EACH == 3 ? 0 : i + 1);
    check_pool_works(pool, 20);
    end_pool(pool);
    drop_door(before);
}

/* Comes to the door, and replies after it was opened, however late. */
static int reply_behind_the_door(mproc_task *task)
{
    const stop *here = mproc_task_input(task, NULL);
    if (here->blocked && (mproc_semaphore_release(here->before.arrivals) ||
                          mproc_event_wait(here->before.open, SOON)))
        return 1;
    return mproc_task_reply(task, &here->number, sizeof here->number);
}

/* It does not wait for a worker that may take as long as it likes, nor does that worker write where
 * the caller does something else by now. */
static void a_map_returns_although_a_late_item_still_runs(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    stop items[COUNT];
    mproc_array shared;
    door before = new_door();
    for (int i = 0; i < COUNT; i++)
        items[i] = (stop){.before = before, .number = i + 1, .blocked = i == 4};
    assert_int_equal(mproc_array_create(&shared, sizeof(int), COUNT, NULL, NULL), MPROC_OK);
    int *results = mproc_array_data(shared);
    const mproc_map_options options = {.timeout_ms = pace_limit(500), .grace_ms = MPROC_FOREVER};
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, reply_behind_the_door, items, sizeof items[0], COUNT,
                                    results, sizeof results[0], &options),
                     MPROC_ETIMEDOUT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i == 4 ? 0 : i + 1);
    open_door(before);
    end_pool(pool);
    assert_int_equal(results[4], 0);
    assert_int_equal(mproc_array_destroy(shared), MPROC_OK);
    drop_door(before);
}

/* ---- cancel ---- */

static void a_queued_task_that_is_canceled_is_never_begun(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    door before = new_door();
    mproc_result *results[COUNT];
    mproc_pool *pool = new_pool(1);
    mproc_result *first = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    for (int i = 0; i < COUNT; i++)
        results[i] = submit(pool, pass_door, &before, sizeof before, NULL);
    for (int i = 0; i < COUNT; i++) {
        mproc_task_error error;
        assert_int_equal(mproc_result_cancel(results[i]), MPROC_OK);
        assert_true(mproc_result_ready(results[i]));
        assert_int_equal(mproc_result_error(results[i], &error), MPROC_OK);
        assert_int_equal(error.err, MPROC_ECANCELED);
        assert_int_equal(error.pid, 0);
        assert_int_equal(mproc_result_cancel(results[i]), MPROC_ESTATE);
    }
    open_door(before);
    assert_int_equal(outcome_of(first), MPROC_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(outcome_of(results[i]), MPROC_ECANCELED);
    check_pool_works(pool, 10);
    end_pool(pool);
    assert_int_equal(mproc_semaphore_acquire(before.arrivals, 0), MPROC_ETIMEDOUT);
    drop_door(before);
}

static void a_running_task_that_is_canceled_loses_its_worker(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    for (int i = 0; i < 10; i++) {
        const long long pid = ask_pid(pool);
        const mproc_task_options options = {.grace_ms = i % 2 ? 10 : 0};
        mproc_result *result = submit(pool, block_forever, &before, sizeof before, &options);
        await_arrivals(before, 1);
        assert_int_equal(mproc_result_cancel(result), MPROC_OK);
        mproc_task_error error = failure_of(result);
        assert_int_equal(error.err, MPROC_ECANCELED);
        assert_int_equal(error.pid, pid);
        assert_true(ask_pid(pool) != pid);
    }
    end_pool(pool);
    drop_door(before);
}

static void a_running_task_that_heeds_its_cancel_keeps_its_worker(void **state)
{
    (void)state;
    door before = new_door();
    const mproc_task_options options = {.grace_ms = MPROC_FOREVER};
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    mproc_result *result = submit(pool, stand_until_canceled, &before, sizeof before, &options);
    await_arrivals(before, 1);
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_ECANCELED);
    assert_int_equal(ask_pid(pool), pid);
    end_pool(pool);
    drop_door(before);
}

static void what_has_ended_cannot_be_canceled(void **state)
{
    (void)state;
    const int number = 1;
    mproc_pool *pool = new_pool(1);
    mproc_result *result = submit(pool, add_one, &number, sizeof number, NULL);
    assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
    assert_int_equal(mproc_result_cancel(result), MPROC_ESTATE);
    assert_int_equal(number_of(result), 2);
    result = submit(pool, add_one, &number, sizeof number, NULL);
    check_pool_works(pool, 1); /* so the one before has ended, though nobody has looked */
    assert_int_equal(mproc_result_cancel(result), MPROC_ESTATE);
    assert_int_equal(number_of(result), 2);
    end_pool(pool);
}

/* At any moment of a task's life: the first ones before it can begin, for both workers are held up. */
static void each_task_is_either_done_or_canceled(void **state)
{
    (void)state;
    enum { COUNT = 2000, LAG = 3, WITHOUT_WORKERS = 20 };
    const mproc_task_options patient = {.grace_ms = MPROC_FOREVER};
    int canceled = 0;
    mproc_result *results[COUNT];
    mproc_err cancels[COUNT];
    mproc_pool *pool = new_pool(2);
    door before = new_door();
    mproc_result *held[2];
    for (int i = 0; i < 2; i++)
        held[i] = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 2);
    for (int i = 0; i < COUNT + LAG; i++) {
        if (i == WITHOUT_WORKERS)
            open_door(before);
        if (i < COUNT)
            results[i] = submit(pool, add_one, &i, sizeof i, &patient);
        if (i >= LAG)
            cancels[i - LAG] = mproc_result_cancel(results[i - LAG]);
    }
    for (int i = 0; i < COUNT; i++) {
        if (cancels[i]) {
            assert_int_equal(cancels[i], MPROC_ESTATE);
            assert_int_equal(number_of(results[i]), i + 1);
        } else {
            assert_int_equal(outcome_of(results[i]), MPROC_ECANCELED);
            canceled++;
        }
    }
    assert_true(canceled >= WITHOUT_WORKERS - LAG);
    for (int i = 0; i < 2; i++)
        assert_int_equal(outcome_of(held[i]), MPROC_OK);
    check_pool_works(pool, 20);
    end_pool(pool);
    drop_door(before);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_never_returns_is_ended),
        cmocka_unit_test(a_task_that_heeds_its_time_out_keeps_its_worker),
        cmocka_unit_test(a_task_that_ignores_its_time_out_is_ended_after_its_grace),
        cmocka_unit_test(a_late_reply_is_no_reply),
        cmocka_unit_test(the_time_in_the_queue_does_not_count),
        cmocka_unit_test(a_time_out_hits_nobody_but_the_task_at_fault),
        cmocka_unit_test(tasks_that_end_just_then_are_done_or_timed_out),
        cmocka_unit_test(a_map_fails_the_items_that_last_too_long),
        cmocka_unit_test(a_map_returns_although_a_late_item_still_runs),
        cmocka_unit_test(a_queued_task_that_is_canceled_is_never_begun),
        cmocka_unit_test(a_running_task_that_is_canceled_loses_its_worker),
        cmocka_unit_test(a_running_task_that_heeds_its_cancel_keeps_its_worker),
        cmocka_unit_test(what_has_ended_cannot_be_canceled),
        cmocka_unit_test(each_task_is_either_done_or_canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
