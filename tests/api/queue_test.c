/* Queues within a process: order, sizes, time-outs, loans, closing, and bad input. */
#include "queue_support.h"

#include <stdlib.h>

static size_t size_of(mproc_queue queue)
{
    size_t items;
    assert_int_equal(mproc_queue_size(queue, &items), MPROC_OK);
    return items;
}

/* ---- messages ---- */

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

static void messages_of_any_size_keep_their_bytes_and_borders(void **state)
{
    (void)state;
    const size_t sizes[] = {0,    1,    7,    8,    9,     63,      64,       65,
                            2039, 2040, 2041, 4096, 65536, 1000000, 16u << 20};
    mproc_queue queue = new_queue(0);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *bytes = new_pattern(sizes[i], (unsigned)i);
            assert_int_equal(mproc_queue_put(queue, bytes, sizes[i], 0), MPROC_OK);
            free(bytes);
        }
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *bytes = new_pattern(sizes[i], (unsigned)i), *got = malloc(sizes[i] + 1);
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
    unsigned char *bytes = new_pattern(3000, 5), got[3000];
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
    unsigned char *large = new_pattern(5000, 1), got[5000] = {0};
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
    unsigned char *large = new_pattern(3000, 2), got[4096];
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
