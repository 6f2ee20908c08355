/* A text that processes share and replace. */
#ifndef MPROC_STRING_H
#define MPROC_STRING_H

#include <stddef.h>
#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_string {
    uint64_t id;
} mproc_string;

/* Makes a shared text of limited length.
 *
 * string    receives it; see mproc_lock_create.
 * capacity  bytes of the longest text, with the 0 at its end. About twice as many are reserved at
 *           once, so that a set needs no memory.
 * initial   the text; copied. NULL: the empty one.
 *
 * Whoever gets it sees one whole text; who is killed in the middle of setting it leaves the old one
 * or the new one. It recovers by itself: no call tells of a dead process.
 *
 * **Returns** as mproc_lock_create; and MPROC_EINVAL: capacity 0; MPROC_EMSGSIZE: the text is too
 * long; MPROC_ENOMEM: also a capacity that there cannot be.
 * **Ownership**: the family's, until mproc_string_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.Value(c_char_p, b"...")` wants to be: that shares an address which is
 * only good in one process. */
MPROC_API mproc_err mproc_string_create(mproc_string *string, size_t capacity, const char *initial);

/* Replaces the text.
 *
 * text  ends with a 0.
 *
 * **Returns** MPROC_OK; MPROC_EMSGSIZE: too long, the old one stays; MPROC_EINVAL: NULL;
 * MPROC_ESTALE: destroyed, or no string; MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as
 * mproc_lock_acquire: the old one stays.
 * **Threads**: safe. It waits only for others that are copying theirs in. */
MPROC_API mproc_err mproc_string_set(mproc_string string, const char *text);

/* Copies the text out.
 *
 * buffer    receives it, with the 0 at its end. What is in it after a failure means nothing.
 * capacity  bytes of the buffer. A buffer with mproc_string_capacity bytes is always large enough;
 *           with 0 the buffer may be NULL.
 * length    receives the text's bytes without the 0; with MPROC_EMSGSIZE the capacity that the
 *           buffer needs, with the 0. NULL: not wanted.
 *
 * **Returns** MPROC_OK; MPROC_EMSGSIZE: the buffer is too small; MPROC_EINVAL: NULL; the others of
 * mproc_string_set.
 * **Threads**: safe. It waits for nobody, unless the text is replaced again and again meanwhile. */
MPROC_API mproc_err mproc_string_get(mproc_string string, char *buffer, size_t capacity,
                                     size_t *length);

/* **Returns** its capacity; 0: there is no such string. **Threads**: safe. */
MPROC_API size_t mproc_string_capacity(mproc_string string);

/* Ends the string, and waits for nobody. Later calls, and those that wait, get MPROC_ESTALE. A call
 * that is just copying a text in does so, and frees the string's memory then.
 *
 * **Returns** as mproc_lock_destroy.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_string_destroy(mproc_string string);

MPROC_END

#endif
