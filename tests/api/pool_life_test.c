/* A pool from its creation to its end, in whatever order. */
#include "pool_support.h"

static void a_pool_can_be_freed_at_any_time(void **state)
{
    (void)state;
    mproc_pool_free(NULL);
    mproc_pool_free(new_pool(3));
    mproc_pool *pool = new_pool(3);
    map_squares(pool, 100, 0);
    mproc_pool_free(pool);
    pool = new_pool(3);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    mproc_pool_free(pool);
    pool = new_pool(3);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    mproc_pool_free(pool);
    long long pids[8];
    assert_int_equal(worker_pids(pids, 8), 0);
}

static void join_needs_close_or_terminate_first(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_join(pool, 0), MPROC_ESTATE);
    assert_int_equal(mproc_pool_join(pool, MPROC_FOREVER), MPROC_ESTATE);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, MPROC_FOREVER), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, 0), MPROC_OK);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    mproc_pool_free(pool);
    pool = new_pool(2);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, MPROC_FOREVER), MPROC_OK);
    mproc_pool_free(pool);
}

static void a_closed_pool_takes_nothing_new(void **state)
{
    (void)state;
    int item = 1;
    mproc_bytes span = {&item, sizeof item};
    mproc_results *results = NULL;
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_map(pool, square, &item, sizeof item, 1, NULL, 0, NULL),
                     MPROC_ECLOSED);
    assert_int_equal(mproc_pool_map(pool, square, NULL, 0, 0, NULL, 0, NULL), MPROC_ECLOSED);
    assert_int_equal(mproc_pool_map_bytes(pool, square, &span, 1, &results, NULL), MPROC_ECLOSED);
    assert_null(results);
    end_pool(pool);
    pool = new_pool(2);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    assert_int_equal(mproc_pool_map(pool, square, &item, sizeof item, 1, NULL, 0, NULL),
                     MPROC_ECLOSED);
    mproc_pool_free(pool);
}

/* ---- calls of other threads while a map runs ---- */

typedef struct mapping {
    mproc_pool *pool;
    mproc_function function;
    mproc_bytes *spans;
    size_t count;
    mproc_results *results;
    mproc_err err;
} mapping;

static void map_in_thread(void *argument)
{
    mapping *call = argument;
    call->err = mproc_pool_map_bytes(call->pool, call->function, call->spans, call->count,
                                     &call->results, NULL);
}

/* Notes that it runs, then waits until the file holds "go" as well. */
static int wait_for_go(mproc_task *task)
{
    const test_path *path = mproc_task_input(task, NULL);
    host_append(path->text, "+", 1);
    double end = host_seconds() + PATIENCE;
    while (file_size(path) < 100 && host_seconds() < end)
        host_sleep(2);
    return mproc_task_reply(task, "went", 5);
}

static void let_go(const test_path *path)
{
    char text[100];
    memset(text, 'g', sizeof text);
    host_append(path->text, text, sizeof text);
}

typedef struct held_map {
    mapping call;
    host_thread *thread;
    test_path path;
    mproc_bytes spans[4];
} held_map;

/* On two workers, both of which have come to their item. */
static void start_held_map(held_map *it)
{
    new_file(&it->path);
    for (int i = 0; i < 4; i++)
        it->spans[i] = (mproc_bytes){&it->path, sizeof it->path};
    it->call =
        (mapping){.pool = new_pool(2), .function = wait_for_go, .spans = it->spans, .count = 4};
    it->thread = host_thread_start(map_in_thread, &it->call);
    assert_non_null(it->thread);
    await_size(&it->path, 2);
}

static void terminate_ends_a_running_map(void **state)
{
    (void)state;
    held_map it;
    start_held_map(&it);
    assert_int_equal(mproc_pool_terminate(it.call.pool), MPROC_OK);
    host_thread_join(it.thread);
    assert_int_equal(it.call.err, MPROC_ECANCELED);
    assert_null(it.call.results);
    assert_int_equal(mproc_pool_join(it.call.pool, MPROC_FOREVER), MPROC_OK);
    mproc_pool_free(it.call.pool);
    remove_file(&it.path);
}

