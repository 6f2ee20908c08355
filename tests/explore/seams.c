/* What the explored library asks of the system: the linker's --wrap leads these calls here. Time
 * stands still but for those whose time is up; sleepers sleep in the engine; nothing is random. The
 * names are listed once more in CMakeLists.txt. */
#include "seams.h"

#include <stdio.h>
#include <string.h>

#include "family/arena.h"
#include "family/spin.h"
#include "players.h"
#include "point.h"

#define WRAPPED(name) __wrap_##name
#define WRAP(name) WRAPPED(name)
#define REALLY(name) __real_##name
#define REAL(name) REALLY(name)

/* ---- time and chance ---- */

/* The engine's own waits, in checks, come to an end. */
int64_t WRAP(os_now)(void);
int64_t WRAP(os_now)(void)
{
    static int64_t passed;
    const int64_t moment = 1000000;
    if (players_current() == NOBODY)
        return players_clock() + (passed += moment);
    return players_clock();
}

void WRAP(os_yield)(void);
void WRAP(os_yield)(void)
{
    if (players_current() != NOBODY)
        players_yield();
}

mproc_err WRAP(os_random)(void *bytes, size_t size);
mproc_err WRAP(os_random)(void *bytes, size_t size)
{
    memset(bytes, 0x5a, size);
    return MPROC_OK;
}

/* A player that looks for a while before it sleeps does no more than one that others preempt. */
void spin_prepare(void)
{
}

spin spin_begin(void)
{
    return (spin){0, 0};
}

void spin_end(const spin *s, bool paid)
{
    (void)s;
    (void)paid;
}

void spin_give_way(uint32_t *turns)
{
    (void)turns;
    os_yield();
}

/* ---- sleeping ---- */

/* In place of the system's own park.c. Its constant is a variable here: each play chooses. */
bool explore_has_futex __asm__("mproc__os_has_futex");

void seams_choose(bool futex)
{
    explore_has_futex = futex;
}

mproc_err os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    if (players_current() == NOBODY)
        return MPROC_ETIMEDOUT;
    explore_point(word, 0, "futex_wait", 0);
    if (*word != expected)
        return MPROC_OK;
    return players_sleep(word, deadline) ? MPROC_OK : MPROC_ETIMEDOUT;
}

void os_futex_wake(_Atomic uint32_t *word, uint32_t count)
{
    if (players_current() == NOBODY)
        return;
    explore_point(word, 1, "futex_wake", 0);
    players_wake(word, count);
}

static uint32_t *posts_of(os_signal *signal)
{
    return (uint32_t *)(void *)signal->bytes;
}

mproc_err os_signal_init(os_signal *signal, const unsigned char nonce[16], uint32_t index)
{
    (void)nonce;
    (void)index;
    *posts_of(signal) = 0;
    return MPROC_OK;
}

mproc_err os_signal_wait(os_signal *signal, int64_t deadline)
{
    if (players_current() == NOBODY)
        return MPROC_ETIMEDOUT;
    explore_point(signal, 1, "signal_wait", 0);
    while (!*posts_of(signal)) {
        if (!players_sleep(signal, deadline))
            return MPROC_ETIMEDOUT;
    }
    --*posts_of(signal);
    return MPROC_OK;
}

void os_signal_post(os_signal *signal)
{
    explore_point(signal, 1, "signal_post", 0);
    ++*posts_of(signal);
    if (players_current() != NOBODY)
        players_wake(signal, 1);
}

/* ---- locks of one process: flags in its image ---- */

void WRAP(os_mutex_init)(os_mutex *mutex);
void WRAP(os_mutex_init)(os_mutex *mutex)
{
    memset(mutex, 0, sizeof *mutex);
}

void WRAP(os_mutex_lock)(os_mutex *mutex);
void WRAP(os_mutex_lock)(os_mutex *mutex)
{
    while (mutex->bytes[0] && players_current() != NOBODY)
        players_yield();
    mutex->bytes[0] = 1;
}

void WRAP(os_mutex_unlock)(os_mutex *mutex);
void WRAP(os_mutex_unlock)(os_mutex *mutex)
{
    mutex->bytes[0] = 0;
}

