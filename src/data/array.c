#include <mproc/array.h>

#include "guarded.h"

mproc_err mproc_array_create(mproc_array *array, size_t item_size, size_t count,
                             const void *initial, const mproc_array_options *options)
{
    return array ? guarded_create(OBJECT_ARRAY, item_size, count, initial, options, &array->id)
                 : MPROC_EINVAL;
}

mproc_err mproc_array_acquire(mproc_array array, int timeout_ms, void **data)
{
    return guarded_acquire(array.id, OBJECT_ARRAY, timeout_ms, data);
}

mproc_err mproc_array_release(mproc_array array)
{
    return guarded_release(array.id, OBJECT_ARRAY);
}

mproc_err mproc_array_mark_consistent(mproc_array array)
{
    return guarded_mark_consistent(array.id, OBJECT_ARRAY);
}

void *mproc_array_data(mproc_array array)
{
    guarded it;
    return guarded_look(array.id, OBJECT_ARRAY, &it) ? NULL : it.data;
}

void *mproc_array_at(mproc_array array, size_t index)
{
    guarded it;
    if (guarded_look(array.id, OBJECT_ARRAY, &it) || index >= it.count)
        return NULL;
    return it.data + index * it.item_size;
}

size_t mproc_array_count(mproc_array array)
{
    guarded it;
    return guarded_look(array.id, OBJECT_ARRAY, &it) ? 0 : it.count;
}

size_t mproc_array_item_size(mproc_array array)
{
    guarded it;
    return guarded_look(array.id, OBJECT_ARRAY, &it) ? 0 : it.item_size;
}

static mproc_err copy(mproc_array array, const guarded_range *range)
{
    guarded it;
    if (range->count && !range->out && !range->in)
        return MPROC_EINVAL;
    mproc_err err = guarded_look(array.id, OBJECT_ARRAY, &it);
    return err ? err : guarded_copy(&it, range);
}

mproc_err mproc_array_get_range(mproc_array array, size_t first, size_t count, void *out)
{
    return copy(array, &(guarded_range){.first = first, .count = count, .out = out});
}

mproc_err mproc_array_set_range(mproc_array array, size_t first, size_t count, const void *in)
{
    return copy(array, &(guarded_range){.first = first, .count = count, .in = in});
}

mproc_err mproc_array_destroy(mproc_array array)
{
    return guarded_destroy(array.id, OBJECT_ARRAY);
}
