/* Queues in whose memory somebody has written what is no message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/queue.h>

#include "data/ends.h"
#include "family/family.h"
#include "family/heap.h"

enum { LARGE = 5000 };
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static mproc_queue queue;
static unsigned char bytes[LARGE], got[2 * LARGE];
static uint64_t used_before;

static int make_queue(void **state)
{
    (void)state;
    used_before = heap_used();
    memset(bytes, 7, sizeof bytes);
    return mproc_queue_create(&queue, NULL);
}

static int end_queue(void **state)
{
    (void)state;
    return mproc_queue_destroy(queue) || heap_used() != used_before;
}

static uint64_t *first_units(void)
{
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    assert_non_null(q);
    return ends_ring(q)->unit;
}

static void put(size_t size)
{
    assert_int_equal(mproc_queue_put(queue, bytes, size, 0), MPROC_OK);
}

static void assert_broken(void)
{
    size_t size = 1, count = 2;
    mproc_loan loan = {0};
    assert_int_equal(mproc_queue_get(queue, got, sizeof got, &size, 0), MPROC_EBROKEN);
    assert_int_equal(mproc_queue_get_many(queue, got, sizeof got, &size, 1, &count, 0),
                     MPROC_EBROKEN);
    assert_int_equal(mproc_queue_get_loan(queue, &loan, 0), MPROC_EBROKEN);
    assert_int_equal(size, 1);
    assert_int_equal(count, 2);
    assert_null(loan.data);
}

/* Each time it is as if nothing had been, once the right word stands there again. */
static void what_is_no_message_is_told_and_taken_by_nobody(void **state)
{
    (void)state;
    put(64);
    put(LARGE);
    uint64_t *unit = first_units(), right = *unit;
    const uint64_t wrong[] = {0,
                              64,
                              UINT64_MAX,
                              right + RING_INLINE,
                              right + 8192,
                              UINT64_C(3) << 62,
                              UINT64_C(3) << 62 | RING_LEAST,
                              UINT64_C(2) << 62 | 64};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        *unit = wrong[i];
        assert_broken();
    }
    *unit = right;
    size_t size;
    assert_int_equal(mproc_queue_get(queue, got, sizeof got, &size, 0), MPROC_OK);
    assert_int_equal(size, 64);
}

static void a_reference_to_what_is_not_the_queues_leads_nowhere(void **state)
{
    (void)state;
    arena_ref mine;
    put(LARGE);
    put(LARGE);
    assert_int_equal(heap_alloc(LARGE, family.self, &mine), MPROC_OK);
    uint64_t *unit = first_units(), right = unit[1];
    const uint64_t wrong[] = {0, 1, mine, right + 1, right + 64, UINT64_MAX, UINT64_C(1) << 40};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        unit[1] = wrong[i];
        assert_broken();
    }
    unit[1] = right;
    unit[0] += 4 * LARGE; /* more than lies there */
    assert_broken();
    unit[0] -= 4 * LARGE;
    size_t size;
    assert_int_equal(mproc_queue_get(queue, got, sizeof got, &size, 0), MPROC_OK);
    assert_int_equal(size, LARGE);
    assert_memory_equal(got, bytes, LARGE);
    heap_free(mine, family.self);
}

static void a_broken_one_can_be_destroyed_and_leaves_nothing(void **state)
{
    (void)state;
    put(64);
    for (int i = 0; i < 10; i++)
        put(LARGE);
    *first_units() = UINT64_MAX;
    assert_broken();
}

/* What a first queue makes for good does not count. */
static int make_family(void **state)
{
    (void)state;
    return mproc_queue_create(&queue, NULL) || mproc_queue_destroy(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_message_is_told_and_taken_by_nobody, make_queue,
                                        end_queue),
        cmocka_unit_test_setup_teardown(a_reference_to_what_is_not_the_queues_leads_nowhere,
                                        make_queue, end_queue),
        cmocka_unit_test_setup_teardown(a_broken_one_can_be_destroyed_and_leaves_nothing,
                                        make_queue, end_queue),
    };
    return cmocka_run_group_tests(tests, make_family, NULL);
}
