/* Replies one by one, when something fails: an item, its worker, the memory, the pool. */
#include "task_stage.h"

#include <stdlib.h>

enum { COUNT = 40, SMALL_ARENA_MIB = 96 }; /* the latter as in CMakeLists.txt */

static mproc_err next_of(mproc_iterator *iterator, mproc_task_error *error)
{
    mproc_err err = mproc_iterator_next(iterator, SOON, NULL, NULL);
    if (err != MPROC_EEMPTY) {
        assert_int_equal(mproc_iterator_error(iterator, error), MPROC_OK);
        assert_int_equal(error->err, err);
    }
    return err;
}

static int *numbers(void)
{
    static int items[COUNT];
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    return items;
}

/* ---- items ---- */

static int fail_some(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    if (*number % 10 == 3)
        return *number;
    return *number % 10 == 7 ? mproc_task_fail(task, "no sevens, not even %d", *number)
                             : mproc_task_reply(task, number, sizeof *number);
}

static void an_error_comes_at_its_place_and_the_rest_goes_on(void **state)
{
    (void)state;
    char expected[64];
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        mproc_iterator *iterator =
            iterate(imaps[c], pool, fail_some, numbers(), sizeof(int), COUNT, NULL);
        for (size_t i = 0; i < COUNT; i++) {
            mproc_task_error error;
            const mproc_err err = next_of(iterator, &error);
            if (c == 0)
                assert_int_equal(error.index, i);
            const size_t digit = error.index % 10;
            assert_int_equal(err, digit == 3 || digit == 7 ? MPROC_ETASK : MPROC_OK);
            if (digit == 3)
                assert_int_equal(error.code, error.index);
            snprintf(expected, sizeof expected, "no sevens, not even %d", (int)error.index);
            if (digit == 7)
                assert_string_equal(error.message, expected);
        }
        assert_int_equal(mproc_iterator_next(iterator, SOON, NULL, NULL), MPROC_EEMPTY);
        mproc_iterator_free(iterator);
    }
    end_pool(pool);
}

static int crash_some(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    if (*number % 20 == 3)
        host_crash();
    return mproc_task_reply(task, number, sizeof *number);
}

static void a_crash_fails_its_item_only(void **state)
{
    (void)state;
    const size_t windows[] = {1, 4, 0};
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        for (size_t w = 0; w < COUNT_OF(windows); w++) {
            mproc_iterator *iterator = iterate(imaps[c], pool, crash_some, numbers(), sizeof(int),
                                               COUNT, &(mproc_imap_options){.window = windows[w]});
            for (size_t i = 0; i < COUNT; i++) {
                mproc_task_error error;
                const mproc_err err = next_of(iterator, &error);
                if (c == 0)
                    assert_int_equal(error.index, i);
                assert_int_equal(err, error.index % 20 == 3 ? MPROC_ECRASHED : MPROC_OK);
                assert_true(!err || error.pid > 0);
            }
            mproc_iterator_free(iterator);
        }
    }
    check_pool_works(pool, 10);
    end_pool(pool);
}

typedef struct overrun {
    door before;
    bool overruns;
} overrun;

static int overrun_if_told(mproc_task *task)
{
    const overrun *it = mproc_task_input(task, NULL);
    if (it->overruns)
        host_wait_forever();
    return 0;
}

static void only_the_item_that_overran_fails(void **state)
{
    (void)state;
    overrun items[COUNT] = {{.overruns = false}};
    items[0].overruns = items[11].overruns = items[12].overruns = items[COUNT - 1].overruns = true;
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        mproc_iterator *iterator =
            iterate(imaps[c], pool, overrun_if_told, items, sizeof items[0], COUNT,
                    &(mproc_imap_options){.timeout_ms = pace_limit(400)});
        bool came[COUNT] = {false};
        for (size_t i = 0; i < COUNT; i++) {
            mproc_task_error error;
            const mproc_err err = next_of(iterator, &error);
            assert_int_equal(err, items[error.index].overruns ? MPROC_ETIMEDOUT : MPROC_OK);
            assert_true(!came[error.index]);
            came[error.index] = true;
        }
        assert_int_equal(mproc_iterator_next(iterator, 0, NULL, NULL), MPROC_EEMPTY);
        mproc_iterator_free(iterator);
    }
    check_pool_works(pool, 10);
    end_pool(pool);
}

static bool give_bad_items(void *context, mproc_bytes *item)
{
    int *given = context;
    *item = (mproc_bytes){*given % 2 ? NULL : given, 4};
    return (*given)++ < 10;
}

