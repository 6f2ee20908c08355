/* Single tasks: what goes in, what comes out, and in which order. */
#include "task_stage.h"

#include <stdlib.h>

/* ---- apply ---- */

static void apply_gives_the_reply(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(2);
    check_pool_works(pool, 200);
    end_pool(pool);
}

static int expect_no_input(mproc_task *task)
{
    size_t size = 99;
    mproc_task_input(task, &size);
    return size || mproc_task_index(task);
}

static void a_task_needs_neither_input_nor_reply(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(2);
    size_t size = 99;
    assert_int_equal(mproc_pool_apply(pool, expect_no_input, NULL, 0, NULL, 0, &size), MPROC_OK);
    assert_int_equal(size, 0);
    char untouched = 'u';
    assert_int_equal(mproc_pool_apply(pool, expect_no_input, NULL, 0, &untouched, 1, NULL),
                     MPROC_OK);
    assert_int_equal(untouched, 'u');
    assert_int_equal(mproc_pool_apply(pool, tell_pid, NULL, 0, NULL, 0, &size), MPROC_OK);
    assert_int_equal(size, sizeof(long long));
    end_pool(pool);
}

static void a_reply_that_does_not_fit_tells_its_size(void **state)
{
    (void)state;
    char text[300] = "much longer than the place for it", place[8] = "before";
    size_t size = 0;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_apply(pool, echo, text, sizeof text, place, sizeof place, &size),
                     MPROC_EMSGSIZE);
    assert_int_equal(size, sizeof text);
    assert_string_equal(place, "before");
    assert_int_equal(mproc_pool_apply(pool, echo, text, 8, place, sizeof place, &size), MPROC_OK);
    assert_memory_equal(place, text, 8);
    end_pool(pool);
}

static void inputs_and_replies_may_have_any_size(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 65536, 100001, (size_t)5 << 20};
    mproc_pool *pool = new_pool(2);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *bytes = new_pattern(sizes[i], (unsigned)i);
        mproc_result *result = submit(pool, echo, bytes, sizes[i], NULL);
        const void *reply = NULL;
        size_t size = 99;
        assert_int_equal(mproc_result_get(result, SOON, &reply, &size), MPROC_OK);
        assert_int_equal(size, sizes[i]);
        assert_int_equal((uintptr_t)reply % _Alignof(max_align_t), 0);
        assert_memory_equal(reply, bytes, size);
        mproc_result_free(result);
        free(bytes);
    }
    end_pool(pool);
}

/* ---- what a function may do with its reply ---- */

/* Small and large ones replace one another; the last one counts. */
static int reply_often(mproc_task *task)
{
    static const size_t sizes[] = {10, 500, 20, 100000, 0, 70};
    const int *last = mproc_task_input(task, NULL);
    unsigned char bytes[500];
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i <= *last; i++) {
        unsigned char *room = NULL;
        if (sizes[i] <= sizeof bytes && i % 2 && mproc_task_reply(task, bytes, sizes[i]))
            return 1;
        if ((sizes[i] > sizeof bytes || i % 2 == 0) &&
            !(room = mproc_task_reply_buffer(task, sizes[i])))
            return 2;
        if (room)
            memset(room, 'x', sizes[i]);
    }
    return 0;
}

static void the_last_reply_counts(void **state)
{
    (void)state;
    const size_t sizes[] = {10, 500, 20, 100000, 0, 70};
    mproc_pool *pool = new_pool(1);
    for (int last = 0; last < 6; last++) {
        const void *reply;
        size_t size;
        mproc_result *result = submit(pool, reply_often, &last, sizeof last, NULL);
        assert_int_equal(mproc_result_get(result, SOON, &reply, &size), MPROC_OK);
        assert_int_equal(size, sizes[last]);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(((const unsigned char *)reply)[i], 'x');
        mproc_result_free(result);
    }
    end_pool(pool);
}

static int keep_the_middle(mproc_task *task)
{
    size_t size;
    const unsigned char *input = mproc_task_input(task, &size);
    unsigned char *room = mproc_task_reply_buffer(task, size);
    if (!room)
        return 1;
    memcpy(room, input, size);
    return mproc_task_reply(task, room + size / 4, size / 2);
}