static void close_lets_a_running_map_finish(void **state)
{
    (void)state;
    held_map it;
    start_held_map(&it);
    assert_int_equal(mproc_pool_close(it.call.pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(it.call.pool, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_pool_join(it.call.pool, 20), MPROC_ETIMEDOUT);
    let_go(&it.path);
    host_thread_join(it.thread);
    assert_int_equal(it.call.err, MPROC_OK);
    for (size_t i = 0; i < 4; i++) {
        const void *reply = "";
        assert_int_equal(mproc_results_get(it.call.results, i, &reply, NULL), MPROC_OK);
        assert_string_equal(reply, "went");
    }
    mproc_results_free(it.call.results);
    assert_int_equal(mproc_pool_join(it.call.pool, MPROC_FOREVER), MPROC_OK);
    mproc_pool_free(it.call.pool);
    remove_file(&it.path);
}

static int echo(mproc_task *task)
{
    size_t size;
    const void *data = mproc_task_input(task, &size);
    return mproc_task_reply(task, data, size);
}

/* At every moment of a map: before its work is handed out, midway, while replies are collected. */
static void close_at_any_moment_neither_loses_a_reply_nor_hangs(void **state)
{
    (void)state;
    enum { COUNT = 300, SIZE = 4096 };
    unsigned char data[SIZE];
    mproc_bytes spans[COUNT];
    memset(data, 0x5A, sizeof data);
    for (size_t i = 0; i < COUNT; i++)
        spans[i] = (mproc_bytes){data, sizeof data};
    unsigned completed = 0;
    for (int round = 0; round < 60; round++) {
        mapping call = {.pool = new_pool(2), .function = echo, .spans = spans, .count = COUNT};
        host_thread *thread = host_thread_start(map_in_thread, &call);
        assert_non_null(thread);
        double until = host_seconds() + (round % 30) * 0.0005;
        while (host_seconds() < until) {
        }
        assert_int_equal(mproc_pool_close(call.pool), MPROC_OK);
        host_thread_join(thread);
        assert_true(call.err == MPROC_OK || call.err == MPROC_ECLOSED);
        for (size_t i = 0; i < (call.err ? 0 : COUNT); i++) {
            const void *reply;
            size_t size;
            assert_int_equal(mproc_results_get(call.results, i, &reply, &size), MPROC_OK);
            assert_int_equal(size, SIZE);
            assert_memory_equal(reply, data, SIZE);
        }
        completed += call.err == MPROC_OK;
        mproc_results_free(call.results);
        assert_int_equal(mproc_pool_join(call.pool, MPROC_FOREVER), MPROC_OK);
        mproc_pool_free(call.pool);
    }
    assert_true(completed > 0);
}

/* ---- several at once ---- */

typedef struct squares {
    mproc_pool *pool;
    int first;
    unsigned wrong;
} squares;

static void map_many_squares(void *argument)
{
    squares *job = argument;
    for (int round = 0; round < 20; round++) {
        int items[200];
        long long results[200];
        for (int i = 0; i < 200; i++)
            items[i] = job->first + round + i;
        job->wrong += mproc_pool_map(job->pool, square, items, sizeof items[0], 200, results,
                                     sizeof results[0], NULL) != MPROC_OK;
        for (int i = 0; i < 200; i++)
            job->wrong += results[i] != (long long)items[i] * items[i];
    }
}

static void run_four(mproc_pool *const pools[4])
{
    squares jobs[4];
    host_thread *threads[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (squares){.pool = pools[i], .first = i * 1000};
        threads[i] = host_thread_start(map_many_squares, &jobs[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_non_null(threads[i]);
        host_thread_join(threads[i]);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(jobs[i].wrong, 0);
}

static void several_threads_may_map_on_one_pool(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(3);
    run_four((mproc_pool *[4]){pool, pool, pool, pool});
    end_pool(pool);
}

static void several_pools_work_at_once(void **state)
{
    (void)state;
    mproc_pool *pools[4];
    for (int i = 0; i < 4; i++)
        pools[i] = new_pool(2);
    run_four(pools);
    for (int i = 0; i < 4; i++)
        end_pool(pools[i]);
}

static int sum_in_own_pool(mproc_task *task)
{
    int items[20];
    long long results[20], sum = 0;
    for (int i = 0; i < 20; i++)
        items[i] = i + (int)mproc_task_index(task);
    mproc_pool *pool;
    mproc_err err = mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2});
    if (err)
        return mproc_task_fail(task, "create: %s", mproc_strerror(err));
    err =
        mproc_pool_map(pool, square, items, sizeof items[0], 20, results, sizeof results[0], NULL);
    mproc_pool_free(pool);
    if (err)
        return mproc_task_fail(task, "map: %s", mproc_strerror(err));
    for (int i = 0; i < 20; i++)
        sum += results[i];
    return mproc_task_reply(task, &sum, sizeof sum);
}

static void a_worker_may_have_a_pool_of_its_own(void **state)
{
    (void)state;
    int items[6] = {0};
    long long sums[6];
    mproc_task_error error = {0};
    mproc_pool *pool = new_pool(2);
    mproc_map_options options = {.errors = &error, .error_capacity = 1};
    mproc_err err = mproc_pool_map(pool, sum_in_own_pool, items, sizeof items[0], 6, sums,
                                   sizeof sums[0], &options);
    assert_string_equal(error.message, "");
    assert_int_equal(err, MPROC_OK);
    for (long long i = 0; i < 6; i++) {
        long long sum = 0;
        for (long long k = i; k < i + 20; k++)
            sum += k * k;
        assert_int_equal(sums[i], sum);
    }
    end_pool(pool);
}

/* ---- a pool of another process ---- */

static mproc_pool *of_the_parent;

static int use_the_parents_pool(void)
{
    int item = 1;
    mproc_bytes span = {&item, sizeof item};
    if (mproc_pool_map(of_the_parent, square, &item, sizeof item, 1, NULL, 0, NULL) != MPROC_ESTATE)
        return 1;
    if (mproc_pool_map_bytes(of_the_parent, square, &span, 1, NULL, NULL) != MPROC_ESTATE)
        return 2;
    if (mproc_pool_close(of_the_parent) != MPROC_ESTATE)
        return 3;
    if (mproc_pool_join(of_the_parent, 0) != MPROC_ESTATE)
        return 4;
    if (mproc_pool_terminate(of_the_parent) != MPROC_ESTATE)
        return 5;
    mproc_pool_free(of_the_parent);
    return 0;
}

static int use_it_in_a_child(void *args, size_t size)
{
    (void)args;
    (void)size;
    return use_the_parents_pool();
}

static void a_forked_child_cannot_use_its_parents_pool(void **state)
{
    (void)state;
    if (test_method() != MPROC_FORK)
        skip();
    of_the_parent = new_pool(2);
    mproc_process *child;
    int code = -1;
    assert_int_equal(
        mproc_process_create(&child, &(mproc_process_options){.target = use_it_in_a_child}),
        MPROC_OK);
    assert_int_equal(mproc_process_start(child), MPROC_OK);
    assert_int_equal(mproc_process_join(child, MPROC_FOREVER), MPROC_OK);
    assert_int_equal(mproc_process_exitcode(child, &code), MPROC_OK);
    mproc_process_free(child);
    assert_int_equal(code, 0);
    assert_int_equal(host_raw_fork(use_the_parents_pool), 0);
    map_squares(of_the_parent, 100, 0);
    end_pool(of_the_parent);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_can_be_freed_at_any_time),
        cmocka_unit_test(join_needs_close_or_terminate_first),
        cmocka_unit_test(a_closed_pool_takes_nothing_new),
        cmocka_unit_test(terminate_ends_a_running_map),
        cmocka_unit_test(close_lets_a_running_map_finish),
        cmocka_unit_test(close_at_any_moment_neither_loses_a_reply_nor_hangs),
        cmocka_unit_test(several_threads_may_map_on_one_pool),
        cmocka_unit_test(several_pools_work_at_once),
        cmocka_unit_test(a_worker_may_have_a_pool_of_its_own),
        cmocka_unit_test(a_forked_child_cannot_use_its_parents_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
