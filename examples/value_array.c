/* A number and an array in shared memory: a child changes both, its parent sees it. */
#include "must.h"

#include <mproc/mproc.h>

struct shared {
    mproc_value number;
    mproc_array array;
};

static int change(void *args, size_t size)
{
    (void)size;
    const struct shared *shared = args;
    const double pi = 3.1415927;
    must(mproc_value_set(shared->number, &pi, sizeof pi));

    void *data;
    must(mproc_array_acquire(shared->array, MPROC_FOREVER, &data));
    int *elements = data;
    for (size_t i = 0; i < mproc_array_count(shared->array); i++)
        elements[i] = -elements[i];
    must(mproc_array_release(shared->array));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    struct shared shared;
    const int digits[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    must(mproc_value_create(&shared.number, 0, NULL, &(mproc_value_options){.typecode = 'd'}));
    must(mproc_array_create(&shared.array, 0, 10, digits, &(mproc_array_options){.typecode = 'i'}));

    mproc_process *process;
    must(mproc_process_create(
        &process,
        &(mproc_process_options){.target = change, .args = &shared, .args_size = sizeof shared}));
    must(mproc_process_start(process));
    must(mproc_process_join(process, MPROC_FOREVER));
    mproc_process_free(process);

    double number;
    int elements[10];
    must(mproc_value_get(shared.number, &number, sizeof number));
    must(mproc_array_get_range(shared.array, 0, 10, elements));
    printf("%.7f\n[%d", number, elements[0]);
    for (int i = 1; i < 10; i++)
        printf(", %d", elements[i]);
    puts("]");
    must(mproc_array_destroy(shared.array));
    must(mproc_value_destroy(shared.number));
    return 0;
}
