/* What map_bytes promises about items and replies of any size. */
#include "pool_support.h"

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

typedef struct items {
    mproc_bytes *span;
    size_t count;
} items;

/* Item i is `size(i)` bytes of a pattern that i begins. */
static unsigned char pattern(size_t item, size_t at)
{
    return (unsigned char)(item * 31 + at * 7 + at / 253);
}

static items make_items(size_t count, size_t (*size)(size_t index))
{
    items made = {.span = calloc(count, sizeof(mproc_bytes)), .count = count};
    assert_non_null(made.span);
    for (size_t i = 0; i < count; i++) {
        made.span[i].size = size(i);
        unsigned char *data = made.span[i].size ? malloc(made.span[i].size) : NULL;
        for (size_t at = 0; at < made.span[i].size; at++)
            data[at] = pattern(i, at);
        made.span[i].data = data;
    }
    return made;
}

static void free_items(items *made)
{
    for (size_t i = 0; i < made->count; i++)
        free((void *)(uintptr_t)made->span[i].data);
    free(made->span);
}

static size_t growing(size_t index)
{
    return index * index % 5003;
}

static size_t up_to_a_mebibyte(size_t index)
{
    const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 4095, 65535, 65536, 65537, MIB - 1, MIB};
    return sizes[index % (sizeof sizes / sizeof sizes[0])];
}

static size_t nothing(size_t index)
{
    (void)index;
    return 0;
}

/* Its input backwards. */
static int reverse(mproc_task *task)
{
    size_t size;
    const unsigned char *data = mproc_task_input(task, &size);
    if ((uintptr_t)data % _Alignof(max_align_t))
        return 1;
    unsigned char *room = mproc_task_reply_buffer(task, size);
    if (!room || (uintptr_t)room % _Alignof(max_align_t))
        return 2;
    for (size_t i = 0; i < size; i++)
        room[i] = data[size - 1 - i];
    return 0;
}

static void map_reversed(mproc_pool *pool, const items *input, size_t chunk_size)
{
    mproc_results *results = NULL;
    assert_int_equal(mproc_pool_map_bytes(pool, reverse, input->span, input->count, &results,
                                          &(mproc_map_options){.chunk_size = chunk_size}),
                     MPROC_OK);
    assert_int_equal(mproc_results_count(results), input->count);
    for (size_t i = 0; i < input->count; i++) {
        const void *reply = NULL;
        size_t size = 99, wrong = 0;
        assert_int_equal(mproc_results_get(results, i, &reply, &size), MPROC_OK);
        assert_int_equal(size, input->span[i].size);
        assert_int_equal((uintptr_t)reply % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < size; at++)
            wrong += ((const unsigned char *)reply)[at] != pattern(i, size - 1 - at);
        assert_int_equal(wrong, 0);
    }
    mproc_results_free(results);
}

static void spans_of_all_sizes_come_and_go_whole(void **state)
{
    (void)state;
    items large = make_items(56, up_to_a_mebibyte), small = make_items(2000, growing);
    items empty = make_items(100, nothing);
    mproc_pool *pool = new_pool(4);
    const size_t chunks[] = {0, 7, 5000};
    for (size_t i = 0; i < 3; i++) {
        map_reversed(pool, &large, chunks[i]);
        map_reversed(pool, &small, chunks[i]);
        map_reversed(pool, &empty, chunks[i]);
    }
    end_pool(pool);
    free_items(&large);
    free_items(&small);
    free_items(&empty);
}

/* ---- replies ---- */

/* As many bytes as its item says, each the low byte of that number. */
static int inflate(mproc_task *task)
{
    size_t size;
    memcpy(&size, mproc_task_input(task, NULL), sizeof size);
    unsigned char *room = mproc_task_reply_buffer(task, size);
    if (!room)
        return 1;
    memset(room, (int)(size & 0xff), size);
    return 0;
}

static void check_inflated(const mproc_results *results, size_t index, size_t expected)
{
    const unsigned char *reply;
    size_t size, wrong = 0;
    const void *data;
    assert_int_equal(mproc_results_get(results, index, &data, &size), MPROC_OK);
    assert_int_equal(size, expected);
    reply = data;
    for (size_t i = 0; i < size; i++)
        wrong += reply[i] != (expected & 0xff);
    assert_int_equal(wrong, 0);
}

static void replies_have_any_size(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 65000, 65536, 5 * MIB + 3, 100, 3 * MIB, 0, 17, 8 * MIB, 33};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    mproc_bytes spans[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        spans[i] = (mproc_bytes){&sizes[i], sizeof sizes[i]};
    mproc_pool *pool = new_pool(3);
    for (int round = 0; round < 5; round++) {
        mproc_results *results;
        assert_int_equal(mproc_pool_map_bytes(pool, inflate, spans, COUNT, &results, NULL),
                         MPROC_OK);
        for (size_t i = 0; i < COUNT; i++)
            check_inflated(results, i, sizes[i]);
        mproc_results_free(results);
    }
    end_pool(pool);
}

