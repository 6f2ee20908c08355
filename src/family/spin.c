#include "spin.h"

enum { LEAST = 16, MOST = 1024, WEIGHT = 8 };

/* What has paid of late. */
static _Thread_local int32_t worth = MOST / 4;

spin spin_begin(void)
{
    static _Atomic int processors;
    int count = atomic_load_explicit(&processors, memory_order_relaxed);
    if (!count)
        atomic_store_explicit(&processors, count = os_cpu_count(), memory_order_relaxed);
    uint32_t limit = count > 1 ? (uint32_t)worth * 2 + LEAST : 0;
    return (spin){0, limit < MOST ? limit : MOST};
}

void spin_end(const spin *s, bool paid)
{
    int32_t target = paid ? (int32_t)s->done : 0;
    if (s->limit && s->done)
        worth += (target - worth) / WEIGHT;
}
