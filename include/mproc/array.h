/* Shared memory for many elements of one size, with a lock. */
#ifndef MPROC_ARRAY_H
#define MPROC_ARRAY_H

#include <mproc/value.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_array {
    uint64_t id;
} mproc_array;

typedef mproc_value_options mproc_array_options; /* the same */

/* Makes an array, zeroed or with a content.
 *
 * array      receives it; see mproc_lock_create.
 * item_size  bytes of an element; 0: those of options->typecode.
 * count      of its elements; 0 is an array without any.
 * initial    `count` elements that it begins with; copied. NULL: zeroes.
 * options    NULL: the defaults, of which a recursive lock of its own is one.
 *
 * **Returns** as mproc_value_create; MPROC_ENOMEM also when item_size * count is no number.
 * **Ownership**: the family's, until mproc_array_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.Array(typecode, initial or count, lock=...)`; unlocked: `RawArray`. */
MPROC_API mproc_err mproc_array_create(mproc_array *array, size_t item_size, size_t count,
                                       const void *initial, const mproc_array_options *options);

/* Takes the array's lock and tells where its first element lies; the others follow without gaps. As
 * mproc_value_acquire. *Like* `with array.get_lock():`. */
MPROC_API mproc_err mproc_array_acquire(mproc_array array, int timeout_ms, void **data);

/* As mproc_value_release. */
MPROC_API mproc_err mproc_array_release(mproc_array array);

/* As mproc_value_mark_consistent. */
MPROC_API mproc_err mproc_array_mark_consistent(mproc_array array);

/* Where the first element lies, without the lock; as mproc_value_data. *Like* `array.get_obj()`. */
MPROC_API void *mproc_array_data(mproc_array array);

/* Where an element lies, without the lock.
 *
 * **Returns** the address; NULL: there is no such element, or no such array.
 * **Threads**: as mproc_value_data. */
MPROC_API void *mproc_array_at(mproc_array array, size_t index);

/* **Returns** the number of elements; 0: none, or there is no such array. **Threads**: safe.
 * *Like* `len(array)`. */
MPROC_API size_t mproc_array_count(mproc_array array);

/* **Returns** the bytes of an element; 0: there is no such array. **Threads**: safe. */
MPROC_API size_t mproc_array_item_size(mproc_array array);

/* Copies `count` elements from index `first` on out, or others in, under the array's lock if it has
 * one. Who holds a given lock already, not an rlock, would wait for himself: he uses
 * mproc_array_data.
 *
 * count  0 is fine, with first up to the array's count; out and in may then be NULL.
 *
 * **Returns** MPROC_OK; MPROC_EOWNERDEAD: done as well, but see mproc_value_acquire; MPROC_ERANGE:
 * not all of them are in the array: nothing is copied; MPROC_EINVAL: NULL; the others of
 * mproc_value_get.
 * **Threads**: safe; of an unlocked array not while another one sets the same elements.
 * *Like* `array[first:first + count]`. */
MPROC_API mproc_err mproc_array_get_range(mproc_array array, size_t first, size_t count, void *out);
MPROC_API mproc_err mproc_array_set_range(mproc_array array, size_t first, size_t count,
                                          const void *in);

/* As mproc_value_destroy. */
MPROC_API mproc_err mproc_array_destroy(mproc_array array);

MPROC_END

#endif