static void a_reply_may_be_cut_from_the_reply_buffer(void **state)
{
    (void)state;
    const size_t sizes[] = {40, 100, 10000};
    mproc_pool *pool = new_pool(1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *bytes = new_pattern(sizes[i], (unsigned)i);
        mproc_result *result = submit(pool, keep_the_middle, bytes, sizes[i], NULL);
        const void *reply;
        size_t size;
        assert_int_equal(mproc_result_get(result, SOON, &reply, &size), MPROC_OK);
        assert_int_equal(size, sizes[i] / 2);
        assert_memory_equal(reply, bytes + sizes[i] / 4, size);
        mproc_result_free(result);
        free(bytes);
    }
    end_pool(pool);
}

static int fail_in_its_way(mproc_task *task)
{
    const int *way = mproc_task_input(task, NULL);
    char large[300] = "a reply that nobody gets";
    if (*way >= 3 && mproc_task_reply(task, large, *way == 3 ? 20 : sizeof large))
        return 1;
    if (*way == 0)
        return 42;
    return mproc_task_fail(task, "failed in way %d", *way) && *way == 2 ? 0 : 7;
}

static void a_failure_tells_code_message_and_worker(void **state)
{
    (void)state;
    const int codes[] = {42, 7, 0, 7, 7};
    mproc_pool *pool = new_pool(1);
    const long long pid = ask_pid(pool);
    for (int way = 0; way < 5; way++) {
        char text[40] = "";
        if (way)
            snprintf(text, sizeof text, "failed in way %d", way);
        mproc_task_error error = failure_of(submit(pool, fail_in_its_way, &way, sizeof way, NULL));
        assert_int_equal(error.err, MPROC_ETASK);
        assert_int_equal(error.code, codes[way]);
        assert_int_equal(error.pid, pid);
        assert_int_equal(error.index, 0);
        assert_int_equal(error.status.kind, MPROC_EXIT_RUNNING);
        assert_string_equal(error.message, text);
        assert_int_equal(mproc_pool_apply(pool, fail_in_its_way, &way, sizeof way, NULL, 0, NULL),
                         MPROC_ETASK);
    }
    end_pool(pool);
}

static int fail_at_length(mproc_task *task)
{
    char text[600] = "";
    while (strlen(text) < 500)
        strcat(text, "\xc3\xa9");
    return mproc_task_fail(task, "x%s", text);
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(1);
    mproc_task_error error = failure_of(submit(pool, fail_at_length, NULL, 0, NULL));
    assert_int_equal(strlen(error.message), 1 + (MPROC_MESSAGE_SIZE - 2) / 2 * 2);
    end_pool(pool);
}

/* ---- results ---- */

static void a_result_is_not_ready_before_its_task_has_ended(void **state)
{
    (void)state;
    bool successful = false;
    mproc_task_error error = {.err = MPROC_OK};
    const void *reply = &error;
    size_t size = 99;
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *result = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    assert_false(mproc_result_ready(result));
    assert_int_equal(mproc_result_successful(result, &successful), MPROC_ESTATE);
    assert_int_equal(mproc_result_error(result, &error), MPROC_ESTATE);
    assert_int_equal(mproc_result_wait(result, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_result_wait(result, 20), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_result_get(result, 0, &reply, &size), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_result_get(result, 20, &reply, &size), MPROC_ETIMEDOUT);
    assert_ptr_equal(reply, &error);
    assert_int_equal(size, 99);
    open_door(before);
    assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
    assert_true(mproc_result_ready(result));
    assert_int_equal(mproc_result_successful(result, &successful), MPROC_OK);
    assert_true(successful);
    assert_int_equal(mproc_result_error(result, &error), MPROC_OK);
    assert_int_equal(error.err, MPROC_OK);
    assert_int_equal(error.message[0], '\0');
    const void *again;
    assert_int_equal(mproc_result_get(result, 0, &reply, &size), MPROC_OK);
    assert_int_equal(mproc_result_get(result, 0, &again, NULL), MPROC_OK);
    assert_int_equal(mproc_result_get(result, 0, NULL, NULL), MPROC_OK);
    assert_ptr_equal(reply, again);
    assert_int_equal(size, sizeof(long long));
    mproc_result_free(result);
    end_pool(pool);
    drop_door(before);
}

static void a_failed_result_is_ready_and_not_successful(void **state)
{
    (void)state;
    const int way = 1;
    bool successful = true;
    const void *reply = &way;
    mproc_pool *pool = new_pool(1);
    mproc_result *result = submit(pool, fail_in_its_way, &way, sizeof way, NULL);
    assert_int_equal(mproc_result_wait(result, SOON), MPROC_OK);
    assert_true(mproc_result_ready(result));
    assert_int_equal(mproc_result_successful(result, &successful), MPROC_OK);
    assert_false(successful);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mproc_result_get(result, 0, &reply, NULL), MPROC_ETASK);
    assert_ptr_equal(reply, &way);
    mproc_result_free(result);
    end_pool(pool);
}

