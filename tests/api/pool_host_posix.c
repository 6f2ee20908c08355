#include "pool_host.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct host_thread {
    pthread_t id;
    void (*run)(void *);
    void *argument;
};

static void *begin(void *argument)
{
    host_thread *thread = argument;
    thread->run(thread->argument);
    return NULL;
}

host_thread *host_thread_start(void (*run)(void *), void *argument)
{
    host_thread *thread = malloc(sizeof *thread);
    if (!thread)
        return NULL;
    thread->run = run;
    thread->argument = argument;
    if (!pthread_create(&thread->id, NULL, begin, thread))
        return thread;
    free(thread);
    return NULL;
}

void host_thread_join(host_thread *thread)
{
    pthread_join(thread->id, NULL);
    free(thread);
}

void host_sleep(int milliseconds)
{
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&rest, &rest)) {
    }
}

double host_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

long long host_pid(void)
{
    return getpid();
}

static void send(long long pid, int number)
{
    if (pid > 1)
        kill((pid_t)pid, number);
}

void host_kill(long long pid)
{
    send(pid, SIGKILL);
}

bool host_has_signals(void)
{
    return true;
}

void host_pause(long long pid)
{
    send(pid, SIGSTOP);
}

void host_resume(long long pid)
{
    send(pid, SIGCONT);
}

void host_crash_plainly(void)
{
    /* CMocka catches these in the process that runs a test, and a fork keeps handlers. */
    const int fatal[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        signal(fatal[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

int host_raw_fork(int (*run)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(run());
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 255;
    return WEXITSTATUS(status);
}

bool host_temporary(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(path, size, "%s/mproc-pool-XXXXXX", folder ? folder : "/tmp");
    int file = length > 0 && (size_t)length < size ? mkstemp(path) : -1;
    if (file < 0)
        return false;
    close(file);
    return true;
}

bool host_append(const char *path, const void *data, size_t size)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool written = write(file, data, size) == (ssize_t)size;
    close(file);
    return written;
}
