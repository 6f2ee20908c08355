#include "heap_support.h"

slot_id somebody(void)
{
    slot_id id;
    assert_int_equal(slot_claim(family.self, "somebody", false, &id), MPROC_OK);
    assert_int_equal(slot_enter(id, 4000000), MPROC_OK);
    return id;
}

void sweep_and_free(slot_id member)
{
    heap_sweep(member, family.self);
    slot_free(member);
}

arena_ref alloc(size_t size, slot_id owner)
{
    arena_ref ref = 0;
    assert_int_equal(heap_alloc(size, owner, &ref), MPROC_OK);
    assert_int_equal(ref % (size > HEAP_ALIGNMENT ? HEAP_LARGER_ALIGNMENT : HEAP_ALIGNMENT), 0);
    assert_true(arena_contains(arena_at(ref), size));
    return ref;
}

uint64_t rounded(size_t size)
{
    uint64_t block = 64;
    if (size > 16384)
        return (size + ARENA_SPAN - 1) / ARENA_SPAN * ARENA_SPAN;
    while (block < size)
        block *= 2;
    return block;
}

size_t fill(size_t size, slot_id owner)
{
    size_t count = 0;
    arena_ref ref;
    while (heap_alloc(size, owner, &ref) == MPROC_OK) {
        memset(arena_at(ref), 0x77, size);
        count++;
    }
    return count;
}
