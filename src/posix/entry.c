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

bool posix_is_set_id(void)
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
    if (!colon || colon - value >= OS_SPAWN_TEXT)
        return false;
    const char *digits = colon + 1;
    size_t length = strspn(digits, "0123456789");
    if (length < 1 || length > POSIX_ENTRY_DIGITS || (length > 1 && *digits == '0'))
        return false;
    parsed->text = value;
    parsed->text_length = (size_t)(colon - value);
    parsed->handle_count = (int)strtol(digits, NULL, 10);
    parsed->sentinel = digits[length] == POSIX_ENTRY_SENTINEL;
    return digits[length + parsed->sentinel] == '\0';
}

static bool exist(int count)
{
    for (int i = 0; i < count; i++) {
        if (fcntl(3 + i, F_GETFD) < 0) {
            error_remember(errno);
            return false;
        }
    }
    return true;
}

/* All or none of 3, 4, 5... Those that lie high enough stay where they are. */
static mproc_err take_handles(int count, os_handle taken[])
{
    const int low = count < POSIX_FIRST_FD - 3 ? count : POSIX_FIRST_FD - 3;
    for (int i = 0; i < low; i++) {
        taken[i] = posix_copy(3 + i);
        if (taken[i] >= 0)
            continue;
        mproc_err err = posix_error(errno);
        while (i > 0)
            os_handle_close(taken[--i]);
        return err;
    }
    for (int i = 0; i < low; i++)
        close(3 + i);
    for (int i = low; i < count; i++)
        taken[i] = posix_raise(3 + i);
    return MPROC_OK;
}

static mproc_err claim(const char *value, os_entry *entry)
{
    argument parsed;
    if (!parse(value, &parsed))
        return MPROC_EINVAL;
    const int count = parsed.handle_count + parsed.sentinel;
    if (!exist(count))
        return MPROC_EINVAL;
    os_handle *taken = count ? malloc((size_t)count * sizeof *taken) : NULL;
    if (count && !taken)
        return posix_error(ENOMEM);
    mproc_err err = take_handles(count, taken);
    if (err) {
        free(taken);
        return err;
    }
    memcpy(entry->text, parsed.text, parsed.text_length);
    entry->text[parsed.text_length] = '\0';
    entry->handle_count = (size_t)parsed.handle_count;
    entry->handles = taken;
    if (parsed.sentinel) {
#if POSIX_LINUX
        os_handle_close(taken[parsed.handle_count]);
#else
        posix_hold_sentinel((int)taken[parsed.handle_count]);
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
        err = posix_is_set_id() ? MPROC_EACCES : claim(argv[1] + prefix, entry);
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
