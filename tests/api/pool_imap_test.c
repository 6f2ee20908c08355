/* Replies one by one: their order, where the items come from, and how far ahead they are read. */
#include "task_stage.h"

#include <stdlib.h>

enum { COUNT = 300 };

static int next_number(mproc_iterator *iterator)
{
    const void *reply = NULL;
    size_t size = 0;
    int number;
    assert_int_equal(mproc_iterator_next(iterator, SOON, &reply, &size), MPROC_OK);
    assert_int_equal(size, sizeof number);
    assert_int_equal((uintptr_t)reply % 16, 0);
    memcpy(&number, reply, sizeof number);
    return number;
}

static size_t index_of(mproc_iterator *iterator)
{
    mproc_task_error error = {.index = SIZE_MAX};
    assert_int_equal(mproc_iterator_error(iterator, &error), MPROC_OK);
    return error.index;
}

/* And stays at its end. */
static void end_iterator(mproc_iterator *iterator)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(mproc_iterator_next(iterator, i ? 0 : SOON, NULL, NULL), MPROC_EEMPTY);
    mproc_iterator_free(iterator);
}

static int *numbers(void)
{
    static int items[COUNT];
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    return items;
}

/* ---- order ---- */

static void replies_come_in_the_order_of_the_items(void **state)
{
    (void)state;
    const size_t windows[] = {0, 1, 2, 7, COUNT, COUNT + 1, SIZE_MAX};
    mproc_pool *pool = new_pool(3);
    for (size_t w = 0; w < COUNT_OF(windows); w++) {
        mproc_iterator *iterator = iterate(mproc_pool_imap, pool, add_one, numbers(), sizeof(int),
                                           COUNT, &(mproc_imap_options){.window = windows[w]});
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(next_number(iterator), i + 1);
            assert_int_equal(index_of(iterator), i);
        }
        end_iterator(iterator);
    }
    end_pool(pool);
}

static void unordered_gives_each_reply_once_and_tells_whose_it_is(void **state)
{
    (void)state;
    const size_t windows[] = {0, 1, 2, 7, COUNT, SIZE_MAX};
    mproc_pool *pool = new_pool(3);
    for (size_t w = 0; w < COUNT_OF(windows); w++) {
        bool came[COUNT] = {false};
        mproc_iterator *iterator =
            iterate(mproc_pool_imap_unordered, pool, add_one, numbers(), sizeof(int), COUNT,
                    &(mproc_imap_options){.window = windows[w]});
        for (int i = 0; i < COUNT; i++) {
            const int number = next_number(iterator);
            assert_in_range(number, 1, COUNT);
            assert_false(came[number - 1]);
            came[number - 1] = true;
            assert_int_equal(index_of(iterator), number - 1);
        }
        end_iterator(iterator);
    }
    end_pool(pool);
}

/* The first item stands at a door, the others do not. */
typedef struct stop {
    door before;
    bool stops;
    int number;
} stop;

static int pass_or_stop(mproc_task *task)
{
    const stop *it = mproc_task_input(task, NULL);
    if (it->stops &&
        (mproc_semaphore_release(it->before.arrivals) || mproc_event_wait(it->before.open, SOON)))
        return mproc_task_fail(task, "the door has stayed closed");
    return mproc_task_reply(task, &it->number, sizeof it->number);
}

static void set_stops(stop *items, size_t count, door before)
{
    for (size_t i = 0; i < count; i++)
        items[i] = (stop){.before = before, .stops = i == 0, .number = (int)i};
}

static void unordered_does_not_wait_for_the_first_item(void **state)
{
    (void)state;
    stop items[20];
    const door before = new_door();
    set_stops(items, COUNT_OF(items), before);
    mproc_pool *pool = new_pool(2);
    mproc_iterator *iterator = iterate(mproc_pool_imap_unordered, pool, pass_or_stop, items,
                                       sizeof items[0], COUNT_OF(items), NULL);
    await_arrivals(before, 1);
    for (size_t i = 1; i < COUNT_OF(items); i++)
        assert_true(next_number(iterator) > 0);
    assert_int_equal(mproc_iterator_next(iterator, 0, NULL, NULL), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_iterator_next(iterator, 20, NULL, NULL), MPROC_ETIMEDOUT);
    open_door(before);
    assert_int_equal(next_number(iterator), 0);
    end_iterator(iterator);
    end_pool(pool);
    drop_door(before);
}

