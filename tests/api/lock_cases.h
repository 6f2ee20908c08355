/* What locks and recursive locks have in common: each case runs for the kind under test. */
#ifndef MPROC_TESTS_API_LOCK_CASES_H
#define MPROC_TESTS_API_LOCK_CASES_H

#include "sync_support.h"

typedef enum lock_kind { PLAIN, RECURSIVE } lock_kind;

typedef struct any_lock {
    lock_kind kind;
    uint64_t id;
} any_lock;

mproc_err lock_create(any_lock *lock, lock_kind kind);
mproc_err lock_acquire(any_lock lock, int timeout_ms);
mproc_err lock_release(any_lock lock);
mproc_err lock_mark_consistent(any_lock lock);
mproc_err lock_destroy(any_lock lock);

/* In shared memory. */
typedef struct room {
    any_lock lock;
    int counter; /* what the lock protects */
    _Atomic int inside, together, calls, go;
    _Atomic int err[MOST_PARTIES];
} room;

extern mproc_memory place;
extern room *the;
void open_room(lock_kind kind); /* these assert */
void close_room(void);
void assert_free(void); /* another thread and another process get it */

/* Parts: takes it, and what becomes of it stands in `err`. */
int take_and_release(void *args, size_t size);
int take_and_keep(void *args,
                  size_t size); /* until it is killed, or `go` is set: then it returns */

int lock_main(int argc, char **argv, lock_kind kind, const struct CMUnitTest *own, size_t count);

#endif
