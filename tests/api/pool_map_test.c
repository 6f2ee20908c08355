/* What map promises about items and results of one size. */
#include "pool_support.h"

#define COUNT 1000

static void results_come_in_the_order_of_the_items(void **state)
{
    (void)state;
    const int workers[] = {1, 2, 8, 64};
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        mproc_pool *pool = new_pool(workers[i]);
        map_squares(pool, COUNT, 0);
        end_pool(pool);
    }
}

static void more_workers_than_items_are_fine(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(8);
    for (size_t count = 1; count < 8; count++)
        map_squares(pool, count, 0);
    end_pool(pool);
}

static void chunks_of_any_size_cover_all_items(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 7, 16, COUNT - 1, COUNT, COUNT + 1, SIZE_MAX / 2, SIZE_MAX};
    mproc_pool *pool = new_pool(3);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        map_squares(pool, COUNT, sizes[i]);
    end_pool(pool);
}

static void a_pool_without_options_has_a_worker_for_each_processor(void **state)
{
    (void)state;
    mproc_pool *pool;
    long long pids[256];
    host_crash_plainly();
    assert_int_equal(mproc_pool_create(&pool, NULL), MPROC_OK);
    assert_int_equal(worker_pids(pids, 256), mproc_cpu_count());
    map_squares(pool, COUNT, 0);
    end_pool(pool);
    assert_int_equal(worker_pids(pids, 256), 0);
}

static void two_hundred_and_fifty_six_workers_work(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(256);
    map_squares(pool, 5 * COUNT, 0);
    end_pool(pool);
}

static void an_empty_input_returns_at_once(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(2);
    size_t failed = 99;
    mproc_map_options options = {.error_count = &failed};
    assert_int_equal(mproc_pool_map(pool, square, NULL, 0, 0, NULL, 0, &options), MPROC_OK);
    assert_int_equal(failed, 0);
    assert_int_equal(mproc_pool_map(pool, square, "", 4, 0, NULL, 0, NULL), MPROC_OK);
    end_pool(pool);
}

static int check_own_index(mproc_task *task)
{
    size_t size;
    const int *item = mproc_task_input(task, &size);
    return size == sizeof *item && mproc_task_index(task) == (size_t)*item ? 0 : 1;
}

static void a_task_knows_the_index_and_the_size_of_its_item(void **state)
{
    (void)state;
    int items[COUNT];
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    mproc_pool *pool = new_pool(4);
    assert_int_equal(mproc_pool_map(pool, check_own_index, items, sizeof items[0], COUNT, NULL, 0,
                                    &(mproc_map_options){.chunk_size = 5}),
                     MPROC_OK);
    end_pool(pool);
}

static void without_results_replies_go_nowhere(void **state)
{
    (void)state;
    int items[COUNT] = {0};
    mproc_pool *pool = new_pool(4);
    assert_int_equal(mproc_pool_map(pool, square, items, sizeof items[0], COUNT, NULL, 0, NULL),
                     MPROC_OK);
    end_pool(pool);
}

/* ---- replies of other sizes ---- */

static int reply_as_many_bytes(mproc_task *task)
{
    const unsigned char text[16] = "ABCDEFGHIJKLMNO";
    const int *size = mproc_task_input(task, NULL);
    return mproc_task_reply(task, text, (size_t)*size);
}

static void a_short_reply_is_filled_up_with_zeros(void **state)
{
    (void)state;
    int items[9];
    unsigned char results[9][8];
    for (int i = 0; i < 9; i++)
        items[i] = i;
    mproc_pool *pool = new_pool(2);
    for (int round = 0; round < 2; round++) {
        memset(results, 0xAA, sizeof results);
        assert_int_equal(
            mproc_pool_map(pool, reply_as_many_bytes, items, sizeof items[0], 9, results, 8, NULL),
            MPROC_OK);
        for (size_t i = 0; i < 9; i++) {
            unsigned char expected[8] = {0};
            memcpy(expected, "ABCDEFGH", i);
            assert_memory_equal(results[i], expected, 8);
        }
    }
    end_pool(pool);
}

static int say_nothing(mproc_task *task)
{
    (void)task;
    return 0;
}

static void no_reply_gives_zeros(void **state)
{
    (void)state;
    int items[COUNT] = {0};
    long long results[COUNT];
    mproc_pool *pool = new_pool(2);
    map_squares(pool, 2 * COUNT, 0); /* leaves old replies in the memory */
    memset(results, 0xAA, sizeof results);
    assert_int_equal(mproc_pool_map(pool, say_nothing, items, sizeof items[0], COUNT, results,
                                    sizeof results[0], NULL),
                     MPROC_OK);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(results[i], 0);
    end_pool(pool);
}

static void too_large_a_reply_fails_its_item_only(void **state)
{
    (void)state;
    const int items[] = {4, 9, 8, 16, 0};
    unsigned char results[5][8], untouched[8];
    mproc_task_error errors[5];
    size_t failed;
    memset(results, 0xAA, sizeof results);
    memset(untouched, 0xAA, sizeof untouched);
    mproc_pool *pool = new_pool(2);
    assert_int_equal(
        mproc_pool_map(
            pool, reply_as_many_bytes, items, sizeof items[0], 5, results, 8,
            &(mproc_map_options){.errors = errors, .error_capacity = 5, .error_count = &failed}),
        MPROC_EMSGSIZE);
    assert_int_equal(failed, 2);
    assert_int_equal(errors[0].index, 1);
    assert_int_equal(errors[1].index, 3);
    assert_int_equal(errors[0].err, MPROC_EMSGSIZE);
    assert_int_equal(errors[1].err, MPROC_EMSGSIZE);
    assert_non_null(strstr(errors[1].message, "16"));
    assert_memory_equal(results[0], "ABCD\0\0\0\0", 8);
    assert_memory_equal(results[1], untouched, 8);
    assert_memory_equal(results[2], "ABCDEFGH", 8);
    assert_memory_equal(results[3], untouched, 8);
    assert_memory_equal(results[4], "\0\0\0\0\0\0\0\0", 8);
    end_pool(pool);
}

