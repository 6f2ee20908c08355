#include "raw_sync.h"

#include <windows.h>

const char raw_sync_title[] = "beside nobody, to kernel objects";

static HANDLE lock, semaphores[2];

bool raw_sync_create(void)
{
    lock = CreateMutexW(NULL, FALSE, NULL);
    for (int i = 0; i < 2; i++)
        semaphores[i] = CreateSemaphoreW(NULL, 0, LONG_MAX, NULL);
    return lock != NULL && semaphores[0] != NULL && semaphores[1] != NULL;
}

void raw_lock_take(void)
{
    WaitForSingleObject(lock, INFINITE);
}

void raw_lock_give(void)
{
    ReleaseMutex(lock);
}

void raw_semaphore_take(int which)
{
    WaitForSingleObject(semaphores[which], INFINITE);
}

void raw_semaphore_give(int which)
{
    ReleaseSemaphore(semaphores[which], 1, NULL);
}

void raw_lock_pairs(long count)
{
    for (long i = 0; i < count; i++) {
        raw_lock_take();
        raw_lock_give();
    }
}

void raw_semaphore_pairs(long count)
{
    for (long i = 0; i < count; i++) {
        raw_semaphore_give(0);
        raw_semaphore_take(0);
    }
}

void *raw_shared_memory(size_t size)
{
    (void)size;
    return NULL;
}

long long raw_fork(void (*run)(int), int argument)
{
    (void)run;
    (void)argument;
    return -1;
}

void raw_kill(long long child)
{
    (void)child;
}

void raw_reap(long long child)
{
    (void)child;
}

void raw_word_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)word;
    (void)value;
}

void raw_word_wake(_Atomic uint32_t *word)
{
    (void)word;
}

const bool raw_can_pin = false;

void raw_pin(int processor)
{
    (void)processor;
}
