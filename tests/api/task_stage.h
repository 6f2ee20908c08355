/* What the tests of tasks share: pools, iterators, and tasks that can be waited for and held up. */
#ifndef MPROC_TESTS_API_TASK_STAGE_H
#define MPROC_TESTS_API_TASK_STAGE_H

#include "support.h"

/* Sanitizers and the test's own handlers would hide a crash from the parent. */
mproc_pool *make_pool(const mproc_pool_options *options);
mproc_pool *new_pool(int workers);
void end_pool(mproc_pool *pool); /* close, join, free: none of them fails */

mproc_result *submit(mproc_pool *pool, mproc_function function, const void *input, size_t size,
                     const mproc_task_options *options);
/* Waits for it, frees it, and gives its error. */
mproc_err outcome_of(mproc_result *result);
/* Likewise, with all that is known of it. */
mproc_task_error failure_of(mproc_result *result);
/* Waits for a reply that is an int, and frees the result. */
int number_of(mproc_result *result);

/* ---- replies one by one ---- */

typedef mproc_err (*imap_call)(mproc_pool *, mproc_function, const void *, size_t, size_t,
                               const mproc_imap_options *, mproc_iterator **);
extern const imap_call imaps[2]; /* the one in order first */

mproc_iterator *iterate(imap_call call, mproc_pool *pool, mproc_function function,
                        const void *items, size_t item_size, size_t count,
                        const mproc_imap_options *options);

/* ---- the door: tasks stand before it until it is opened ---- */

typedef struct door {
    mproc_semaphore arrivals; /* one for each task that has come to it */
    mproc_event open;
} door;

door new_door(void);
void drop_door(door before);
/* Until so many more tasks have come. */
void await_arrivals(door before, unsigned count);
void open_door(door before);

/* Tasks. Input: a door. Reply: the worker's pid. */
int pass_door(mproc_task *task);
/* Comes to the door, and stands there until it is told that it is canceled; then fails. */
int stand_until_canceled(mproc_task *task);
/* Comes to the door, and never goes. */
int block_forever(mproc_task *task);

/* ---- plain tasks ---- */

int tell_pid(mproc_task *task); /* a long long */
int add_one(mproc_task *task);  /* to an int */
int echo(mproc_task *task);

/* The pool does as it should: each of `count` numbers comes back as the next one. */
void check_pool_works(mproc_pool *pool, int count);
/* Of the one worker, or of anybody. */
long long ask_pid(mproc_pool *pool);

/* Children of this process, all kinds. */
size_t count_children(void);

/* For pools in workers: AddressSanitizer's allocator does not survive the fork of a process with
 * several threads. */
void skip_where_forks_are_broken(void);

/* ---- counting across processes ---- */

mproc_value new_counter(void);
void count_up(mproc_value counter);
int count_of(mproc_value counter);

#endif
