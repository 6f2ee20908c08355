/* What mproc's objects are compared with: those of the system, one of each kind, shared with all
 * children of raw_fork. raw_sync_linux.c and raw_sync_win32.c. */
#ifndef RAW_SYNC_H
#define RAW_SYNC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const char raw_sync_title[]; /* of a table that compares with them */

bool raw_sync_create(void);
void raw_lock_take(void); /* also after the death of its holder */
void raw_lock_give(void);
void raw_semaphore_take(int which); /* 0 or 1 */
void raw_semaphore_give(int which);
void raw_lock_pairs(long count); /* taken and given back so often, with nothing in between */
void raw_semaphore_pairs(long count);

/* The rest only where raw_can_fork. */
void *raw_shared_memory(size_t size);               /* with later children; NULL */
long long raw_fork(void (*run)(int), int argument); /* the child ends after it */
void raw_kill(long long child);
void raw_reap(long long child);
void raw_word_wait(_Atomic uint32_t *word, uint32_t value); /* sleeps while it is that */
void raw_word_wake(_Atomic uint32_t *word);                 /* all who sleep on it */
extern const bool raw_can_pin;
void raw_pin(int processor); /* this process, from now on */

#endif
