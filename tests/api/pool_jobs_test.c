/* Many jobs at once: which begins when, how many there may be, and from how many threads. */
#include "task_stage.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { JOBS_MOST = 1024 }; /* maps, and runs of single tasks between them */

static mproc_result *map_items(mproc_pool *pool, mproc_function function, const void *items,
                               size_t item_size, size_t count)
{
    mproc_result *result = NULL;
    assert_int_equal(mproc_pool_map_async(pool, function, items, item_size, count, NULL, 0,
                                          &(mproc_map_options){.grace_ms = MPROC_FOREVER}, NULL,
                                          &result),
                     MPROC_OK);
    return result;
}

/* ---- the order in which they begin ---- */

static int open_for_others(mproc_task *task)
{
    const door *before = mproc_task_input(task, NULL);
    return mproc_event_set(before->open) ? 1 : 0;
}

/* The earlier one's last item ends only when the later one has begun. */
static void a_later_map_works_in_the_tail_of_an_earlier_one(void **state)
{
    (void)state;
    const door before = new_door();
    mproc_pool *pool = new_pool(2);
    mproc_result *earlier = map_items(pool, pass_door, &before, sizeof before, 1);
    mproc_result *later = map_items(pool, open_for_others, &before, sizeof before, 1);
    assert_int_equal(outcome_of(earlier), MPROC_OK);
    assert_int_equal(outcome_of(later), MPROC_OK);
    end_pool(pool);
    drop_door(before);
}

typedef struct blocking {
    mproc_pool *pool;
    mproc_function function;
    door before;
    mproc_err err;
} blocking;

static void map_in_thread(void *argument)
{
    blocking *me = argument;
    me->err =
        mproc_pool_map(me->pool, me->function, &me->before, sizeof me->before, 1, NULL, 0, NULL);
}

static void so_it_is_with_maps_that_are_waited_for(void **state)
{
    (void)state;
    const door before = new_door();
    mproc_pool *pool = new_pool(2);
    blocking earlier = {.pool = pool, .function = pass_door, .before = before, .err = -1};
    blocking later = {.pool = pool, .function = open_for_others, .before = before, .err = -1};
    host_thread threads[2];
    assert_true(host_thread_start(&threads[0], map_in_thread, &earlier));
    await_arrivals(before, 1);
    assert_true(host_thread_start(&threads[1], map_in_thread, &later));
    host_thread_join(&threads[0]);
    host_thread_join(&threads[1]);
    assert_int_equal(earlier.err, MPROC_OK);
    assert_int_equal(later.err, MPROC_OK);
    end_pool(pool);
    drop_door(before);
}

typedef struct list {
    _Atomic int length;
    int numbers[200];
} list;

typedef struct entry {
    mproc_memory on;
    int number;
} entry;

static int write_down(mproc_task *task)
{
    const entry *it = mproc_task_input(task, NULL);
    list *on = mproc_memory_data(it->on);
    on->numbers[atomic_fetch_add(&on->length, 1)] = it->number;
    return 0;
}

/* One worker, which is held up until all have been submitted. */
static void jobs_begin_in_the_order_of_their_submission(void **state)
{
    (void)state;
    enum { JOBS = 30, ITEMS = 5 };
    mproc_memory memory;
    mproc_result *results[JOBS];
    mproc_iterator *iterators[JOBS] = {NULL};
    const door before = new_door();
    assert_int_equal(mproc_memory_alloc(&memory, sizeof(list)), MPROC_OK);
    list *on = memset(mproc_memory_data(memory), 0, sizeof *on);
    mproc_pool *pool = new_pool(1);
    mproc_result *held = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    entry items[JOBS][ITEMS];
    for (int job = 0; job < JOBS; job++) {
        for (int i = 0; i < ITEMS; i++)
            items[job][i] = (entry){.on = memory, .number = ITEMS * job + i};
        if (job % 3 == 0)
            results[job] = submit(pool, write_down, items[job], sizeof items[job][0], NULL);
        else if (job % 3 == 1)
            results[job] = map_items(pool, write_down, items[job], sizeof items[job][0], ITEMS);
        else
            assert_int_equal(mproc_pool_imap(pool, write_down, items[job], sizeof items[job][0],
                                             ITEMS, NULL, &iterators[job]),
                             MPROC_OK);
    }
    open_door(before);
    assert_int_equal(outcome_of(held), MPROC_OK);
    for (int job = 0; job < JOBS; job++) {
        if (job % 3 < 2)
            assert_int_equal(outcome_of(results[job]), MPROC_OK);
        while (iterators[job] && !mproc_iterator_next(iterators[job], SOON, NULL, NULL)) {
        }
        mproc_iterator_free(iterators[job]);
    }
    assert_int_equal(on->length, JOBS / 3 * (1 + 2 * ITEMS));
    for (int i = 1; i < on->length; i++)
        assert_true(on->numbers[i - 1] < on->numbers[i]);
    end_pool(pool);
    drop_door(before);
    assert_int_equal(mproc_memory_free(memory), MPROC_OK);
}

/* ---- how many ---- */

