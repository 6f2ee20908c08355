#include "openmp.h"

const bool openmp_exists = false;

size_t openmp_check(const int32_t *items, size_t count)
{
    (void)items;
    return count;
}

void openmp_square(const uint64_t *items, size_t count, uint64_t *results)
{
    (void)items;
    (void)count;
    (void)results;
}
