/* The family's memory, from inside until there is a public interface. */
#include "fault.h"

#include "family/family.h"
#include "family/heap.h"

static bool enter(void)
{
    return TRY(FOUND_ERRORS, family_enter());
}

static void allocate_and_free(void)
{
    static const size_t sizes[] = {1, 100, 5000, 20000, 100000, 3 << 20};
    arena_ref refs[sizeof sizes / sizeof *sizes] = {0};
    if (!enter())
        return;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        MAKE(refs[i], ERR(ENOMEM), heap_alloc(sizes[i], family.self, &refs[i]));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        heap_free(refs[i], family.self);
}

static void fill(void)
{
    enum { MOST = 64, BLOCK = 4 << 20 };
    arena_ref refs[MOST];
    size_t count = 0;
    if (!enter())
        return;
    while (count < MOST && heap_alloc(BLOCK, family.self, &refs[count]) == MPROC_OK)
        count++;
    HOLDS(count < MOST && (fault_has_struck() || count > 4));
    while (count)
        heap_free(refs[--count], family.self);
}

const scenario heap_scenarios[] = {
    {.name = "blocks_of_all_sizes_are_allocated", .play = allocate_and_free},
    {.name = "the_heap_is_filled", .play = fill},
    {0},
};