/* The gate: nobody forks here, so nobody writes. */
void WRAP(os_rwlock_init)(os_rwlock *lock);
void WRAP(os_rwlock_init)(os_rwlock *lock)
{
    memset(lock, 0, sizeof *lock);
}

void WRAP(os_rwlock_read)(os_rwlock *lock);
void WRAP(os_rwlock_read)(os_rwlock *lock)
{
    (void)lock;
}

void WRAP(os_rwlock_read_end)(os_rwlock *lock);
void WRAP(os_rwlock_read_end)(os_rwlock *lock)
{
    (void)lock;
}

/* ---- the arena ---- */

/* What was committed once stays so: only what it contains is restored. */
static unsigned char committed[1 << 16];

mproc_err REAL(os_shared_commit)(const os_shared *shared, uint64_t offset, uint64_t size);
mproc_err WRAP(os_shared_commit)(const os_shared *shared, uint64_t offset, uint64_t size);
mproc_err WRAP(os_shared_commit)(const os_shared *shared, uint64_t offset, uint64_t size)
{
    bool all = true;
    for (uint64_t at = offset; at < offset + size; at += ARENA_SPAN)
        all &= at / ARENA_SPAN < sizeof committed && committed[at / ARENA_SPAN];
    mproc_err err = all ? MPROC_OK : REAL(os_shared_commit)(shared, offset, size);
    for (uint64_t at = offset; !err && at < offset + size; at += ARENA_SPAN) {
        if (at / ARENA_SPAN < sizeof committed)
            committed[at / ARENA_SPAN] = 1;
    }
    return err;
}

bool WRAP(os_shared_decommit)(const os_shared *shared, uint64_t offset, uint64_t size);
bool WRAP(os_shared_decommit)(const os_shared *shared, uint64_t offset, uint64_t size)
{
    (void)shared;
    (void)offset;
    (void)size;
    return false;
}

bool WRAP(os_shared_is_committed)(const os_shared *shared, uint64_t offset, uint64_t size);
bool WRAP(os_shared_is_committed)(const os_shared *shared, uint64_t offset, uint64_t size)
{
    (void)shared;
    (void)offset;
    (void)size;
    return true;
}

/* A table grows by a span; some calls look at all slots. So that this costs little, their table has a
 * few entries only, until somebody asks for more. */
void *REAL(arena_use_table)(arena_table table, uint32_t count, uint32_t *used);
void *WRAP(arena_use_table)(arena_table table, uint32_t count, uint32_t *used);
void *WRAP(arena_use_table)(arena_table table, uint32_t count, uint32_t *used)
{
    static const uint32_t few[ARENA_TABLES] = {[ARENA_SLOTS] = 8};
    void *begin = REAL(arena_use_table)(table, count, used);
    if (used && few[table] && count <= few[table] && *used > few[table])
        *used = few[table];
    return begin;
}

/* ---- processes ---- */

bool WRAP(os_process_is_gone)(int64_t pid, uint64_t born);
bool WRAP(os_process_is_gone)(int64_t pid, uint64_t born)
{
    (void)born;
    return pid >= SEAMS_FIRST_PID && pid < SEAMS_FIRST_PID + EXPLORE_ALL &&
           explore_is_dead((int)(pid - SEAMS_FIRST_PID));
}

/* ---- the C library ---- */

static _Alignas(16) unsigned char memory[1 << 18];
static size_t allocated, kept;

void seams_keep(void)
{
    kept = allocated;
}

void seams_begin(void)
{
    allocated = kept;
}

void *explore_allocate(size_t count, size_t size)
{
    const size_t bytes = (count * size + 15) / 16 * 16;
    if (bytes > sizeof memory - allocated)
        players_abandon("it allocates without end");
    void *block = memset(memory + allocated, 0, bytes);
    allocated += bytes;
    return block;
}

void explore_release(void *block)
{
    (void)block;
}

/* What a failed assertion calls. */
void __assert_fail(const char *text, const char *file, unsigned line, const char *function);
void __assert_fail(const char *text, const char *file, unsigned line, const char *function)
{
    char why[EXPLORE_TEXT];
    (void)function;
    snprintf(why, sizeof why, "%s:%u: %s does not hold", file, line, text);
    players_abandon(why);
}
