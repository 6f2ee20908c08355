#include "ring.h"

#include <string.h>

#include "../prefetch.h"

/* The first unit of a record: kind << 62 | size in bytes; of a pad, in units: it may have come from a
 * smaller ring, whose end lay elsewhere. */
enum { INLINE = 1, BLOCK = 2, PAD = 3, KIND_SHIFT = 62 };
#define SIZE_MASK ((UINT64_C(1) << KIND_SHIFT) - 1)

static uint32_t units_of(size_t size)
{
    return 1 + (uint32_t)((size + RING_UNIT - 1) / RING_UNIT);
}

static uint32_t at(const ring *r, uint32_t place)
{
    return place & (r->units - 1);
}

/* Where a record of so many units can begin; what is left before the end is marked as nothing. */
static bool make_room(ring *r, mark head, mark *tail, uint32_t units)
{
    uint32_t free = r->units - (tail->place - head.place);
    uint32_t to_end = r->units - at(r, tail->place);
    if (to_end >= units)
        return free >= units;
    if (free < to_end + units)
        return false;
    r->unit[at(r, tail->place)] = (uint64_t)PAD << KIND_SHIFT | to_end;
    tail->place += to_end;
    return true;
}

static void advance(mark *m, uint32_t units)
{
    m->place += units;
    m->items++;
}

bool ring_write(ring *r, mark head, mark *tail, const void *data, size_t size)
{
    uint32_t units = units_of(size);
    mark next = *tail;
    if (!make_room(r, head, &next, units))
        return false;
    uint64_t *first = &r->unit[at(r, next.place)];
    *first = (uint64_t)INLINE << KIND_SHIFT | size;
    if (size)
        memcpy(first + 1, data, size);
    advance(&next, units);
    *tail = next;
    return true;
}

bool ring_write_block(ring *r, mark head, mark *tail, arena_ref block, size_t size)
{
    mark next = *tail;
    if (!make_room(r, head, &next, 2))
        return false;
    uint64_t *first = &r->unit[at(r, next.place)];
    first[0] = (uint64_t)BLOCK << KIND_SHIFT | size;
    first[1] = block;
    advance(&next, 2);
    *tail = next;
    return true;
}

bool ring_read(const ring *r, mark head, mark tail, record *found)
{
    uint64_t first = r->unit[at(r, head.place)];
    if (first >> KIND_SHIFT == PAD) {
        head.place += (uint32_t)first;
        first = r->unit[at(r, head.place)];
    }
    uint64_t size = first & SIZE_MASK, kind = first >> KIND_SHIFT;
    const uint64_t *data = &r->unit[at(r, head.place)] + 1;
    uint32_t units = kind == BLOCK ? 2 : size <= RING_INLINE ? units_of((size_t)size) : 0;
    if ((kind != BLOCK && kind != INLINE) || !units || tail.place - head.place < units ||
        r->units - at(r, head.place) < units)
        return false;
    *found = (record){.size = size, .next = head};
    if (kind == BLOCK)
        found->block = *data;
    else
        found->data = data;
    advance(&found->next, units);
    return true;
}

void ring_copy(ring *to, const ring *from, mark head, mark tail)
{
    to->done = from->done;
    for (uint32_t place = head.place; place != tail.place;) {
        uint32_t count = from->units - at(from, place);
        if (count > tail.place - place)
            count = tail.place - place;
        memcpy(&to->unit[at(to, place)], &from->unit[at(from, place)], (size_t)count * RING_UNIT);
        place += count;
    }
}

uint32_t ring_need(size_t size)
{
    return 2 * (size <= RING_INLINE ? units_of(size) : 2);
}

/* The other side has these lines in its cache, and fetching them one by one, each when it is needed,
 * is what a stream of small messages would wait for. Not beyond what the other side has left. */
enum { AHEAD = 96, LINE = 8 };

void ring_expect(const ring *r, mark head, mark tail)
{
    if (tail.place - head.place < AHEAD + 2 * LINE)
        return;
    prefetch_to_read(&r->unit[at(r, head.place + AHEAD)]);
    prefetch_to_read(&r->unit[at(r, head.place + AHEAD + LINE)]);
}

void ring_expect_room(const ring *r, mark head, mark tail)
{
    if (r->units - (tail.place - head.place) < AHEAD + 2 * LINE)
        return;
    prefetch_to_write(&r->unit[at(r, tail.place + AHEAD)]);
    prefetch_to_write(&r->unit[at(r, tail.place + AHEAD + LINE)]);
}
