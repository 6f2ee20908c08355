/* What the tests of values, arrays and strings share. */
#ifndef MPROC_TESTS_API_DATA_SUPPORT_H
#define MPROC_TESTS_API_DATA_SUPPORT_H

#include <stdatomic.h>

#include "crew.h"

#define OK(call) assert_int_equal((call), MPROC_OK)

/* For targets: leaves with the line as the code. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s:%d: %s\n", __FILE__, __LINE__, #condition);                            \
            return __LINE__ % 250 + 1;                                                             \
        }                                                                                          \
    } while (0)

/* The same in processes and threads at once: whatever they share, they are not to be told apart. */
enum { EVERYBODY = 4 };

static inline void start_everybody(crew *them, mproc_target target, const void *args, size_t size)
{
    them->kind = CREW_MIXED;
    them->count = 0;
    for (int i = 0; i < EVERYBODY; i++)
        crew_add(them, target, args, size);
}

static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

/* A handle that is forged: any bits, or those of a living one but for the number of its life. */
static inline uint64_t forge(uint64_t *seed, uint64_t living)
{
    const uint64_t index_and_type = UINT64_C(0xfffffffff);
    uint64_t bits = next_random(seed);
    return bits & 1 ? bits : bits << 36 | (living & index_and_type);
}

enum { FORGERIES = 1000000 };

/* ---- the locks of values and arrays ---- */

typedef enum kind { OWN, GIVEN_LOCK, GIVEN_RLOCK, KINDS } kind;

static inline mproc_value_options with_lock(kind which)
{
    mproc_value_options options = {.unlocked = false};
    if (which == GIVEN_LOCK)
        OK(mproc_lock_create(&options.lock));
    if (which == GIVEN_RLOCK)
        OK(mproc_rlock_create(&options.rlock));
    return options;
}

static inline void drop_lock(const mproc_value_options *options)
{
    if (options->lock.id)
        OK(mproc_lock_destroy(options->lock));
    if (options->rlock.id)
        OK(mproc_rlock_destroy(options->rlock));
}

#endif
