#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if POSIX_LINUX
#include <sys/auxv.h>
#endif

static bool claimed;
static char *first_argument;

static bool is_set_id(void)
{
#if POSIX_LINUX
    return getauxval(AT_SECURE) != 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
    return issetugid();
#else
    return getuid() != geteuid() || getgid() != getegid();
#endif
}

char *posix_argv0(void)
{
    return first_argument;
}

#if !POSIX_LINUX

static char own_path[PATH_MAX];

const char *posix_own_path(void)
{
    return own_path[0] ? own_path : NULL;
}

/* As the shell found it; later the program may have changed its directory. */
static void resolve_own_path(const char *name)
{
    char candidate[PATH_MAX];
    if (strchr(name, '/')) {
        if (!realpath(name, own_path))
            own_path[0] = '\0';
        return;
    }
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        if (length + strlen(name) + 2 <= sizeof candidate) {
            memcpy(candidate, path, length);
            candidate[length] = '/';
            memcpy(candidate + length + 1, name, strlen(name) + 1);
            if (!access(length ? candidate : name, X_OK) &&
                realpath(length ? candidate : name, own_path))
                return;
        }
        path += length + (path[length] == ':');
    }
    own_path[0] = '\0';
}

#endif

typedef struct argument {
    const char *text;
    size_t text_length;
    int handle_count;
    bool sentinel;
} argument;

/* <text>:<number of handles>, and '+' when a sentinel follows them. */
static bool parse(const char *value, argument *parsed)
{
    const char *colon = strrchr(value, ':');
    if (!colon || colon - value >= OS_SPAWN_TEXT || colon[1] < '0' ||
        colon[1] > '0' + OS_SPAWN_HANDLES)
        return false;
    parsed->text = value;
    parsed->text_length = (size_t)(colon - value);
    parsed->handle_count = colon[1] - '0';
    parsed->sentinel = colon[2] == POSIX_ENTRY_SENTINEL;
    return colon[parsed->sentinel ? 3 : 2] == '\0';
}

/* All or none of 3, 4, 5... */
static mproc_err raise_handles(int count, int raised[])
{
    for (int i = 0; i < count; i++) {
        raised[i] = posix_copy(3 + i);
        if (raised[i] >= 0)
            continue;
        int number = errno;
        while (i > 0)
            close(raised[--i]);
        if (number != EBADF)
            return posix_error(number);
        error_remember(number);
        return MPROC_EINVAL;
    }
    for (int i = 0; i < count; i++)
        close(3 + i);
    return MPROC_OK;
}

static mproc_err claim(const char *value, os_entry *entry)
{
    argument parsed;
    int raised[OS_SPAWN_HANDLES + 1] = {0};
    if (!parse(value, &parsed))
        return MPROC_EINVAL;
    mproc_err err = raise_handles(parsed.handle_count + parsed.sentinel, raised);
    if (err)
        return err;
    memcpy(entry->text, parsed.text, parsed.text_length);
    entry->text[parsed.text_length] = '\0';
    entry->handle_count = (size_t)parsed.handle_count;
    for (int i = 0; i < parsed.handle_count; i++)
        entry->handles[i] = raised[i];
    if (parsed.sentinel) {
#if POSIX_LINUX
        close(raised[parsed.handle_count]);
#else
        posix_hold_sentinel(raised[parsed.handle_count]);
#endif
    }
    return MPROC_OK;
}

mproc_err os_entry_claim(int argc, char **argv, os_entry *entry)
{
    const size_t prefix = sizeof POSIX_ENTRY_PREFIX - 1;
    if (argc < 1 || !argv || !argv[0])
        return MPROC_ENOENT;
    if (!first_argument) {
        first_argument = strdup(argv[0]);
#if !POSIX_LINUX
        resolve_own_path(argv[0]);
#endif
    }
    mproc_err err = MPROC_ENOENT;
    if (argc >= 2 && !strncmp(argv[1], POSIX_ENTRY_PREFIX, prefix))
        err = is_set_id() ? MPROC_EACCES : claim(argv[1] + prefix, entry);
    if (err == MPROC_OK)
        memmove(&argv[1], &argv[2], (size_t)(argc - 1) * sizeof argv[0]);
    if (err == MPROC_OK || err == MPROC_ENOENT) {
        claimed = true;
        unsetenv(POSIX_ENTRY_VARIABLE);
    }
    return err;
}

bool os_entry_is_unclaimed(void)
{
    return !claimed && getenv(POSIX_ENTRY_VARIABLE);
}
