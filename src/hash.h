/* FNV-1a: spreads short texts; it keeps no attacker away. */
#ifndef MPROC_HASH_H
#define MPROC_HASH_H

#include <stdint.h>

#define HASH_SEED UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_text(const char *text, uint64_t seed)
{
    for (; *text; text++)
        seed = (seed ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return seed;
}

#endif
