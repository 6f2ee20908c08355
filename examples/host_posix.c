#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

char **host_arguments(int *argc, char **argv)
{
    (void)argc;
    return argv;
}

FILE *host_fopen(const char *path, const char *mode)
{
    return fopen(path, mode);
}

void host_plain_output(void)
{
}

double host_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void host_sleep(int milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

struct host_thread {
    pthread_t handle;
    void (*run)(void *argument);
    void *argument;
};

static void *run_thread(void *started)
{
    struct host_thread *thread = started;
    thread->run(thread->argument);
    return NULL;
}

struct host_thread *host_thread_start(void (*run)(void *argument), void *argument)
{
    struct host_thread *thread = malloc(sizeof *thread);
    if (thread == NULL)
        return NULL;
    *thread = (struct host_thread){.run = run, .argument = argument};
    if (pthread_create(&thread->handle, NULL, run_thread, thread) != 0) {
        free(thread);
        return NULL;
    }
    return thread;
}

void host_thread_join(struct host_thread *thread)
{
    pthread_join(thread->handle, NULL);
    free(thread);
}
