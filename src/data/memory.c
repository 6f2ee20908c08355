#include <mproc/memory.h>

#include "../family/family.h"
#include "../family/heap.h"
#include "../killpoint.h"

/* id: stamp << 36 | ref / 64. The block is linked to its stamp, so that whoever comes with an older
 * handle to the same place finds another tag. */
enum { STAMP_BITS = 28, PLACE_BITS = 36, BATCH = 1024 };
#define STAMP_MASK ((UINT64_C(1) << STAMP_BITS) - 1)
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

/* Taken by the batch, for all processes count on the same word. At the end of a batch, `next` is a
 * multiple of its size. */
static uint64_t next_stamp(void)
{
    static _Atomic slot_id owner;
    static _Atomic uint64_t next;
    if (atomic_load_explicit(&owner, memory_order_relaxed) != family.self) {
        atomic_store(&next, 0); /* the rest of the parent's batch is the parent's */
        atomic_store(&owner, family.self);
    }
    uint64_t stamp = atomic_load_explicit(&next, memory_order_relaxed);
    while (stamp % BATCH && !atomic_compare_exchange_weak(&next, &stamp, stamp + 1)) {
    }
    if (stamp % BATCH)
        return stamp & STAMP_MASK;
    uint64_t batch = atomic_fetch_add(arena_counter(ARENA_STAMPS), BATCH);
    killpoint();
    atomic_compare_exchange_strong(&next, &stamp, batch + 1);
    return batch & STAMP_MASK;
}

static arena_ref ref_of(mproc_memory memory)
{
    return (memory.id & PLACE_MASK) * HEAP_ALIGNMENT;
}

static uint64_t tag_of(mproc_memory memory)
{
    return HEAP_TAG_MEMORY | memory.id >> PLACE_BITS;
}

/* The handle is in its home when the link makes it valid. Before that the block is swept with this
 * process. */
mproc_err mproc_memory_alloc(mproc_memory *memory, size_t size)
{
    arena_ref ref;
    if (!memory || size == 0)
        return MPROC_EINVAL;
    mproc_err err = family_enter();
    if (err || (err = heap_alloc(size, family.self, &ref)))
        return err;
    if (ref / HEAP_ALIGNMENT > PLACE_MASK) {
        heap_free(ref, family.self);
        return MPROC_ENOMEM;
    }
    const mproc_memory made = {next_stamp() << PLACE_BITS | ref / HEAP_ALIGNMENT};
    *memory = made;
    killpoint();
    heap_link(ref, family.self, tag_of(made));
    return MPROC_OK;
}

mproc_err mproc_memory_free(mproc_memory memory)
{
    mproc_err err = family_enter();
    if (err)
        return err;
    return heap_free_linked(ref_of(memory), tag_of(memory), family.self) ? MPROC_OK : MPROC_ESTALE;
}

void *mproc_memory_data(mproc_memory memory)
{
    if (family_enter() || !heap_is_linked(ref_of(memory), tag_of(memory)))
        return NULL;
    return arena_at(ref_of(memory));
}

mproc_err mproc_memory_size(mproc_memory memory, size_t *size)
{
    if (!size)
        return MPROC_EINVAL;
    mproc_err err = family_enter();
    if (err)
        return err;
    uint64_t usable = heap_linked_size(ref_of(memory), tag_of(memory));
    if (usable == 0)
        return MPROC_ESTALE;
    *size = (size_t)usable;
    return MPROC_OK;
}
