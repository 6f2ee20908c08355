/* One task, a map, an iterator, and a task that takes too long.
 *
 * In Python: with Pool(processes=4) as pool: pool.apply_async(f, (10,)).get(timeout=1);
 * pool.map(f, range(10)); it = pool.imap(f, range(10)); next(it); next(it); it.next(timeout=1);
 * pool.apply_async(time.sleep, (10,)).get(timeout=1) raises TimeoutError */
#include "host.h"
#include "start.h"

#define ITEMS 10

/* Milliseconds. Python's program waits for a second, here too much for a very slow machine. */
#define LONG_ENOUGH 30000
#define TOO_SHORT 1000

static int square(mproc_task *task)
{
    const int *x = mproc_task_input(task, NULL);
    int result = *x * *x;
    return mproc_task_reply(task, &result, sizeof result);
}

static int sleep_for(mproc_task *task)
{
    const int *seconds = mproc_task_input(task, NULL);
    host_sleep(*seconds * 1000);
    return 0;
}

static void print_next(mproc_iterator *iterator, int timeout_ms)
{
    const void *reply;
    must(mproc_iterator_next(iterator, timeout_ms, &reply, NULL));
    printf("%d\n", *(const int *)reply);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_pool *pool;
    must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 4}));

    const int ten = 10;
    mproc_result *result;
    const void *reply;
    must(mproc_pool_apply_async(pool, square, &ten, sizeof ten, NULL, &result));
    must(mproc_result_get(result, LONG_ENOUGH, &reply, NULL));
    printf("%d\n", *(const int *)reply);
    mproc_result_free(result);

    int numbers[ITEMS], squares[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        numbers[i] = i;
    must(mproc_pool_map(pool, square, numbers, sizeof *numbers, ITEMS, squares, sizeof *squares,
                        NULL));
    for (int i = 0; i < ITEMS; i++)
        printf(i == 0 ? "[%d" : ", %d", squares[i]);
    puts("]");

    mproc_iterator *iterator;
    must(mproc_pool_imap(pool, square, numbers, sizeof *numbers, ITEMS, NULL, &iterator));
    print_next(iterator, MPROC_FOREVER);
    print_next(iterator, MPROC_FOREVER);
    print_next(iterator, LONG_ENOUGH);
    mproc_iterator_free(iterator);

    must(mproc_pool_apply_async(pool, sleep_for, &ten, sizeof ten, NULL, &result));
    mproc_err err = mproc_result_get(result, TOO_SHORT, NULL, NULL);
    puts(mproc_strerror(err));
    mproc_result_free(result);

    mproc_pool_free(pool); /* the end of `with`: the sleeping worker is terminated */
    return err == MPROC_ETIMEDOUT ? EXIT_SUCCESS : EXIT_FAILURE;
}
