/* Pools one after the other: the i-th has i tasks, which print and are all waited for.
 *
 * In Python: for item in range(10): with Pool(processes=4) as pool: results =
 * [pool.apply_async(print, args=(i,)) for i in range(item)]; [result.get() for result in results]
 */
#include "start.h"

#define POOLS 10

static int print(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    printf("%d\n", *number);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    for (int count = 0; count < POOLS; count++) {
        printf("pool with %d tasks\n", count);
        mproc_result *results[POOLS];
        mproc_pool *pool;
        must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 4}));
        for (int i = 0; i < count; i++)
            must(mproc_pool_apply_async(pool, print, &i, sizeof i, NULL, &results[i]));
        for (int i = 0; i < count; i++) {
            must(mproc_result_get(results[i], MPROC_FOREVER, NULL, NULL));
            mproc_result_free(results[i]);
        }
        mproc_pool_free(pool);
    }
    return 0;
}
