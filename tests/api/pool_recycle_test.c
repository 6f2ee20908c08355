/* Workers that come and go on purpose: after so many tasks, with too much memory, by a resize. */
#include "task_stage.h"

#include <stdlib.h>

typedef struct identity {
    long long pid;
    int index, tasks; /* so many has this worker run, with this one */
} identity;

static int tell_identity(mproc_task *task)
{
    static int tasks;
    const identity here = {.pid = host_pid(), .index = mproc_worker_index(), .tasks = ++tasks};
    return mproc_task_reply(task, &here, sizeof here);
}

static identity identity_of(mproc_result *result)
{
    identity got;
    const void *reply = NULL;
    assert_int_equal(mproc_result_get(result, SOON, &reply, NULL), MPROC_OK);
    memcpy(&got, reply, sizeof got);
    mproc_result_free(result);
    return got;
}

/* ---- after so many tasks ---- */

static void a_worker_ends_after_so_many_tasks(void **state)
{
    (void)state;
    enum { COUNT = 60, MOST = 3 };
    mproc_result *results[COUNT];
    mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 2, .max_tasks = MOST});
    for (int i = 0; i < COUNT; i++)
        results[i] = submit(pool, tell_identity, NULL, 0, NULL);
    for (int i = 0; i < COUNT; i++) {
        const identity got = identity_of(results[i]);
        assert_in_range(got.tasks, 1, MOST);
        assert_in_range(got.index, 0, 1);
    }
    end_pool(pool);
}

static void a_map_goes_on_while_its_workers_are_replaced(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    int items[COUNT] = {0};
    identity got[COUNT];
    mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 3, .max_tasks = 10});
    assert_int_equal(mproc_pool_map(pool, tell_identity, items, sizeof items[0], COUNT, got,
                                    sizeof got[0], NULL),
                     MPROC_OK);
    for (int i = 0; i < COUNT; i++)
        assert_in_range(got[i].tasks, 1, 10);
    end_pool(pool);
}

/* Python's pools have hung there: with one task for each worker, in every mixture of work. */
static void recycling_after_each_task_never_hangs(void **state)
{
    (void)state;
    const int rounds = host_is_windows ? 3 : 10;
    for (int round = 0; round < rounds; round++) {
        int items[10] = {0}, nexts[10];
        mproc_result *results[10];
        mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 2, .max_tasks = 1});
        for (int i = 0; i < 10; i++)
            results[i] = submit(pool, add_one, &i, sizeof i, NULL);
        assert_int_equal(
            mproc_pool_map(pool, add_one, items, sizeof items[0], 10, nexts, sizeof nexts[0], NULL),
            MPROC_OK);
        if (round % 2)
            check_pool_works(pool, 3);
        assert_int_equal(mproc_pool_close(pool), MPROC_OK);
        assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
        for (int i = 0; i < 10; i++)
            assert_int_equal(number_of(results[i]), i + 1);
        mproc_pool_free(pool);
    }
}

/* ---- with too much memory ---- */

/* Takes so many bytes for good, once, and touches them. */
static int grow(mproc_task *task)
{
    const size_t *size = mproc_task_input(task, NULL);
    volatile unsigned char *taken = malloc(*size);
    static void *kept;
    for (size_t i = 0; taken && i < *size; i += 4096)
        taken[i] = 1;
    free(kept);
    kept = (void *)(uintptr_t)taken;
    return taken ? tell_pid(task) : mproc_task_fail(task, "no memory");
}

static void a_worker_with_too_much_memory_is_replaced(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    size_t size = (size_t)300 * MIB;
    long long pid = 0;
    mproc_pool *pool =
        make_pool(&(mproc_pool_options){.workers = 1, .max_memory = (size_t)250 * MIB});
    const long long first = ask_pid(pool);
    assert_int_equal(ask_pid(pool), first);
    /* It is looked at now and then only */
    const int64_t end = host_now() + SOON;
    do {
        assert_int_equal(mproc_pool_apply(pool, grow, &size, sizeof size, &pid, sizeof pid, NULL),
                         MPROC_OK);
        pid = ask_pid(pool);
    } while (pid == first && host_now() < end);
    assert_true(pid != first);
    end_pool(pool);
}

/* ---- index and state ---- */

static void each_worker_has_an_index_and_its_successor_the_same(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    door before = new_door();
    mproc_pool *pool = new_pool(WORKERS);
    assert_int_equal(mproc_worker_index(), -1);
    for (int round = 0; round < 3; round++) {
        const identity first = identity_of(submit(pool, tell_identity, NULL, 0, NULL));
        assert_in_range(first.index, 0, WORKERS - 1);
        mproc_result *results[WORKERS];
        for (int i = 0; i < WORKERS; i++)
            results[i] = submit(pool, block_forever, &before, sizeof before, NULL);
        await_arrivals(before, WORKERS);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(mproc_result_cancel(results[i]), MPROC_OK);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(outcome_of(results[i]), MPROC_ECANCELED);
    }
    end_pool(pool);
    drop_door(before);
}

