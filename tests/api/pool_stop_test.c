/* The end of a pool with tasks queued and running, and what its results say afterwards. */
#include "task_stage.h"

#include <stdlib.h>

enum { MANY = 10000 };
#define PROMPT pace_limit(10000) /* milliseconds */

static mproc_result **submit_many(mproc_pool *pool, door before)
{
    mproc_result **results = calloc(MANY, sizeof(mproc_result *));
    assert_non_null(results);
    for (int i = 0; i < MANY; i++)
        results[i] = submit(pool, pass_door, &before, sizeof before, NULL);
    return results;
}

static void check_many(mproc_result **results, mproc_err err)
{
    for (int i = 0; i < MANY; i++)
        assert_int_equal(outcome_of(results[i]), err);
    free(results);
}

static void terminate_with_10000_tasks_queued_is_prompt(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(2);
    mproc_result **results = submit_many(pool, before);
    await_arrivals(before, 2);
    const int64_t begin = host_now();
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    for (int i = 0; i < MANY; i++)
        assert_true(mproc_result_ready(results[i]));
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    assert_true(host_now() - begin < PROMPT);
    check_many(results, MPROC_ECANCELED);
    mproc_pool_free(pool);
    drop_door(before);
}

static void free_with_10000_tasks_queued_is_prompt(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(2);
    mproc_result **results = submit_many(pool, before);
    const int64_t begin = host_now();
    mproc_pool_free(pool);
    assert_true(host_now() - begin < PROMPT);
    check_many(results, MPROC_ECANCELED);
    assert_int_equal(count_children(), 0);
    drop_door(before);
}

static void close_finishes_all_that_was_submitted(void **state)
{
    (void)state;
    door before = new_door();
    mproc_result *result = NULL;
    mproc_pool *pool = new_pool(2);
    mproc_result **results = submit_many(pool, before);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_apply(pool, tell_pid, NULL, 0, NULL, 0, NULL), MPROC_ECLOSED);
    assert_int_equal(mproc_pool_apply_async(pool, tell_pid, NULL, 0, NULL, &result), MPROC_ECLOSED);
    assert_null(result);
    assert_int_equal(mproc_pool_join(pool, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_pool_join(pool, 20), MPROC_ETIMEDOUT);
    open_door(before);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    check_many(results, MPROC_OK);
    mproc_pool_free(pool);
    drop_door(before);
}

/* With as many tasks as workers, each may be the last thing that its worker does. */
static void close_with_one_task_for_each_worker_finishes_all(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    for (int round = 0; round < (host_is_windows ? 3 : 15); round++) {
        mproc_result *results[WORKERS];
        mproc_pool *pool =
            make_pool(&(mproc_pool_options){.workers = WORKERS, .max_tasks = round % 2 != 0});
        for (int i = 0; i < WORKERS; i++)
            results[i] = submit(pool, add_one, &i, sizeof i, NULL);
        end_pool(pool);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(number_of(results[i]), i + 1);
    }
}

/* A crash while the pool is being closed loses nothing else. */
static int crash(mproc_task *task)
{
    (void)task;
    host_crash();
    return 0;
}

static void a_closed_pool_replaces_workers_as_long_as_there_is_work(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    mproc_result *results[COUNT];
    mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 2, .max_tasks = 3});
    for (int i = 0; i < COUNT; i++)
        results[i] = submit(pool, i % 7 == 3 ? crash : add_one, &i, sizeof i, NULL);
    end_pool(pool);
    for (int i = 0; i < COUNT; i++) {
        if (i % 7 == 3)
            assert_int_equal(outcome_of(results[i]), MPROC_ECRASHED);
        else
            assert_int_equal(number_of(results[i]), i + 1);
    }
}

static void results_may_be_read_after_the_pool_was_freed(void **state)
{
    (void)state;
    unsigned char large[5000];
    bool successful = false;
    const int number = 1;
    door before = new_door();
    memset(large, 'x', sizeof large);
    mproc_pool *pool = new_pool(1);
    mproc_result *small = submit(pool, add_one, &number, sizeof number, NULL),
                 *big = submit(pool, echo, large, sizeof large, NULL),
                 *crashed = submit(pool, crash, NULL, 0, NULL);
    assert_int_equal(mproc_result_wait(crashed, SOON), MPROC_OK);
    mproc_result *running = submit(pool, pass_door, &before, sizeof before, NULL),
                 *queued = submit(pool, tell_pid, NULL, 0, NULL);
    await_arrivals(before, 1);
    mproc_pool_free(pool);
    const void *reply;
    size_t size;
    assert_int_equal(mproc_result_get(big, SOON, &reply, &size), MPROC_OK);
    assert_int_equal(size, sizeof large);
    assert_memory_equal(reply, large, sizeof large);
    assert_int_equal(mproc_result_successful(big, &successful), MPROC_OK);
    assert_true(successful);
    assert_int_equal(mproc_result_cancel(big), MPROC_ESTATE);
    mproc_result_free(big);
    assert_int_equal(number_of(small), 2);
    assert_int_equal(failure_of(crashed).err, MPROC_ECRASHED);
    assert_true(mproc_result_ready(running));
    assert_int_equal(outcome_of(running), MPROC_ECANCELED);
    assert_int_equal(outcome_of(queued), MPROC_ECANCELED);
    drop_door(before);
}

