/* What asynchronous maps and iterators make of calls that are wrong, or for which there is no room. */
#include "task_stage.h"

#include <stdint.h>
#include <stdlib.h>

enum { ITEMS = 4 };

static int items[ITEMS] = {1, 2, 3, 4};
static const size_t size = sizeof items[0];

static mproc_err map(mproc_pool *pool, mproc_function function, const void *from, size_t item_size,
                     size_t count, void *results, size_t result_size,
                     const mproc_map_options *options)
{
    mproc_result *result = (mproc_result *)(void *)items;
    mproc_err err = mproc_pool_map_async(pool, function, from, item_size, count, results,
                                         result_size, options, NULL, &result);
    assert_ptr_equal(result, items); /* untouched on failure */
    return err;
}

static void a_map_without_sense_is_refused(void **state)
{
    (void)state;
    size_t failed = 99;
    int results[ITEMS];
    const mproc_map_options negative = {.timeout_ms = -1}, no_grace = {.grace_ms = -2},
                            no_errors = {.error_capacity = 3, .error_count = &failed};
    mproc_pool *pool = new_pool(1);
    assert_int_equal(map(NULL, add_one, items, size, ITEMS, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(map(pool, NULL, items, size, ITEMS, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(map(pool, add_one, NULL, size, ITEMS, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(map(pool, add_one, items, 0, ITEMS, NULL, 0, NULL), MPROC_EINVAL);
    assert_int_equal(map(pool, add_one, items, size, ITEMS, NULL, size, NULL), MPROC_EINVAL);
    assert_int_equal(map(pool, add_one, items, size, ITEMS, results, size, &negative),
                     MPROC_EINVAL);
    assert_int_equal(map(pool, add_one, items, size, ITEMS, results, size, &no_grace),
                     MPROC_EINVAL);
    assert_int_equal(map(pool, add_one, items, size, ITEMS, results, size, &no_errors),
                     MPROC_EINVAL);
    assert_int_equal(failed, 99);
    check_pool_works(pool, 3);
    end_pool(pool);
}

static void the_limits_of_a_map_do_not_stand_among_its_callbacks(void **state)
{
    (void)state;
    mproc_result *result = NULL;
    const mproc_task_options limits[] = {{.timeout_ms = 5}, {.grace_ms = 5}};
    mproc_pool *pool = new_pool(1);
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        assert_int_equal(mproc_pool_map_async(pool, add_one, items, size, ITEMS, NULL, 0, NULL,
                                              &limits[i], &result),
                         MPROC_EINVAL);
    assert_null(result);
    end_pool(pool);
}

static void a_map_of_bytes_without_sense_is_refused(void **state)
{
    (void)state;
    const mproc_bytes hollow[2] = {{items, size}, {NULL, 1}}, good = {items, size},
                      huge[2] = {{items, SIZE_MAX / 2}, {items, SIZE_MAX / 2}};
    mproc_results *results = NULL;
    mproc_result *result = NULL;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_map_bytes_async(NULL, echo, &good, 1, &results, NULL, NULL, &result),
        MPROC_EINVAL);
    assert_int_equal(
        mproc_pool_map_bytes_async(pool, NULL, &good, 1, &results, NULL, NULL, &result),
        MPROC_EINVAL);
    assert_int_equal(mproc_pool_map_bytes_async(pool, echo, NULL, 1, &results, NULL, NULL, &result),
                     MPROC_EINVAL);
    assert_int_equal(
        mproc_pool_map_bytes_async(pool, echo, hollow, 2, &results, NULL, NULL, &result),
        MPROC_EINVAL);
    assert_int_equal(mproc_pool_map_bytes_async(pool, echo, huge, 2, &results, NULL, NULL, &result),
                     MPROC_ERANGE);
    assert_null(result);
    assert_null(results);
    end_pool(pool);
}

static void products_that_overflow_are_refused(void **state)
{
    (void)state;
    const size_t huge[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4 + 1, SIZE_MAX / size + 1};
    int results[ITEMS];
    mproc_iterator *iterator = NULL;
    mproc_pool *pool = new_pool(1);
    for (size_t i = 0; i < COUNT_OF(huge); i++) {
        assert_int_equal(map(pool, add_one, items, size, huge[i], NULL, 0, NULL), MPROC_ERANGE);
        assert_int_equal(map(pool, add_one, items, huge[i], 5, NULL, 0, NULL), MPROC_ERANGE);
        assert_int_equal(map(pool, add_one, items, size, ITEMS, results, huge[i], NULL),
                         MPROC_ERANGE);
        assert_int_equal(mproc_pool_imap(pool, add_one, items, size, huge[i], NULL, &iterator),
                         MPROC_ERANGE);
        assert_int_equal(mproc_pool_imap(pool, add_one, items, huge[i], 5, NULL, &iterator),
                         MPROC_ERANGE);
    }
    assert_null(iterator);
    check_pool_works(pool, 3);
    end_pool(pool);
}

static bool no_item(void *context, mproc_bytes *item)
{
    (void)context;
    (void)item;
    return false;
}

static void an_iterator_without_sense_is_refused(void **state)
{
    (void)state;
    const mproc_imap_options source = {.source = no_item}, negative = {.timeout_ms = -1},
                             no_grace = {.grace_ms = -2},
                             endless = {.source = no_item, .window = SIZE_MAX};
    mproc_iterator *made = NULL;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_imap(NULL, echo, items, size, 1, NULL, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, NULL, items, size, 1, NULL, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, items, size, 1, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, NULL, size, 1, NULL, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, items, 0, 1, NULL, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, items, size, 1, &source, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, NULL, 0, 1, &source, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, items, size, 1, &negative, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, items, size, 1, &no_grace, &made), MPROC_EINVAL);
    assert_int_equal(mproc_pool_imap(pool, echo, NULL, 0, 0, &endless, &made), MPROC_ENOMEM);
    assert_int_equal(mproc_pool_imap_unordered(pool, NULL, items, size, 1, NULL, &made),
                     MPROC_EINVAL);
    assert_null(made);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_imap(pool, echo, items, size, 1, NULL, &made), MPROC_ECLOSED);
    assert_int_equal(map(pool, echo, items, size, 1, NULL, 0, NULL), MPROC_ECLOSED);
    assert_int_equal(map(pool, echo, NULL, 0, 0, NULL, 0, NULL), MPROC_ECLOSED);
    assert_null(made);
    end_pool(pool);
}

static void what_is_asked_wrongly_of_an_iterator_is_refused(void **state)
{
    (void)state;
    mproc_iterator *iterator;
    mproc_task_error error;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_imap(pool, echo, items, size, ITEMS, NULL, &iterator), MPROC_OK);
    assert_int_equal(mproc_iterator_next(NULL, 0, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_iterator_next(iterator, -2, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_iterator_error(iterator, &error), MPROC_ESTATE);
    assert_int_equal(mproc_iterator_error(NULL, &error), MPROC_EINVAL);
    assert_int_equal(mproc_iterator_error(iterator, NULL), MPROC_EINVAL);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(mproc_iterator_next(iterator, SOON, NULL, NULL), MPROC_OK);
    assert_int_equal(mproc_iterator_next(iterator, SOON, NULL, NULL), MPROC_EEMPTY);
    assert_int_equal(mproc_iterator_error(iterator, &error), MPROC_OK);
    assert_int_equal(error.index, ITEMS - 1);
    mproc_iterator_free(iterator);
    mproc_iterator_free(NULL);
    end_pool(pool);
}

/* ---- of another process ---- */

static mproc_pool *of_the_parent;
static mproc_iterator *its_iterator;
static mproc_result *its_result;

static int use_the_parents(void)
{
    mproc_task_error error;
    mproc_iterator *iterator;
    if (mproc_iterator_next(its_iterator, 0, NULL, NULL) != MPROC_ESTATE)
        return 1;
    if (mproc_iterator_error(its_iterator, &error) != MPROC_ESTATE)
        return 2;
    if (mproc_pool_imap(of_the_parent, echo, items, size, 1, NULL, &iterator) != MPROC_ESTATE)
        return 3;
    if (mproc_pool_map_async(of_the_parent, echo, items, size, 1, NULL, 0, NULL, NULL, NULL) !=
        MPROC_ESTATE)
        return 4;
    if (mproc_result_cancel(its_result) != MPROC_ESTATE || mproc_result_ready(its_result))
        return 5;
    mproc_iterator_free(its_iterator);
    mproc_result_free(its_result);
    return 0;
}

static void a_forked_child_cannot_use_its_parents(void **state)
{
    (void)state;
    if (host_is_windows)
        skip();
    const door before = new_door();
    of_the_parent = new_pool(1);
    assert_int_equal(mproc_pool_map_async(of_the_parent, pass_door, &before, sizeof before, 1, NULL,
                                          0, NULL, NULL, &its_result),
                     MPROC_OK);
    assert_int_equal(mproc_pool_imap(of_the_parent, echo, items, size, ITEMS, NULL, &its_iterator),
                     MPROC_OK);
    assert_int_equal(host_raw_fork(use_the_parents), 0);
    open_door(before);
    assert_int_equal(outcome_of(its_result), MPROC_OK);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(mproc_iterator_next(its_iterator, SOON, NULL, NULL), MPROC_OK);
    mproc_iterator_free(its_iterator);
    end_pool(of_the_parent);
    drop_door(before);
}

/* ---- a full arena ---- */

static void without_memory_a_map_is_refused_and_those_before_go_on(void **state)
{
    (void)state;
    const size_t large = (size_t)24 << 20;
    unsigned char *bytes = calloc(large, 1);
    mproc_result *results[16];
    size_t taken = 0;
    mproc_err err = MPROC_OK;
    assert_non_null(bytes);
    mproc_pool *pool = new_pool(1);
    const door before = new_door();
    mproc_result *held = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, 1);
    while (taken < COUNT_OF(results) &&
           !(err = mproc_pool_map_async(pool, tell_pid, bytes, large, 1, NULL, 0, NULL, NULL,
                                        &results[taken])))
        taken++;
    assert_int_equal(err, MPROC_ENOMEM);
    assert_true(taken > 0);
    assert_int_equal(mproc_pool_map(pool, tell_pid, bytes, large, 1, NULL, 0, NULL), MPROC_ENOMEM);
    assert_int_equal(mproc_pool_apply(pool, tell_pid, bytes, large, NULL, 0, NULL), MPROC_ENOMEM);
    open_door(before);
    assert_int_equal(outcome_of(held), MPROC_OK);
    for (size_t i = 0; i < taken; i++)
        assert_int_equal(outcome_of(results[i]), MPROC_OK);
    assert_int_equal(mproc_pool_map(pool, tell_pid, bytes, large, 1, NULL, 0, NULL), MPROC_OK);
    end_pool(pool);
    drop_door(before);
    free(bytes);
}

static int reply_too_much(mproc_task *task)
{
    return mproc_task_reply_buffer(task, (size_t)120 << 20) ? 0 : -1;
}

static void a_reply_without_room_fails_its_item_only(void **state)
{
    (void)state;
    const mproc_bytes spans[2] = {{items, size}, {items, size}};
    mproc_results *results = NULL;
    mproc_result *result;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(
        mproc_pool_map_bytes_async(pool, reply_too_much, spans, 2, &results, NULL, NULL, &result),
        MPROC_OK);
    const mproc_task_error error = failure_of(result);
    assert_int_equal(error.err, MPROC_ENOMEM);
    assert_int_equal(error.index, 0);
    assert_int_equal(mproc_results_get(results, 1, NULL, NULL), MPROC_ENOMEM);
    mproc_results_free(results);
    check_pool_works(pool, 3);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_without_sense_is_refused),
        cmocka_unit_test(the_limits_of_a_map_do_not_stand_among_its_callbacks),
        cmocka_unit_test(a_map_of_bytes_without_sense_is_refused),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(an_iterator_without_sense_is_refused),
        cmocka_unit_test(what_is_asked_wrongly_of_an_iterator_is_refused),
        cmocka_unit_test(a_forked_child_cannot_use_its_parents),
        cmocka_unit_test(without_memory_a_map_is_refused_and_those_before_go_on),
        cmocka_unit_test(a_reply_without_room_fails_its_item_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
