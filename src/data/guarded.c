#include "guarded.h"

#include <string.h>
#include <wchar.h>

#include "../family/robust.h"
#include "../killpoint.h"

/* The lock of its own is the cell's word. Under a given one it is taken while bytes are copied. */
enum { ITEM_SIZE, COUNT, LOCK };
enum { OWN_LOCK = 0, NO_LOCK = 1 }; /* no handles: those have a generation */

size_t mproc_typecode_size(char typecode)
{
    static const struct {
        char code;
        unsigned char size;
    } types[] = {{'c', sizeof(char)},      {'b', sizeof(char)},    {'B', sizeof(char)},
                 {'h', sizeof(short)},     {'H', sizeof(short)},   {'i', sizeof(int)},
                 {'I', sizeof(int)},       {'l', sizeof(long)},    {'L', sizeof(long)},
                 {'q', sizeof(long long)}, {'f', sizeof(float)},   {'d', sizeof(double)},
                 {'Q', sizeof(long long)}, {'u', sizeof(wchar_t)}, {'?', sizeof(bool)}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].code == typecode)
            return types[i].size;
    }
    return 0;
}

/* ---- creating ---- */

static mproc_err check_options(const mproc_value_options *options, size_t *item_size,
                               uint64_t *lock)
{
    if (options->typecode) {
        size_t size = mproc_typecode_size(options->typecode);
        if (!size || (*item_size && *item_size != size))
            return MPROC_EINVAL;
        *item_size = size;
    }
    if ((options->lock.id != 0) + (options->rlock.id != 0) + options->unlocked > 1)
        return MPROC_EINVAL;
    *lock = options->unlocked ? NO_LOCK : options->lock.id | options->rlock.id;
    return *item_size ? MPROC_OK : MPROC_EINVAL;
}

static mproc_err check_lock(const mproc_value_options *options)
{
    uint64_t id = options->lock.id | options->rlock.id;
    object *cell;
    if (!id)
        return MPROC_OK;
    mproc_err err = object_check(id, options->lock.id ? OBJECT_LOCK : OBJECT_RLOCK, &cell);
    if (err)
        return err;
    return object_matches(atomic_load(&cell->word), id) ? MPROC_OK : MPROC_ESTALE;
}

static void set_field(object *cell, int field, uint64_t value)
{
    atomic_store_explicit(&cell->field[field], value, memory_order_relaxed);
}

mproc_err guarded_create(object_type type, size_t item_size, size_t count, const void *initial,
                         const mproc_value_options *options, uint64_t *home)
{
    static const mproc_value_options defaults;
    object_draft draft;
    uint64_t lock;
    if (!options)
        options = &defaults;
    mproc_err err = check_options(options, &item_size, &lock);
    if (err || (err = check_lock(options)))
        return err;
    if (count > SIZE_MAX / item_size)
        return MPROC_ENOMEM;
    if ((err = object_draft_new(type, &draft)))
        return err;
    size_t size = item_size * count;
    if ((err = object_draft_block(&draft, size ? size : 1))) {
        object_discard(&draft);
        return err;
    }
    if (initial && size)
        memcpy(arena_at(atomic_load(&draft.cell->block)), initial, size);
    set_field(draft.cell, ITEM_SIZE, item_size);
    set_field(draft.cell, COUNT, count);
    set_field(draft.cell, LOCK, lock);
    killpoint();
    object_commit(&draft, 0, home);
    return MPROC_OK;
}

/* ---- finding ---- */

static uint64_t field_of(const object *cell, int field)
{
    return atomic_load_explicit(&cell->field[field], memory_order_acquire);
}

static bool is_alive(const object *cell, uint64_t id)
{
    return object_matches(atomic_load_explicit(&cell->word, memory_order_acquire), id);
}

/* What is read belongs to the object only if that has lived before and after. */
mproc_err guarded_look(uint64_t id, object_type type, guarded *found)
{
    object *cell;
    mproc_err err = object_check(id, type, &cell);
    if (err)
        return err;
    bool alive = is_alive(cell, id);
    arena_ref block = atomic_load_explicit(&cell->block, memory_order_acquire);
    *found = (guarded){.cell = cell,
                       .id = id,
                       .lock = field_of(cell, LOCK),
                       .item_size = (size_t)field_of(cell, ITEM_SIZE),
                       .count = (size_t)field_of(cell, COUNT)};
    if (!alive || !is_alive(cell, id))
        return MPROC_ESTALE;
    found->data = arena_at(block);
    return MPROC_OK;
}

