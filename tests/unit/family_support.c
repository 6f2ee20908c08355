#include "family_support.h"

#include <stdlib.h>

#include "family/family.h"

int found_family(void **state)
{
    (void)state;
    return (int)family_enter();
}

bool is_soak(void)
{
    const char *soak = getenv("MPROC_SOAK");
    return soak && *soak == '1';
}

uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 15 & 0xffff;
}
