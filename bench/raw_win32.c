#include "raw.h"

#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdlib.h>

#include <windows.h>

void raw_begin(const char *program)
{
    (void)program;
}

double raw_now(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

void raw_sleep(double seconds)
{
    Sleep((DWORD)(seconds * 1e3));
}

void raw_idle(void)
{
    Sleep(INFINITE);
}

const bool raw_can_fork = false;

bool raw_fork_and_wait(void)
{
    return false;
}

static bool own_path(wchar_t path[MAX_PATH])
{
    DWORD length = GetModuleFileNameW(NULL, path, MAX_PATH);
    return length > 0 && length < MAX_PATH;
}

bool raw_spawn_and_wait(void)
{
    wchar_t path[MAX_PATH], line[] = L"bench " RAW_CHILD_WIDE;
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    if (!own_path(path) ||
        !CreateProcessW(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
        return false;
    DWORD code = 1;
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return code == 0;
}

static DWORD WINAPI idle_thread(void *argument)
{
    (void)argument;
    raw_idle();
    return 0;
}

bool raw_start_idle_thread(void)
{
    HANDLE thread = CreateThread(NULL, 0, idle_thread, NULL, 0, NULL);
    return thread != NULL && CloseHandle(thread);
}

bool raw_fork_idle(int count)
{
    (void)count;
    return false;
}

void raw_end_idle(void)
{
}

/* Both ends of a pipe, of which the child inherits one. */
static bool make_pipe(HANDLE *ours, HANDLE *theirs, bool we_read)
{
    HANDLE reading, writing;
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    if (!CreatePipe(&reading, &writing, &inherited, 0))
        return false;
    *ours = we_read ? reading : writing;
    *theirs = we_read ? writing : reading;
    return SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0) != 0;
}

static FILE *stream_of(HANDLE handle, int flags, const char *mode)
{
    int descriptor = _open_osfhandle((intptr_t)handle, flags);
    return descriptor >= 0 ? _fdopen(descriptor, mode) : NULL;
}

bool raw_program_start(struct raw_program *program, const char *role, const char *argument)
{
    HANDLE to, from;
    wchar_t path[MAX_PATH], line[256];
    STARTUPINFOW startup = {.cb = sizeof startup,
                            .dwFlags = STARTF_USESTDHANDLES,
                            .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
    PROCESS_INFORMATION process;
    swprintf(line, sizeof line / sizeof *line, L"bench --peer %hs %hs", role, argument);
    if (!own_path(path) || !make_pipe(&to, &startup.hStdInput, false) ||
        !make_pipe(&from, &startup.hStdOutput, true) ||
        !CreateProcessW(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        return false;
    CloseHandle(process.hThread);
    CloseHandle(startup.hStdInput);
    CloseHandle(startup.hStdOutput);
    program->handle = (intptr_t)process.hProcess;
    program->to = stream_of(to, 0, "w");
    program->from = stream_of(from, _O_RDONLY, "r");
    return program->to != NULL && program->from != NULL;
}

void raw_program_wait(struct raw_program *program)
{
    fclose(program->to);
    WaitForSingleObject((HANDLE)(intptr_t)program->handle, INFINITE);
    CloseHandle((HANDLE)(intptr_t)program->handle);
    fclose(program->from);
}

FILE *raw_output_of(const char *command)
{
    return _popen(command, "r");
}

void raw_output_close(FILE *output)
{
    _pclose(output);
}

double raw_used_by_others(void)
{
    return 0;
}

bool raw_knows_processes(void)
{
    return false;
}

double raw_private_bytes(long long pid)
{
    (void)pid;
    return 0;
}

void raw_family_activity(long long root, double *switches, double *seconds)
{
    (void)root;
    *switches = *seconds = 0;
}
