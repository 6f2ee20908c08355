#include "host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif
#include <time.h>
#include <unistd.h>

const bool host_is_windows = false;

long long host_pid(void)
{
    return getpid();
}

int64_t host_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void host_nap(int milliseconds)
{
    poll(NULL, 0, milliseconds);
}

void host_wait_forever(void)
{
    for (;;)
        pause();
}

void host_crash(void)
{
    signal(SIGSEGV, SIG_DFL); /* CMocka's handler is copied by a fork */
    /* A null pointer that the undefined-behaviour sanitizer does not see as one. */
    int *volatile nowhere = (int *)(uintptr_t)sizeof(int);
    *(volatile int *)nowhere = 1;
}

void host_quit(int code)
{
    _exit(code);
}

void host_break_output(void)
{
    close(STDOUT_FILENO);
}

bool host_is_output_open(void)
{
    return fcntl(STDOUT_FILENO, F_GETFD) >= 0;
}

size_t host_open_handles(void)
{
    size_t count = 0;
    DIR *folder = opendir("/dev/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

void host_set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

#if defined(CPU_SET)
bool host_use_one_processor(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all))
        return false;
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &one);
            return !sched_setaffinity(0, sizeof one, &one);
        }
    }
    return false;
}
#else
bool host_use_one_processor(void)
{
    return false;
}
#endif

bool host_limit_handles(int count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return false;
    limit.rlim_cur = (rlim_t)count;
    return !setrlimit(RLIMIT_NOFILE, &limit);
}

bool host_own_path(char *path, size_t capacity)
{
    ssize_t length = readlink("/proc/self/exe", path, capacity - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    return true;
}

bool host_temporary_folder(char *path, size_t capacity)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(path, capacity, "%s/", folder ? folder : "/tmp");
    return length > 0 && (size_t)length < capacity;
}

host_function host_load(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW);
    void *found = handle ? dlsym(handle, name) : NULL;
    return (host_function)(uintptr_t)found;
}

intptr_t host_open_stray(void)
{
    enum { HIGH = 200 };
    int null = open("/dev/null", O_RDONLY);
    int stray = fcntl(null, F_DUPFD, HIGH);
    close(null);
    return stray;
}

bool host_has_stray(intptr_t stray)
{
    return fcntl((int)stray, F_GETFD) >= 0;
}

void host_close_stray(intptr_t stray)
{
    close((int)stray);
}

bool host_is_ready(intptr_t sentinel, int timeout_ms)
{
    struct pollfd polled = {.fd = (int)sentinel, .events = POLLIN};
    return poll(&polled, 1, timeout_ms) == 1 && !(polled.revents & POLLNVAL);
}

/* As the system shows it; '?': it does not. */
static char state_of(long long pid)
{
    char name[64], text[512] = "";
    snprintf(name, sizeof name, "/proc/%lld/stat", pid);
    FILE *file = fopen(name, "r");
    if (!file)
        return access("/proc/self/stat", R_OK) ? '?' : 'X';
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *state = strrchr(text, ')');
    if (!state || !state[1])
        return '?';
    /* Its leader may be a zombie while other threads are still on their way out. */
    int threads = 0;
    sscanf(state + 4, "%*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
           &threads);
    return state[2] == 'Z' && threads > 1 ? 'R' : state[2];
}

/* A zombie that its new parent has not taken notice of yet runs no more. */
bool host_is_running(long long pid)
{
    if (kill((pid_t)pid, 0) && errno == ESRCH)
        return false;
    char state = state_of(pid);
    return state != 'Z' && state != 'X';
}

bool host_pause(long long pid)
{
    if (pid <= 1 || kill((pid_t)pid, SIGSTOP))
        return false;
    while (state_of(pid) != 'T' && state_of(pid) != '?')
        host_nap(1);
    return true;
}

void host_continue(long long pid)
{
    if (pid > 1)
        kill((pid_t)pid, SIGCONT);
}

void host_kill(long long pid)
{
    if (pid > 1)
        kill((pid_t)pid, SIGKILL);
}

void host_ignore_terminate(void)
{
    signal(SIGTERM, SIG_IGN);
}

int host_raw_fork(int (*run)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(run());
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : 255;
}

void host_stop_self(void)
{
    raise(SIGSTOP);
}

static bool is_marked(const char *pid, const char *wanted, size_t length)
{
    char name[300], text[65536];
    snprintf(name, sizeof name, "/proc/%s/environ", pid);
    FILE *file = fopen(name, "r");
    if (!file)
        return false;
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t i = 0; i + length <= size; i++) {
        if ((i == 0 || text[i - 1] == '\0') && !memcmp(text + i, wanted, length))
            return true;
    }
    return false;
}

