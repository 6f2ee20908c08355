#include <mproc/memory.h>

#include "../family/family.h"
#include "../family/heap.h"
#include "../killpoint.h"

/* The id names place and number of a block that is linked to its number, so that an older handle to
 * the same place finds another tag. It is in its home when the link makes it valid. Before that the
 * block is swept with this process. */
mproc_err mproc_memory_alloc(mproc_memory *memory, size_t size)
{
    arena_ref ref;
    uint64_t number, tag;
    if (!memory || size == 0)
        return MPROC_EINVAL;
    mproc_err err = family_enter();
    if (err || (err = heap_alloc_numbered(size, family.self, &ref, &number)))
        return err;
    const uint64_t id = heap_id(ref, number);
    heap_ref_of(id, &tag);
    memory->id = id;
    killpoint();
    heap_link(ref, family.self, tag);
    return MPROC_OK;
}

mproc_err mproc_memory_free(mproc_memory memory)
{
    mproc_err err = family_enter();
    if (err)
        return err;
    uint64_t tag;
    const arena_ref ref = heap_ref_of(memory.id, &tag);
    return heap_free_linked(ref, tag, family.self) ? MPROC_OK : MPROC_ESTALE;
}

void *mproc_memory_data(mproc_memory memory)
{
    uint64_t tag;
    if (family_enter())
        return NULL;
    const arena_ref ref = heap_ref_of(memory.id, &tag);
    return heap_is_linked(ref, tag) ? arena_at(ref) : NULL;
}

mproc_err mproc_memory_size(mproc_memory memory, size_t *size)
{
    if (!size)
        return MPROC_EINVAL;
    mproc_err err = family_enter();
    if (err)
        return err;
    uint64_t tag;
    const arena_ref ref = heap_ref_of(memory.id, &tag);
    const uint64_t usable = heap_linked_size(ref, tag);
    if (usable == 0)
        return MPROC_ESTALE;
    *size = (size_t)usable;
    return MPROC_OK;
}