/* ---- its lock ---- */

typedef struct guard {
    object *cell;
    uint64_t id;
    bool recursive;
} guard;

static mproc_err guard_of(const guarded *it, guard *found)
{
    *found = (guard){it->cell, it->id, true};
    if (it->lock == OWN_LOCK)
        return MPROC_OK;
    if (it->lock == NO_LOCK)
        return MPROC_ESTATE;
    found->id = it->lock;
    found->recursive = object_is(it->lock, OBJECT_RLOCK);
    return object_check(it->lock, found->recursive ? OBJECT_RLOCK : OBJECT_LOCK, &found->cell);
}

static bool is_held(mproc_err err)
{
    return err == MPROC_OK || err == MPROC_EOWNERDEAD;
}

static mproc_err acquire(const guarded *it, int timeout_ms)
{
    guard lock;
    mproc_err err = guard_of(it, &lock);
    if (err)
        return err;
    err = robust_acquire(lock.cell, lock.id, lock.recursive, timeout_ms);
    if (!is_held(err) || lock.cell == it->cell || is_alive(it->cell, it->id))
        return err;
    robust_release(lock.cell, lock.id, lock.recursive);
    return MPROC_ESTALE;
}

static mproc_err release(const guarded *it)
{
    guard lock;
    mproc_err err = guard_of(it, &lock);
    if (err)
        return err;
    err = robust_release(lock.cell, lock.id, lock.recursive);
    if (err == MPROC_ESTALE && lock.cell == it->cell)
        robust_leave(it->cell, it->id, true);
    return err;
}

mproc_err guarded_acquire(uint64_t id, object_type type, int timeout_ms, void **data)
{
    guarded it;
    mproc_err err = guarded_look(id, type, &it);
    if (!err)
        err = acquire(&it, timeout_ms);
    if (is_held(err) && data)
        *data = it.data;
    return err;
}

/* Destroyed under its holder, it ends with this call. */
mproc_err guarded_release(uint64_t id, object_type type)
{
    guarded it;
    mproc_err err = guarded_look(id, type, &it);
    if (!err)
        return release(&it);
    if (err == MPROC_ESTALE && object_is(id, type) && (it.cell = object_find(id)))
        robust_leave(it.cell, id, true);
    return err;
}

mproc_err guarded_destroy(uint64_t id, object_type type)
{
    return robust_destroy(id, type, true);
}

mproc_err guarded_mark_consistent(uint64_t id, object_type type)
{
    guarded it;
    guard lock;
    mproc_err err = guarded_look(id, type, &it);
    if (err || (err = guard_of(&it, &lock)))
        return err;
    return robust_mark_consistent(lock.cell, lock.id, lock.recursive);
}

/* ---- copying ---- */

static void copy(const guarded *it, const guarded_range *range)
{
    unsigned char *at = it->data + range->first * it->item_size;
    size_t size = range->count * it->item_size;
    if (size && range->out)
        memcpy(range->out, at, size);
    else if (size)
        memcpy(at, range->in, size);
    killpoint();
}

/* Under a given lock the own one is taken, too, so that a destroy sees that the block is in use. It
 * is free, unless somebody has released a plain lock of which he was not the holder. */
static mproc_err pin(const guarded *it)
{
    mproc_err err = robust_acquire(it->cell, it->id, true, 0);
    if (err == MPROC_EOWNERDEAD)
        robust_mark_consistent(it->cell, it->id, true);
    return err == MPROC_ESTALE ? err : MPROC_OK;
}

static void unpin(const guarded *it)
{
    if (robust_release(it->cell, it->id, true) == MPROC_ESTALE)
        robust_leave(it->cell, it->id, true);
}

static mproc_err copy_pinned(const guarded *it, const guarded_range *range)
{
    mproc_err err = pin(it);
    if (err)
        return err;
    copy(it, range);
    unpin(it);
    return MPROC_OK;
}

mproc_err guarded_copy(const guarded *it, const guarded_range *range)
{
    if (range->first > it->count || range->count > it->count - range->first)
        return MPROC_ERANGE;
    const bool locked = it->lock != NO_LOCK, pinned = locked && it->lock != OWN_LOCK;
    mproc_err err = locked ? acquire(it, MPROC_FOREVER) : MPROC_OK, gone = MPROC_OK;
    if (!is_held(err))
        return err;
    if (pinned)
        gone = copy_pinned(it, range);
    else
        copy(it, range);
    if (locked)
        release(it);
    return gone ? gone : err;
}
