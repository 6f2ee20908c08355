#include "holding.h"

#include <stdlib.h>

#include "../killpoint.h"
#include "arena.h"
#include "family.h"
#include "gate.h"

/* Closed ones stay in the table until their handle is closed: a fork in between must find them. */
typedef struct entry {
    holding shown;
    _Atomic uint32_t inside; /* how many, and CLOSED */
    bool kept;               /* in a new child: for good */
    void (*detach)(void *attached);
    struct entry *next;
} entry;

#define CLOSED UINT32_C(0x80000000)

enum { FEWEST_BITS = 6 };

/* The lists change inside the gate and under the lock. */
static struct {
    os_mutex lock;
    entry **lists;
    unsigned bits; /* 1 << bits lists */
    size_t count;
} table;

void holdings_begin(void)
{
    os_mutex_init(&table.lock);
}

/* Scattered over all 64 bits: the upper ones choose the list, and a number that some program has
 * in its memory by chance names nothing. */
static uint64_t new_id(void)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t number = atomic_fetch_add(arena_counter(ARENA_HOLDINGS), 1) + 1;
    killpoint();
    return number * odd;
}

static entry **list_of(uint64_t id)
{
    return &table.lists[id >> (64 - table.bits)];
}

static entry *find(uint64_t id)
{
    entry *found = table.lists ? *list_of(id) : NULL;
    while (found && (found->shown.id != id || (atomic_load(&found->inside) & CLOSED)))
        found = found->next;
    return found;
}

static void link_entry(entry *added)
{
    entry **list = list_of(added->shown.id);
    added->next = *list;
    *list = added;
}

/* Without memory the lists just get longer. */
static bool make_room(void)
{
    if (table.lists && table.count >> table.bits == 0)
        return true;
    unsigned old_bits = table.bits;
    entry **old = table.lists;
    unsigned bits = old ? old_bits + 1 : FEWEST_BITS;
    entry **lists = calloc((size_t)1 << bits, sizeof *lists);
    if (!lists)
        return old != NULL;
    table.lists = lists;
    table.bits = bits;
    for (size_t i = 0; old && i >> old_bits == 0; i++) {
        for (entry *next, *each = old[i]; each; each = next) {
            next = each->next;
            link_entry(each);
        }
    }
    free(old);
    return true;
}

void *holding_prepare(void)
{
    os_mutex_lock(&table.lock);
    const bool room = make_room();
    os_mutex_unlock(&table.lock);
    return room ? malloc(sizeof(entry)) : NULL;
}

void holding_receive_prepared(void *prepared, uint64_t id, os_handle handle, uint32_t flags)
{
    entry *added = prepared;
    *added = (entry){.shown = {.id = id, .handle = handle, .flags = flags}};
    os_mutex_lock(&table.lock);
    const bool held = find(id) != NULL;
    if (!held) {
        make_room(); /* again, as others may have come meanwhile; it can do without */
        link_entry(added);
        table.count++;
    }
    os_mutex_unlock(&table.lock);
    atomic_store(&family.holds, true);
    if (held) {
        os_handle_close(handle);
        free(added);
    }
}

mproc_err holding_receive(uint64_t id, os_handle handle, uint32_t flags)
{
    void *prepared = id ? holding_prepare() : NULL;
    if (!prepared) {
        os_handle_close(handle);
        return id ? MPROC_ENOMEM : MPROC_EINVAL;
    }
    holding_receive_prepared(prepared, id, handle, flags);
    return MPROC_OK;
}

mproc_err holding_add(os_handle handle, uint32_t flags, uint64_t *id)
{
    uint64_t made = new_id();
    mproc_err err = holding_receive(made, handle, flags);
    if (!err)
        *id = made;
    return err;
}

holding *holding_enter(uint64_t id)
{
    if (!atomic_load_explicit(&family.holds, memory_order_relaxed))
        return NULL;
    os_mutex_lock(&table.lock);
    entry *found = find(id);
    if (found)
        atomic_fetch_add(&found->inside, 1);
    os_mutex_unlock(&table.lock);
    return found ? &found->shown : NULL;
}

/* Closed, and nobody is inside: nobody else comes to it any more. */
static void retire(entry *closed)
{
    if (closed->shown.attached && closed->detach)
        closed->detach(closed->shown.attached);
    gate_enter();
    os_mutex_lock(&table.lock);
    entry **link = list_of(closed->shown.id);
    while (*link != closed)
        link = &(*link)->next;
    *link = closed->next;
    table.count--;
    os_mutex_unlock(&table.lock);
    os_handle_close(closed->shown.handle);
    gate_leave();
    free(closed);
}

void holding_leave(holding *h)
{
    entry *left = (entry *)(void *)h;
    if (atomic_fetch_sub(&left->inside, 1) == (CLOSED | 1))
        retire(left);
}

mproc_err holding_close(uint64_t id, void (*detach)(void *attached))
{
    if (!atomic_load_explicit(&family.holds, memory_order_relaxed))
        return MPROC_ENOTHELD;
    os_mutex_lock(&table.lock);
    entry *found = find(id);
    bool alone = false;
    if (found) {
        found->detach = detach;
        alone = atomic_fetch_or(&found->inside, CLOSED) == 0;
    }
    os_mutex_unlock(&table.lock);
    if (alone)
        retire(found);
    return found ? MPROC_OK : MPROC_ENOTHELD;
}

/* Also one that has been closed since its parent went inside. */
static void mark_kept(uint64_t id)
{
    entry *found = *list_of(id);
    while (found && found->shown.id != id)
        found = found->next;
    if (found)
        found->kept = true;
}

/* A parent's, of no use in its forked child; this keeps leak checkers calm. */
static entry *inherited;

void holdings_after_fork(const uint64_t *keep, size_t count)
{
    os_mutex_init(&table.lock);
    table.count = 0;
    for (size_t i = 0; i < count; i++)
        mark_kept(keep[i]);
    for (size_t i = 0; i >> table.bits == 0; i++) {
        for (entry *each, **link = &table.lists[i]; (each = *link);) {
            if (each->kept) {
                *each = (entry){.shown = each->shown, .next = each->next};
                each->shown.attached = NULL;
                table.count++;
                link = &each->next;
            } else {
                *link = each->next;
                each->next = inherited;
                inherited = each;
                os_handle_close(each->shown.handle);
            }
        }
    }
    atomic_store(&family.holds, table.count != 0);
}