static void ordered_waits_for_it_and_a_time_out_loses_nothing(void **state)
{
    (void)state;
    stop items[20];
    const door before = new_door();
    set_stops(items, COUNT_OF(items), before);
    mproc_pool *pool = new_pool(2);
    mproc_iterator *iterator =
        iterate(mproc_pool_imap, pool, pass_or_stop, items, sizeof items[0], COUNT_OF(items), NULL);
    mproc_task_error error;
    await_arrivals(before, 1);
    check_pool_works(pool, 1); /* the others are done */
    assert_int_equal(mproc_iterator_next(iterator, 0, NULL, NULL), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_iterator_next(iterator, 20, NULL, NULL), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_iterator_error(iterator, &error), MPROC_ESTATE);
    open_door(before);
    for (int i = 0; i < (int)COUNT_OF(items); i++)
        assert_int_equal(next_number(iterator), i);
    end_iterator(iterator);
    end_pool(pool);
    drop_door(before);
}

/* ---- the source ---- */

typedef struct well {
    int given, most;
    int place; /* where each item lies in its turn */
} well;

static bool draw(void *context, mproc_bytes *item)
{
    well *from = context;
    if (from->given == from->most)
        return false;
    from->place = from->given++;
    *item = (mproc_bytes){&from->place, sizeof from->place};
    return true;
}

static void the_source_is_read_no_further_than_the_window(void **state)
{
    (void)state;
    const size_t windows[] = {1, 2, 5, 64, 0};
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        for (size_t w = 0; w < COUNT_OF(windows); w++) {
            const int ahead = windows[w] ? (int)windows[w] : 2 * 32;
            well from = {.most = COUNT};
            mproc_iterator *iterator =
                iterate(imaps[c], pool, add_one, NULL, 0, 0,
                        &(mproc_imap_options){
                            .source = draw, .source_context = &from, .window = windows[w]});
            assert_int_equal(from.given, ahead);
            for (int taken = 1; taken <= COUNT; taken++) {
                next_number(iterator);
                assert_true(from.given - taken <= ahead);
            }
            assert_int_equal(from.given, COUNT);
            end_iterator(iterator);
        }
    }
    end_pool(pool);
}

static void a_source_may_have_nothing_or_a_single_item(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(1);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        for (int most = 0; most < 3; most++) {
            well from = {.most = most};
            mproc_iterator *iterator =
                iterate(imaps[c], pool, add_one, NULL, 0, 0,
                        &(mproc_imap_options){.source = draw, .source_context = &from});
            for (int i = 0; i < most; i++)
                assert_in_range(next_number(iterator), 1, most);
            end_iterator(iterator);
        }
        end_iterator(iterate(imaps[c], pool, add_one, numbers(), sizeof(int), 0, NULL));
        end_iterator(iterate(imaps[c], pool, add_one, NULL, 0, 0, NULL));
    }
    end_pool(pool);
}

/* ---- sizes ---- */

typedef struct heap_well {
    size_t given, count;
    const size_t *sizes;
    unsigned char *bytes;
} heap_well;

static void write_pattern(unsigned char *bytes, size_t size, size_t index)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + index);
}

static bool draw_bytes(void *context, mproc_bytes *item)
{
    heap_well *from = context;
    if (from->given == from->count)
        return false;
    const size_t size = from->sizes[from->given];
    write_pattern(from->bytes, size, from->given);
    *item = (mproc_bytes){size ? from->bytes : NULL, size};
    from->given++;
    return true;
}

static void items_and_replies_may_have_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 64, 65, 0, 4096, (size_t)9 << 20, 0, 100001, 2};
    const size_t largest = (size_t)9 << 20;
    unsigned char *place = malloc(largest), *expected = malloc(largest);
    assert_non_null(place);
    assert_non_null(expected);
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        heap_well from = {.count = COUNT_OF(sizes), .sizes = sizes, .bytes = place};
        mproc_iterator *iterator =
            iterate(imaps[c], pool, echo, NULL, 0, 0,
                    &(mproc_imap_options){.source = draw_bytes, .source_context = &from});
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            const void *reply;
            size_t size;
            assert_int_equal(mproc_iterator_next(iterator, SOON, &reply, &size), MPROC_OK);
            const size_t index = index_of(iterator);
            assert_int_equal(size, sizes[index]);
            write_pattern(expected, size, index);
            assert_true(!size || !memcmp(reply, expected, size));
        }
        end_iterator(iterator);
    }
    end_pool(pool);
    free(place);
    free(expected);
}

