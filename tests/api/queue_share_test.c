/* Queues that processes and threads share: joining, waiting, and what a killed process leaves. */
#include "queue_support.h"

#include <stdlib.h>

typedef struct pair {
    mproc_queue one, other;
    uint32_t count, number;
} pair;

static int produce(void *args, size_t size)
{
    (void)size;
    pair *p = args;
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t message[2] = {p->number, i};
        if (mproc_queue_put(p->one, message, sizeof message, MPROC_FOREVER))
            return 1;
    }
    return 0;
}

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 4000 };

/* Counts what it gets of each producer; order within one must hold. Reports on the other queue. */
static int consume(void *args, size_t size)
{
    (void)size;
    pair *p = args;
    uint32_t message[2], counts[PRODUCERS] = {0}, last[PRODUCERS] = {0};
    mproc_err err;
    while (!(err = mproc_queue_get(p->one, message, sizeof message, NULL, MPROC_FOREVER))) {
        if (message[0] >= PRODUCERS || (counts[message[0]] && message[1] <= last[message[0]]))
            return 2;
        last[message[0]] = message[1];
        counts[message[0]]++;
        if (mproc_queue_task_done(p->one))
            return 3;
    }
    return err == MPROC_ECLOSED && !mproc_queue_put(p->other, counts, sizeof counts, MPROC_FOREVER)
               ? 0
               : 4;
}

static void exchange(size_t max_items)
{
    pair p = {new_queue(max_items), new_queue(0), EACH, 0};
    mproc_process *producers[PRODUCERS], *consumers[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = start_process(consume, &p, sizeof p);
    for (p.number = 0; p.number < PRODUCERS; p.number++)
        producers[p.number] = start_process(produce, &p, sizeof p);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(exit_code_of(producers[i]), 0);
    assert_int_equal(mproc_queue_join(p.one, SOON), MPROC_OK);
    assert_int_equal(mproc_queue_close(p.one), MPROC_OK);
    uint32_t counts[PRODUCERS], sum[PRODUCERS] = {0};
    for (int i = 0; i < CONSUMERS; i++) {
        assert_int_equal(exit_code_of(consumers[i]), 0);
        assert_int_equal(mproc_queue_get(p.other, counts, sizeof counts, NULL, 0), MPROC_OK);
        for (int k = 0; k < PRODUCERS; k++)
            sum[k] += counts[k];
    }
    for (int k = 0; k < PRODUCERS; k++)
        assert_int_equal(sum[k], EACH);
    assert_int_equal(mproc_queue_destroy(p.one), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(p.other), MPROC_OK);
}

static void producers_and_consumers_share_an_unbounded_queue(void **state)
{
    (void)state;
    exchange(0);
}

static void producers_and_consumers_share_a_bounded_queue(void **state)
{
    (void)state;
    exchange(3);
}

static int put_large(void *args, size_t size)
{
    (void)size;
    pair *p = args;
    char *text = malloc(p->count);
    if (!text)
        return 2;
    memset(text, 'X', p->count);
    mproc_err err = mproc_queue_put(p->one, text, p->count, 0);
    free(text);
    return err ? 1 : 0;
}

/* In Python the join waits for ever: its feeder thread waits for a reader. */
static void a_child_that_put_much_can_be_joined_before_it_is_read(void **state)
{
    (void)state;
    pair p = {.one = new_queue(0), .count = 1000000};
    assert_int_equal(run_process(put_large, &p, sizeof p), 0);
    char *text = malloc(p.count);
    size_t size;
    assert_non_null(text);
    assert_int_equal(mproc_queue_get(p.one, text, p.count, &size, 0), MPROC_OK);
    assert_int_equal(size, p.count);
    for (size_t i = 0; i < size; i++) {
        if (text[i] != 'X')
            fail();
    }
    free(text);
    assert_int_equal(mproc_queue_destroy(p.one), MPROC_OK);
}

static int send_handle(void *args, size_t size)
{
    (void)size;
    pair *p = args;
    mproc_queue mine;
    uint32_t number = 4711;
    if (mproc_queue_create(&mine, NULL) || mproc_queue_put(mine, &number, sizeof number, 0))
        return 1;
    return mproc_queue_put(p->one, &mine, sizeof mine, 0) ? 2 : 0;
}

static void a_queue_travels_through_a_queue(void **state)
{
    (void)state;
    pair p = {.one = new_queue(0)};
    mproc_queue sent;
    assert_int_equal(run_process(send_handle, &p, sizeof p), 0);
    assert_int_equal(mproc_queue_get(p.one, &sent, sizeof sent, NULL, SOON), MPROC_OK);
    assert_int_equal(get_number(sent), 4711);
    assert_int_equal(mproc_queue_destroy(sent), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(p.one), MPROC_OK);
}

static int wait_for_message(void *args, size_t size)
{
    (void)size;
    pair *p = args;
    uint32_t number = 1;
    if (mproc_queue_put(p->other, &number, sizeof number, 0))
        return 100;
    return -(int)mproc_queue_get(p->one, &number, sizeof number, NULL, MPROC_FOREVER);
}

static void end_waiters_by(mproc_err (*end)(mproc_queue queue), mproc_err expected)
{
    pair p = {.one = new_queue(0), .other = new_queue(0)};
    mproc_process *waiters[4];
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        waiters[i] = start_process(wait_for_message, &p, sizeof p);
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        get_number(p.other);
    host_nap(20); /* most of them sleep by now; right it must be anyway */
    assert_int_equal(end(p.one), MPROC_OK);
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        assert_int_equal(exit_code_of(waiters[i]), -(int)expected);
    mproc_queue_destroy(p.one);
    assert_int_equal(mproc_queue_destroy(p.other), MPROC_OK);
}

static void closing_releases_all_who_wait(void **state)
{
    (void)state;
    end_waiters_by(mproc_queue_close, MPROC_ECLOSED);
}

static void destroying_releases_all_who_wait(void **state)
{
    (void)state;
    end_waiters_by(mproc_queue_destroy, MPROC_ESTALE);
}

static void a_killed_consumer_takes_no_wake_up_with_it(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        pair p = {.one = new_queue(0), .other = new_queue(0)};
        mproc_process *first = start_process(wait_for_message, &p, sizeof p);
        get_number(p.other);
        mproc_process *second = start_process(wait_for_message, &p, sizeof p);
        get_number(p.other);
        if (round % 2)
            host_nap(5);
        mproc_process_kill(first);
        put_number(p.one, 1);
        assert_int_equal(mproc_process_join(first, SOON), MPROC_OK);
        put_number(p.one, 2); /* the first may have had one before it died */
        assert_int_equal(exit_code_of(second), 0);
        mproc_process_free(first);
        assert_int_equal(mproc_queue_destroy(p.one), MPROC_OK);
        assert_int_equal(mproc_queue_destroy(p.other), MPROC_OK);
    }
}

