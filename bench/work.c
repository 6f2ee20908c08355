#include "work.h"

int work_check(const int32_t *item)
{
    return *item < 0;
}

uint64_t work_square(const uint64_t *item)
{
    return *item * *item;
}

static volatile uint64_t kept; /* so that the turns are taken */

void work_turn(uint32_t turns)
{
    uint64_t state = turns;
    while (turns--)
        state = state * 6364136223846793005 + 1442695040888963407;
    kept = state;
}
