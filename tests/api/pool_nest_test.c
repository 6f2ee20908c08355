/* Workers that have pools of their own, and pools beside each other. */
#include "task_stage.h"

#include <stdatomic.h>

enum { COUNT = 20 };

/* All that a pool can do, done by a worker; 0 or the line that failed. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

static void count_reply(void *context, const void *reply, size_t size)
{
    (void)reply;
    (void)size;
    ++*(_Atomic int *)context;
}

static int use_maps(mproc_pool *pool, const int *items)
{
    int results[COUNT], later[COUNT];
    _Atomic int called = 0;
    mproc_result *result;
    MUST(!mproc_pool_map(pool, add_one, items, sizeof *items, COUNT, results, sizeof *results,
                         NULL));
    MUST(!mproc_pool_map_async(
        pool, add_one, items, sizeof *items, COUNT, later, sizeof *later, NULL,
        &(mproc_task_options){.callback = count_reply, .callback_context = &called}, &result));
    MUST(!mproc_result_get(result, SOON, NULL, NULL));
    mproc_result_free(result);
    MUST(called == 1);
    for (int i = 0; i < COUNT; i++)
        MUST(results[i] == items[i] + 1 && later[i] == items[i] + 1);
    return 0;
}

static int use_iterators(mproc_pool *pool, const int *items)
{
    mproc_iterator *iterator;
    const void *reply;
    int sum = 0, expected = 0;
    for (int i = 0; i < COUNT; i++)
        expected += items[i] + 1;
    MUST(!mproc_pool_imap_unordered(pool, add_one, items, sizeof *items, COUNT,
                                    &(mproc_imap_options){.window = 3}, &iterator));
    while (!mproc_iterator_next(iterator, SOON, &reply, NULL))
        sum += *(const int *)reply;
    mproc_iterator_free(iterator);
    MUST(sum == expected);
    return 0;
}

/* Input: how deep it is to go on. Reply: how many pools there were. */
static int nest(mproc_task *task)
{
    const int *depth = mproc_task_input(task, NULL), next = *depth - 1;
    int items[COUNT], pools = 0;
    mproc_pool *pool;
    for (int i = 0; i < COUNT; i++)
        items[i] = 100 * *depth + i;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}))
        return __LINE__;
    int line = use_maps(pool, items);
    line = line ? line : use_iterators(pool, items);
    if (!line && next &&
        mproc_pool_apply(pool, nest, &next, sizeof next, &pools, sizeof pools, NULL))
        line = __LINE__;
    if (!line && (mproc_pool_close(pool) || mproc_pool_join(pool, SOON)))
        line = __LINE__;
    mproc_pool_free(pool);
    pools++;
    return line ? line : mproc_task_reply(task, &pools, sizeof pools);
}

static void workers_may_have_pools_and_these_workers_too(void **state)
{
    (void)state;
    skip_where_forks_are_broken();
    int pools = 0;
    const int depth = 3;
    mproc_pool *pool = new_pool(1);
    mproc_result *result = submit(pool, nest, &depth, sizeof depth, NULL);
    const void *reply;
    mproc_err err = mproc_result_get(result, SOON, &reply, NULL);
    if (!err)
        pools = *(const int *)reply;
    assert_int_equal(failure_of(result).code, 0);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(pools, depth);
    end_pool(pool);
}

static void several_workers_may_have_pools_at_once(void **state)
{
    (void)state;
    skip_where_forks_are_broken();
    const int depths[6] = {1, 2, 1, 2, 1, 1};
    int pools[6] = {0};
    mproc_task_error error = {.code = 0};
    mproc_pool *pool = new_pool(3);
    const mproc_map_options options = {.errors = &error, .error_capacity = 1};
    mproc_err err =
        mproc_pool_map(pool, nest, depths, sizeof depths[0], 6, pools, sizeof pools[0], &options);
    assert_int_equal(error.code, 0);
    assert_int_equal(err, MPROC_OK);
    assert_memory_equal(pools, depths, sizeof depths);
    end_pool(pool);
}

