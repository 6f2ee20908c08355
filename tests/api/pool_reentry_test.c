/* What callbacks do themselves: submit, wait, end the pool, or take their time. */
#include "task_stage.h"

#include <stdatomic.h>

/* What the test and its callbacks, which run in another thread, have in common. */
typedef struct seen {
    mproc_pool *pool;
    mproc_result *result; /* something that a callback waits for */
    _Atomic int done;
    _Atomic bool wrong;
    _Atomic mproc_err err;
    mproc_event begun, go_on;
} seen;

static void ignore(void *context, const void *reply, size_t size)
{
    (void)context;
    (void)reply;
    (void)size;
}

/* A chain: each one submits the next. */
static void submit_next(void *context, const void *reply, size_t size)
{
    seen *all = context;
    mproc_task_options options = {.callback_context = all};
    int number = 0;
    memcpy(&number, reply, size);
    options.callback = submit_next;
    atomic_fetch_add(&all->done, 1);
    if (number < 100 &&
        mproc_pool_apply_async(all->pool, add_one, &number, sizeof number, &options, NULL))
        atomic_store(&all->wrong, true);
    if (number == 100)
        atomic_store(&all->wrong, mproc_event_set(all->go_on) != MPROC_OK);
}

static void a_callback_may_submit(void **state)
{
    (void)state;
    const int first = 0;
    seen all = {.pool = new_pool(2)};
    mproc_task_options options = {.callback_context = &all};
    options.callback = submit_next;
    assert_int_equal(mproc_event_create(&all.go_on), MPROC_OK);
    mproc_result_free(submit(all.pool, add_one, &first, sizeof first, &options));
    assert_int_equal(mproc_event_wait(all.go_on, SOON), MPROC_OK);
    end_pool(all.pool);
    assert_int_equal(all.done, 100);
    assert_false(all.wrong);
    assert_int_equal(mproc_event_destroy(all.go_on), MPROC_OK);
}

/* In every way in which one can wait for work. */
static mproc_err work_in_every_way(mproc_pool *pool)
{
    int number = 41, next = 0, items[20] = {0}, nexts[20] = {0};
    mproc_result *result = NULL;
    mproc_err err =
        mproc_pool_apply(pool, add_one, &number, sizeof number, &next, sizeof next, NULL);
    if (!err)
        err = mproc_pool_map(pool, add_one, items, sizeof items[0], 20, nexts, sizeof nexts[0],
                             &(mproc_map_options){.timeout_ms = SOON});
    if (!err)
        err = mproc_pool_apply_async(pool, add_one, &number, sizeof number,
                                     &(mproc_task_options){.timeout_ms = SOON}, &result);
    if (!err)
        err = mproc_result_get(result, SOON, NULL, NULL);
    mproc_result_free(result);
    return err ? err : next == 42 && nexts[19] == 1 ? MPROC_OK : MPROC_EPROTO;
}

static void wait_in_every_way(void *context, const void *reply, size_t size)
{
    seen *all = context;
    (void)reply;
    (void)size;
    atomic_store(&all->err, work_in_every_way(all->pool));
}

static void a_callback_may_wait_for_other_work(void **state)
{
    (void)state;
    seen all = {.pool = new_pool(2), .err = MPROC_EPROTO};
    const mproc_task_options options = {.callback = wait_in_every_way, .callback_context = &all};
    assert_int_equal(outcome_of(submit(all.pool, tell_pid, NULL, 0, &options)), MPROC_OK);
    assert_int_equal(all.err, MPROC_OK);
    end_pool(all.pool);
}

/* The callback of the first waits until the result that it is to wait for is known. */
static void wait_for_result(void *context, const void *reply, size_t size)
{
    seen *all = context;
    (void)reply;
    (void)size;
    mproc_err err = mproc_event_wait(all->go_on, SOON);
    if (!err)
        err = mproc_result_wait(all->result, MPROC_FOREVER);
    if (err == MPROC_EDEADLK)
        err = mproc_result_get(all->result, MPROC_FOREVER, NULL, NULL);
    if (mproc_result_ready(all->result))
        atomic_store(&all->wrong, true);
    atomic_store(&all->err, err);
}

/* `kind`: its own result, one that has callbacks and is not even begun, or an asynchronous map. */
static mproc_err waiting_in_a_callback(int kind)
{
    seen all = {.pool = new_pool(1)};
    door before = new_door();
    mproc_result *other = NULL;
    mproc_task_options options = {.callback = wait_for_result, .callback_context = &all};
    assert_int_equal(mproc_event_create(&all.go_on), MPROC_OK);
    mproc_result *result = submit(all.pool, tell_pid, NULL, 0, &options);
    options.callback = ignore;
    if (kind == 1)
        other = submit(all.pool, pass_door, &before, sizeof before, &options);
    if (kind == 2)
        assert_int_equal(mproc_pool_map_async(all.pool, pass_door, &before, sizeof before, 1, NULL,
                                              0, NULL, NULL, &other),
                         MPROC_OK);
    all.result = kind ? other : result;
    assert_int_equal(mproc_event_set(all.go_on), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_OK);
    open_door(before);
    if (other)
        assert_int_equal(outcome_of(other), MPROC_OK);
    end_pool(all.pool);
    assert_false(all.wrong);
    assert_int_equal(mproc_event_destroy(all.go_on), MPROC_OK);
    drop_door(before);
    return all.err;
}

static void a_callback_that_waits_for_its_own_result_is_told(void **state)
{
    (void)state;
    assert_int_equal(waiting_in_a_callback(0), MPROC_EDEADLK);
}

