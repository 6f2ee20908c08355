#include "posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if POSIX_LINUX && defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 34)
#define HAS_CLOSEFROM 1
#endif
#endif
#if defined(__APPLE__)
#include <crt_externs.h>
#define environ (*_NSGetEnviron())
#elif !defined(__linux__)
extern char **environ;
#endif

bool os_can_start(mproc_start_method method)
{
    return method == MPROC_FORK || method == MPROC_SPAWN || method == MPROC_FORKSERVER;
}

mproc_start_method os_default_method(void)
{
#if defined(__APPLE__)
    return MPROC_SPAWN; /* its libraries do not survive a fork without exec */
#else
    return MPROC_FORK;
#endif
}

#if defined(__APPLE__)

static int keep_only(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int first)
{
    (void)first;
    int failure = posix_spawn_file_actions_addinherit_np(actions, 1);
    if (!failure)
        failure = posix_spawn_file_actions_addinherit_np(actions, 2);
    return failure ? failure
                   : posix_spawnattr_setflags(attributes,
                                              POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_CLOEXEC_DEFAULT);
}

#elif defined(HAS_CLOSEFROM)

static int keep_only(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int first)
{
    (void)attributes;
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

#else

static int close_one(posix_spawn_file_actions_t *actions, int fd)
{
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC))
        return 0;
    int failure = posix_spawn_file_actions_addclose(actions, fd);
    return failure == EBADF ? 0 : failure; /* above a limit that was lowered after it was opened */
}

static int keep_only(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int first)
{
    (void)attributes;
    int failure = 0;
    DIR *open_ones = opendir("/dev/fd");
    if (!open_ones) {
        enum { BOUND = 65536 };
        long limit = sysconf(_SC_OPEN_MAX);
        for (int fd = first; fd < (limit > 0 && limit < BOUND ? limit : BOUND) && !failure; fd++)
            failure = close_one(actions, fd);
        return failure;
    }
    const struct dirent *entry;
    while (!failure && (entry = readdir(open_ones)) != NULL) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && end != entry->d_name && fd >= first && fd <= INT_MAX)
            failure = close_one(actions, (int)fd);
    }
    closedir(open_ones);
    return failure;
}

#endif

static int describe_files(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                          const int fds[], int count)
{
    int failure = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    for (int i = 0; i < count && !failure; i++)
        failure = posix_spawn_file_actions_adddup2(actions, fds[i], 3 + i);
    return failure ? failure : keep_only(actions, attributes, 3 + count);
}

/* The variables of this process and one more; the strings are borrowed. */
static char **child_environment(void)
{
    static char variable[] = POSIX_ENTRY_VARIABLE "=1";
    const size_t name = sizeof POSIX_ENTRY_VARIABLE; /* with its '=' */
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    char **copy = malloc((count + 2) * sizeof *copy);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], variable, name) != 0)
            copy[kept++] = environ[i];
    }
    copy[kept++] = variable;
    copy[kept] = NULL;
    return copy;
}

static const char *own_executable(void)
{
#if POSIX_LINUX
    return "/proc/self/exe";
#else
    return posix_own_path();
#endif
}

static mproc_err run(pid_t *pid, char *private_argument, const int fds[], int count)
{
    const char *path = own_executable();
    char unnamed[] = "mproc";
    char *name = posix_argv0();
    char *arguments[] = {name ? name : unnamed, private_argument, NULL};
    if (!path)
        return posix_error(ENOENT);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t mask;
    sigemptyset(&mask);
    if (posix_holds_interrupt())
        sigaddset(&mask, SIGINT);
    char **environment = child_environment();
    if (!environment)
        return posix_error(ENOMEM);
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure)
        goto no_actions;
    failure = posix_spawnattr_init(&attributes);
    if (failure)
        goto no_attributes;
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &mask);
    failure = describe_files(&actions, &attributes, fds, count);
    if (!failure)
        failure = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
no_attributes:
    posix_spawn_file_actions_destroy(&actions);
no_actions:
    free(environment);
    if (failure == EBADF) /* all are open: a limit so low that there is no 3, 4, 5... */
        failure = EMFILE;
    return failure ? posix_error(failure) : MPROC_OK;
}

/* Becomes 3, 4, 5... in the child, in this order. */
typedef struct gift {
    int *fds;
    bool *moved; /* that one is a copy, made here */
    int count;
} gift;

/* The 5 of a child must not be written over this process's 5 before that has been copied. */
static mproc_err move_away(gift *given)
{
    for (int i = 0; i < given->count; i++) {
        if (given->fds[i] >= 3 + i)
            continue;
        int copy = fcntl(given->fds[i], F_DUPFD_CLOEXEC, 3 + given->count);
        if (copy < 0)
            return posix_error(errno == EINVAL ? EMFILE : errno);
        given->fds[i] = copy;
        given->moved[i] = true;
    }
    return MPROC_OK;
}

static void release(gift *given)
{
    for (int i = 0; i < given->count; i++) {
        if (given->moved[i])
            close(given->fds[i]);
    }
    free(given->fds);
    free(given->moved);
}

/* `sentinel`: behind the others, unless it is -1. */
static mproc_err gather(gift *given, const os_handle *handles, size_t count, int sentinel)
{
    *given = (gift){.fds = calloc(count + 1, sizeof *given->fds),
                    .moved = calloc(count + 1, sizeof *given->moved)};
    if (!given->fds || !given->moved)
        return posix_error(ENOMEM);
    for (size_t i = 0; i < count; i++) {
        if (handles[i] < POSIX_FIRST_FD) /* it could be overwritten before it is copied */
            return MPROC_EINVAL;
        given->fds[given->count++] = (int)handles[i];
    }
    if (sentinel >= 0)
        given->fds[given->count++] = sentinel;
    return move_away(given);
}

mproc_err os_spawn(os_process *child, const char *text, const os_handle *handles,
                   size_t handle_count, const struct os_lifeline *mortal)
{
    (void)mortal; /* the child arms it */
    char private_argument[sizeof POSIX_ENTRY_PREFIX + OS_SPAWN_TEXT + POSIX_ENTRY_DIGITS + 2];
    if (handle_count > POSIX_ENTRY_HANDLES)
        return posix_error(EMFILE);
    if (strlen(text) >= OS_SPAWN_TEXT)
        return MPROC_EINVAL;
    int sentinel[2] = {-1, -1};
#if !POSIX_LINUX
    posix_sentinel_pipe(sentinel);
#endif
    snprintf(private_argument, sizeof private_argument, "%s%s:%zu%c", POSIX_ENTRY_PREFIX, text,
             handle_count, sentinel[1] >= 0 ? POSIX_ENTRY_SENTINEL : '\0');
    gift given;
    pid_t pid;
    mproc_err err = gather(&given, handles, handle_count, sentinel[1]);
    if (!err)
        err = run(&pid, private_argument, given.fds, given.count);
    release(&given);
    os_handle_close(sentinel[1]);
    if (err) {
        os_handle_close(sentinel[0]);
        return err;
    }
    *child = (os_process){
        .pid = pid, .born = os_birth_time(), .handle = sentinel[0], .extra = OS_NO_HANDLE};
    return MPROC_OK;
}
