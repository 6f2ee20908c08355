/* Ten tasks of random length for four workers; nobody asks for what they reply.
 *
 * In Python: p = Pool(4); for i in range(10): p.apply_async(run, args=(i,)); p.close(); p.join() */
#include "host.h"
#include "start.h"

#include <time.h>

/* Else forked workers would all draw the numbers that their parent would have drawn. */
static int draw_anew(void *args, size_t size)
{
    (void)args, (void)size;
    srand((unsigned)time(NULL) + (unsigned)mproc_worker_index());
    return 0;
}

static int run(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    const long long pid = mproc_process_pid(mproc_process_current());
    printf("task %d starts in process %lld\n", *number, pid);
    fflush(stdout);
    double start = host_seconds();
    host_sleep(100 * (1 + rand() % 4));
    printf("task %d ends in process %lld after %.2f s\n", *number, pid, host_seconds() - start);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    puts("parent starts");
    mproc_pool *pool;
    must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 4, .initializer = draw_anew}));
    for (int i = 0; i < 10; i++)
        must(mproc_pool_apply_async(pool, run, &i, sizeof i, NULL, NULL));
    must(mproc_pool_close(pool)); /* nothing new; what was submitted is done */
    must(mproc_pool_join(pool, MPROC_FOREVER));
    mproc_pool_free(pool);
    puts("parent ends");
    return 0;
}