static void a_callback_that_waits_for_another_callback_is_told(void **state)
{
    (void)state;
    assert_int_equal(waiting_in_a_callback(1), MPROC_EDEADLK);
}

static void a_callback_that_waits_for_an_asynchronous_map_is_told(void **state)
{
    (void)state;
    assert_int_equal(waiting_in_a_callback(2), MPROC_EDEADLK);
}

static void end_all(void *context, const void *reply, size_t size)
{
    seen *all = context;
    (void)reply;
    (void)size;
    atomic_store(&all->wrong, mproc_pool_close(all->pool) != MPROC_OK);
    atomic_store(&all->err, mproc_pool_join(all->pool, MPROC_FOREVER));
    mproc_pool_free(all->pool); /* refused: it is called by the pool that it would free */
    atomic_fetch_add(&all->done, 1);
}

static void a_callback_may_close_its_pool_but_neither_join_nor_free_it(void **state)
{
    (void)state;
    seen all = {.pool = new_pool(2)};
    door before = new_door();
    const mproc_task_options options = {.callback = end_all, .callback_context = &all};
    mproc_result *running = submit(all.pool, pass_door, &before, sizeof before, NULL);
    assert_int_equal(outcome_of(submit(all.pool, tell_pid, NULL, 0, &options)), MPROC_OK);
    assert_int_equal(all.done, 1);
    assert_int_equal(all.err, MPROC_EDEADLK);
    assert_false(all.wrong);
    assert_int_equal(mproc_pool_apply(all.pool, tell_pid, NULL, 0, NULL, 0, NULL), MPROC_ECLOSED);
    open_door(before);
    assert_int_equal(outcome_of(running), MPROC_OK);
    assert_int_equal(mproc_pool_join(all.pool, SOON), MPROC_OK);
    mproc_pool_free(all.pool);
    drop_door(before);
}

static void terminate_it(void *context, const void *reply, size_t size)
{
    seen *all = context;
    (void)reply;
    (void)size;
    atomic_store(&all->err, mproc_pool_terminate(all->pool));
}

static void a_callback_may_terminate_its_pool(void **state)
{
    (void)state;
    seen all = {.pool = new_pool(2), .err = MPROC_EPROTO};
    door before = new_door();
    const mproc_task_options options = {.callback = terminate_it, .callback_context = &all};
    mproc_result *running = submit(all.pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    assert_int_equal(outcome_of(submit(all.pool, tell_pid, NULL, 0, &options)), MPROC_OK);
    assert_int_equal(all.err, MPROC_OK);
    assert_int_equal(outcome_of(running), MPROC_ECANCELED);
    assert_int_equal(mproc_pool_join(all.pool, SOON), MPROC_OK);
    mproc_pool_free(all.pool);
    drop_door(before);
}

static void take_long(void *context, const void *reply, size_t size)
{
    seen *all = context;
    (void)reply;
    (void)size;
    mproc_err err = mproc_event_set(all->begun);
    atomic_store(&all->err, err ? err : mproc_event_wait(all->go_on, SOON));
}

static void a_callback_that_takes_long_holds_up_neither_time_outs_nor_cancels(void **state)
{
    (void)state;
    seen all = {.pool = new_pool(2), .err = MPROC_EPROTO};
    door before = new_door(), other = new_door();
    const mproc_task_options slow = {.callback = take_long, .callback_context = &all},
                             limited = {.timeout_ms = 20}, graceful = {.grace_ms = 20};
    assert_int_equal(mproc_event_create(&all.begun), MPROC_OK);
    assert_int_equal(mproc_event_create(&all.go_on), MPROC_OK);
    mproc_result *first = submit(all.pool, tell_pid, NULL, 0, &slow);
    assert_int_equal(mproc_event_wait(all.begun, SOON), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        /* The late one's time may be over before it comes to its door. */
        mproc_result *late = submit(all.pool, block_forever, &other, sizeof other, &limited),
                     *canceled = submit(all.pool, block_forever, &before, sizeof before, &graceful);
        await_arrivals(before, 1);
        assert_int_equal(mproc_result_cancel(canceled), MPROC_OK);
        assert_int_equal(outcome_of(canceled), MPROC_ECANCELED);
        assert_int_equal(outcome_of(late), MPROC_ETIMEDOUT);
    }
    check_pool_works(all.pool, 10);
    assert_false(mproc_result_ready(first));
    assert_int_equal(mproc_event_set(all.go_on), MPROC_OK);
    assert_int_equal(outcome_of(first), MPROC_OK);
    assert_int_equal(all.err, MPROC_OK);
    end_pool(all.pool);
    assert_int_equal(mproc_event_destroy(all.begun), MPROC_OK);
    assert_int_equal(mproc_event_destroy(all.go_on), MPROC_OK);
    drop_door(before);
    drop_door(other);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_may_submit),
        cmocka_unit_test(a_callback_may_wait_for_other_work),
        cmocka_unit_test(a_callback_that_waits_for_its_own_result_is_told),
        cmocka_unit_test(a_callback_that_waits_for_another_callback_is_told),
        cmocka_unit_test(a_callback_that_waits_for_an_asynchronous_map_is_told),
        cmocka_unit_test(a_callback_may_close_its_pool_but_neither_join_nor_free_it),
        cmocka_unit_test(a_callback_may_terminate_its_pool),
        cmocka_unit_test(a_callback_that_takes_long_holds_up_neither_time_outs_nor_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