/* Most workers of a small map never come to it: they must not answer with what they said before. */
static void replies_to_an_earlier_map_do_not_come_back(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(8);
    for (size_t round = 1; round < 200; round++) {
        size_t numbers[64];
        mproc_bytes spans[64];
        const size_t count = round % 2 ? 64 : 2;
        for (size_t i = 0; i < count; i++) {
            numbers[i] = round * 3 + i;
            spans[i] = (mproc_bytes){&numbers[i], sizeof numbers[i]};
        }
        mproc_results *results;
        assert_int_equal(mproc_pool_map_bytes(pool, inflate, spans, count, &results, NULL),
                         MPROC_OK);
        for (size_t i = 0; i < count; i++)
            check_inflated(results, i, numbers[i]);
        mproc_results_free(results);
    }
    end_pool(pool);
}

static int reply_in_three_ways(mproc_task *task)
{
    if (mproc_task_index(task) % 3 == 0)
        return 0;
    mproc_task_reply(task, "long and superseded", 20);
    if (mproc_task_index(task) % 3 == 1)
        return mproc_task_reply(task, "second", 7);
    char *room = mproc_task_reply_buffer(task, 100);
    strcpy(room, "made smaller");
    return mproc_task_reply(task, room, 13);
}

static void the_last_reply_counts(void **state)
{
    (void)state;
    mproc_bytes spans[30] = {{NULL, 0}};
    mproc_results *results;
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map_bytes(pool, reply_in_three_ways, spans, 30, &results, NULL),
                     MPROC_OK);
    const char *const expected[] = {NULL, "second", "made smaller"};
    for (size_t i = 0; i < 30; i++) {
        const void *reply;
        size_t size;
        assert_int_equal(mproc_results_get(results, i, &reply, &size), MPROC_OK);
        assert_int_equal(size, expected[i % 3] ? strlen(expected[i % 3]) + 1 : 0);
        if (size)
            assert_string_equal(reply, expected[i % 3]);
    }
    mproc_results_free(results);
    end_pool(pool);
}

static int fail_odd_ones(mproc_task *task)
{
    if (mproc_task_index(task) % 2)
        return mproc_task_fail(task, "number %zu is odd", mproc_task_index(task));
    return mproc_task_reply(task, "even", 5);
}

static void replies_come_beside_failures(void **state)
{
    (void)state;
    mproc_bytes spans[50] = {{NULL, 0}};
    mproc_results *results = NULL;
    mproc_task_error errors[3];
    size_t failed;
    mproc_pool *pool = new_pool(2);
    mproc_map_options options = {.errors = errors, .error_capacity = 3, .error_count = &failed};
    assert_int_equal(mproc_pool_map_bytes(pool, fail_odd_ones, spans, 50, &results, &options),
                     MPROC_ETASK);
    assert_int_equal(failed, 25);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(errors[i].index, 2 * i + 1);
        assert_non_null(strstr(errors[i].message, "is odd"));
    }
    const void *reply = "untouched";
    size_t size = 77;
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(mproc_results_get(results, i, NULL, NULL), i % 2 ? MPROC_ETASK : MPROC_OK);
    assert_int_equal(mproc_results_get(results, 1, &reply, &size), MPROC_ETASK);
    assert_string_equal(reply, "untouched");
    assert_int_equal(size, 77);
    assert_int_equal(mproc_results_get(results, 50, &reply, &size), MPROC_ERANGE);
    assert_int_equal(mproc_results_get(NULL, 0, &reply, &size), MPROC_EINVAL);
    mproc_results_free(results);
    end_pool(pool);
}

static void no_replies_need_no_object(void **state)
{
    (void)state;
    items input = make_items(100, growing);
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map_bytes(pool, reverse, input.span, input.count, NULL, NULL),
                     MPROC_OK);
    end_pool(pool);
    free_items(&input);
}

static void an_empty_input_gives_an_empty_object(void **state)
{
    (void)state;
    mproc_results *results = NULL;
    mproc_pool *pool = new_pool(2);
    assert_int_equal(mproc_pool_map_bytes(pool, reverse, NULL, 0, &results, NULL), MPROC_OK);
    assert_non_null(results);
    assert_int_equal(mproc_results_count(results), 0);
    assert_int_equal(mproc_results_get(results, 0, NULL, NULL), MPROC_ERANGE);
    mproc_results_free(results);
    assert_int_equal(mproc_pool_map_bytes(pool, reverse, NULL, 0, NULL, NULL), MPROC_OK);
    assert_int_equal(mproc_results_count(NULL), 0);
    mproc_results_free(NULL);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_of_all_sizes_come_and_go_whole),
        cmocka_unit_test(replies_have_any_size),
        cmocka_unit_test(replies_to_an_earlier_map_do_not_come_back),
        cmocka_unit_test(the_last_reply_counts),
        cmocka_unit_test(replies_come_beside_failures),
        cmocka_unit_test(no_replies_need_no_object),
        cmocka_unit_test(an_empty_input_gives_an_empty_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