int host_count_marked(const char *mark)
{
    char wanted[256];
    int count = 0, length = snprintf(wanted, sizeof wanted, "MPROC_TEST_MARK=%s", mark);
    DIR *folder = access("/proc/self/environ", R_OK) ? NULL : opendir("/proc");
    if (!folder)
        return -1;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            is_marked(entry->d_name, wanted, (size_t)length + 1))
            count++;
    }
    closedir(folder);
    return count;
}

/* ---- programs ---- */

enum { MOST_ARGUMENTS = 16, CANNOT_RUN = 126 };

static void redirect(const char *file, int flags, int first, int last)
{
    int fd = open(file, flags, 0600);
    if (fd < 0)
        _exit(CANNOT_RUN);
    for (int to = first; to <= last; to++)
        dup2(fd, to);
    if (fd > 2)
        close(fd);
}

static void list_arguments(char *own, const host_command *command, char *arguments[])
{
    arguments[0] = own;
    size_t count = 1;
    for (const char *const *at = command->arguments; at && *at && count <= MOST_ARGUMENTS; at++)
        arguments[count++] = (char *)(uintptr_t)*at;
    arguments[count] = NULL;
}

/* A program begins with the default actions: nohup and a shell's & ignore some signals, and a copy of a
 * CMocka program has its handlers. */
static void forget_signals(void)
{
    static const int all[] = {SIGINT, SIGQUIT, SIGHUP,  SIGTERM, SIGPIPE,
                              SIGFPE, SIGILL,  SIGSEGV, SIGBUS,  SIGSYS};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        signal(all[i], SIG_DFL);
}

static void redirect_all(const host_command *command)
{
    redirect(command->input ? command->input : "/dev/null", O_RDONLY, 0, 0);
    redirect(command->output ? command->output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 1, 2);
}

bool host_start(host_program *program, const host_command *command)
{
    char own[PATH_MAX];
    char *arguments[MOST_ARGUMENTS + 2];
    if (!command->program && !host_own_path(own, sizeof own))
        return false;
    if (command->program)
        snprintf(own, sizeof own, "%s", command->program);
    list_arguments(own, command, arguments);
    pid_t pid = fork();
    if (pid == 0) {
        redirect_all(command);
        forget_signals();
        execv(own, arguments);
        _exit(CANNOT_RUN);
    }
    *program = (host_program){.handle = pid, .pid = pid};
    return pid > 0;
}

bool host_start_copy(host_program *program, const host_command *command,
                     int (*run)(int argc, char **argv))
{
    static char own[PATH_MAX], *arguments[MOST_ARGUMENTS + 2];
    if (!host_own_path(own, sizeof own))
        return false;
    list_arguments(own, command, arguments);
    fflush(stdout); /* else the copy would write it, too */
    pid_t pid = fork();
    if (pid == 0) {
        int count = 0;
        redirect_all(command);
        forget_signals();
        while (arguments[count])
            count++;
        exit(run(count, arguments));
    }
    *program = (host_program){.handle = pid, .pid = pid};
    return pid > 0;
}

bool host_adopt_orphans(void)
{
#if defined(PR_SET_CHILD_SUBREAPER)
    return !prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#else
    return false;
#endif
}

bool host_has_children(void)
{
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {
    }
    return ended == 0;
}

bool host_wait(host_program *program, int timeout_ms, int *code)
{
    int64_t deadline = host_now() + timeout_ms;
    for (;;) {
        int status;
        pid_t ended = waitpid((pid_t)program->pid, &status, WNOHANG);
        if (ended > 0) {
            *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return true;
        }
        if (ended < 0 && errno != EINTR) {
            *code = -1;
            return true;
        }
        if (host_now() >= deadline)
            return false;
        host_nap(1);
    }
}

/* ---- Ctrl-C ---- */

bool host_lead_group(void)
{
    return setpgid(0, 0) == 0;
}

void host_interrupt_group(long long leader)
{
    kill((pid_t)-leader, SIGINT);
}

/* ---- threads ---- */

static void *run_thread(void *argument)
{
    host_thread *thread = argument;
    thread->run(thread->argument);
    return NULL;
}

bool host_thread_start(host_thread *thread, void (*run)(void *), void *argument)
{
    pthread_t made;
    thread->run = run;
    thread->argument = argument;
    if (pthread_create(&made, NULL, run_thread, thread))
        return false;
    thread->handle = (intptr_t)made;
    return true;
}

void host_thread_join(host_thread *thread)
{
    pthread_join((pthread_t)thread->handle, NULL);
}

void host_thread_leave(host_thread *thread)
{
    pthread_detach((pthread_t)thread->handle);
}
