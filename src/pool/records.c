#include "records.h"

#include "../killpoint.h"

/* The first chunk of a worker is small: most maps have few failures, and many workers. */
#define FIRST_CHUNK (UINT64_C(4) << 10)
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

static chunk *push_chunk(record_chain *chain, record_writer *writer, uint64_t space)
{
    const uint64_t usual = writer->chunk ? CHUNK_SIZE : FIRST_CHUNK;
    const uint64_t needed = sizeof(chunk) + space, size = needed > usual ? needed : usual;
    arena_ref ref;
    if (heap_alloc(size, writer->self, &ref))
        return NULL;
    chunk *fresh = arena_at(ref);
    fresh->capacity = size - sizeof(chunk);
    atomic_store(&fresh->used, 0);
    arena_ref head = atomic_load(chain);
    do
        fresh->next = head;
    while (!atomic_compare_exchange_weak(chain, &head, ref));
    killpoint();
    heap_give(ref, writer->self, writer->owner);
    writer->chunk = ref;
    return fresh;
}

record *records_reserve(record_chain *chain, record_writer *writer, size_t size)
{
    if (size > arena_extent())
        return NULL;
    chunk *last = chunk_at(writer->chunk);
    uint64_t space = space_for(size);
    uint64_t used = last ? atomic_load_explicit(&last->used, memory_order_relaxed) : 0;
    if (!last || space > last->capacity - used) {
        last = push_chunk(chain, writer, space);
        used = 0;
    }
    record *room = last ? (record *)(void *)(last->records + used) : NULL;
    if (room)
        room->size = size;
    return room;
}

void records_commit(const record_writer *writer, const record *written)
{
    chunk *last = chunk_at(writer->chunk);
    atomic_store(&last->used, atomic_load(&last->used) + space_for(written->size));
    killpoint();
}

void records_inherit(record_chain *chain, slot_id dead, slot_id heir)
{
    for (arena_ref ref = atomic_load(chain); ref; ref = chunk_at(ref)->next)
        heap_give(ref, dead, heir);
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
