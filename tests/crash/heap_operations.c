/* The heap: what is killed in the middle of it has a block, or has not. */
#include <string.h>

#include "operation.h"

enum { SMALL_SIZE = 2000, LARGE_SIZE = 150000, HUGE_SIZE = 1 << 20, GREEDY = 600 };

static void use_heap(void)
{
    static const size_t sizes[] = {SMALL_SIZE, 5000, LARGE_SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        arena_ref ref;
        EXPECT(heap_alloc(sizes[i], family.self, &ref) == MPROC_OK);
        memset(arena_at(ref), 0x5a, sizes[i]);
        heap_free(ref, family.self);
    }
}

/* Whatever the victim had is swept; the drive looks at what is in use. */
static outcome check_swept(scene *s)
{
    (void)s;
    use_heap();
    return OUTCOME_ANY;
}

static void alloc_small(scene *s)
{
    MUST(heap_alloc(SMALL_SIZE, family.self, &s->ref[0]) == MPROC_OK);
}

static void alloc_large(scene *s)
{
    MUST(heap_alloc(LARGE_SIZE, family.self, &s->ref[0]) == MPROC_OK);
}

static void alloc_huge(scene *s)
{
    MUST(heap_alloc(HUGE_SIZE, family.self, &s->ref[0]) == MPROC_OK);
}

static void free_first(scene *s)
{
    heap_free(s->ref[0], family.self);
}

/* More than fits into what is there: a new span is cut up. */
static void fill_up(scene *s)
{
    arena_ref ref;
    const uint64_t used = heap_used();
    for (int i = 0; i < GREEDY && heap_used() < used + ARENA_SPAN / 2; i++)
        MUST(heap_alloc(16384, family.self, &ref) == MPROC_OK);
}

static void alloc_of_full_class(scene *s)
{
    for (int i = 0; i < 4; i++)
        MUST(heap_alloc(16384, family.self, &s->ref[0]) == MPROC_OK);
}

/* ---- giving away ---- */

static void claim_receiver(scene *s)
{
    EXPECT(slot_claim(family.self, "receiver", false, &s->receiver) == MPROC_OK);
}

static void give_first(scene *s)
{
    heap_give(s->ref[0], family.self, s->receiver);
}

/* Before: swept with the giver. After: the receiver has it. */
static outcome check_given(scene *s)
{
    const uint64_t with = heap_used();
    family_sweep(s->receiver, false);
    const bool given = heap_used() < with;
    use_heap();
    return given ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

const operation heap_operations[] = {
    {"allocate a small block", NULL, NULL, alloc_small, NULL, check_swept},
    {"allocate small blocks into new spans", NULL, fill_up, alloc_of_full_class, NULL, check_swept},
    {"allocate a run of spans", NULL, NULL, alloc_large, NULL, check_swept},
    {"allocate a run that will go back", NULL, NULL, alloc_huge, NULL, check_swept},
    {"free a small block", NULL, alloc_small, free_first, NULL, check_swept},
    {"free a run of spans", NULL, alloc_large, free_first, NULL, check_swept},
    {"free a run that goes back", NULL, alloc_huge, free_first, NULL, check_swept},
    {"give a small block away", claim_receiver, alloc_small, give_first, NULL, check_given},
    {"give a run away", claim_receiver, alloc_large, give_first, NULL, check_given},
    {0},
};