static void a_job_too_many_is_refused_and_nothing_else_suffers(void **state)
{
    (void)state;
    static mproc_result *results[JOBS_MOST];
    int item = 1, next = 0;
    mproc_result *refused = NULL;
    const door before = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *held = map_items(pool, pass_door, &before, sizeof before, 1);
    await_arrivals(before, 1);
    for (size_t i = 1; i < JOBS_MOST; i++)
        results[i] = map_items(pool, add_one, &item, sizeof item, 1);
    assert_int_equal(
        mproc_pool_map_async(pool, add_one, &item, sizeof item, 1, NULL, 0, NULL, NULL, &refused),
        MPROC_EAGAIN);
    assert_int_equal(mproc_pool_map(pool, add_one, &item, sizeof item, 1, NULL, 0, NULL),
                     MPROC_EAGAIN);
    assert_int_equal(mproc_pool_apply_async(pool, add_one, &item, sizeof item, NULL, &refused),
                     MPROC_EAGAIN);
    assert_int_equal(mproc_pool_apply(pool, add_one, &item, sizeof item, &next, sizeof next, NULL),
                     MPROC_EAGAIN);
    assert_null(refused);
    mproc_iterator *iterator;
    assert_int_equal(mproc_pool_imap(pool, add_one, &item, sizeof item, 1, NULL, &iterator),
                     MPROC_OK);
    assert_int_equal(mproc_iterator_next(iterator, 0, NULL, NULL), MPROC_EAGAIN);
    mproc_iterator_free(iterator);
    /* whose place is free again may be replaced */
    assert_int_equal(mproc_result_cancel(results[1]), MPROC_OK);
    assert_int_equal(outcome_of(results[1]), MPROC_ECANCELED);
    results[1] = map_items(pool, add_one, &item, sizeof item, 1);
    open_door(before);
    assert_int_equal(outcome_of(held), MPROC_OK);
    for (size_t i = 1; i < JOBS_MOST; i++)
        assert_int_equal(outcome_of(results[i]), MPROC_OK);
    check_pool_works(pool, 10);
    end_pool(pool);
    drop_door(before);
}

/* ---- of many threads ---- */

typedef struct user {
    mproc_pool *pool;
    int number, rounds;
    unsigned wrong;
} user;

static void use_maps(user *me, const int *items, int count)
{
    int waited[50], later[50];
    mproc_result *result = NULL;
    me->wrong += mproc_pool_map_async(me->pool, add_one, items, sizeof *items, (size_t)count, later,
                                      sizeof *later, NULL, NULL, &result) != MPROC_OK;
    me->wrong += mproc_pool_map(me->pool, add_one, items, sizeof *items, (size_t)count, waited,
                                sizeof *waited, NULL) != MPROC_OK;
    me->wrong += mproc_result_get(result, SOON, NULL, NULL) != MPROC_OK;
    mproc_result_free(result);
    for (int i = 0; i < count; i++)
        me->wrong += waited[i] != items[i] + 1 || later[i] != items[i] + 1;
}

static void use_tasks(user *me, const int *items, int count)
{
    mproc_iterator *iterator = NULL;
    const void *reply;
    me->wrong += mproc_pool_imap(me->pool, add_one, items, sizeof *items, (size_t)count,
                                 &(mproc_imap_options){.window = 4}, &iterator) != MPROC_OK;
    for (int i = 0; i < count; i++) {
        int next = 0;
        me->wrong += mproc_pool_apply(me->pool, add_one, &items[i], sizeof items[i], &next,
                                      sizeof next, NULL) != MPROC_OK ||
                     next != items[i] + 1;
        me->wrong += mproc_iterator_next(iterator, SOON, &reply, NULL) != MPROC_OK ||
                     *(const int *)reply != items[i] + 1;
    }
    mproc_iterator_free(iterator);
}

static void use_all(void *argument)
{
    user *me = argument;
    int items[50];
    for (int round = 0; round < me->rounds; round++) {
        for (int i = 0; i < 50; i++)
            items[i] = 1000 * me->number + round + i;
        use_maps(me, items, 50);
        use_tasks(me, items, 20);
    }
}

static void many_threads_may_submit_all_kinds_of_work(void **state)
{
    (void)state;
    user users[8];
    host_thread threads[8];
    mproc_pool *pools[2] = {new_pool(2), new_pool(3)};
    for (int i = 0; i < 8; i++) {
        users[i] = (user){.pool = pools[i % 2], .number = i, .rounds = 10};
        assert_true(host_thread_start(&threads[i], use_all, &users[i]));
    }
    for (size_t i = 0; i < 8; i++) {
        host_thread_join(&threads[i]);
        assert_int_equal(users[i].wrong, 0);
    }
    end_pool(pools[0]);
    end_pool(pools[1]);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_later_map_works_in_the_tail_of_an_earlier_one),
        cmocka_unit_test(so_it_is_with_maps_that_are_waited_for),
        cmocka_unit_test(jobs_begin_in_the_order_of_their_submission),
        cmocka_unit_test(a_job_too_many_is_refused_and_nothing_else_suffers),
        cmocka_unit_test(many_threads_may_submit_all_kinds_of_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
