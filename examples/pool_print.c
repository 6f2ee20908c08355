/* Five calls by four workers, which print and reply nothing. Who takes which is open.
 *
 * In Python: pool = Pool(4); pool.map(print, range(5)); pool.close(); pool.join() */
#include "start.h"

static int print(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    printf("item %d\n", *number);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    const int numbers[] = {0, 1, 2, 3, 4};
    mproc_pool *pool;
    must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 4}));
    must(mproc_pool_map(pool, print, numbers, sizeof *numbers, sizeof numbers / sizeof *numbers,
                        NULL, 0, NULL));
    must(mproc_pool_close(pool));
    must(mproc_pool_join(pool, MPROC_FOREVER));
    mproc_pool_free(pool);
    puts("done");
    return 0;
}
