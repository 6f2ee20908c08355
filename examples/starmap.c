/* A function of several arguments: they are the members of a struct.
 *
 * In Python: pool.starmap(pow, [(2, 5), (3, 2), (10, 3)]) */
#include "start.h"

struct power {
    int base;
    unsigned exponent;
};

static int raise_to_power(mproc_task *task)
{
    const struct power *power = mproc_task_input(task, NULL);
    long long result = 1;
    for (unsigned i = 0; i < power->exponent; i++)
        result *= power->base;
    return mproc_task_reply(task, &result, sizeof result);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    const struct power powers[] = {{2, 5}, {3, 2}, {10, 3}};
    const size_t count = sizeof powers / sizeof *powers;
    long long results[sizeof powers / sizeof *powers];
    mproc_pool *pool;
    must(mproc_pool_create(&pool, NULL));
    must(mproc_pool_map(pool, raise_to_power, powers, sizeof *powers, count, results,
                        sizeof *results, NULL));
    mproc_pool_free(pool);
    for (size_t i = 0; i < count; i++)
        printf("%d to the power of %u is %lld\n", powers[i].base, powers[i].exponent, results[i]);
    return 0;
}
