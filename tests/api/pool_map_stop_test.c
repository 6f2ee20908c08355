/* Maps that nobody waits in, ended before their end: by a cancel, with their pool, or in a race. */
#include "task_stage.h"

#include <stdatomic.h>

enum { COUNT = 400 };

static mproc_result *map_doors(mproc_pool *pool, mproc_function function, door before, size_t count,
                               const mproc_map_options *options, const mproc_task_options *task)
{
    door items[COUNT];
    mproc_result *result = NULL;
    for (size_t i = 0; i < count; i++)
        items[i] = before;
    assert_int_equal(mproc_pool_map_async(pool, function, items, sizeof items[0], count, NULL, 0,
                                          options, task, &result),
                     MPROC_OK);
    return result;
}

/* ---- cancel ---- */

static void a_cancel_ends_a_running_map(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(2);
    mproc_result *result = map_doors(pool, block_forever, before, 10, NULL, NULL);
    await_arrivals(before, 2);
    assert_false(mproc_result_ready(result));
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(mproc_result_cancel(result), MPROC_ESTATE);
    assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
    assert_int_equal(mproc_result_cancel(result), MPROC_ESTATE);
    assert_int_equal(failure_of(result).err, MPROC_ECANCELED);
    check_pool_works(pool, 20);
    end_pool(pool);
    drop_door(before);
}

static void a_map_that_has_not_begun_can_be_canceled(void **state)
{
    (void)state;
    door first = new_door(), second = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *running = submit(pool, pass_door, &first, sizeof first, NULL);
    await_arrivals(first, 1);
    mproc_result *result = map_doors(pool, pass_door, second, 10, NULL, NULL);
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_ECANCELED);
    open_door(first);
    assert_int_equal(outcome_of(running), MPROC_OK);
    check_pool_works(pool, 5);
    assert_int_equal(mproc_semaphore_acquire(second.arrivals, 0), MPROC_ETIMEDOUT);
    end_pool(pool);
    drop_door(first);
    drop_door(second);
}

/* Neither of the unit nor of the batch that a worker had taken already. */
static void nothing_of_a_canceled_map_is_begun_any_more(void **state)
{
    (void)state;
    const size_t chunks[] = {1, 100, COUNT};
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        door before = new_door();
        mproc_pool *pool = new_pool(1);
        mproc_result *result = map_doors(
            pool, stand_until_canceled, before, COUNT,
            &(mproc_map_options){.chunk_size = chunks[i], .grace_ms = MPROC_FOREVER}, NULL);
        await_arrivals(before, 1);
        assert_int_equal(mproc_result_cancel(result), MPROC_OK);
        assert_int_equal(outcome_of(result), MPROC_ECANCELED);
        check_pool_works(pool, 1); /* the one worker is done with the map */
        assert_int_equal(mproc_semaphore_acquire(before.arrivals, 0), MPROC_ETIMEDOUT);
        end_pool(pool);
        drop_door(before);
    }
}

static void a_worker_that_listens_survives_a_cancel(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    for (int round = 0; round < 5; round++) {
        mproc_result *result =
            map_doors(pool, stand_until_canceled, before, 5,
                      &(mproc_map_options){.grace_ms = round % 2 ? SOON : MPROC_FOREVER}, NULL);
        await_arrivals(before, 1);
        assert_int_equal(mproc_result_cancel(result), MPROC_OK);
        assert_int_equal(outcome_of(result), MPROC_ECANCELED);
        assert_true(ask_pid(pool) == pid);
    }
    end_pool(pool);
    drop_door(before);
}

/* In place of its reply the caller may have something else there by then. */
typedef struct late {
    door before;
} late;

static int reply_late(mproc_task *task)
{
    const late *it = mproc_task_input(task, NULL);
    const int wrong = 4711;
    mproc_semaphore_release(it->before.arrivals);
    if (mproc_event_wait(it->before.open, SOON))
        return 1;
    return mproc_task_reply(task, &wrong, sizeof wrong);
}

