#include "raw_sync.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char raw_sync_title[] = "beside nobody, to a robust mutex and to sem_t";

static struct {
    _Alignas(64) pthread_mutex_t lock;
    struct {
        _Alignas(64) sem_t semaphore;
    } passed[2];
} * objects;

bool raw_sync_create(void)
{
    objects = raw_shared_memory(sizeof *objects);
    if (objects == NULL)
        return false;
    pthread_mutexattr_t robust;
    return pthread_mutexattr_init(&robust) == 0 &&
           pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0 &&
           pthread_mutex_init(&objects->lock, &robust) == 0 &&
           sem_init(&objects->passed[0].semaphore, 1, 0) == 0 &&
           sem_init(&objects->passed[1].semaphore, 1, 0) == 0;
}

void raw_lock_take(void)
{
    if (pthread_mutex_lock(&objects->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&objects->lock);
}

void raw_lock_give(void)
{
    pthread_mutex_unlock(&objects->lock);
}

void raw_semaphore_take(int which)
{
    while (sem_wait(&objects->passed[which].semaphore) != 0 && errno == EINTR)
        continue;
}

void raw_semaphore_give(int which)
{
    sem_post(&objects->passed[which].semaphore);
}

void raw_lock_pairs(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(&objects->lock);
        pthread_mutex_unlock(&objects->lock);
    }
}

void raw_semaphore_pairs(long count)
{
    for (long i = 0; i < count; i++) {
        sem_post(&objects->passed[0].semaphore);
        sem_wait(&objects->passed[0].semaphore);
    }
}

void *raw_shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

long long raw_fork(void (*run)(int), int argument)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    run(argument);
    _exit(0);
}

void raw_kill(long long child)
{
    if (child > 0)
        kill((pid_t)child, SIGKILL);
}

void raw_reap(long long child)
{
    waitpid((pid_t)child, NULL, 0);
}

void raw_word_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

void raw_word_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

const bool raw_can_pin = true;

void raw_pin(int processor)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((size_t)processor, &only);
    sched_setaffinity(0, sizeof only, &only);
}
