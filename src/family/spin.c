#include "spin.h"

#include "gate.h"

/* Nanoseconds. A wake-up takes 20000 to 40000. */
#define LONGEST 50000

/* Looking goes on while at least one of GAIN + 1 attempts pays. When it has stopped, it is tried
 * again now and then, ever more seldom while that fails. */
enum { GAIN = 2, MOST_TRUST = 8, FIRST_TRUST = 2, FIRST_GAP = 8, LAST_GAP = 1024 };

static _Thread_local struct {
    int32_t trust;
    uint32_t gap, waits; /* without trust: waits from one trial to the next, and since the last */
} learned = {FIRST_TRUST, FIRST_GAP, 0};

/* A pause takes 3 to 150 nanoseconds. The shortest of several times: it may be interrupted. */
static uint32_t measure_pauses(void)
{
    enum { TIMES = 4, PAUSES = 32 };
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < TIMES; i++) {
        int64_t begin = os_now();
        for (int j = 0; j < PAUSES; j++)
            os_pause();
        int64_t took = os_now() - begin;
        shortest = took < shortest ? took : shortest;
    }
    return (uint32_t)((int64_t)LONGEST * PAUSES / (shortest < PAUSES ? PAUSES : shortest)) + 1;
}

/* 0: there is only one processor. */
static uint32_t longest(void)
{
    enum { UNKNOWN = -1 };
    static _Atomic int64_t pauses = UNKNOWN;
    int64_t known = atomic_load_explicit(&pauses, memory_order_relaxed);
    if (known == UNKNOWN) {
        gate_enter(); /* it reads files: a fork meanwhile would keep their locks */
        known = os_cpu_count();
        gate_leave();
        known = known > 1 ? measure_pauses() : 0;
        atomic_store_explicit(&pauses, known, memory_order_relaxed);
    }
    return (uint32_t)known;
}

void spin_prepare(void)
{
    longest();
}

void spin_give_way(uint32_t *turns)
{
    const uint32_t many = 256;
    const int64_t nap = 100000;
    if (*turns >= many)
        os_wait_ready(NULL, 0, os_now() + nap);
    else
        os_yield();
    *turns += *turns < many;
}

spin spin_begin(void)
{
    if (!learned.trust && ++learned.waits < learned.gap)
        return (spin){0, 0};
    learned.waits = 0;
    return (spin){0, longest()};
}

void spin_end(const spin *s, bool paid)
{
    if (!s->done)
        return;
    if (paid) {
        int32_t trust = learned.trust + GAIN;
        learned.trust = trust < MOST_TRUST ? trust : MOST_TRUST;
        learned.gap = FIRST_GAP;
    } else if (learned.trust) {
        learned.trust--;
    } else if (learned.gap < LAST_GAP) {
        learned.gap *= 2;
    }
}