static int hold_loans(void *args, size_t size)
{
    (void)size;
    pair *p = args;
    mproc_loan loan;
    for (int i = 0; i < 10; i++) {
        if (mproc_queue_reserve(p->one, 1 << 20, &loan))
            return 1;
    }
    uint32_t ready = 1;
    if (mproc_queue_put(p->other, &ready, sizeof ready, 0))
        return 2;
    host_wait_forever();
    return 0;
}

static void loans_of_a_killed_process_come_back(void **state)
{
    (void)state;
    pair p = {.one = new_queue(0), .other = new_queue(0)};
    for (int i = 0; i < 20; i++) {
        mproc_process *child = start_process(hold_loans, &p, sizeof p);
        get_number(p.other);
        end_process(child);
    }
    assert_int_equal(mproc_queue_destroy(p.one), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(p.other), MPROC_OK);
}

static void put_soon(void *argument)
{
    const mproc_queue *queue = argument;
    uint32_t number = 3;
    host_nap(20);
    mproc_queue_put(*queue, &number, sizeof number, MPROC_FOREVER);
}

/* Takes one whenever it is there, always a while after the one before. */
static void take_slowly(void *argument)
{
    const mproc_queue *queue = argument;
    uint32_t number;
    for (mproc_err err = MPROC_OK; !err;) {
        host_nap(10);
        err = mproc_queue_get(*queue, &number, sizeof number, NULL, SOON);
    }
}

/* So that each part of them comes in time, but all of them together do not. */
static void several_have_one_time_out_for_all(void **state)
{
    (void)state;
    enum { MANY = 200, MOST_MS = 300 };
    mproc_queue queue = new_queue(1);
    mproc_message messages[MANY];
    uint32_t number = 7;
    for (size_t i = 0; i < MANY; i++)
        messages[i] = (mproc_message){&number, sizeof number};
    host_thread thread;
    assert_true(host_thread_start(&thread, take_slowly, &queue));
    size_t done = 0;
    int64_t began = host_now();
    assert_int_equal(mproc_queue_put_many(queue, messages, MANY, &done, MOST_MS), MPROC_EFULL);
    assert_true(host_now() - began >= MOST_MS - 1);
    assert_true(done >= 1 && done <= MOST_MS / 10 + 2);
    assert_int_equal(mproc_queue_close(queue), MPROC_OK);
    host_thread_join(&thread);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void threads_wait_as_processes_do(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(1);
    host_thread thread;
    assert_true(host_thread_start(&thread, put_soon, &queue));
    assert_int_equal(get_number(queue), 3);
    host_thread_join(&thread);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producers_and_consumers_share_an_unbounded_queue),
        cmocka_unit_test(producers_and_consumers_share_a_bounded_queue),
        cmocka_unit_test(a_child_that_put_much_can_be_joined_before_it_is_read),
        cmocka_unit_test(a_queue_travels_through_a_queue),
        cmocka_unit_test(closing_releases_all_who_wait),
        cmocka_unit_test(destroying_releases_all_who_wait),
        cmocka_unit_test(a_killed_consumer_takes_no_wake_up_with_it),
        cmocka_unit_test(loans_of_a_killed_process_come_back),
        cmocka_unit_test(several_have_one_time_out_for_all),
        cmocka_unit_test(threads_wait_as_processes_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