static void a_reply_lives_until_the_next_call(void **state)
{
    (void)state;
    static const size_t sizes[] = {(size_t)1 << 20, (size_t)1 << 20, (size_t)1 << 20};
    unsigned char *place = malloc(sizes[0]), *expected = malloc(sizes[0]);
    assert_non_null(place);
    assert_non_null(expected);
    heap_well from = {.count = 3, .sizes = sizes, .bytes = place};
    mproc_pool *pool = new_pool(1);
    mproc_iterator *iterator =
        iterate(mproc_pool_imap, pool, echo, NULL, 0, 0,
                &(mproc_imap_options){.source = draw_bytes, .source_context = &from, .window = 1});
    for (size_t i = 0; i < 3; i++) {
        const void *reply;
        size_t size;
        assert_int_equal(mproc_iterator_next(iterator, SOON, &reply, &size), MPROC_OK);
        check_pool_works(pool, 3); /* whatever else goes on meanwhile */
        write_pattern(expected, size, i);
        assert_int_equal(size, sizes[0]);
        assert_true(!memcmp(reply, expected, size));
    }
    end_iterator(iterator);
    end_pool(pool);
    free(place);
    free(expected);
}

/* ---- several at once ---- */

static void iterators_of_one_thread_do_not_disturb_each_other(void **state)
{
    (void)state;
    mproc_iterator *all[8];
    mproc_pool *pool = new_pool(3);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        all[i] = iterate(imaps[i % 2], pool, add_one, numbers(), sizeof(int), COUNT,
                         &(mproc_imap_options){.window = i + 1});
    for (int n = 0; n < COUNT; n++) {
        for (size_t i = 0; i < COUNT_OF(all); i++) {
            const int number = next_number(all[i]);
            assert_int_equal(index_of(all[i]), number - 1);
            if (i % 2 == 0)
                assert_int_equal(number, n + 1);
        }
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        end_iterator(all[i]);
    end_pool(pool);
}

typedef struct reader {
    mproc_pool *pool;
    imap_call call;
    int sum, rounds;
} reader;

static void read_all(void *argument)
{
    reader *me = argument;
    int items[COUNT];
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    for (; me->rounds; me->rounds--) {
        mproc_iterator *iterator;
        const void *reply;
        if (me->call(me->pool, add_one, items, sizeof items[0], COUNT,
                     &(mproc_imap_options){.window = 3}, &iterator))
            return;
        while (!mproc_iterator_next(iterator, SOON, &reply, NULL))
            me->sum += *(const int *)reply;
        mproc_iterator_free(iterator);
    }
}

static void iterators_of_several_threads_neither(void **state)
{
    (void)state;
    enum { ROUNDS = 10 };
    reader readers[4];
    host_thread threads[4];
    mproc_pool *pool = new_pool(2);
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        readers[i] = (reader){.pool = pool, .call = imaps[i % 2], .rounds = ROUNDS};
        assert_true(host_thread_start(&threads[i], read_all, &readers[i]));
    }
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        host_thread_join(&threads[i]);
        assert_int_equal(readers[i].sum, ROUNDS * COUNT * (COUNT + 1) / 2);
    }
    end_pool(pool);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_come_in_the_order_of_the_items),
        cmocka_unit_test(unordered_gives_each_reply_once_and_tells_whose_it_is),
        cmocka_unit_test(unordered_does_not_wait_for_the_first_item),
        cmocka_unit_test(ordered_waits_for_it_and_a_time_out_loses_nothing),
        cmocka_unit_test(the_source_is_read_no_further_than_the_window),
        cmocka_unit_test(a_source_may_have_nothing_or_a_single_item),
        cmocka_unit_test(items_and_replies_may_have_any_size),
        cmocka_unit_test(a_reply_lives_until_the_next_call),
        cmocka_unit_test(iterators_of_one_thread_do_not_disturb_each_other),
        cmocka_unit_test(iterators_of_several_threads_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
