/* The heap: no block twice, none lost. */
#include "family/family.h"
#include "family/heap.h"
#include "scenario.h"

/* A block of the largest small size fills its span by four: so spans are opened, filled, marked full
 * and closed. Of the small ones there are 16. */
enum { SMALL = 4000, QUARTER = 16000, RUN = 100000 };

static void make(void)
{
    note_heap();
}

/* One span of that size is nearly full. */
static void make_nearly_full(void)
{
    arena_ref ref;
    for (int i = 0; i < 3; i++)
        MUST(heap_alloc(QUARTER, family.self, &ref));
    note_heap();
}

static arena_ref allocate(size_t size)
{
    arena_ref ref = 0;
    if (heap_alloc(size, family.self, &ref))
        explore_wrong("there is no memory");
    return ref;
}

static void use(int who, size_t first, size_t second)
{
    const arena_ref a = allocate(first), b = allocate(second);
    if (a && a == b)
        explore_wrong("one block is given out twice");
    heap_free(a, family.self);
    heap_free(b, family.self);
    stage.result[who] = MPROC_OK;
}

static void use_quarters(int who)
{
    use(who, QUARTER, QUARTER);
}

static void use_quarter_and_run(int who)
{
    use(who, QUARTER, RUN);
}

static void use_runs(int who)
{
    use(who, RUN, RUN);
}

static void use_small(int who)
{
    use(who, SMALL, SMALL);
}

/* The bytes are the owner's alone. */
static void write_and_look(int who)
{
    const arena_ref ref = allocate(SMALL);
    if (!ref)
        return;
    volatile int *mine = arena_at(ref);
    *mine = who + 1;
    const arena_ref other = allocate(SMALL);
    if (*mine != who + 1)
        explore_wrong("a block is written by two");
    heap_free(other, family.self);
    if (*mine != who + 1)
        explore_wrong("a block is written by two");
    heap_free(ref, family.self);
}

const explore_play heap_scenarios[] = {{"heap: two take quarters of a span",
                                        make_nearly_full,
                                        {use_quarters, use_quarters},
                                        .check = heap_is_as_before,
                                        .mortal = FIRST},
                                       {"heap: quarters and a run",
                                        make_nearly_full,
                                        {use_quarters, use_quarter_and_run},
                                        .check = heap_is_as_before,
                                        .mortal = FIRST | SECOND},
                                       {"heap: two take runs",
                                        make,
                                        {use_runs, use_runs},
                                        .check = heap_is_as_before,
                                        .mortal = FIRST},
                                       {"heap: two take small ones",
                                        make,
                                        {use_small, use_small},
                                        .check = heap_is_as_before,
                                        .mortal = FIRST},
                                       {"heap: three write",
                                        make,
                                        {write_and_look, write_and_look, write_and_look},
                                        .check = heap_is_as_before},
                                       {"heap: two threads",
                                        make,
                                        {use_quarters, use_quarters},
                                        .check = heap_is_as_before,
                                        .threads = SECOND},
                                       {NULL}};
