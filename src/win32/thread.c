#include "win32.h"

#include <process.h>
#include <stdlib.h>

#define STACK_SIZE (8u << 20)

_Static_assert(sizeof(SRWLOCK) <= sizeof(os_mutex), "a mutex is an SRWLOCK");
_Static_assert(sizeof(SRWLOCK) <= sizeof(os_rwlock), "a read-write lock is an SRWLOCK");

static _Atomic int running; /* threads that were started and not yet joined */

static SRWLOCK *srw_of(void *bytes)
{
    return bytes;
}

void os_mutex_init(os_mutex *mutex)
{
    InitializeSRWLock(srw_of(mutex->bytes));
}

void os_mutex_lock(os_mutex *mutex)
{
    AcquireSRWLockExclusive(srw_of(mutex->bytes));
}

void os_mutex_unlock(os_mutex *mutex)
{
    ReleaseSRWLockExclusive(srw_of(mutex->bytes));
}

void os_rwlock_init(os_rwlock *lock)
{
    InitializeSRWLock(srw_of(lock->bytes));
}

/* An SRWLOCK lets no new reader past a waiting writer. */
void os_rwlock_read(os_rwlock *lock)
{
    AcquireSRWLockShared(srw_of(lock->bytes));
}

void os_rwlock_read_end(os_rwlock *lock)
{
    ReleaseSRWLockShared(srw_of(lock->bytes));
}

void os_rwlock_write(os_rwlock *lock)
{
    AcquireSRWLockExclusive(srw_of(lock->bytes));
}

void os_rwlock_write_end(os_rwlock *lock)
{
    ReleaseSRWLockExclusive(srw_of(lock->bytes));
}

typedef struct start {
    void (*run)(void *);
    void *argument;
} start;

static unsigned __stdcall run_thread(void *argument)
{
    start begun = *(start *)argument;
    free(argument);
    begun.run(begun.argument);
    return 0;
}

mproc_err os_thread_start(os_handle *thread, void (*run)(void *), void *argument)
{
    start *begun = malloc(sizeof *begun);
    if (!begun)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    *begun = (start){.run = run, .argument = argument};
    /* Not CreateThread: the C library may end the process when it runs out of memory on a foreign
     * thread. */
    uintptr_t made = _beginthreadex(NULL, STACK_SIZE, run_thread, begun,
                                    STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (!made) {
        DWORD native = _doserrno;
        free(begun);
        return win32_error(native ? native : ERROR_NOT_ENOUGH_MEMORY);
    }
    atomic_fetch_add(&running, 1);
    *thread = (os_handle)made;
    return MPROC_OK;
}

void os_thread_join(os_handle thread)
{
    WaitForSingleObject(win32_handle(thread), INFINITE);
    os_handle_close(thread);
    atomic_fetch_sub(&running, 1);
}

/* ---- their ends ---- */

/* Storage of fibers, for only that tells also in a static library when a thread has ended. A fiber
 * that is deleted tells the thread that deletes it. */
static DWORD end_index = FLS_OUT_OF_INDEXES;
static void (*thread_ended)(void);

static void WINAPI end_thread(void *asked)
{
    if (asked)
        thread_ended();
}

/* The callback is the library's code, which must stay. */
void os_on_thread_end(void (*ended)(void))
{
    HMODULE pinned;
    if (thread_ended ||
        !GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                            (LPCWSTR)(void *)&end_index, &pinned))
        return;
    thread_ended = ended;
    end_index = FlsAlloc(end_thread);
}

mproc_err os_thread_tell_end(void)
{
    if (end_index == FLS_OUT_OF_INDEXES)
        return win32_error(ERROR_NO_SYSTEM_RESOURCES);
    return FlsSetValue(end_index, &end_index) ? MPROC_OK : win32_last_error();
}

bool os_thread_is_alone(void)
{
    return atomic_load(&running) == 0;
}