static void an_item_with_a_size_and_no_data_fails_by_itself(void **state)
{
    (void)state;
    int given = 0;
    mproc_pool *pool = new_pool(1);
    mproc_iterator *iterator =
        iterate(mproc_pool_imap, pool, echo, NULL, 0, 0,
                &(mproc_imap_options){.source = give_bad_items, .source_context = &given});
    for (size_t i = 0; i < 10; i++) {
        mproc_task_error error;
        assert_int_equal(next_of(iterator, &error), i % 2 ? MPROC_EINVAL : MPROC_OK);
        assert_int_equal(error.index, i);
    }
    assert_int_equal(mproc_iterator_next(iterator, SOON, NULL, NULL), MPROC_EEMPTY);
    mproc_iterator_free(iterator);
    end_pool(pool);
}

/* ---- memory ---- */

typedef struct big_source {
    unsigned char *bytes;
    size_t size, given, count, too_large; /* the index of one that is larger than all memory */
} big_source;

static bool give_big(void *context, mproc_bytes *item)
{
    big_source *from = context;
    if (from->given == from->count)
        return false;
    *item = (mproc_bytes){
        from->bytes, from->given == from->too_large ? (size_t)SMALL_ARENA_MIB << 20 : from->size};
    memset(from->bytes, (int)from->given, from->size);
    from->given++;
    return true;
}

/* Much more than there is memory for at once: fewer are in flight then. */
static void items_wait_for_memory(void **state)
{
    (void)state;
    unsigned char *bytes = calloc((size_t)SMALL_ARENA_MIB << 20, 1);
    assert_non_null(bytes);
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        big_source from = {
            .bytes = bytes, .size = (size_t)8 << 20, .count = COUNT, .too_large = SIZE_MAX};
        mproc_iterator *iterator =
            iterate(imaps[c], pool, tell_pid, NULL, 0, 0,
                    &(mproc_imap_options){.source = give_big, .source_context = &from});
        for (size_t i = 0; i < COUNT; i++) {
            mproc_task_error error;
            assert_int_equal(next_of(iterator, &error), MPROC_OK);
        }
        assert_int_equal(mproc_iterator_next(iterator, SOON, NULL, NULL), MPROC_EEMPTY);
        mproc_iterator_free(iterator);
    }
    end_pool(pool);
    free(bytes);
}

static void an_item_that_is_larger_than_all_memory_fails_by_itself(void **state)
{
    (void)state;
    unsigned char *bytes = calloc((size_t)SMALL_ARENA_MIB << 20, 1);
    assert_non_null(bytes);
    mproc_pool *pool = new_pool(2);
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        for (size_t large = 0; large < 10; large += 9) {
            big_source from = {.bytes = bytes, .size = 1000, .count = 10, .too_large = large};
            mproc_iterator *iterator =
                iterate(imaps[c], pool, tell_pid, NULL, 0, 0,
                        &(mproc_imap_options){.source = give_big, .source_context = &from});
            for (size_t i = 0; i < 10; i++) {
                mproc_task_error error;
                const mproc_err err = next_of(iterator, &error);
                assert_int_equal(err, error.index == large ? MPROC_ENOMEM : MPROC_OK);
            }
            assert_int_equal(mproc_iterator_next(iterator, SOON, NULL, NULL), MPROC_EEMPTY);
            mproc_iterator_free(iterator);
        }
    }
    end_pool(pool);
    free(bytes);
}

/* ---- the iterator's end ---- */

typedef struct counted {
    door before;
    mproc_value begun;
} counted;

static int count_and_pass(mproc_task *task)
{
    const counted *it = mproc_task_input(task, NULL);
    count_up(it->begun);
    mproc_semaphore_release(it->before.arrivals);
    return mproc_event_wait(it->before.open, SOON) ? 1 : 0;
}

static void freeing_an_iterator_cancels_what_has_not_begun(void **state)
{
    (void)state;
    counted items[COUNT];
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        const counted it = {.before = new_door(), .begun = new_counter()};
        for (size_t i = 0; i < COUNT; i++)
            items[i] = it;
        mproc_pool *pool = new_pool(2);
        mproc_iterator *iterator = iterate(imaps[c], pool, count_and_pass, items, sizeof items[0],
                                           COUNT, &(mproc_imap_options){.grace_ms = MPROC_FOREVER});
        await_arrivals(it.before, 2);
        mproc_iterator_free(iterator);
        open_door(it.before);
        check_pool_works(pool, 10);
        assert_int_equal(mproc_pool_close(pool), MPROC_OK);
        assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
        assert_int_equal(count_of(it.begun), 2);
        mproc_pool_free(pool);
        drop_door(it.before);
        assert_int_equal(mproc_value_destroy(it.begun), MPROC_OK);
    }
}

static bool give_for_ever(void *context, mproc_bytes *item)
{
    *item = (mproc_bytes){context, sizeof(int)};
    return true;
}

