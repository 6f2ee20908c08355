#include "openmp.h"
#include "work.h"

const bool openmp_exists = true;

size_t openmp_check(const int32_t *items, size_t count)
{
    size_t failed = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(2) reduction(+ : failed)
    for (size_t i = 0; i < count; i++)
        failed += work_check(&items[i]) != 0;
    return failed;
}

void openmp_square(const uint64_t *items, size_t count, uint64_t *results)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads(2)
    for (size_t i = 0; i < count; i++)
        results[i] = work_square(&items[i]);
}
