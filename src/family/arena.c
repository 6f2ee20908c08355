#include "arena.h"

#include <assert.h>
#include <string.h>

#include "heap.h"
#include "hint.h"
#include "journal.h"
#include "object.h"
#include "park.h"
#include "slot.h"
#include "span.h"
#include "vacancy.h"
#include "waiters.h"

#define ARENA_MAGIC UINT64_C(0x31306372706d) /* "mprc01" */

/* The layout is fixed when the arena is made and never changes; only `used` grows. */
typedef struct arena_header {
    uint64_t magic;
    uint64_t capacity;
    unsigned char nonce[16];
    _Atomic bool has_objects;
    _Atomic uint64_t counter[ARENA_COUNTERS];
    struct {
        uint64_t offset;
        uint32_t entry_size;
        uint32_t capacity;
        _Atomic uint32_t used;
    } table[ARENA_TABLES];
} arena_header;

static os_shared arena;

/* What this process has seen of the tables; only ever too little. */
static struct {
    _Atomic uint64_t offset;
    _Atomic uint32_t entry_size, used; /* `used` last: what is below it is known with it */
} known[ARENA_TABLES];

/* At the very end, with the tables below it: there the mapping borders on the libraries', whose
 * page tables a new child has anyway. At its beginning, gigabytes away, a first touch would cost
 * each child three of its own. */
static arena_header *header(void)
{
    return (arena_header *)(void *)(arena.base + arena.size - ARENA_SPAN);
}

static uint64_t round_up(uint64_t size)
{
    return (size + ARENA_SPAN - 1) / ARENA_SPAN * ARENA_SPAN;
}

/* From the end downwards. What is left, from the second span on (for 0 is no offset) and within
 * the limit, is the heap's. */
static void lay_out(uint64_t limit)
{
    const uint32_t cells = object_capacity(arena.size);
    const struct {
        uint32_t size, count;
    } tables[ARENA_TABLES] = {
        [ARENA_SLOTS] = {sizeof(slot), SLOT_COUNT},
        [ARENA_JOURNALS] = {journal_entry_size(cells), SLOT_COUNT},
        [ARENA_PLACES] = {sizeof(park_place), PARK_PLACES},
        [ARENA_SIGNALS] = {sizeof(os_signal), PARK_PLACES},
        [ARENA_STATES] = {sizeof(_Atomic uint64_t), (uint32_t)(arena.size / ARENA_SPAN)},
        [ARENA_NUMBERS] = {sizeof(span_numbers), (uint32_t)(arena.size / ARENA_SPAN)},
        [ARENA_OBJECTS] = {sizeof(object), cells},
        [ARENA_HINTS] = {sizeof(hint), HINTS},
        [ARENA_VACANCIES] = {sizeof(uint64_t), vacancy_words(cells)},
        [ARENA_WAITERS] = {sizeof(waiter), WAITERS_MOST},
        [ARENA_BLOCKS] = {HEAP_BLOCK_WORDS, (uint32_t)(arena.size / ARENA_SPAN)},
    };
    uint64_t offset = arena.size - ARENA_SPAN;
    for (int i = 0; i < ARENA_TABLES; i++) {
        offset -= round_up((uint64_t)tables[i].size * tables[i].count);
        header()->table[i].offset = offset;
        header()->table[i].entry_size = tables[i].size;
        header()->table[i].capacity = tables[i].count;
    }
    header()->capacity = limit < offset ? limit / ARENA_SPAN * ARENA_SPAN : offset;
}

static void begin_views(void)
{
    heap_begin_at(ARENA_SPAN);
    journal_begin(header()->table[ARENA_OBJECTS].capacity);
}

mproc_err arena_create(uint64_t size, uint64_t limit)
{
    const uint64_t least = UINT64_C(16) << 20;
    os_shared made;
    mproc_err err = os_shared_create(&made, size > least ? round_up(size) : least, least);
    if (err)
        return err;
    unsigned char nonce[16];
    if (!(err = os_random(nonce, sizeof nonce)))
        err = os_shared_commit(&made, made.size - ARENA_SPAN, ARENA_SPAN);
    if (err) {
        os_shared_close(&made);
        return err;
    }
    arena = made;
    memcpy(header()->nonce, nonce, sizeof nonce);
    lay_out(limit);
    if (header()->capacity < 2 * ARENA_SPAN) {
        arena_close();
        return MPROC_ENOMEM;
    }
    header()->magic = ARENA_MAGIC;
    begin_views();
    return MPROC_OK;
}