static void what_a_canceled_task_replies_reaches_nobody(void **state)
{
    (void)state;
    mproc_memory memory;
    mproc_result *result;
    assert_int_equal(mproc_memory_alloc(&memory, sizeof(int)), MPROC_OK);
    int *place = mproc_memory_data(memory);
    *place = 1;
    const late it = {.before = new_door()};
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_map_async(pool, reply_late, &it, sizeof it, 1, place, sizeof *place,
                                          &(mproc_map_options){.grace_ms = MPROC_FOREVER}, NULL,
                                          &result),
                     MPROC_OK);
    await_arrivals(it.before, 1);
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_ECANCELED);
    *place = 2;
    open_door(it.before);
    check_pool_works(pool, 1);
    assert_int_equal(*place, 2);
    end_pool(pool);
    drop_door(it.before);
    assert_int_equal(mproc_memory_free(memory), MPROC_OK);
}

static int do_nothing(mproc_task *task)
{
    (void)task;
    return 0;
}

/* Whoever comes first decides, and both sides hear the same. */
static void a_cancel_at_the_very_end_is_either_in_time_or_too_late(void **state)
{
    (void)state;
    int items[8] = {0};
    unsigned canceled = 0;
    mproc_pool *pool = new_pool(2);
    for (int round = 0; round < 1500; round++) {
        mproc_result *result;
        assert_int_equal(mproc_pool_map_async(pool, do_nothing, items, sizeof items[0], 8, NULL, 0,
                                              &(mproc_map_options){.grace_ms = MPROC_FOREVER}, NULL,
                                              &result),
                         MPROC_OK);
        for (volatile int spin = 0; spin < round % 300 * 40; spin++) {
        }
        const mproc_err err = mproc_result_cancel(result);
        assert_true(err == MPROC_OK || err == MPROC_ESTATE);
        assert_int_equal(outcome_of(result), err ? MPROC_OK : MPROC_ECANCELED);
        canceled += !err;
    }
    assert_true(canceled > 0);
    end_pool(pool);
}

static void note_error(void *context, const mproc_task_error *error)
{
    *(_Atomic int *)context = error->err;
}

static void the_error_callback_is_told_of_a_cancel(void **state)
{
    (void)state;
    _Atomic int told = 0;
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *result =
        map_doors(pool, block_forever, before, 3, NULL,
                  &(mproc_task_options){.error_callback = note_error, .callback_context = &told});
    await_arrivals(before, 1);
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_ECANCELED);
    assert_int_equal(told, MPROC_ECANCELED);
    end_pool(pool);
    drop_door(before);
}

/* ---- with the pool ---- */

static void close_lets_running_maps_finish(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(2);
    mproc_result *results[5];
    for (size_t i = 0; i < COUNT_OF(results); i++)
        results[i] = map_doors(pool, pass_door, before, 20, NULL, NULL);
    await_arrivals(before, 2);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, 0), MPROC_ETIMEDOUT);
    open_door(before);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        assert_true(mproc_result_ready(results[i]));
        assert_int_equal(outcome_of(results[i]), MPROC_OK);
    }
    mproc_pool_free(pool);
    drop_door(before);
}

static void terminate_cancels_running_maps(void **state)
{
    (void)state;
    door before = new_door();
    size_t failed = 99;
    mproc_pool *pool = new_pool(2);
    mproc_result *results[5];
    for (size_t i = 0; i < COUNT_OF(results); i++)
        results[i] = map_doors(pool, block_forever, before, 20,
                               &(mproc_map_options){.error_count = &failed}, NULL);
    await_arrivals(before, 2);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    for (size_t i = 0; i < COUNT_OF(results); i++)
        assert_int_equal(outcome_of(results[i]), MPROC_ECANCELED);
    assert_int_equal(failed, 99);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    mproc_pool_free(pool);
    drop_door(before);
}

static void results_may_be_freed_after_their_pool(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(2);
    mproc_result *ended = map_doors(pool, do_nothing, before, 20, NULL, NULL);
    assert_int_equal(mproc_result_wait(ended, SOON), MPROC_OK);
    mproc_result *running = map_doors(pool, block_forever, before, 20, NULL, NULL);
    await_arrivals(before, 2);
    mproc_pool_free(pool);
    mproc_result_free(ended);
    mproc_result_free(running);
    drop_door(before);
}

