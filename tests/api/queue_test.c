/* Queues: order, sizes, time-outs, loans, joining, closing, and what a killed process leaves. */
#include "support.h"

#include <stdlib.h>

typedef struct pair {
    mproc_queue one, other;
    uint32_t count, number;
} pair;

static mproc_queue new_queue(size_t max_items)
{
    mproc_queue queue;
    assert_int_equal(mproc_queue_create(&queue, &(mproc_queue_options){.max_items = max_items}),
                     MPROC_OK);
    return queue;
}

static void put_number(mproc_queue queue, uint32_t number)
{
    assert_int_equal(mproc_queue_put(queue, &number, sizeof number, SOON), MPROC_OK);
}

static uint32_t get_number(mproc_queue queue)
{
    uint32_t number;
    size_t size;
    assert_int_equal(mproc_queue_get(queue, &number, sizeof number, &size, SOON), MPROC_OK);
    assert_int_equal(size, sizeof number);
    return number;
}

static size_t size_of(mproc_queue queue)
{
    size_t items;
    assert_int_equal(mproc_queue_size(queue, &items), MPROC_OK);
    return items;
}

/* ---- one process ---- */

static void messages_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    assert_true(mproc_queue_is_empty(queue));
    for (uint32_t i = 0; i < 5000; i++)
        put_number(queue, i);
    assert_int_equal(size_of(queue), 5000);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(get_number(queue), i);
    assert_true(mproc_queue_is_empty(queue));
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static unsigned char *pattern(size_t size, unsigned seed)
{
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((i * 31 + seed) >> (i % 3));
    return bytes;
}

static void messages_of_any_size_keep_their_bytes_and_borders(void **state)
{
    (void)state;
    const size_t sizes[] = {0,    1,    7,    8,    9,     63,      64,       65,
                            2039, 2040, 2041, 4096, 65536, 1000000, 16u << 20};
    mproc_queue queue = new_queue(0);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *bytes = pattern(sizes[i], (unsigned)i);
            assert_int_equal(mproc_queue_put(queue, bytes, sizes[i], 0), MPROC_OK);
            free(bytes);
        }
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *bytes = pattern(sizes[i], (unsigned)i), *got = malloc(sizes[i] + 1);
            size_t size = 1;
            assert_non_null(got);
            assert_int_equal(mproc_queue_get(queue, got, sizes[i] + 1, &size, 0), MPROC_OK);
            assert_int_equal(size, sizes[i]);
            assert_memory_equal(got, bytes, sizes[i]);
            free(got);
            free(bytes);
        }
    }
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