typedef struct waiter {
    mproc_result *result;
    const void *reply;
    size_t size;
    mproc_err err;
    host_thread thread;
} waiter;

static void wait_for_it(void *argument)
{
    waiter *self = argument;
    self->err = mproc_result_get(self->result, SOON, &self->reply, &self->size);
}

static void several_threads_may_wait_for_one_result(void **state)
{
    (void)state;
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *result = submit(pool, pass_door, &before, sizeof before, NULL);
    waiter waiters[4];
    await_arrivals(before, 1);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        waiters[i] = (waiter){.result = result};
        assert_true(host_thread_start(&waiters[i].thread, wait_for_it, &waiters[i]));
    }
    assert_int_equal(mproc_result_wait(result, 20), MPROC_ETIMEDOUT);
    open_door(before);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        host_thread_join(&waiters[i].thread);
        assert_int_equal(waiters[i].err, MPROC_OK);
        assert_ptr_equal(waiters[i].reply, waiters[0].reply);
        assert_int_equal(waiters[i].size, sizeof(long long));
    }
    mproc_result_free(result);
    end_pool(pool);
    drop_door(before);
}

static int count_here(mproc_task *task)
{
    const mproc_value *counter = mproc_task_input(task, NULL);
    count_up(*counter);
    return 0;
}

static void a_task_goes_on_when_nobody_wants_its_result(void **state)
{
    (void)state;
    mproc_value counter = new_counter();
    mproc_pool *pool = new_pool(2);
    for (int i = 0; i < 500; i++) {
        mproc_result_free(submit(pool, count_here, &counter, sizeof counter, NULL));
        assert_int_equal(
            mproc_pool_apply_async(pool, count_here, &counter, sizeof counter, NULL, NULL),
            MPROC_OK);
    }
    end_pool(pool);
    assert_int_equal(count_of(counter), 1000);
    assert_int_equal(mproc_value_destroy(counter), MPROC_OK);
}

/* ---- several ---- */

typedef struct spot {
    mproc_array order;
    mproc_value counter;
    int number;
} spot;

static int note_turn(mproc_task *task)
{
    const spot *here = mproc_task_input(task, NULL);
    int *order = mproc_array_data(here->order);
    order[count_of(here->counter)] = here->number;
    count_up(here->counter);
    return 0;
}

static int note_item_turn(mproc_task *task)
{
    return note_turn(task);
}

