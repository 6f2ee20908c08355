/* Workers that come later than the others: for a running map, or in another's place. */
#include "task_stage.h"

enum { MOST = 12 };

static mproc_result *map_doors(mproc_pool *pool, mproc_function function, door before, size_t count)
{
    door items[MOST];
    mproc_result *result = NULL;
    for (size_t i = 0; i < count; i++)
        items[i] = before;
    assert_int_equal(mproc_pool_map_async(pool, function, items, sizeof items[0], count, NULL, 0,
                                          NULL, NULL, &result),
                     MPROC_OK);
    return result;
}

static bool await_children(size_t count)
{
    const int64_t end = host_now() + SOON;
    while (count_children() != count) {
        if (host_now() > end)
            return false;
        host_nap(1);
    }
    return true;
}

static void new_workers_help_with_a_running_map(void **state)
{
    (void)state;
    const door before = new_door();
    mproc_pool *pool = new_pool(1);
    mproc_result *result = map_doors(pool, pass_door, before, MOST);
    await_arrivals(before, 1);
    assert_int_equal(mproc_pool_resize(pool, 5), MPROC_OK);
    await_arrivals(before, 4);
    open_door(before);
    assert_int_equal(outcome_of(result), MPROC_OK);
    assert_true(await_children(5));
    end_pool(pool);
    drop_door(before);
}

/* ---- those that take another's place ---- */

static int use_deep_stack(mproc_task *task)
{
    volatile unsigned char frame[6 << 20];
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = (unsigned char)(i >> 9);
    for (size_t i = 0; i < sizeof frame; i += 512) {
        if (frame[i] != (unsigned char)(i >> 9))
            return 1;
    }
    return tell_pid(task);
}

static void a_replaced_worker_has_as_much_stack_as_the_first(void **state)
{
    (void)state;
    if (host_is_windows)
        skip(); /* a program's stack is what its linker gave it: by default 2 MiB */
    mproc_pool *pool = new_pool(1);
    for (int round = 0; round < 3; round++) {
        long long pid = 0;
        assert_int_equal(mproc_pool_apply(pool, use_deep_stack, NULL, 0, &pid, sizeof pid, NULL),
                         MPROC_OK);
        host_kill(pid);
        while (host_is_running(pid)) /* until then it may still be given the next task */
            host_nap(1);
    }
    end_pool(pool);
}

static int tell_index(mproc_task *task)
{
    const int index = mproc_worker_index();
    return mproc_task_reply(task, &index, sizeof index);
}

static void it_has_the_same_number(void **state)
{
    (void)state;
    mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 1, .max_tasks = 1});
    for (int round = 0; round < 5; round++) {
        int index = -1;
        assert_int_equal(mproc_pool_apply(pool, tell_index, NULL, 0, &index, sizeof index, NULL),
                         MPROC_OK);
        assert_int_equal(index, 0);
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
        cmocka_unit_test(new_workers_help_with_a_running_map),
        cmocka_unit_test(a_replaced_worker_has_as_much_stack_as_the_first),
        cmocka_unit_test(it_has_the_same_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
