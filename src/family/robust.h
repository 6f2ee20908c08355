/* A lock in a shared object that outlives its holders.
 *
 *   word: generation 24 | holder's mark 24 | WAITERS | DIRTY | holder's slot + 1
 *
 * Taking it is one CAS from "nobody" to the holder, so there is no moment in which it is held by
 * nobody known. Releasing it is one CAS back, and a wake-up if WAITERS stood. A holder that is
 * proved dead, by a sweep or by a waiter, is replaced by DIRTY in one CAS; the next one holds it
 * with MPROC_EOWNERDEAD, and so does everyone until it has been marked consistent.
 *
 * Whoever has slept takes it with WAITERS, since others may still sleep: so only a waiter's death
 * between its wake-up and that CAS could leave them asleep, and there the sweep wakes one.
 *
 * Of a value, an array or a string the lock is its own word, and guards its block. It may be
 * destroyed while somebody holds it: then the holder stays in the word, without a generation, and
 * the block in its place, until the holder lets go or is swept.
 *
 * A recursive one belongs to a thread: the mark is the thread's (threads.h), and `extra` counts how
 * often it was taken beyond the first; only the holder changes that. A thread that takes it after a
 * dead holder begins with 0. The mark of a plain one is its holder's slot generation. */
#ifndef MPROC_FAMILY_ROBUST_H
#define MPROC_FAMILY_ROBUST_H

#include "object.h"
#include "threads.h"

/* MPROC_OK, MPROC_EOWNERDEAD: held; MPROC_ETIMEDOUT, MPROC_ESTALE, MPROC_EINTR, MPROC_EAGAIN (too
 * many sleepers, or no number for this thread), MPROC_ERANGE (taken too often), MPROC_EINVAL (the time-out). */
mproc_err robust_acquire_slowly(object *cell, uint64_t id, bool recursive, int timeout_ms);
mproc_err robust_acquire_until(object *cell, uint64_t id, bool recursive, int64_t deadline);
mproc_err robust_release_slowly(object *cell, uint64_t id, bool recursive);

/* 0: a thread that has never taken a recursive one. */
static inline uint64_t robust_me(bool recursive)
{
    return recursive ? threads_me() : atomic_load_explicit(&objects.me, memory_order_relaxed);
}

static inline mproc_err robust_acquire(object *cell, uint64_t id, bool recursive, int timeout_ms)
{
    uint64_t word = object_word(id, 0), me = robust_me(recursive);
    object_note(id);
    if (!me || timeout_ms < MPROC_FOREVER ||
        !atomic_compare_exchange_strong_explicit(&cell->word, &word, word | me,
                                                 memory_order_seq_cst, memory_order_relaxed))
        return robust_acquire_slowly(cell, id, recursive, timeout_ms);
    if (recursive)
        threads_hold();
    return MPROC_OK;
}

/* Only the holder's own doing changes that. */
static inline bool robust_is_taken_again(const object *cell)
{
    return atomic_load_explicit(&cell->extra, memory_order_relaxed) & OBJECT_WORD_MASK;
}

/* MPROC_OK, MPROC_ENOTOWNER, MPROC_ESTALE. A plain one may be released by anybody. */
static inline mproc_err robust_release(object *cell, uint64_t id, bool recursive)
{
    uint64_t me = robust_me(recursive), word = object_word(id, me);
    if (!me || (recursive && robust_is_taken_again(cell)) ||
        !atomic_compare_exchange_strong_explicit(&cell->word, &word, object_word(id, 0),
                                                 memory_order_seq_cst, memory_order_relaxed))
        return robust_release_slowly(cell, id, recursive);
    if (recursive)
        threads_let_go();
    return MPROC_OK;
}

/* Whether this process, or for a recursive one this thread, holds it. MPROC_OK, MPROC_ENOTOWNER,
 * MPROC_ESTALE. */
mproc_err robust_check_holder(object *cell, uint64_t id, bool recursive);
mproc_err robust_mark_consistent(object *cell, uint64_t id, bool recursive);
/* For waiting inside: lets go of it however often it was taken, and takes it as often again. The
 * caller holds it. */
uint64_t robust_suspend(object *cell, uint64_t id, bool recursive);
mproc_err robust_resume(object *cell, uint64_t id, bool recursive, uint64_t depth);

/* Ends an object that is its own lock, and waits for nobody. What the calling thread holds of it
 * counts as released. MPROC_ESTALE. */
mproc_err robust_destroy(uint64_t id, object_type type, bool recursive);
/* When a release has said MPROC_ESTALE: the object may have been destroyed under the holder. */
void robust_leave(object *cell, uint64_t id, bool recursive);
/* After a death: of one that is being ended, by the dead one or while it held it. False: it is
 * none. */
bool robust_finish(object *cell, slot_id dead);
/* As object_destroy, of a lock or a condition; those who wait on a condition with it wake. A thread that
 * ends a recursive one that it holds holds it no more. */
mproc_err robust_end_lock(uint64_t id, object_type type);

/* Of a proven dead process. Does nothing to what is no lock. */
void robust_sweep(object *cell, slot_id dead);
/* Sees whether its holder lives; it takes a system call. */
void robust_look_after(object *cell, uint64_t id);

#endif