/* ---- and end with them ---- */

typedef struct inner {
    door before;
    mproc_value pid; /* of the worker's own worker */
} inner;

static int tell_and_block(mproc_task *task)
{
    const inner *it = mproc_task_input(task, NULL);
    const long long pid = host_pid();
    mproc_value_set(it->pid, &pid, sizeof pid);
    if (!mproc_semaphore_release(it->before.arrivals))
        host_wait_forever();
    return 1;
}

static int block_in_own_pool(mproc_task *task)
{
    const inner *it = mproc_task_input(task, NULL);
    mproc_pool *pool;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1}))
        return 1;
    return (int)mproc_pool_apply(pool, tell_and_block, it, sizeof *it, NULL, 0, NULL);
}

static void what_ends_a_worker_ends_its_pool(void **state)
{
    (void)state;
    skip_where_forks_are_broken();
    for (int way = 0; way < 3; way++) {
        long long pid = 0;
        inner it = {.before = new_door()};
        assert_int_equal(mproc_value_create(&it.pid, sizeof pid, &pid, NULL), MPROC_OK);
        mproc_pool *pool = new_pool(1);
        mproc_result *result = submit(pool, block_in_own_pool, &it, sizeof it, NULL);
        await_arrivals(it.before, 1);
        assert_int_equal(mproc_value_get(it.pid, &pid, sizeof pid), MPROC_OK);
        assert_true(host_is_running(pid));
        if (way == 0)
            assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
        else if (way == 1)
            assert_int_equal(mproc_result_cancel(result), MPROC_OK);
        else
            mproc_pool_free(pool);
        const int64_t end = host_now() + SOON;
        while (host_is_running(pid) && host_now() < end)
            host_nap(1);
        assert_false(host_is_running(pid));
        mproc_result_free(result);
        if (way < 2)
            mproc_pool_free(pool);
        drop_door(it.before);
        assert_int_equal(mproc_value_destroy(it.pid), MPROC_OK);
    }
}

/* ---- beside each other ---- */

typedef struct relay {
    mproc_pool *next;
    _Atomic int number;
} relay;

static void hand_on(void *context, const void *reply, size_t size)
{
    relay *me = context;
    int next = 0;
    if (!mproc_pool_apply(me->next, add_one, reply, size, &next, sizeof next, NULL))
        me->number = next;
}

static void a_callback_of_one_pool_may_use_another(void **state)
{
    (void)state;
    const int number = 40;
    mproc_pool *first = new_pool(1);
    relay to = {.next = new_pool(1)};
    mproc_result *result =
        submit(first, add_one, &number, sizeof number,
               &(mproc_task_options){.callback = hand_on, .callback_context = &to});
    assert_int_equal(outcome_of(result), MPROC_OK);
    assert_int_equal(to.number, 42);
    end_pool(first);
    check_pool_works(to.next, 3);
    end_pool(to.next);
}

static void one_pool_s_end_is_not_another_s(void **state)
{
    (void)state;
    const door before = new_door();
    mproc_pool *ended = new_pool(2), *other = new_pool(2);
    mproc_result *lost = submit(ended, block_forever, &before, sizeof before, NULL);
    mproc_result *kept = submit(other, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 2);
    assert_int_equal(mproc_pool_terminate(ended), MPROC_OK);
    assert_int_equal(outcome_of(lost), MPROC_ECANCELED);
    mproc_pool_free(ended);
    assert_int_equal(count_children(), 2);
    open_door(before);
    assert_int_equal(outcome_of(kept), MPROC_OK);
    end_pool(other);
    drop_door(before);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_may_have_pools_and_these_workers_too),
        cmocka_unit_test(several_workers_may_have_pools_at_once),
        cmocka_unit_test(what_ends_a_worker_ends_its_pool),
        cmocka_unit_test(a_callback_of_one_pool_may_use_another),
        cmocka_unit_test(one_pool_s_end_is_not_another_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
