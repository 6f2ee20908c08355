/* A piece of shared memory with a lock: a number, a struct, anything without pointers. */
#ifndef MPROC_VALUE_H
#define MPROC_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/lock.h>
#include <mproc/rlock.h>

MPROC_BEGIN

/* A value, as mproc_lock. */
typedef struct mproc_value {
    uint64_t id;
} mproc_value;

typedef struct mproc_value_options {
    /* At most one of these three. None: a recursive lock of its own. A given lock stays the
     * caller's: several values may share it, and it is not destroyed with them. */
    mproc_lock lock;
    mproc_rlock rlock;
    bool unlocked; /* no lock at all */
    char typecode; /* see mproc_typecode_size; 0: the size alone counts */
} mproc_value_options;

/* The size of one element of a type that Python names by a letter:
 *
 *   c b B  char, signed char, unsigned char     q Q  long long, unsigned long long
 *   h H    short, unsigned short                f d  float, double
 *   i I    int, unsigned int                    u    wchar_t
 *   l L    long, unsigned long                  ?    bool
 *
 * **Returns** bytes; 0: no such letter.
 * **Threads**: safe.
 * **Platform**: on Windows `l` has 4 bytes and `u` has 2, elsewhere 8 and 4.
 * *Like* the type codes of `array` and `multiprocessing.Value`. */
MPROC_API size_t mproc_typecode_size(char typecode);

/* Makes a value, zeroed or with a content.
 *
 * value    receives it; see mproc_lock_create.
 * size     bytes; 0: that of options->typecode.
 * initial  `size` bytes that it begins with; copied. NULL: zeroes.
 * options  NULL: the defaults.
 *
 * **Returns** as mproc_lock_create; and MPROC_EINVAL: size 0 without a type code, an unknown type
 * code, one of another size, more than one kind of lock; MPROC_ESTALE: the given lock is none;
 * MPROC_ENOMEM: also a size that there cannot be.
 * **Ownership**: the family's, until mproc_value_destroy.
 * **Threads**: safe.
 * *Like* `multiprocessing.Value(typecode, initial, lock=...)`; unlocked: `RawValue`. */
MPROC_API mproc_err mproc_value_create(mproc_value *value, size_t size, const void *initial,
                                       const mproc_value_options *options);

/* Takes the value's lock and tells where the value lies.
 *
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 * data        receives the address in this process, aligned to 64 bytes and the same until
 *             the value is destroyed. NULL: not wanted.
 *
 * A thread that holds the value's own lock, or a given rlock, may take it again.
 *
 * **Returns** MPROC_OK: held; MPROC_EOWNERDEAD: held as well, and *data is set, but a holder has
 * died or ended without releasing it, so that the value may be half-written: put it right, then
 * call mproc_value_mark_consistent; MPROC_ESTATE: it has no lock; MPROC_ESTALE: destroyed, also
 * while waiting, or no value, or its given lock is destroyed; MPROC_ETIMEDOUT, MPROC_EINVAL,
 * MPROC_ERANGE, MPROC_EINTR, MPROC_EAGAIN, MPROC_EGUARD as mproc_rlock_acquire.
 * **Threads**: safe; threads and processes wait alike. Without waiting it makes no system call.
 * Who waits for a given lock sleeps until that is free, even when the value is destroyed.
 * *Like* `with value.get_lock():`. */
MPROC_API mproc_err mproc_value_acquire(mproc_value value, int timeout_ms, void **data);

/* Lets go of the value's lock.
 *
 * **Returns** MPROC_OK; MPROC_ENOTOWNER: the calling thread does not hold it (a given lock:
 * nobody holds it); MPROC_ESTATE: it has no lock; MPROC_ESTALE, MPROC_EGUARD as above.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_value_release(mproc_value value);

/* As mproc_rlock_mark_consistent and, of a given lock, mproc_lock_mark_consistent; and
 * MPROC_ESTATE: the value has no lock. */
MPROC_API mproc_err mproc_value_mark_consistent(mproc_value value);

/* Where the value lies, without its lock: for whoever holds it already, and for atomic operations,
 * which need none.
 *
 * **Returns** the address as mproc_value_acquire; NULL: there is no such value.
 * **Threads**: safe; signal-safe once the process has used the value. A few loads.
 * *Like* `value.get_obj()`. */
MPROC_API void *mproc_value_data(mproc_value value);

/* **Returns** its bytes; 0: there is no such value. **Threads**: safe. */
MPROC_API size_t mproc_value_size(mproc_value value);

/* Copies the value out, or another one in, under its lock if it has one; waits for that
 * as long as needed. Who holds a given lock already, not an rlock, would wait for himself: he uses
 * mproc_value_data.
 *
 * size  the value's size.
 *
 * Each alone is one step to all others who use the lock; a get and a set after it are two: use
 * mproc_value_acquire for what must happen in between.
 *
 * **Returns** MPROC_OK; MPROC_EOWNERDEAD: done as well, but see mproc_value_acquire; nothing is
 * marked consistent; MPROC_EINVAL: NULL, another size than the value's; MPROC_ESTALE, MPROC_ERANGE,
 * MPROC_EINTR, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD as mproc_rlock_acquire.
 * **Threads**: safe; of an unlocked value not while another one sets it.
 * *Like* `value.value`. */
MPROC_API mproc_err mproc_value_get(mproc_value value, void *out, size_t size);
MPROC_API mproc_err mproc_value_set(mproc_value value, const void *in, size_t size);

/* Ends the value, held or not, and waits for nobody. A thread that waits for its own lock gets
 * MPROC_ESTALE, and so does every later call. A given lock stays as it is: a thread that holds it
 * through the value releases it as a lock.
 *
 * The value's memory is used for other things from now on, but not while another thread is in the
 * midst of a get or a set of a value with a lock, or holds the value's own lock: that thread may go on
 * writing. Its release, which returns MPROC_ESTALE, or its end frees the memory. A thread that has the
 * address only must not write there any more: a holder of a given lock, a user of an unlocked value, and
 * the thread that destroys.
 *
 * **Returns** as mproc_lock_destroy.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_value_destroy(mproc_value value);

MPROC_END

#endif
