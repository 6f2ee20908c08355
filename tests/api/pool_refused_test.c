/* What single tasks and their results refuse: arguments without sense, too little memory, other
 * processes. */
#include "task_stage.h"

#include <stdlib.h>

static void tasks_without_sense_are_refused(void **state)
{
    (void)state;
    int number = 1, next = 0;
    mproc_result *result = NULL;
    mproc_pool *pool = new_pool(1);
    const mproc_task_options bad[] = {{.timeout_ms = -1},
                                      {.timeout_ms = -1000000},
                                      {.grace_ms = -2},
                                      {.timeout_ms = 5, .grace_ms = -100}};
    assert_int_equal(mproc_pool_apply(NULL, add_one, &number, 4, &next, 4, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_apply(pool, NULL, &number, 4, &next, 4, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_apply(pool, add_one, NULL, 4, &next, 4, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_apply(pool, add_one, &number, 4, NULL, 4, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_pool_apply_async(NULL, add_one, &number, 4, NULL, &result),
                     MPROC_EINVAL);
    assert_int_equal(mproc_pool_apply_async(pool, NULL, &number, 4, NULL, &result), MPROC_EINVAL);
    assert_int_equal(mproc_pool_apply_async(pool, add_one, NULL, 4, NULL, &result), MPROC_EINVAL);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(mproc_pool_apply_async(pool, add_one, &number, 4, &bad[i], &result),
                         MPROC_EINVAL);
    assert_null(result);
    assert_int_equal(next, 0);
    check_pool_works(pool, 5);
    end_pool(pool);
}

static void calls_of_no_result_are_refused(void **state)
{
    (void)state;
    bool successful;
    mproc_task_error error;
    assert_int_equal(mproc_result_get(NULL, 0, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_result_wait(NULL, 0), MPROC_EINVAL);
    assert_false(mproc_result_ready(NULL));
    assert_int_equal(mproc_result_successful(NULL, &successful), MPROC_EINVAL);
    assert_int_equal(mproc_result_error(NULL, &error), MPROC_EINVAL);
    assert_int_equal(mproc_result_cancel(NULL), MPROC_EINVAL);
    mproc_result_free(NULL);
    const int number = 1;
    mproc_pool *pool = new_pool(1);
    mproc_result *result = submit(pool, add_one, &number, sizeof number, NULL);
    assert_int_equal(mproc_result_wait(result, -2), MPROC_EINVAL);
    assert_int_equal(mproc_result_get(result, -1000, NULL, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_result_successful(result, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_result_error(result, NULL), MPROC_EINVAL);
    assert_int_equal(number_of(result), 2);
    end_pool(pool);
}

static void the_longest_time_outs_are_never_over(void **state)
{
    (void)state;
    const mproc_task_options options = {.timeout_ms = INT32_MAX, .grace_ms = INT32_MAX};
    door before = new_door();
    mproc_pool *pool = new_pool(1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(number_of(submit(pool, add_one, &i, sizeof i, &options)), i + 1);
    mproc_result *result = submit(pool, stand_until_canceled, &before, sizeof before, &options);
    await_arrivals(before, 1);
    assert_int_equal(mproc_result_wait(result, 20), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_result_cancel(result), MPROC_OK);
    assert_int_equal(outcome_of(result), MPROC_ECANCELED);
    check_pool_works(pool, 5);
    end_pool(pool);
    drop_door(before);
}

static void absurd_sizes_are_refused_before_anything_is_read(void **state)
{
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX / 2, (size_t)1 << 50};
    int number = 1;
    mproc_result *result = NULL;
    mproc_pool *pool = new_pool(1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(mproc_pool_apply(pool, echo, &number, sizes[i], NULL, 0, NULL),
                         MPROC_ENOMEM);
        assert_int_equal(mproc_pool_apply_async(pool, echo, &number, sizes[i], NULL, &result),
                         MPROC_ENOMEM);
    }
    assert_null(result);
    check_pool_works(pool, 5);
    end_pool(pool);
}

static void code_in_no_module_is_refused(void **state)
{
    (void)state;
    static int data;
    mproc_result *result = NULL;
    mproc_function nowhere = (mproc_function)(uintptr_t)&data;
    mproc_pool *pool = new_pool(1);
    assert_int_equal(mproc_pool_apply(pool, nowhere, NULL, 0, NULL, 0, NULL), MPROC_EIMAGE);
    assert_int_equal(mproc_pool_apply_async(pool, nowhere, NULL, 0, NULL, &result), MPROC_EIMAGE);
    assert_null(result);
    check_pool_works(pool, 5);
    end_pool(pool);
}

/* ---- what a function may get wrong ---- */

static int get_it_wrong(mproc_task *task)
{
    const char *volatile no_format = NULL;
    const int *way = mproc_task_input(task, NULL);
    size_t size = 99;
    switch (*way) {
    case 0: /* no task */
        return mproc_task_input(NULL, &size) || size || mproc_task_input(NULL, NULL) ||
               mproc_task_index(NULL) || mproc_task_canceled(NULL) ||
               !mproc_task_reply(NULL, &size, sizeof size) || mproc_task_reply_buffer(NULL, 1) ||
               !mproc_task_fail(NULL, "%d", 1);
    case 1:
        return mproc_task_reply(task, NULL, 0);
    case 2:
        return mproc_task_reply(task, NULL, 10);
    case 3:
        return mproc_task_reply_buffer(task, SIZE_MAX) != NULL;
    case 4:
        return mproc_task_reply_buffer(task, (size_t)1 << 50) != NULL;
    default:
        return mproc_task_fail(task, no_format);
    }
}

static void a_function_s_mistakes_are_its_own(void **state)
{
    (void)state;
    const mproc_err expected[] = {MPROC_OK,     MPROC_OK,     MPROC_EINVAL,
                                  MPROC_ENOMEM, MPROC_ENOMEM, MPROC_ETASK};
    mproc_pool *pool = new_pool(1);
    for (int way = 0; way < (int)COUNT_OF(expected); way++) {
        int items[3] = {way, way, way};
        mproc_task_error error = failure_of(submit(pool, get_it_wrong, &way, sizeof way, NULL));
        assert_int_equal(error.err, expected[way]);
        mproc_bytes spans[3] = {{&way, sizeof way}, {&way, sizeof way}, {&way, sizeof way}};
        mproc_results *results = NULL;
        assert_int_equal(mproc_pool_map_bytes(pool, get_it_wrong, spans, 3, &results, NULL),
                         expected[way]);
        mproc_results_free(results);
        long long replies[3];
        mproc_err err = expected[way] == MPROC_ENOMEM ? MPROC_EMSGSIZE : expected[way];
        assert_int_equal(mproc_pool_map(pool, get_it_wrong, items, sizeof items[0], 3, replies,
                                        sizeof replies[0], NULL),
                         err);
    }
    check_pool_works(pool, 5);
    end_pool(pool);
}

/* ---- a full arena ---- */

enum { LARGE = 1 << 20, MOST = 100 };

/* Fills it with inputs; then each has a reply or there was no memory for that. How many went in. */
static int fill_and_empty(mproc_pool *pool)
{
    static unsigned char large[LARGE];
    mproc_result *results[MOST];
    int count = 0;
    mproc_err err = MPROC_OK;
    while (count < MOST &&
           !(err = mproc_pool_apply_async(pool, echo, large, sizeof large, NULL, &results[count])))
        count++;
    for (int i = 0; i < count; i++) {
        const void *reply = NULL;
        size_t size = 0;
        mproc_err got = mproc_result_get(results[i], SOON, &reply, &size);
        if (got && got != MPROC_ENOMEM)
            return -1;
        if (!got && (size != LARGE || memcmp(reply, large, LARGE) != 0))
            return -2;
    }
    for (int i = 0; i < count; i++)
        mproc_result_free(results[i]);
    return err == MPROC_ENOMEM ? count : -3;
}

static int fill_the_arena(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc_pool *pool = NULL;
    int number = 1, next = 0, least = MOST;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}))
        return 1;
    for (int round = 0; round < 30; round++) {
        int count = fill_and_empty(pool);
        if (count < 0)
            return 1 - count;
        least = count < least ? count : least;
        if (mproc_pool_apply(pool, add_one, &number, sizeof number, &next, sizeof next, NULL) ||
            next != 2)
            return 5;
    }
    if (mproc_pool_close(pool) || mproc_pool_join(pool, SOON))
        return 6;
    mproc_pool_free(pool);
    return least >= 5 ? 0 : 7; /* of 12 MiB: at most half of it is replies that nobody has read */
}

static void a_full_arena_is_no_memory_and_nothing_is_lost_of_it(void **state)
{
    (void)state;
    host_set_variable("MPROC_ARENA_LIMIT", "16M");
    const run_result *ran = run_role("fill_the_arena", NULL, NULL);
    host_set_variable("MPROC_ARENA_LIMIT", NULL);
    if (ran->code)
        print_error("%s\n", ran->output);
    assert_int_equal(ran->code, 0);
}

/* ---- another process ---- */

static mproc_pool *of_the_parent;
static mproc_result *result_of_the_parent;

static int use_what_is_the_parent_s(void)
{
    bool successful;
    mproc_task_error error;
    mproc_result *result = NULL;
    if (mproc_pool_apply(of_the_parent, tell_pid, NULL, 0, NULL, 0, NULL) != MPROC_ESTATE ||
        mproc_pool_apply_async(of_the_parent, tell_pid, NULL, 0, NULL, &result) != MPROC_ESTATE ||
        mproc_pool_resize(of_the_parent, 3) != MPROC_ESTATE || result)
        return 1;
    if (mproc_result_get(result_of_the_parent, 0, NULL, NULL) != MPROC_ESTATE ||
        mproc_result_wait(result_of_the_parent, MPROC_FOREVER) != MPROC_ESTATE ||
        mproc_result_successful(result_of_the_parent, &successful) != MPROC_ESTATE ||
        mproc_result_error(result_of_the_parent, &error) != MPROC_ESTATE ||
        mproc_result_cancel(result_of_the_parent) != MPROC_ESTATE)
        return 2;
    if (mproc_result_ready(result_of_the_parent))
        return 3;
    mproc_result_free(result_of_the_parent);
    return 0;
}

static int use_it_in_a_child(void *args, size_t size)
{
    (void)args;
    (void)size;
    return use_what_is_the_parent_s();
}

static void a_forked_child_cannot_use_its_parent_s_results(void **state)
{
    (void)state;
    if (mproc_get_start_method() != MPROC_FORK)
        skip();
    const int number = 1;
    of_the_parent = new_pool(1);
    result_of_the_parent = submit(of_the_parent, add_one, &number, sizeof number, NULL);
    assert_int_equal(run_process(use_it_in_a_child, NULL, 0), 0);
    assert_int_equal(host_raw_fork(use_what_is_the_parent_s), 0);
    assert_int_equal(number_of(result_of_the_parent), 2);
    end_pool(of_the_parent);
}

static const role roles[] = {{"fill_the_arena", fill_the_arena}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_without_sense_are_refused),
        cmocka_unit_test(calls_of_no_result_are_refused),
        cmocka_unit_test(the_longest_time_outs_are_never_over),
        cmocka_unit_test(absurd_sizes_are_refused_before_anything_is_read),
        cmocka_unit_test(code_in_no_module_is_refused),
        cmocka_unit_test(a_function_s_mistakes_are_its_own),
        cmocka_unit_test(a_full_arena_is_no_memory_and_nothing_is_lost_of_it),
        cmocka_unit_test(a_forked_child_cannot_use_its_parent_s_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