static int reply_twice(mproc_task *task)
{
    mproc_task_reply(task, "first!!!", 8);
    return mproc_task_reply(task, "two", 3);
}

static int write_in_place(mproc_task *task)
{
    char *room = mproc_task_reply_buffer(task, 8);
    if (!room)
        return 1;
    memcpy(room, "in place", 8);
    return 0;
}

static void a_second_reply_replaces_the_first(void **state)
{
    (void)state;
    int items[3] = {0};
    char results[3][8];
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_map(pool, reply_twice, items, sizeof items[0], 3, results, 8, NULL),
                     MPROC_OK);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(results[i], "two\0\0\0\0\0", 8);
    end_pool(pool);
}

static void a_reply_can_be_written_in_place(void **state)
{
    (void)state;
    int items[3] = {0};
    char results[3][8];
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_map(pool, write_in_place, items, sizeof items[0], 3, results, 8, NULL),
        MPROC_OK);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(results[i], "in place", 8);
    assert_int_equal(mproc_pool_map(pool, write_in_place, items, sizeof items[0], 3, NULL, 0, NULL),
                     MPROC_OK);
    end_pool(pool);
}

/* Its upper half; what was written below is not to be seen. */
static int reply_from_own_buffer(mproc_task *task)
{
    unsigned char *room = mproc_task_reply_buffer(task, 16);
    if (!room)
        return 1;
    for (unsigned char i = 0; i < 16; i++)
        room[i] = i;
    return mproc_task_reply(task, room + 8, 8);
}

static void a_reply_may_be_taken_from_the_own_reply_buffer(void **state)
{
    (void)state;
    static const unsigned char expected[16] = {8, 9, 10, 11, 12, 13, 14, 15};
    int items[3] = {0};
    unsigned char results[3][16];
    const mproc_bytes spans[] = {{items, 1}, {items, 1}, {items, 1}};
    mproc_results *of_any_size;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_map(pool, reply_from_own_buffer, items, sizeof items[0], 3, results, 16, NULL),
        MPROC_OK);
    assert_int_equal(
        mproc_pool_map_bytes(pool, reply_from_own_buffer, spans, 3, &of_any_size, NULL), MPROC_OK);
    for (size_t i = 0; i < 3; i++) {
        const void *reply;
        size_t size;
        assert_memory_equal(results[i], expected, 16);
        assert_int_equal(mproc_results_get(of_any_size, i, &reply, &size), MPROC_OK);
        assert_int_equal(size, 8);
        assert_memory_equal(reply, expected, 8);
    }
    mproc_results_free(of_any_size);
    end_pool(pool);
}

/* ---- very many ---- */

static int turn_bits(mproc_task *task)
{
    const unsigned char *byte = mproc_task_input(task, NULL);
    unsigned char turned = (unsigned char)~*byte;
    return mproc_task_reply(task, &turned, 1);
}

/* More items than a worker's word has room for units. */
static void twenty_million_items_of_one_byte_are_done(void **state)
{
    (void)state;
    const size_t count = 20000000;
    unsigned char *items = malloc(count), *results = malloc(count);
    assert_non_null(items);
    assert_non_null(results);
    for (size_t i = 0; i < count; i++)
        items[i] = (unsigned char)(i * 7 + i / 251);
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, turn_bits, items, 1, count, results, 1, NULL), MPROC_OK);
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += results[i] != (unsigned char)~items[i];
    assert_int_equal(wrong, 0);
    end_pool(pool);
    free(items);
    free(results);
}

static void large_items_are_carried_whole(void **state)
{
    (void)state;
    const size_t size = 3 * 1024 * 1024 + 1;
    unsigned char *items = malloc(4 * size);
    assert_non_null(items);
    for (size_t i = 0; i < 4; i++)
        memset(items + i * size, (int)i + 1, size);
    unsigned char results[4];
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map(pool, turn_bits, items, size, 4, results, 1, NULL), MPROC_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(results[i], (unsigned char)~(i + 1));
    end_pool(pool);
    free(items);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_in_the_order_of_the_items),
        cmocka_unit_test(more_workers_than_items_are_fine),
        cmocka_unit_test(chunks_of_any_size_cover_all_items),
        cmocka_unit_test(a_pool_without_options_has_a_worker_for_each_processor),
        cmocka_unit_test(two_hundred_and_fifty_six_workers_work),
        cmocka_unit_test(an_empty_input_returns_at_once),
        cmocka_unit_test(a_task_knows_the_index_and_the_size_of_its_item),
        cmocka_unit_test(without_results_replies_go_nowhere),
        cmocka_unit_test(a_short_reply_is_filled_up_with_zeros),
        cmocka_unit_test(no_reply_gives_zeros),
        cmocka_unit_test(too_large_a_reply_fails_its_item_only),
        cmocka_unit_test(a_second_reply_replaces_the_first),
        cmocka_unit_test(a_reply_can_be_written_in_place),
        cmocka_unit_test(a_reply_may_be_taken_from_the_own_reply_buffer),
        cmocka_unit_test(twenty_million_items_of_one_byte_are_done),
        cmocka_unit_test(large_items_are_carried_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
