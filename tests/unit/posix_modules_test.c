/* A fork may copy the dynamic linker's lock as another thread holds it: what a child needs to know of
 * its own program must not depend on that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <link.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "os.h"

#define SOON pace_limit(20000) /* milliseconds */

static _Atomic bool is_in, may_leave;

static int stay(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)info;
    (void)size;
    (void)data;
    atomic_store(&is_in, true);
    while (!atomic_load(&may_leave))
        os_yield();
    return 1;
}

static void go_through_modules(void *argument)
{
    dl_iterate_phdr(stay, argument);
}

static int end_at_one(mproc_task *task)
{
    const int *item = mproc_task_input(task, NULL);
    if (*item == 1)
        _Exit(1);
    return 0;
}

static void a_worker_is_replaced_while_a_thread_goes_through_the_modules(void **state)
{
    (void)state;
    os_handle thread;
    mproc_pool *pool = NULL;
    mproc_result *crashing = NULL, *other = NULL;
    const int one = 1, two = 2;
    assert_int_equal(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 1}), MPROC_OK);
    assert_int_equal(mproc_pool_apply(pool, end_at_one, &two, sizeof two, NULL, 0, NULL), MPROC_OK);
    assert_int_equal(os_thread_start(&thread, go_through_modules, NULL), MPROC_OK);
    while (!atomic_load(&is_in))
        os_yield();
    assert_int_equal(mproc_pool_apply_async(pool, end_at_one, &one, sizeof one, NULL, &crashing),
                     MPROC_OK);
    assert_int_equal(mproc_pool_apply_async(pool, end_at_one, &two, sizeof two, NULL, &other),
                     MPROC_OK);
    assert_int_equal(mproc_result_get(crashing, SOON, NULL, NULL), MPROC_ECRASHED);
    mproc_err err = mproc_result_get(other, SOON, NULL, NULL);
    atomic_store(&may_leave, true);
    os_thread_join(thread);
    assert_int_equal(err, MPROC_OK);
    mproc_result_free(crashing);
    mproc_result_free(other);
    mproc_pool_free(pool);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_is_replaced_while_a_thread_goes_through_the_modules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