static void one_worker_takes_tasks_and_maps_in_their_order(void **state)
{
    (void)state;
    enum { TASKS = 300 };
    door before = new_door();
    spot here = {.counter = new_counter()};
    spot items[10];
    assert_int_equal(mproc_array_create(&here.order, sizeof(int), TASKS + 10, NULL, NULL),
                     MPROC_OK);
    mproc_pool *pool = new_pool(1);
    mproc_result *first = submit(pool, pass_door, &before, sizeof before, NULL), *map = NULL;
    await_arrivals(before, 1);
    for (here.number = 0; here.number < 100; here.number++)
        mproc_result_free(submit(pool, note_turn, &here, sizeof here, NULL));
    for (size_t i = 0; i < COUNT_OF(items); i++, here.number++)
        items[i] = here;
    assert_int_equal(mproc_pool_map_async(pool, note_item_turn, items, sizeof items[0], 10, NULL, 0,
                                          NULL, NULL, &map),
                     MPROC_OK);
    for (; here.number < TASKS + 10; here.number++)
        mproc_result_free(submit(pool, note_turn, &here, sizeof here, NULL));
    open_door(before);
    assert_int_equal(outcome_of(first), MPROC_OK);
    assert_int_equal(outcome_of(map), MPROC_OK);
    end_pool(pool);
    const int *order = mproc_array_data(here.order);
    for (int i = 0; i < TASKS + 10; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(mproc_array_destroy(here.order), MPROC_OK);
    assert_int_equal(mproc_value_destroy(here.counter), MPROC_OK);
    drop_door(before);
}

static void tasks_run_at_the_same_time_in_all_workers(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    door before = new_door();
    long long pids[WORKERS];
    mproc_result *results[WORKERS];
    mproc_pool *pool = new_pool(WORKERS);
    for (int i = 0; i < WORKERS; i++)
        results[i] = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, WORKERS);
    open_door(before);
    for (int i = 0; i < WORKERS; i++) {
        const void *reply;
        assert_int_equal(mproc_result_get(results[i], SOON, &reply, NULL), MPROC_OK);
        memcpy(&pids[i], reply, sizeof pids[i]);
        for (int k = 0; k < i; k++)
            assert_true(pids[k] != pids[i]);
        mproc_result_free(results[i]);
    }
    end_pool(pool);
    drop_door(before);
}

enum { THREADS = 4, EACH = 1500, FLYING = 50 };

typedef struct user {
    mproc_pool *pool;
    int first;
    unsigned wrong;
    host_thread thread;
} user;

/* Many in flight, collected in their order, with a blocking one now and then. */
static void use_pool(void *argument)
{
    user *self = argument;
    mproc_result *flying[FLYING] = {NULL};
    for (int i = 0; i < EACH + FLYING; i++) {
        mproc_result **place = &flying[i % FLYING];
        const int number = self->first + i;
        const void *reply = NULL;
        int next;
        if (*place && mproc_result_get(*place, SOON, &reply, NULL) == MPROC_OK) {
            memcpy(&next, reply, sizeof next);
            self->wrong += next != number - FLYING + 1;
        } else {
            self->wrong += *place != NULL;
        }
        mproc_result_free(*place);
        *place = NULL;
        self->wrong += i < EACH && mproc_pool_apply_async(self->pool, add_one, &number,
                                                          sizeof number, NULL, place) != MPROC_OK;
        if (i % 100 == 0)
            self->wrong += mproc_pool_apply(self->pool, add_one, &number, sizeof number, &next,
                                            sizeof next, NULL) != MPROC_OK ||
                           next != number + 1;
    }
}

static void many_threads_may_submit_to_one_pool(void **state)
{
    (void)state;
    user users[THREADS];
    mproc_pool *pool = new_pool(3);
    for (int i = 0; i < THREADS; i++) {
        users[i] = (user){.pool = pool, .first = i * 100000};
        assert_true(host_thread_start(&users[i].thread, use_pool, &users[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        host_thread_join(&users[i].thread);
        assert_int_equal(users[i].wrong, 0);
    }
    end_pool(pool);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_gives_the_reply),
        cmocka_unit_test(a_task_needs_neither_input_nor_reply),
        cmocka_unit_test(a_reply_that_does_not_fit_tells_its_size),
        cmocka_unit_test(inputs_and_replies_may_have_any_size),
        cmocka_unit_test(the_last_reply_counts),
        cmocka_unit_test(a_reply_may_be_cut_from_the_reply_buffer),
        cmocka_unit_test(a_failure_tells_code_message_and_worker),
        cmocka_unit_test(a_long_message_is_cut_at_a_character),
        cmocka_unit_test(a_result_is_not_ready_before_its_task_has_ended),
        cmocka_unit_test(a_failed_result_is_ready_and_not_successful),
        cmocka_unit_test(several_threads_may_wait_for_one_result),
        cmocka_unit_test(a_task_goes_on_when_nobody_wants_its_result),
        cmocka_unit_test(one_worker_takes_tasks_and_maps_in_their_order),
        cmocka_unit_test(tasks_run_at_the_same_time_in_all_workers),
        cmocka_unit_test(many_threads_may_submit_to_one_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
