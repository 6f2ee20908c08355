/* Three calls that are waited for one by one, then three that run side by side.
 *
 * In Python: pool = Pool(3); for i in range(3): pool.apply(do_it, [i]), and the same by
 * pool.apply_async. There the second program ends before its tasks have begun; pool.close() and
 * pool.join() let them finish. */
#include "host.h"
#include "start.h"

static int do_it(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    printf("task %d starts\n", *number);
    fflush(stdout);
    host_sleep(200);
    printf("task %d ends\n", *number);
    fflush(stdout);
    return 0;
}

static void say(const char *what, double start)
{
    printf("%s after %.2f s\n", what, host_seconds() - start);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_pool *pool;
    must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 3}));
    double start = host_seconds();
    for (int i = 0; i < 3; i++)
        must(mproc_pool_apply(pool, do_it, &i, sizeof i, NULL, 0, NULL));
    say("apply: done", start);

    start = host_seconds();
    for (int i = 0; i < 3; i++)
        must(mproc_pool_apply_async(pool, do_it, &i, sizeof i, NULL, NULL));
    say("apply_async: submitted", start);
    must(mproc_pool_close(pool));
    must(mproc_pool_join(pool, MPROC_FOREVER));
    say("apply_async: done", start);
    mproc_pool_free(pool);
    return 0;
}
