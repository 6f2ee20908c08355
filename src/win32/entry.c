#include "win32.h"

#include <stdlib.h>
#include <string.h>

static _Atomic bool is_claimed;

const wchar_t *win32_after_program(const wchar_t *command_line)
{
    bool quoted = false;
    for (; *command_line; command_line++) {
        if (*command_line == L'"')
            quoted = !quoted;
        else if (!quoted && (*command_line == L' ' || *command_line == L'\t'))
            break;
    }
    return command_line;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One handle of at most 32 bits, as all real ones are; *text is moved behind it. */
static bool read_handle(const char **text, os_handle *handle)
{
    uint32_t value = 0;
    int digits = 0;
    for (int digit; (digit = digit_of(**text)) >= 0; (*text)++) {
        if (++digits > 8)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *handle = (os_handle)value;
    return value != 0 && value % 4 == 0; /* the system ignores the low bits */
}

static bool is_inherited(os_handle handle)
{
    DWORD flags;
    return GetHandleInformation(win32_handle(handle), &flags) && flags & HANDLE_FLAG_INHERIT;
}

/* Into `handles`, which has room for as many as there are commas, and one more. */
static bool read_handles(const char *next, os_entry *entry)
{
    if (!strcmp(next, "0"))
        return true;
    do {
        os_handle *handle = &entry->handles[entry->handle_count++];
        if (!read_handle(&next, handle) || !is_inherited(*handle))
            return false;
        if (*next == ',' && next[1])
            next++;
        else if (*next)
            return false;
    } while (*next);
    return true;
}

static mproc_err read_argument(const char *argument, os_entry *entry)
{
    const char *colon = strrchr(argument, ':');
    if (!colon || (size_t)(colon - argument) >= sizeof entry->text)
        return MPROC_EINVAL;
    size_t room = 1;
    for (const char *next = colon; *next; next++)
        room += *next == ',';
    entry->handles = malloc(room * sizeof *entry->handles);
    if (!entry->handles)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    memcpy(entry->text, argument, (size_t)(colon - argument));
    if (read_handles(colon + 1, entry))
        return MPROC_OK;
    free(entry->handles);
    return MPROC_EINVAL;
}

mproc_err os_entry_claim(int argc, char **argv, os_entry *entry)
{
    const size_t prefix = sizeof WIN32_PRIVATE_ARGUMENT - 1;
    if (argc < 2 || !argv || !argv[1] || strncmp(argv[1], WIN32_PRIVATE_ARGUMENT, prefix) != 0)
        return MPROC_ENOENT;
    os_entry found = {.handle_count = 0};
    mproc_err err = read_argument(argv[1] + prefix, &found);
    if (err)
        return err;
    for (size_t i = 0; i < found.handle_count; i++)
        SetHandleInformation(win32_handle(found.handles[i]), HANDLE_FLAG_INHERIT, 0);
    for (int i = 1; i < argc; i++)
        argv[i] = i + 1 < argc ? argv[i + 1] : NULL;
    *entry = found;
    atomic_store(&is_claimed, true);
    return MPROC_OK;
}

/* The command line is the system's own copy, which nobody edits by accident. */
bool os_entry_is_unclaimed(void)
{
    static const wchar_t wanted[] = L"" WIN32_PRIVATE_ARGUMENT;
    if (atomic_load(&is_claimed))
        return false;
    const wchar_t *next = win32_after_program(GetCommandLineW());
    while (*next == L' ' || *next == L'\t')
        next++;
    return !wcsncmp(next, wanted, sizeof wanted / sizeof *wanted - 1);
}
