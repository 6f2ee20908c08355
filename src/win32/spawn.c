#include "win32.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_COMMAND = 32767, /* with its end; wine takes more */
    STANDARD_HANDLES = 3,
    LONGEST_HANDLE = 9 /* with its comma */
};

/* Whether CreateProcess itself puts a child into a job: Windows 10 does. Where it does not, a
 * parent that is killed between making and assigning leaves a suspended child behind. */
typedef enum job_list { UNTRIED, WORKS, IGNORED } job_list;
static _Atomic int job_list_state = UNTRIED;

enum { CREATE_TRIES = 5 };

typedef struct launch {
    HANDLE *inherited; /* the child's, then the standard ones */
    size_t inherited_count;
    wchar_t *program;
    wchar_t *command;
    STARTUPINFOEXW startup;
    HANDLE job;     /* NULL: none */
    bool suspended; /* until it is known to be in the job */
} launch;

/* Adds a copy that a child can inherit. It exists during the call only; but a child of the host's
 * own that is started with all inheritable handles at this moment gets it, too. NULL with the last
 * error set. */
static HANDLE add_copy(launch *it, HANDLE handle)
{
    HANDLE self = GetCurrentProcess(), copy;
    if (handle == NULL || handle == INVALID_HANDLE_VALUE) { /* -1 would be this process */
        SetLastError(ERROR_INVALID_HANDLE);
        return NULL;
    }
    if (!DuplicateHandle(self, handle, self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
        return NULL;
    return it->inherited[it->inherited_count++] = copy;
}

static mproc_err add_null_input(launch *it)
{
    SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
    HANDLE null = CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE,
                              &inheritable, OPEN_EXISTING, 0, NULL);
    if (null == INVALID_HANDLE_VALUE)
        return win32_last_error();
    it->inherited[it->inherited_count++] = null;
    it->startup.StartupInfo.hStdInput = null;
    return MPROC_OK;
}

static mproc_err gather_handles(launch *it, const os_handle *handles, size_t count)
{
    it->inherited = malloc((count + STANDARD_HANDLES) * sizeof *it->inherited);
    if (!it->inherited)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    for (size_t i = 0; i < count; i++) {
        if (!add_copy(it, win32_handle(handles[i])))
            return win32_last_error();
    }
    /* A program without a console may have no outputs: neither will the child. */
    STARTUPINFOW *info = &it->startup.StartupInfo;
    info->dwFlags = STARTF_USESTDHANDLES;
    info->hStdOutput = add_copy(it, GetStdHandle(STD_OUTPUT_HANDLE));
    info->hStdError = add_copy(it, GetStdHandle(STD_ERROR_HANDLE));
    return add_null_input(it);
}

/* CreateProcess takes a path of MAX_PATH and more only in this form. */
static void lift_length_limit(wchar_t *path, size_t length)
{
    static const wchar_t prefix[] = L"\\\\?\\";
    const size_t extra = sizeof prefix / sizeof *prefix - 1;
    if (length < MAX_PATH || path[1] != L':')
        return;
    memmove(path + extra, path, (length + 1) * sizeof *path);
    memcpy(path, prefix, extra * sizeof *path);
}

static mproc_err find_program(launch *it)
{
    const size_t room = 4; /* for the prefix */
    for (DWORD size = MAX_PATH; size <= 2 * LONGEST_COMMAND; size *= 2) {
        wchar_t *path = realloc(it->program, (size + room) * sizeof *path);
        if (!path)
            return win32_error(ERROR_NOT_ENOUGH_MEMORY);
        it->program = path;
        DWORD length = GetModuleFileNameW(NULL, path, size);
        if (!length)
            return win32_last_error();
        if (length < size) {
            lift_length_limit(path, length);
            return MPROC_OK;
        }
    }
    return win32_error(ERROR_FILENAME_EXCED_RANGE);
}

/* Nothing in it ever needs a quote, and a narrow argv of the child shows it unchanged. */
static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text >= 0x7f || strchr("\"\\*?", *text))
            return false;
    }
    return true;
}

/* Which the caller frees. NULL: no memory. */
static char *make_argument(const char *text, const HANDLE *handles, size_t count)
{
    size_t most = sizeof WIN32_PRIVATE_ARGUMENT ":0" + strlen(text) + count * LONGEST_HANDLE;
    char *argument = malloc(most);
    if (!argument)
        return NULL;
    size_t length =
        (size_t)snprintf(argument, most, WIN32_PRIVATE_ARGUMENT "%s:%s", text, count ? "" : "0");
    for (size_t i = 0; i < count; i++) {
        assert((uintptr_t)handles[i] <= UINT32_MAX);
        length += (size_t)snprintf(argument + length, most - length, i ? ",%lx" : "%lx",
                                   (unsigned long)(uintptr_t)handles[i]);
    }
    assert(length < most);
    return argument;
}

/* This process's own argv[0], always in one pair of quotes: the C libraries disagree about all
 * other forms, and a child that did not see its private argument would be a second first
 * process. */
static size_t write_program(wchar_t *to, const wchar_t *word, const wchar_t *end)
{
    wchar_t *next = to;
    *next++ = L'"';
    for (; word < end; word++) {
        if (*word != L'"')
            *next++ = *word;
    }
    *next++ = L'"';
    return (size_t)(next - to);
}