mproc_err arena_open(os_handle shared, uint64_t size)
{
    os_shared mapped;
    mproc_err err = os_shared_open(&mapped, shared, size);
    if (err)
        return err;
    arena = mapped;
    if (size < ARENA_SPAN || header()->magic != ARENA_MAGIC || header()->capacity > size) {
        arena_close();
        return MPROC_EINVAL;
    }
    begin_views();
    return MPROC_OK;
}

void arena_close(void)
{
    os_shared_close(&arena);
    memset(known, 0, sizeof known);
}

unsigned char *arena_base(void)
{
    return arena.base;
}

uint64_t arena_capacity(void)
{
    return header()->capacity;
}

os_handle arena_handle(void)
{
    return arena.object;
}

uint64_t arena_extent(void)
{
    return arena.size;
}

const unsigned char *arena_nonce(void)
{
    return header()->nonce;
}

bool arena_has_objects(void)
{
    return atomic_load_explicit(&header()->has_objects, memory_order_acquire);
}

void arena_note_objects(void)
{
    atomic_store(&header()->has_objects, true);
}

void *arena_at(arena_ref ref)
{
    return arena.base + ref;
}

arena_ref arena_offset(const void *address)
{
    return (arena_ref)((const unsigned char *)address - arena.base);
}

bool arena_contains(const void *address, size_t size)
{
    uintptr_t first = (uintptr_t)address, base = (uintptr_t)arena.base;
    return arena.base && first >= base && first - base <= arena.size &&
           size <= arena.size - (first - base);
}

static mproc_err commit(arena_ref offset, uint64_t size)
{
    uint64_t begin = offset / ARENA_SPAN * ARENA_SPAN, end = round_up(offset + size);
    mproc_err err = os_shared_commit(&arena, begin, end - begin);
    assert(err || os_shared_is_committed(&arena, begin, end - begin));
    return err;
}

mproc_err arena_commit(arena_ref offset, uint64_t size)
{
    uint64_t capacity = header()->capacity;
    return offset <= capacity && size <= capacity - offset ? commit(offset, size) : MPROC_ENOMEM;
}

bool arena_decommit(arena_ref offset, uint64_t size)
{
    return os_shared_decommit(&arena, offset, size);
}

bool arena_is_committed(arena_ref offset, uint64_t size)
{
    return os_shared_is_committed(&arena, offset, size);
}

/* Most often what this process already knows to be in use: then the header is left alone, a page
 * that a new child would have to fault in. */
void *arena_entry(arena_table table, uint32_t index)
{
    if (index >= atomic_load_explicit(&known[table].used, memory_order_acquire)) {
        atomic_store_explicit(&known[table].offset, header()->table[table].offset,
                              memory_order_relaxed);
        atomic_store_explicit(&known[table].entry_size, header()->table[table].entry_size,
                              memory_order_relaxed);
        uint32_t used = atomic_load_explicit(&header()->table[table].used, memory_order_acquire);
        atomic_store_explicit(&known[table].used, used, memory_order_release);
        if (index >= used)
            return NULL;
    }
    return arena.base + atomic_load_explicit(&known[table].offset, memory_order_relaxed) +
           (uint64_t)index * atomic_load_explicit(&known[table].entry_size, memory_order_relaxed);
}

void *arena_use_table(arena_table table, uint32_t count, uint32_t *used)
{
    uint32_t per_span = (uint32_t)(ARENA_SPAN / header()->table[table].entry_size);
    uint32_t now = atomic_load_explicit(&header()->table[table].used, memory_order_acquire);
    if (count > header()->table[table].capacity)
        return NULL;
    if (count > now) {
        uint32_t wanted = (count + per_span - 1) / per_span * per_span;
        if (wanted > header()->table[table].capacity)
            wanted = header()->table[table].capacity;
        if (commit(header()->table[table].offset,
                   (uint64_t)wanted * header()->table[table].entry_size))
            return NULL;
        /* Committing twice does no harm, so `used` only has to grow. */
        while (now < wanted &&
               !atomic_compare_exchange_weak(&header()->table[table].used, &now, wanted)) {
        }
    }
    if (used)
        *used = atomic_load_explicit(&header()->table[table].used, memory_order_acquire);
    return arena.base + header()->table[table].offset;
}

void *arena_table_begin(arena_table table)
{
    return arena.base + header()->table[table].offset;
}

bool arena_use_entry(arena_table table, uint32_t index)
{
    const uint64_t size = header()->table[table].entry_size;
    return index < header()->table[table].capacity &&
           !commit(header()->table[table].offset + index * size, size);
}

_Atomic uint64_t *arena_counter(arena_count which)
{
    return &header()->counter[which];
}
