/* Pools that grow and shrink while they work. */
#include "task_stage.h"

static void await_children(size_t count)
{
    const int64_t end = host_now() + SOON;
    while (count_children() != count && host_now() < end)
        host_nap(1);
    assert_int_equal(count_children(), count);
}

/* So many tasks can be under way at the same time. */
static void check_width(mproc_pool *pool, unsigned width)
{
    door before = new_door();
    mproc_result *results[64];
    assert_true(width <= COUNT_OF(results));
    for (unsigned i = 0; i < width; i++)
        results[i] = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, width);
    open_door(before);
    for (unsigned i = 0; i < width; i++)
        assert_int_equal(outcome_of(results[i]), MPROC_OK);
    drop_door(before);
}

static void a_pool_can_grow_and_shrink(void **state)
{
    (void)state;
    const int sizes[] = {5, 1, 3, 3, 8, 2, 1};
    mproc_pool *pool = new_pool(2);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(mproc_pool_resize(pool, sizes[i]), MPROC_OK);
        await_children((size_t)sizes[i]);
        check_width(pool, (unsigned)sizes[i]);
    }
    end_pool(pool);
}

static void a_size_without_sense_is_refused(void **state)
{
    (void)state;
    mproc_pool *pool = make_pool(&(mproc_pool_options){.workers = 2, .max_workers = 4});
    assert_int_equal(mproc_pool_resize(NULL, 2), MPROC_EINVAL);
    assert_int_equal(mproc_pool_resize(pool, 0), MPROC_EINVAL);
    assert_int_equal(mproc_pool_resize(pool, -1), MPROC_EINVAL);
    assert_int_equal(mproc_pool_resize(pool, 5), MPROC_ERANGE);
    assert_int_equal(mproc_pool_resize(pool, 1 << 30), MPROC_ERANGE);
    assert_int_equal(mproc_pool_resize(pool, 4), MPROC_OK);
    check_width(pool, 4);
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_resize(pool, 2), MPROC_ECLOSED);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    mproc_pool_free(pool);
    mproc_pool *none = NULL;
    const mproc_pool_options bad[] = {
        {.max_workers = -1}, {.workers = 5, .max_workers = 4}, {.max_workers = 1025}};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(mproc_pool_create(&none, &bad[i]), MPROC_EINVAL);
    assert_null(none);
}

static void whoever_is_one_too_many_finishes_its_task(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    door before = new_door();
    mproc_result *results[WORKERS];
    mproc_pool *pool = new_pool(WORKERS);
    for (int i = 0; i < WORKERS; i++)
        results[i] = submit(pool, pass_door, &before, sizeof before, NULL);
    await_arrivals(before, WORKERS);
    assert_int_equal(mproc_pool_resize(pool, 1), MPROC_OK);
    open_door(before);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(outcome_of(results[i]), MPROC_OK);
    await_children(1);
    check_pool_works(pool, 10);
    end_pool(pool);
    drop_door(before);
}

/* ---- while it works, and from several threads ---- */

typedef struct sizing {
    mproc_pool *pool;
    int sizes[2], rounds;
    unsigned wrong;
    host_thread thread;
} sizing;

static void resize_often(void *argument)
{
    sizing *self = argument;
    for (int i = 0; i < self->rounds; i++)
        self->wrong += mproc_pool_resize(self->pool, self->sizes[i % 2]) != MPROC_OK;
}

static void work_meanwhile(mproc_pool *pool)
{
    enum { COUNT = 100 };
    for (int round = 0; round < 10; round++) {
        int items[COUNT], nexts[COUNT];
        mproc_result *results[COUNT];
        for (int i = 0; i < COUNT; i++) {
            results[i] = submit(pool, add_one, &i, sizeof i, NULL);
            items[i] = i;
        }
        assert_int_equal(mproc_pool_map(pool, add_one, items, sizeof items[0], COUNT, nexts,
                                        sizeof nexts[0], NULL),
                         MPROC_OK);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(number_of(results[i]), i + 1);
            assert_int_equal(nexts[i], i + 1);
        }
    }
}

static void resize_from(sizing *threads, size_t count, int last)
{
    mproc_pool *pool = new_pool(2);
    for (size_t i = 0; i < count; i++) {
        threads[i].pool = pool;
        assert_true(host_thread_start(&threads[i].thread, resize_often, &threads[i]));
    }
    work_meanwhile(pool);
    for (size_t i = 0; i < count; i++) {
        host_thread_join(&threads[i].thread);
        assert_int_equal(threads[i].wrong, 0);
    }
    assert_int_equal(mproc_pool_resize(pool, last), MPROC_OK);
    await_children((size_t)last);
    check_width(pool, (unsigned)last);
    end_pool(pool);
}

static void nothing_is_lost_while_a_pool_is_resized(void **state)
{
    (void)state;
    sizing threads[] = {{.sizes = {1, 4}, .rounds = host_is_windows ? 6 : 30}};
    resize_from(threads, COUNT_OF(threads), 3);
}

static void several_threads_may_resize_at_once(void **state)
{
    (void)state;
    const int rounds = host_is_windows ? 4 : 20;
    sizing threads[] = {{.sizes = {1, 4}, .rounds = rounds},
                        {.sizes = {4, 1}, .rounds = rounds},
                        {.sizes = {4, 2}, .rounds = rounds}};
    for (int last = 4; last >= 1; last -= 3)
        resize_from(threads, COUNT_OF(threads), last);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_can_grow_and_shrink),
        cmocka_unit_test(a_size_without_sense_is_refused),
        cmocka_unit_test(whoever_is_one_too_many_finishes_its_task),
        cmocka_unit_test(nothing_is_lost_while_a_pool_is_resized),
        cmocka_unit_test(several_threads_may_resize_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
