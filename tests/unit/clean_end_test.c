/* A process that returns without having freed what it made leaves nothing in the family's heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "family/family.h"
#include "family/heap.h"

enum { ITEMS = 1024, ITEM_SIZE = 4096 };

static int reply_with_item(mproc_task *task)
{
    size_t size;
    const void *item = mproc_task_input(task, &size);
    return mproc_task_reply(task, item, size);
}

/* The pool, its results and a block of its own are left to the end. */
static int leave_a_pool(void *args, size_t size)
{
    (void)args;
    (void)size;
    static unsigned char items[ITEMS][ITEM_SIZE];
    static mproc_pool *pool; /* static: a leak checker finds them */
    static mproc_results *results;
    mproc_bytes spans[ITEMS];
    arena_ref block;
    for (size_t i = 0; i < ITEMS; i++)
        spans[i] = (mproc_bytes){items[i], ITEM_SIZE};
    if (heap_alloc(100, family.self, &block))
        return 1;
    if (mproc_pool_create(&pool, &(mproc_pool_options){.workers = 2}))
        return 2;
    if (mproc_pool_map_bytes(pool, reply_with_item, spans, ITEMS, &results, NULL))
        return 3;
    return 0;
}

static void nothing_is_left_by(mproc_start_method method)
{
    mproc_process *process;
    int code = -1;
    if (mproc_set_start_method(method) == MPROC_ENOSYS)
        return;
    for (int round = 0; round < 2; round++) {
        const uint64_t used = heap_used();
        assert_int_equal(
            mproc_process_create(&process, &(mproc_process_options){.target = leave_a_pool}),
            MPROC_OK);
        assert_int_equal(mproc_process_start(process), MPROC_OK);
        assert_int_equal(mproc_process_join(process, MPROC_FOREVER), MPROC_OK);
        assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
        mproc_process_free(process);
        assert_int_equal(code, 0);
        assert_int_equal(heap_used(), used);
    }
}

static void a_forked_child_leaves_nothing_in_the_heap(void **state)
{
    (void)state;
    nothing_is_left_by(MPROC_FORK);
}

static void a_spawned_child_leaves_nothing_in_the_heap(void **state)
{
    (void)state;
    nothing_is_left_by(MPROC_SPAWN);
}

static void a_child_of_the_forkserver_leaves_nothing_in_the_heap(void **state)
{
    (void)state;
    nothing_is_left_by(MPROC_FORKSERVER);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    if (family_enter())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forked_child_leaves_nothing_in_the_heap),
        cmocka_unit_test(a_spawned_child_leaves_nothing_in_the_heap),
        cmocka_unit_test(a_child_of_the_forkserver_leaves_nothing_in_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