typedef struct waiter {
    mproc_result *result;
    mproc_err err;
    host_thread thread;
} waiter;

static void wait_for_it(void *argument)
{
    waiter *self = argument;
    self->err = mproc_result_get(self->result, SOON, NULL, NULL);
}

static void terminate_wakes_whoever_waits(void **state)
{
    (void)state;
    door before = new_door();
    waiter waiters[6];
    mproc_pool *pool = new_pool(1);
    mproc_result *running = submit(pool, pass_door, &before, sizeof before, NULL),
                 *queued = submit(pool, tell_pid, NULL, 0, NULL);
    await_arrivals(before, 1);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        waiters[i] = (waiter){.result = i % 2 ? running : queued};
        assert_true(host_thread_start(&waiters[i].thread, wait_for_it, &waiters[i]));
    }
    assert_int_equal(mproc_result_wait(running, 30), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        host_thread_join(&waiters[i].thread);
        assert_int_equal(waiters[i].err, MPROC_ECANCELED);
    }
    mproc_result_free(running);
    mproc_result_free(queued);
    mproc_pool_free(pool);
    drop_door(before);
}

/* ---- what a pool leaves behind ---- */

/* A worker has a pool of its own and is killed: that pool's workers end with it. */
static int make_own_pool(mproc_task *task)
{
    const door *before = mproc_task_input(task, NULL);
    mproc_pool *pool = NULL;
    long long pid = 0;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1}) ||
        mproc_pool_apply(pool, tell_pid, NULL, 0, &pid, sizeof pid, NULL) ||
        mproc_pool_apply_async(pool, block_forever, before, sizeof *before, NULL, NULL))
        return 1;
    return mproc_task_reply(task, &pid, sizeof pid);
}

static void the_workers_of_a_killed_worker_end_with_it(void **state)
{
    (void)state;
    skip_where_forks_are_broken();
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    long long grandchild = 0;
    assert_int_equal(mproc_pool_apply(pool, make_own_pool, &before, sizeof before, &grandchild,
                                      sizeof grandchild, NULL),
                     MPROC_OK);
    await_arrivals(before, 1);
    assert_true(host_is_running(grandchild));
    assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    const int64_t end = host_now() + SOON;
    while (host_is_running(grandchild) && host_now() < end)
        host_nap(1);
    assert_false(host_is_running(grandchild));
    mproc_pool_free(pool);
    drop_door(before);
}

static int create_without_handles(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_pool *pool = NULL, *large = NULL;
    size_t count = 99;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1}))
        return 1;
    if (!host_limit_handles(40))
        return 77;
    mproc_err err = mproc_pool_create(&large, &(mproc_pool_options){.workers = 60});
    if (!err) { /* a system that needs no handle for each */
        mproc_pool_free(large);
        return 77;
    }
    if (large || err != MPROC_EAGAIN)
        return 2;
    if (mproc_active_children(NULL, 0, &count) || count != 1)
        return 3;
    if (mproc_pool_apply(pool, tell_pid, NULL, 0, NULL, 0, NULL))
        return 4;
    mproc_pool_free(pool);
    return mproc_active_children(NULL, 0, &count) || count ? 5 : 0;
}

static void a_failed_construction_leaves_no_process(void **state)
{
    (void)state;
    const run_result *ran = run_role("create_without_handles", NULL, NULL);
    if (ran->code == 77)
        skip();
    assert_int_equal(ran->code, 0);
}

/* A program that never ends its pool. */
static int forget_the_pool(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    door before = {0};
    mproc_pool *pool = NULL;
    if (mproc_semaphore_create(&before.arrivals, 0, 0) || mproc_event_create(&before.open) ||
        mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}))
        return 1;
    for (int i = 0; i < 10; i++) {
        if (mproc_pool_apply_async(pool, block_forever, &before, sizeof before, NULL, NULL))
            return 2;
    }
    return mproc_semaphore_acquire(before.arrivals, SOON) ? 3 : 42;
}

static void a_program_that_forgets_its_pool_ends_with_all_workers(void **state)
{
    (void)state;
    const char *const mark = "pool-stop-forget";
    host_set_variable("MPROC_TEST_MARK", mark);
    const run_result *ran = run_role("forget_the_pool", NULL, NULL);
    host_set_variable("MPROC_TEST_MARK", NULL);
    assert_int_equal(ran->code, 42);
    assert_true(await_end_of_marked(mark));
}

static const role roles[] = {{"create_without_handles", create_without_handles},
                             {"forget_the_pool", forget_the_pool}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminate_with_10000_tasks_queued_is_prompt),
        cmocka_unit_test(free_with_10000_tasks_queued_is_prompt),
        cmocka_unit_test(close_finishes_all_that_was_submitted),
        cmocka_unit_test(close_with_one_task_for_each_worker_finishes_all),
        cmocka_unit_test(a_closed_pool_replaces_workers_as_long_as_there_is_work),
        cmocka_unit_test(results_may_be_read_after_the_pool_was_freed),
        cmocka_unit_test(terminate_wakes_whoever_waits),
        cmocka_unit_test(the_workers_of_a_killed_worker_end_with_it),
        cmocka_unit_test(a_failed_construction_leaves_no_process),
        cmocka_unit_test(a_program_that_forgets_its_pool_ends_with_all_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