static void an_endless_source_may_be_left_at_any_place(void **state)
{
    (void)state;
    int number = 41;
    mproc_pool *pool = new_pool(2);
    for (int round = 0; round < 30; round++) {
        mproc_iterator *iterator = iterate(imaps[round % 2], pool, add_one, NULL, 0, 0,
                                           &(mproc_imap_options){.source = give_for_ever,
                                                                 .source_context = &number,
                                                                 .grace_ms = MPROC_FOREVER});
        for (int i = 0; i < round; i++) {
            const void *reply;
            assert_int_equal(mproc_iterator_next(iterator, SOON, &reply, NULL), MPROC_OK);
            assert_int_equal(*(const int *)reply, 42);
        }
        mproc_iterator_free(iterator);
    }
    check_pool_works(pool, 10);
    end_pool(pool);
}

/* ---- the pool's end ---- */

static void a_close_lets_an_iterator_finish(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        mproc_pool *pool = new_pool(2);
        mproc_iterator *iterator = iterate(imaps[c], pool, add_one, numbers(), sizeof(int), COUNT,
                                           &(mproc_imap_options){.window = 5});
        assert_int_equal(mproc_pool_close(pool), MPROC_OK);
        assert_int_equal(mproc_pool_join(pool, 0), MPROC_ETIMEDOUT);
        assert_int_equal(mproc_pool_join(pool, MPROC_FOREVER), MPROC_EDEADLK);
        mproc_task_error error;
        unsigned good = 0;
        mproc_err err;
        while (!(err = next_of(iterator, &error)))
            good++;
        assert_int_equal(good, COUNT);
        assert_int_equal(err, MPROC_EEMPTY);
        assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
        mproc_iterator_free(iterator);
        mproc_pool_free(pool);
    }
}

static void an_iterator_that_is_freed_keeps_no_closed_pool_open(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(2);
    mproc_iterator *iterator = iterate(imaps[0], pool, add_one, numbers(), sizeof(int), COUNT,
                                       &(mproc_imap_options){.window = 5});
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    mproc_iterator_free(iterator);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    mproc_pool_free(pool);
}

static void after_a_terminate_what_was_in_flight_is_canceled(void **state)
{
    (void)state;
    door items[COUNT];
    const door before = new_door();
    for (size_t i = 0; i < COUNT; i++)
        items[i] = before;
    for (size_t c = 0; c < COUNT_OF(imaps); c++) {
        mproc_pool *pool = new_pool(2);
        mproc_iterator *iterator = iterate(imaps[c], pool, block_forever, items, sizeof items[0],
                                           COUNT, &(mproc_imap_options){.window = 5});
        await_arrivals(before, 2);
        assert_int_equal(mproc_pool_terminate(pool), MPROC_OK);
        unsigned canceled = 0, closed = 0;
        mproc_task_error error;
        mproc_err err;
        while ((err = next_of(iterator, &error)) != MPROC_EEMPTY) {
            canceled += err == MPROC_ECANCELED;
            closed += err == MPROC_ECLOSED;
        }
        assert_int_equal(canceled, 5);
        assert_int_equal(closed, 1);
        mproc_iterator_free(iterator);
        mproc_pool_free(pool);
    }
    drop_door(before);
}

static void an_iterator_may_be_freed_after_its_pool(void **state)
{
    (void)state;
    mproc_pool *pool = new_pool(2);
    mproc_iterator *unread = iterate(imaps[0], pool, add_one, numbers(), sizeof(int), COUNT, NULL);
    mproc_iterator *begun = iterate(imaps[1], pool, add_one, numbers(), sizeof(int), COUNT, NULL);
    assert_int_equal(mproc_iterator_next(begun, SOON, NULL, NULL), MPROC_OK);
    mproc_pool_free(pool);
    mproc_iterator_free(unread);
    mproc_iterator_free(begun);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_comes_at_its_place_and_the_rest_goes_on),
        cmocka_unit_test(a_crash_fails_its_item_only),
        cmocka_unit_test(only_the_item_that_overran_fails),
        cmocka_unit_test(an_item_with_a_size_and_no_data_fails_by_itself),
        cmocka_unit_test(items_wait_for_memory),
        cmocka_unit_test(an_item_that_is_larger_than_all_memory_fails_by_itself),
        cmocka_unit_test(freeing_an_iterator_cancels_what_has_not_begun),
        cmocka_unit_test(an_endless_source_may_be_left_at_any_place),
        cmocka_unit_test(a_close_lets_an_iterator_finish),
        cmocka_unit_test(an_iterator_that_is_freed_keeps_no_closed_pool_open),
        cmocka_unit_test(after_a_terminate_what_was_in_flight_is_canceled),
        cmocka_unit_test(an_iterator_may_be_freed_after_its_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
