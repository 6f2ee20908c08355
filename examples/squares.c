/* Six slow calls in sequence, then by a pool of five workers.
 *
 * In Python: pool = Pool(5); results = pool.map(func, [1, 2, 3, 4, 5, 6]); pool.close(); pool.join() */
#include "host.h"
#include "start.h"

#define ITEMS 6

static int slow_square(int number)
{
    host_sleep(200);
    return number * number;
}

static int square(mproc_task *task)
{
    const int *number = mproc_task_input(task, NULL);
    int result = slow_square(*number);
    return mproc_task_reply(task, &result, sizeof result);
}

static void print(const char *how, const int *results, double seconds)
{
    printf("%s:", how);
    for (size_t i = 0; i < ITEMS; i++)
        printf(" %d", results[i]);
    printf(" in %.2f s\n", seconds);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    const int numbers[ITEMS] = {1, 2, 3, 4, 5, 6};
    int results[ITEMS];
    double start = host_seconds();
    for (size_t i = 0; i < ITEMS; i++)
        results[i] = slow_square(numbers[i]);
    print("in sequence", results, host_seconds() - start);

    start = host_seconds();
    mproc_pool *pool;
    must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 5}));
    must(mproc_pool_map(pool, square, numbers, sizeof *numbers, ITEMS, results, sizeof *results,
                        NULL));
    must(mproc_pool_close(pool));
    must(mproc_pool_join(pool, MPROC_FOREVER));
    print("by a pool", results, host_seconds() - start);
    mproc_pool_free(pool);
    return 0;
}