static int crash(mproc_task *task)
{
    (void)task;
    host_crash();
    return 0;
}

static void a_pool_that_breaks_fails_its_maps(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 2, .on_crash = MPROC_CRASH_BREAKS});
    mproc_result *running = map_doors(pool, block_forever, before, 1, NULL, NULL);
    await_arrivals(before, 1);
    mproc_result *crashing = map_doors(pool, crash, before, 1, NULL, NULL);
    assert_int_equal(outcome_of(running), MPROC_EBROKEN);
    assert_int_equal(outcome_of(crashing), MPROC_EBROKEN);
    mproc_pool_free(pool);
    drop_door(before);
}

/* ---- in callbacks ---- */

typedef struct inner {
    mproc_pool *pool;
    _Atomic int submitted, waited;
    mproc_result *result;
} inner;

static void map_in_callback(void *context, const void *reply, size_t size)
{
    (void)reply;
    (void)size;
    inner *it = context;
    int items[8] = {0};
    it->submitted = mproc_pool_map_async(it->pool, do_nothing, items, sizeof items[0], 8, NULL, 0,
                                         NULL, NULL, &it->result);
    it->waited = it->submitted ? -99 : mproc_result_wait(it->result, MPROC_FOREVER);
}

/* By the thread that would have to end it. */
static void a_callback_that_waits_for_a_map_is_told_that_it_waits_for_itself(void **state)
{
    (void)state;
    door before = new_door();
    inner it = {.pool = new_pool(2), .submitted = -99, .waited = -99};
    mproc_result *outer =
        map_doors(it.pool, do_nothing, before, 5, NULL,
                  &(mproc_task_options){.callback = map_in_callback, .callback_context = &it});
    assert_int_equal(outcome_of(outer), MPROC_OK);
    assert_int_equal(it.submitted, MPROC_OK);
    assert_int_equal(it.waited, MPROC_EDEADLK);
    assert_int_equal(outcome_of(it.result), MPROC_OK);
    end_pool(it.pool);
    drop_door(before);
}

static void use_in_callback(void *context, const void *reply, size_t size)
{
    (void)reply;
    (void)size;
    inner *it = context;
    int items[8] = {0}, results[8];
    it->submitted = mproc_pool_map(it->pool, add_one, items, sizeof items[0], 8, results,
                                   sizeof results[0], NULL);
    it->waited = mproc_pool_close(it->pool);
    if (!it->waited)
        it->waited = mproc_pool_join(it->pool, MPROC_FOREVER);
}

static void a_callback_may_map_but_not_join(void **state)
{
    (void)state;
    door before = new_door();
    inner it = {.pool = new_pool(2), .submitted = -99, .waited = -99};
    mproc_result *outer =
        map_doors(it.pool, do_nothing, before, 5, NULL,
                  &(mproc_task_options){.callback = use_in_callback, .callback_context = &it});
    assert_int_equal(outcome_of(outer), MPROC_OK);
    assert_int_equal(it.submitted, MPROC_OK);
    assert_int_equal(it.waited, MPROC_EDEADLK);
    end_pool(it.pool);
    drop_door(before);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancel_ends_a_running_map),
        cmocka_unit_test(a_map_that_has_not_begun_can_be_canceled),
        cmocka_unit_test(nothing_of_a_canceled_map_is_begun_any_more),
        cmocka_unit_test(a_worker_that_listens_survives_a_cancel),
        cmocka_unit_test(what_a_canceled_task_replies_reaches_nobody),
        cmocka_unit_test(a_cancel_at_the_very_end_is_either_in_time_or_too_late),
        cmocka_unit_test(the_error_callback_is_told_of_a_cancel),
        cmocka_unit_test(close_lets_running_maps_finish),
        cmocka_unit_test(terminate_cancels_running_maps),
        cmocka_unit_test(results_may_be_freed_after_their_pool),
        cmocka_unit_test(a_pool_that_breaks_fails_its_maps),
        cmocka_unit_test(a_callback_that_waits_for_a_map_is_told_that_it_waits_for_itself),
        cmocka_unit_test(a_callback_may_map_but_not_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
