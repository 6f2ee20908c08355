#include "records.h"

#define CHUNK_SIZE (UINT64_C(64) << 10)

typedef struct chunk {
    arena_ref next;
    uint64_t capacity;
    _Atomic uint64_t used; /* the commit word */
    _Alignas(16) unsigned char records[];
} chunk;

static uint64_t space_for(uint64_t size)
{
    return (sizeof(record) + size + 15) & ~UINT64_C(15);
}

static chunk *chunk_at(arena_ref ref)
{
    return ref ? arena_at(ref) : NULL;
}

/* Linked in one store when it is complete: before that the sweep of its owner frees it. */
static chunk *push_chunk(record_chain *chain, uint64_t space, slot_id self)
{
    uint64_t size = sizeof(chunk) + space;
    arena_ref ref;
    if (heap_alloc(size > CHUNK_SIZE ? size : CHUNK_SIZE, self, &ref))
        return NULL;
    chunk *fresh = arena_at(ref);
    fresh->next = atomic_load(chain);
    fresh->capacity = (size > CHUNK_SIZE ? size : CHUNK_SIZE) - sizeof(chunk);
    atomic_store(&fresh->used, 0);
    atomic_store(chain, ref);
    return fresh;
}

record *records_reserve(record_chain *chain, size_t size, slot_id self)
{
    if (size > arena_extent())
        return NULL;
    chunk *last = chunk_at(atomic_load(chain));
    uint64_t space = space_for(size);
    uint64_t used = last ? atomic_load_explicit(&last->used, memory_order_relaxed) : 0;
    if (!last || space > last->capacity - used) {
        last = push_chunk(chain, space, self);
        used = 0;
    }
    record *room = last ? (record *)(void *)(last->records + used) : NULL;
    if (room)
        room->size = size;
    return room;
}

void records_commit(record_chain *chain, const record *written)
{
    chunk *last = chunk_at(atomic_load(chain));
    atomic_store(&last->used, atomic_load(&last->used) + space_for(written->size));
}

void records_free(record_chain *chain, slot_id self)
{
    arena_ref ref = atomic_exchange(chain, 0);
    while (ref) {
        arena_ref next = chunk_at(ref)->next;
        heap_free(ref, self);
        ref = next;
    }
}

void records_reset(record_chain *chain, slot_id self)
{
    chunk *last = chunk_at(atomic_load(chain));
    if (!last)
        return;
    if (last->next || last->capacity > CHUNK_SIZE)
        records_free(chain, self);
    else
        atomic_store(&last->used, 0);
}

void records_inherit(record_chain *chain, slot_id dead, slot_id heir)
{
    for (arena_ref ref = atomic_load(chain); ref; ref = chunk_at(ref)->next)
        heap_give(ref, dead, heir);
}

void records_join(record_chain *chain, record_chain *from)
{
    arena_ref head = atomic_exchange(from, 0);
    chunk *last = chunk_at(head);
    if (!last)
        return;
    while (last->next)
        last = chunk_at(last->next);
    last->next = atomic_load(chain);
    atomic_store(chain, head);
}

void records_each(record_chain *chain, void (*visit)(const record *, void *), void *context)
{
    for (const chunk *at = chunk_at(atomic_load(chain)); at; at = chunk_at(at->next)) {
        uint64_t used = atomic_load(&((chunk *)(uintptr_t)at)->used);
        for (uint64_t offset = 0; offset < used;) {
            const record *item = (const record *)(const void *)(at->records + offset);
            offset += space_for(item->size);
            visit(item, context);
        }
    }
}
