/* What the tests of locks and recursive locks share: a lock of either kind, and those who use it. */
#ifndef MPROC_TESTS_API_LOCK_STAGE_H
#define MPROC_TESTS_API_LOCK_STAGE_H

#include "sync_support.h"

typedef enum lock_kind { PLAIN, RECURSIVE } lock_kind;
extern lock_kind tested; /* by this program */

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
/* Until it is killed, or `go` is set: then it returns. */
int take_and_keep(void *args, size_t size);

void start_users(team *all, mproc_target part, int threads, int processes, party like);
/* Two threads and two processes that are about to wait, or do. */
void start_waiters(team *all);
void assert_all_got(const team *all, mproc_err err);
mproc_process *start_keeper(mproc_target part); /* one that takes it and is `inside` */

#endif
