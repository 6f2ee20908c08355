#include "raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char own_path[4096];

void raw_begin(const char *program)
{
    snprintf(own_path, sizeof own_path, "%s", program);
}

double raw_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void raw_sleep(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

void raw_idle(void)
{
    for (;;)
        pause();
}

const bool raw_can_fork = true;

bool raw_fork_and_wait(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool raw_spawn_and_wait(void)
{
    char option[] = RAW_CHILD;
    char *arguments[] = {own_path, option, NULL};
    pid_t pid;
    int status;
    return posix_spawn(&pid, own_path, NULL, NULL, arguments, environ) == 0 &&
           waitpid(pid, &status, 0) == pid && status == 0;
}

static void *idle_thread(void *argument)
{
    raw_idle();
    return argument;
}

bool raw_start_idle_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, idle_thread, NULL) == 0;
}

static pid_t *idle;
static int idle_count;

bool raw_fork_idle(int count)
{
    idle = calloc((size_t)count, sizeof *idle);
    if (idle == NULL)
        return false;
    for (idle_count = 0; idle_count < count; idle_count++) {
        idle[idle_count] = fork();
        if (idle[idle_count] == 0)
            raw_idle();
        if (idle[idle_count] < 0)
            return false;
    }
    return true;
}

void raw_end_idle(void)
{
    for (int i = 0; i < idle_count; i++) {
        kill(idle[i], SIGKILL);
        waitpid(idle[i], NULL, 0);
    }
    free(idle);
    idle = NULL;
    idle_count = 0;
}

/* A second program must not keep the first one's pipes open. */
static bool make_pipe(int ends[2])
{
    return pipe(ends) == 0 && fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0;
}

bool raw_program_start(struct raw_program *program, const char *role, const char *argument)
{
    int to[2], from[2];
    if (!make_pipe(to) || !make_pipe(from))
        return false;
    signal(SIGPIPE, SIG_IGN); /* one that has died is reported, not died of */
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(to[0], 0);
        dup2(from[1], 1);
        execl(own_path, own_path, "--peer", role, argument, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    program->handle = pid;
    program->to = fdopen(to[1], "w");
    program->from = fdopen(from[0], "r");
    return pid > 0 && program->to != NULL && program->from != NULL;
}

void raw_program_wait(struct raw_program *program)
{
    fclose(program->to);
    waitpid((pid_t)program->handle, NULL, 0);
    fclose(program->from);
}

FILE *raw_output_of(const char *command)
{
    return popen(command, "r");
}

void raw_output_close(FILE *output)
{
    pclose(output);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double raw_used_by_others(void)
{
    double user, nice, system;
    FILE *file = fopen("/proc/stat", "r");
    bool known = file != NULL && fscanf(file, "cpu %lf %lf %lf", &user, &nice, &system) == 3;
    if (file != NULL)
        fclose(file);
    if (!known)
        return 0;
    double used = (user + nice + system) / (double)sysconf(_SC_CLK_TCK);
    const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    for (size_t i = 0; i < 2; i++) {
        struct rusage own;
        if (getrusage(whose[i], &own) == 0)
            used -= seconds_of(own.ru_utime) + seconds_of(own.ru_stime);
    }
    return used;
}

bool raw_knows_processes(void)
{
    return access("/proc/self/smaps_rollup", R_OK) == 0;
}

/* Adds up the numbers behind `name` in a file of the form "name: number". */
static double number_in(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    double sum = 0, number;
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) == 0 && sscanf(line + length, " %lf", &number) == 1)
            sum += number;
    }
    if (file != NULL)
        fclose(file);
    return sum;
}

double raw_private_bytes(long long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/smaps_rollup", pid);
    return 1024 * (number_in(path, "Private_Clean:") + number_in(path, "Private_Dirty:"));
}

static bool is_descendant(long pid, long long root)
{
    char path[64];
    while (pid > 1 && pid != root) {
        snprintf(path, sizeof path, "/proc/%ld/status", pid);
        pid = (long)number_in(path, "PPid:");
    }
    return pid == root;
}

static void add_activity(long pid, double *switches, double *seconds)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *tasks = opendir(path);
    const struct dirent *entry;
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        char *end;
        long task = strtol(entry->d_name, &end, 10);
        if (end == entry->d_name)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/status", pid, task);
        *switches += number_in(path, "voluntary_ctxt_switches:");
        *switches += number_in(path, "nonvoluntary_ctxt_switches:");
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/schedstat", pid, task);
        *seconds += number_in(path, "") / 1e9;
    }
    if (tasks != NULL)
        closedir(tasks);
}

void raw_family_activity(long long root, double *switches, double *seconds)
{
    *switches = *seconds = 0;
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && is_descendant(pid, root))
            add_activity(pid, switches, seconds);
    }
    if (processes != NULL)
        closedir(processes);
}