static mproc_err write_line(launch *it, const char *argument)
{
    const wchar_t *word = GetCommandLineW(), *end = win32_after_program(word);
    size_t rest = strlen(argument) + 1, most = (size_t)(end - word) + sizeof "\"\" " - 1 + rest;
    if (most > LONGEST_COMMAND)
        return win32_error(ERROR_TOO_MANY_OPEN_FILES); /* nothing else in it grows */
    it->command = malloc(most * sizeof *it->command);
    if (!it->command)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    size_t length = write_program(it->command, word, end);
    it->command[length++] = L' ';
    for (size_t i = 0; i < rest; i++)
        it->command[length++] = (wchar_t)argument[i];
    return MPROC_OK;
}

static mproc_err write_command(launch *it, const char *text, size_t handle_count)
{
    if (!is_plain(text) || strlen(text) >= OS_SPAWN_TEXT)
        return win32_invalid();
    char *argument = make_argument(text, it->inherited, handle_count);
    mproc_err err = argument ? write_line(it, argument) : win32_error(ERROR_NOT_ENOUGH_MEMORY);
    free(argument);
    return err;
}

/* Windows answers a bad list with an error, wine with silence. */
static bool is_good_list(const launch *it)
{
    for (size_t i = 0; i < it->inherited_count; i++) {
        DWORD flags = 0;
        if (!GetHandleInformation(it->inherited[i], &flags) || !(flags & HANDLE_FLAG_INHERIT))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (it->inherited[i] == it->inherited[j])
                return false;
        }
    }
    return true;
}

static mproc_err write_attributes(launch *it)
{
    const DWORD count = it->job ? 2 : 1;
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(NULL, count, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
    if (!list)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    if (!InitializeProcThreadAttributeList(list, count, 0, &size)) {
        mproc_err err = win32_last_error();
        free(list);
        return err;
    }
    it->startup.lpAttributeList = list;
    if (!is_good_list(it))
        return win32_error(ERROR_INVALID_HANDLE);
    if (!UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, it->inherited,
                                   it->inherited_count * sizeof *it->inherited, NULL, NULL))
        return win32_last_error();
    /* Read once: another thread may be finding out at this moment. */
    int state = atomic_load(&job_list_state);
    if (it->job && state != IGNORED &&
        !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &it->job,
                                   sizeof it->job, NULL, NULL)) {
        state = IGNORED;
        atomic_store(&job_list_state, state);
    }
    it->suspended = it->job && state != WORKS;
    return MPROC_OK;
}

/* The child is suspended: nothing of it runs outside the job. */
static mproc_err release_into_job(const launch *it, const PROCESS_INFORMATION *made)
{
    BOOL inside = FALSE;
    if (!IsProcessInJob(made->hProcess, it->job, &inside))
        return win32_last_error();
    atomic_store(&job_list_state, inside ? WORKS : IGNORED);
    if (!inside && !AssignProcessToJobObject(it->job, made->hProcess))
        return win32_last_error();
    if (ResumeThread(made->hThread) == (DWORD)-1)
        return win32_last_error();
    return MPROC_OK;
}

/* Wine answers ERROR_INTERNAL_ERROR now and then when several processes are being made at once;
 * nothing has been made then, and the next try succeeds. */
static bool create_process(launch *it, DWORD flags, PROCESS_INFORMATION *made)
{
    for (int tries = 0; tries < CREATE_TRIES; tries++) {
        if (CreateProcessW(it->program, it->command, NULL, NULL, TRUE, flags, NULL, NULL,
                           &it->startup.StartupInfo, made))
            return true;
        if (GetLastError() != ERROR_INTERNAL_ERROR)
            return false;
        Sleep(1);
    }
    return false;
}

static mproc_err create(launch *it, PROCESS_INFORMATION *made)
{
    /* The first process of a new group ignores Ctrl-C. */
    DWORD flags = EXTENDED_STARTUPINFO_PRESENT | (it->suspended ? CREATE_SUSPENDED : 0) |
                  (win32_holds_interrupt() ? CREATE_NEW_PROCESS_GROUP : 0);
    if (!create_process(it, flags, made))
        return win32_last_error();
    mproc_err err = it->suspended ? release_into_job(it, made) : MPROC_OK;
    CloseHandle(made->hThread);
    if (err) {
        TerminateProcess(made->hProcess, EXIT_FAILURE);
        CloseHandle(made->hProcess);
    }
    return err;
}

static void clean_up(launch *it)
{
    if (it->startup.lpAttributeList)
        DeleteProcThreadAttributeList(it->startup.lpAttributeList);
    free(it->startup.lpAttributeList);
    free(it->command);
    free(it->program);
    for (size_t i = 0; i < it->inherited_count; i++)
        CloseHandle(it->inherited[i]);
    free(it->inherited);
}

mproc_err os_spawn(os_process *child, const char *text, const os_handle *handles,
                   size_t handle_count, const os_lifeline *mortal)
{
    launch it = {.startup.StartupInfo.cb = sizeof it.startup,
                 .job = mortal ? win32_handle(mortal->hold) : NULL};
    PROCESS_INFORMATION made;
    mproc_err err = gather_handles(&it, handles, handle_count);
    if (!err)
        err = find_program(&it);
    if (!err)
        err = write_command(&it, text, handle_count);
    if (!err)
        err = write_attributes(&it);
    if (!err)
        err = create(&it, &made);
    clean_up(&it);
    if (err)
        return err;
    uint64_t born = win32_birth_of(made.hProcess);
    *child = (os_process){.pid = (int64_t)made.dwProcessId,
                          .born = born ? born : os_birth_time(),
                          .handle = win32_os_handle(made.hProcess),
                          .extra = OS_NO_HANDLE};
    return MPROC_OK;
}
