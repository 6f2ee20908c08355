#include <mproc/value.h>

#include "guarded.h"

mproc_err mproc_value_create(mproc_value *value, size_t size, const void *initial,
                             const mproc_value_options *options)
{
    return value ? guarded_create(OBJECT_VALUE, size, 1, initial, options, &value->id)
                 : MPROC_EINVAL;
}

mproc_err mproc_value_acquire(mproc_value value, int timeout_ms, void **data)
{
    return guarded_acquire(value.id, OBJECT_VALUE, timeout_ms, data);
}

mproc_err mproc_value_release(mproc_value value)
{
    return guarded_release(value.id, OBJECT_VALUE);
}

mproc_err mproc_value_mark_consistent(mproc_value value)
{
    return guarded_mark_consistent(value.id, OBJECT_VALUE);
}

void *mproc_value_data(mproc_value value)
{
    guarded it;
    return guarded_look(value.id, OBJECT_VALUE, &it) ? NULL : it.data;
}

size_t mproc_value_size(mproc_value value)
{
    guarded it;
    return guarded_look(value.id, OBJECT_VALUE, &it) ? 0 : it.item_size;
}

static mproc_err copy(mproc_value value, size_t size, void *out, const void *in)
{
    guarded it;
    if (!out && !in)
        return MPROC_EINVAL;
    mproc_err err = guarded_look(value.id, OBJECT_VALUE, &it);
    if (err)
        return err;
    return size == it.item_size
               ? guarded_copy(&it, &(guarded_range){.count = 1, .out = out, .in = in})
               : MPROC_EINVAL;
}

mproc_err mproc_value_get(mproc_value value, void *out, size_t size)
{
    return copy(value, size, out, NULL);
}

mproc_err mproc_value_set(mproc_value value, const void *in, size_t size)
{
    return copy(value, size, NULL, in);
}

mproc_err mproc_value_destroy(mproc_value value)
{
    return guarded_destroy(value.id, OBJECT_VALUE);
}
