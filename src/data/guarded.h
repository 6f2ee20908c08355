/* Elements in the arena with a lock of their own, a given one, or none: what values and arrays are
 * made of. A value is one element. */
#ifndef MPROC_DATA_GUARDED_H
#define MPROC_DATA_GUARDED_H

#include <mproc/value.h>

#include "../family/object.h"

/* One moment of it; it was alive then. */
typedef struct guarded {
    object *cell;
    uint64_t id, lock;
    size_t item_size, count;
    unsigned char *data;
} guarded;

mproc_err guarded_create(object_type type, size_t item_size, size_t count, const void *initial,
                         const mproc_value_options *options, uint64_t *home);
/* MPROC_ESTALE, and the errors of family_enter. */
mproc_err guarded_look(uint64_t id, object_type type, guarded *found);
mproc_err guarded_acquire(uint64_t id, object_type type, int timeout_ms, void **data);
mproc_err guarded_release(uint64_t id, object_type type);
mproc_err guarded_destroy(uint64_t id, object_type type);
mproc_err guarded_mark_consistent(uint64_t id, object_type type);

/* Elements that are copied under the lock: `out` or `in` is NULL. */
typedef struct guarded_range {
    size_t first, count;
    void *out;
    const void *in;
} guarded_range;

/* MPROC_ERANGE: they are not all there. */
mproc_err guarded_copy(const guarded *it, const guarded_range *range);

#endif
