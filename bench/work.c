#include "work.h"

int work_check(const int32_t *item)
{
    return *item < 0;
}

uint64_t work_square(const uint64_t *item)
{
    return *item * *item;
}