/* A ring that is full of a mixture grows while it wraps. */
static void a_growing_queue_loses_and_mixes_nothing(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    unsigned char *bytes = pattern(3000, 5), got[3000];
    uint32_t in = 0, out = 0, chance = 7;
    while (out < 20000) {
        chance = chance * 1103515245 + 12345;
        bool put = in < 20000 && (in == out || (chance >> 16) % 5 < 3);
        uint32_t number = put ? in : out;
        size_t size = 4 + number * 37 % 700 + (number % 50 == 0 ? 2000 : 0);
        if (put) {
            memcpy(bytes, &number, sizeof number);
            assert_int_equal(mproc_queue_put(queue, bytes, size, 0), MPROC_OK);
            in++;
        } else {
            size_t have;
            assert_int_equal(mproc_queue_get(queue, got, sizeof got, &have, 0), MPROC_OK);
            memcpy(bytes, &number, sizeof number);
            assert_int_equal(have, size);
            assert_memory_equal(got, bytes, size);
            out++;
        }
    }
    free(bytes);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void an_empty_queue_and_a_full_one_say_so(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(2);
    uint32_t number = 9;
    size_t size = 77;
    assert_int_equal(mproc_queue_get(queue, &number, sizeof number, &size, 0), MPROC_EEMPTY);
    int64_t began = host_now();
    assert_int_equal(mproc_queue_get(queue, &number, sizeof number, &size, 50), MPROC_EEMPTY);
    assert_true(host_now() - began >= 49);
    assert_int_equal(number, 9);
    assert_int_equal(size, 77);
    put_number(queue, 1);
    assert_false(mproc_queue_is_full(queue));
    put_number(queue, 2);
    assert_true(mproc_queue_is_full(queue));
    assert_int_equal(mproc_queue_put(queue, &number, sizeof number, 0), MPROC_EFULL);
    began = host_now();
    assert_int_equal(mproc_queue_put(queue, &number, sizeof number, 50), MPROC_EFULL);
    assert_true(host_now() - began >= 49);
    assert_int_equal(get_number(queue), 1);
    put_number(queue, 3);
    assert_int_equal(get_number(queue), 2);
    assert_int_equal(get_number(queue), 3);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void too_small_a_buffer_loses_nothing(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    unsigned char *large = pattern(5000, 1), got[5000] = {0};
    size_t size;
    assert_int_equal(mproc_queue_put(queue, "twelve bytes", 12, 0), MPROC_OK);
    assert_int_equal(mproc_queue_put(queue, large, 5000, 0), MPROC_OK);
    assert_int_equal(mproc_queue_get(queue, got, 11, &size, 0), MPROC_EMSGSIZE);
    assert_int_equal(size, 12);
    assert_int_equal(got[0], 0);
    assert_int_equal(mproc_queue_get(queue, NULL, 0, &size, 0), MPROC_EMSGSIZE);
    assert_int_equal(mproc_queue_get(queue, got, 12, &size, 0), MPROC_OK);
    assert_memory_equal(got, "twelve bytes", 12);
    assert_int_equal(mproc_queue_get(queue, got, 4999, &size, 0), MPROC_EMSGSIZE);
    assert_int_equal(size, 5000);
    assert_int_equal(mproc_queue_get(queue, got, 5000, &size, 0), MPROC_OK);
    assert_memory_equal(got, large, 5000);
    free(large);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void several_are_put_and_taken_at_once(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(50);
    unsigned char *large = pattern(3000, 2), got[4096];
    mproc_message messages[60];
    size_t done = 0, sizes[60], count = 0, taken = 0;
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        messages[i] = (mproc_message){large, i == 20 ? 3000 : i};
    assert_int_equal(mproc_queue_put_many(queue, messages, COUNT_OF(messages), &done, 0),
                     MPROC_EFULL);
    assert_int_equal(done, 50);
    while (taken < 50) {
        assert_int_equal(
            mproc_queue_get_many(queue, got, sizeof got, sizes, COUNT_OF(sizes), &count, 0),
            MPROC_OK);
        assert_true(count > 0);
        size_t offset = 0;
        for (size_t i = 0; i < count; i++, taken++) {
            assert_int_equal(sizes[i], messages[taken].size);
            assert_memory_equal(got + offset, large, sizes[i]);
            offset += sizes[i];
        }
    }
    assert_int_equal(mproc_queue_get_many(queue, got, sizeof got, sizes, 1, &count, 0),
                     MPROC_EEMPTY);
    assert_int_equal(mproc_queue_put(queue, large, 100, 0), MPROC_OK);
    assert_int_equal(mproc_queue_get_many(queue, got, 99, sizes, 1, &count, 0), MPROC_EMSGSIZE);
    assert_int_equal(sizes[0], 100);
    free(large);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void a_loan_is_sent_and_received_without_a_copy(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    mproc_loan loan = {0}, got = {0};
    assert_int_equal(mproc_queue_reserve(queue, 100000, &loan), MPROC_OK);
    assert_int_equal(loan.size, 100000);
    memset(loan.data, 'x', loan.size);
    void *data = loan.data;
    loan.size = 90000;
    assert_int_equal(mproc_queue_commit(queue, &loan, 0), MPROC_OK);
    assert_null(loan.data);
    assert_int_equal(mproc_queue_commit(queue, &loan, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_get_loan(queue, &got, 0), MPROC_OK);
    assert_ptr_equal(got.data, data);
    assert_int_equal(got.size, 90000);
    assert_int_equal(((char *)got.data)[89999], 'x');
    mproc_loan_release(&got);
    mproc_loan_release(&got);
    assert_int_equal(mproc_queue_put(queue, "small", 5, 0), MPROC_OK);
    assert_int_equal(mproc_queue_get_loan(queue, &got, 0), MPROC_OK);
    assert_int_equal(got.size, 5);
    assert_memory_equal(got.data, "small", 5);
    mproc_loan_release(&got);
    assert_int_equal(mproc_queue_get_loan(queue, &got, 0), MPROC_EEMPTY);
    assert_int_equal(mproc_queue_reserve(queue, 64, &loan), MPROC_OK);
    loan.size = 1 << 20;
    assert_int_equal(mproc_queue_commit(queue, &loan, 0), MPROC_EINVAL);
    loan.size = 64;
    mproc_loan_release(&loan);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void a_closed_queue_is_emptied_and_then_says_so(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    uint32_t number;
    mproc_loan loan;
    put_number(queue, 5);
    assert_int_equal(mproc_queue_close(queue), MPROC_OK);
    assert_int_equal(mproc_queue_close(queue), MPROC_OK);
    assert_int_equal(mproc_queue_put(queue, &number, 4, 0), MPROC_ECLOSED);
    assert_int_equal(mproc_queue_reserve(queue, 4, &loan), MPROC_ECLOSED);
    assert_int_equal(get_number(queue), 5);
    assert_int_equal(mproc_queue_get(queue, &number, 4, NULL, MPROC_FOREVER), MPROC_ECLOSED);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void what_is_done_is_counted(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    assert_int_equal(mproc_queue_join(queue, 0), MPROC_OK);
    assert_int_equal(mproc_queue_task_done(queue), MPROC_ERANGE);
    for (uint32_t i = 0; i < 1000; i++)
        put_number(queue, i); /* the ring grows, and the count with it */
    assert_int_equal(mproc_queue_join(queue, 20), MPROC_ETIMEDOUT);
    for (uint32_t i = 0; i < 1000; i++) {
        get_number(queue);
        assert_int_equal(mproc_queue_join(queue, 0), MPROC_ETIMEDOUT);
        assert_int_equal(mproc_queue_task_done(queue), MPROC_OK);
    }
    assert_int_equal(mproc_queue_join(queue, 0), MPROC_OK);
    assert_int_equal(mproc_queue_task_done(queue), MPROC_ERANGE);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

/* ---- bad input ---- */

static void bad_input_is_told_and_changes_nothing(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0), none = {0};
    mproc_message message = {NULL, 3};
    mproc_loan loan = {0};
    size_t size = 5, sizes[1];
    assert_int_equal(mproc_queue_create(NULL, NULL), MPROC_EINVAL);
    assert_int_equal(
        mproc_queue_create(&none, &(mproc_queue_options){.max_items = ((size_t)1 << 31) + 1}),
        MPROC_EINVAL);
    assert_int_equal(none.id, 0);
    assert_int_equal(mproc_queue_put(queue, NULL, 1, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_put(queue, "", 1, -2), MPROC_EINVAL);
    assert_int_equal(mproc_queue_put(queue, "", SIZE_MAX / 2, 0), MPROC_ENOMEM);
    assert_int_equal(mproc_queue_put_many(queue, &message, 1, &size, 0), MPROC_EINVAL);
    assert_int_equal(size, 0);
    assert_int_equal(mproc_queue_put_many(queue, NULL, 1, NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_get(queue, NULL, 1, &size, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_get(queue, &size, 1, &size, -5), MPROC_EINVAL);
    assert_int_equal(mproc_queue_get_many(queue, NULL, 0, sizes, 0, &size, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_get_many(queue, NULL, 0, NULL, 1, &size, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_reserve(queue, 0, &loan), MPROC_EINVAL);
    assert_int_equal(mproc_queue_reserve(queue, 1, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_queue_reserve(queue, SIZE_MAX, &loan), MPROC_ENOMEM);
    assert_int_equal(mproc_queue_commit(queue, NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_commit(queue, &loan, 0), MPROC_EINVAL);
    loan.id = 12345;
    assert_int_equal(mproc_queue_commit(queue, &loan, 0), MPROC_EINVAL);
    mproc_loan_release(&loan);
    mproc_loan_release(NULL);
    assert_int_equal(mproc_queue_get_loan(queue, NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_queue_size(queue, NULL), MPROC_EINVAL);
    assert_true(mproc_queue_is_empty(queue));
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void check_stale(mproc_queue queue)
{
    size_t size;
    mproc_loan loan;
    assert_int_equal(mproc_queue_put(queue, "a", 1, 0), MPROC_ESTALE);
    assert_int_equal(mproc_queue_get(queue, NULL, 0, &size, 0), MPROC_ESTALE);
    assert_int_equal(mproc_queue_reserve(queue, 1, &loan), MPROC_ESTALE);
    assert_int_equal(mproc_queue_get_loan(queue, &loan, 0), MPROC_ESTALE);
    assert_int_equal(mproc_queue_size(queue, &size), MPROC_ESTALE);
    assert_int_equal(mproc_queue_close(queue), MPROC_ESTALE);
    assert_int_equal(mproc_queue_task_done(queue), MPROC_ESTALE);
    assert_int_equal(mproc_queue_join(queue, 0), MPROC_ESTALE);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_ESTALE);
    assert_false(mproc_queue_is_empty(queue));
    assert_false(mproc_queue_is_full(queue));
}

static void stale_and_forged_handles_are_nobodys(void **state)
{
    (void)state;
    mproc_queue queue = new_queue(0);
    mproc_event event;
    put_number(queue, 1);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
    check_stale(queue);
    check_stale((mproc_queue){0});
    assert_int_equal(mproc_event_create(&event), MPROC_OK);
    check_stale((mproc_queue){event.id});
    assert_int_equal(mproc_event_destroy(event), MPROC_OK);
    uint64_t chance = 42;
    for (int i = 0; i < 1000000; i++) {
        chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if (mproc_queue_put((mproc_queue){chance ^ chance >> 29}, "a", 1, 0) != MPROC_ESTALE)
            fail();
    }
}

/* What is in a destroyed queue is free again, however often. */
static void destroyed_queues_leave_nothing(void **state)
{
    (void)state;
    static unsigned char large[1 << 20];
    for (int i = 0; i < 200; i++) {
        mproc_queue queue = new_queue(0);
        for (int k = 0; k < 40; k++)
            assert_int_equal(mproc_queue_put(queue, large, sizeof large, 0), MPROC_OK);
        assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
    }
}

/* ---- several processes ---- */

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
        cmocka_unit_test(messages_come_out_in_the_order_they_went_in),
        cmocka_unit_test(messages_of_any_size_keep_their_bytes_and_borders),
        cmocka_unit_test(a_growing_queue_loses_and_mixes_nothing),
        cmocka_unit_test(an_empty_queue_and_a_full_one_say_so),
        cmocka_unit_test(too_small_a_buffer_loses_nothing),
        cmocka_unit_test(several_are_put_and_taken_at_once),
        cmocka_unit_test(a_loan_is_sent_and_received_without_a_copy),
        cmocka_unit_test(a_closed_queue_is_emptied_and_then_says_so),
        cmocka_unit_test(what_is_done_is_counted),
        cmocka_unit_test(bad_input_is_told_and_changes_nothing),
        cmocka_unit_test(stale_and_forged_handles_are_nobodys),
        cmocka_unit_test(destroyed_queues_leave_nothing),
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