/* What a worker keeps, and who is told of its end. */
typedef struct keeping {
    mproc_value made, ended;
    int uses;
} keeping;

static void note_end(void *state)
{
    keeping *kept = state;
    count_up(kept->ended);
    free(kept);
}

static int keep(void *args, size_t size)
{
    keeping *kept = malloc(sizeof *kept);
    if (!kept || size != sizeof *kept || mproc_worker_index() < 0 || mproc_worker_state())
        return 1;
    memcpy(kept, args, size);
    count_up(kept->made);
    return mproc_worker_set_state(kept, note_end);
}

static int use_state(mproc_task *task)
{
    keeping *kept = mproc_worker_state();
    return kept ? mproc_task_reply(task, &(int){++kept->uses}, sizeof(int)) : 1;
}

static keeping new_keeping(void)
{
    return (keeping){.made = new_counter(), .ended = new_counter()};
}

static mproc_pool *new_keeping_pool(const keeping *args, unsigned max_tasks)
{
    return make_pool(&(mproc_pool_options){.workers = 1,
                                           .max_tasks = max_tasks,
                                           .initializer = keep,
                                           .initializer_args = args,
                                           .initializer_args_size = sizeof *args});
}

static void check_keeping(keeping args, int made, int ended)
{
    assert_int_equal(count_of(args.made), made);
    assert_int_equal(count_of(args.ended), ended);
    assert_int_equal(mproc_value_destroy(args.made), MPROC_OK);
    assert_int_equal(mproc_value_destroy(args.ended), MPROC_OK);
}

static void the_state_of_a_worker_lives_as_long_as_it_does(void **state)
{
    (void)state;
    keeping args = new_keeping();
    mproc_pool *pool = new_keeping_pool(&args, 4);
    for (int i = 0; i < 12; i++)
        assert_int_equal(number_of(submit(pool, use_state, NULL, 0, NULL)), i % 4 + 1);
    end_pool(pool);
    assert_in_range(count_of(args.made), 3, 4); /* the fourth may not have begun yet */
    check_keeping(args, count_of(args.made), count_of(args.made));
}

static int replace_state(mproc_task *task)
{
    keeping *kept = mproc_worker_state(), *other = malloc(sizeof *other);
    if (!kept || !other)
        return 1;
    *other = *kept;
    if (mproc_worker_set_state(kept, note_end) || mproc_worker_set_state(other, note_end) ||
        mproc_worker_state() != other)
        return 2;
    return use_state(task);
}

static void a_state_that_is_replaced_is_ended(void **state)
{
    (void)state;
    keeping args = new_keeping();
    mproc_pool *pool = new_keeping_pool(&args, 0);
    assert_int_equal(number_of(submit(pool, replace_state, NULL, 0, NULL)), 1);
    assert_int_equal(count_of(args.ended), 1);
    end_pool(pool);
    check_keeping(args, 1, 2);
    assert_int_equal(mproc_worker_set_state(&args, NULL), MPROC_ESTATE);
    assert_null(mproc_worker_state());
}

/* A pool inside of a worker: its workers are others. */
static int look_for_state(mproc_task *task)
{
    return mproc_worker_state() || mproc_worker_index() != 0 ? 1 : tell_pid(task);
}

static int use_own_pool(mproc_task *task)
{
    mproc_pool *pool = NULL;
    mproc_err err = mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1});
    if (!err)
        err = mproc_pool_apply(pool, look_for_state, NULL, 0, NULL, 0, NULL);
    if (!err && !(err = mproc_pool_close(pool)))
        err = mproc_pool_join(pool, SOON);
    mproc_pool_free(pool);
    return err ? mproc_task_fail(task, "%s", mproc_strerror(err)) : use_state(task);
}

static void a_worker_of_a_worker_begins_without_its_state(void **state)
{
    (void)state;
    skip_where_forks_are_broken();
    keeping args = new_keeping();
    mproc_pool *pool = new_keeping_pool(&args, 0);
    assert_int_equal(number_of(submit(pool, use_own_pool, NULL, 0, NULL)), 1);
    assert_int_equal(count_of(args.ended), 0);
    end_pool(pool);
    check_keeping(args, 1, 1);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_ends_after_so_many_tasks),
        cmocka_unit_test(a_map_goes_on_while_its_workers_are_replaced),
        cmocka_unit_test(recycling_after_each_task_never_hangs),
        cmocka_unit_test(a_worker_with_too_much_memory_is_replaced),
        cmocka_unit_test(each_worker_has_an_index_and_its_successor_the_same),
        cmocka_unit_test(the_state_of_a_worker_lives_as_long_as_it_does),
        cmocka_unit_test(a_state_that_is_replaced_is_ended),
        cmocka_unit_test(a_worker_of_a_worker_begins_without_its_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
