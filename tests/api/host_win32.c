#include "host.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tlhelp32.h>

const bool host_is_windows = true;

long long host_pid(void)
{
    return (long long)GetCurrentProcessId();
}

int64_t host_now(void)
{
    return (int64_t)GetTickCount64();
}

void host_nap(int milliseconds)
{
    Sleep((DWORD)milliseconds);
}

void host_wait_forever(void)
{
    for (;;)
        Sleep(INFINITE);
}

void host_crash(void)
{
    int *volatile nowhere = NULL;
    *(volatile int *)nowhere = 1;
}

void host_quit(int code)
{
    _exit(code);
}

void host_break_output(void)
{
    _close(1);
}

bool host_is_output_open(void)
{
    return GetStdHandle(STD_OUTPUT_HANDLE) != NULL;
}

size_t host_open_handles(void)
{
    DWORD count = 0;
    return GetProcessHandleCount(GetCurrentProcess(), &count) ? count : 0;
}

void host_set_variable(const char *name, const char *value)
{
    _putenv_s(name, value ? value : "");
}

bool host_use_one_processor(void)
{
    DWORD_PTR mine, all;
    return GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) &&
           SetProcessAffinityMask(GetCurrentProcess(), mine & (~mine + 1));
}

bool host_limit_handles(int count)
{
    (void)count;
    return true;
}

bool host_own_path(char *path, size_t capacity)
{
    DWORD length = GetModuleFileNameA(NULL, path, (DWORD)capacity);
    return length > 0 && length < capacity;
}

bool host_temporary_folder(char *path, size_t capacity)
{
    DWORD length = GetTempPathA((DWORD)capacity, path);
    return length > 0 && length < capacity;
}

host_function host_load(const char *library, const char *name)
{
    HMODULE module = LoadLibraryA(library);
    return module ? (host_function)(uintptr_t)GetProcAddress(module, name) : NULL;
}

/* Numbers are given out from below, so the last of many is one that a fresh process has not. */
enum { STRAYS = 500 };
static HANDLE strays[STRAYS];

intptr_t host_open_stray(void)
{
    SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
    for (int i = 0; i < STRAYS; i++)
        strays[i] = CreateEventA(&inheritable, TRUE, FALSE, NULL);
    return (intptr_t)strays[STRAYS - 1];
}

bool host_has_stray(intptr_t stray)
{
    DWORD flags;
    return GetHandleInformation((HANDLE)stray, &flags);
}

void host_close_stray(intptr_t stray)
{
    (void)stray;
    for (int i = 0; i < STRAYS; i++)
        CloseHandle(strays[i]);
}

bool host_is_ready(intptr_t sentinel, int timeout_ms)
{
    return WaitForSingleObject((HANDLE)sentinel, (DWORD)timeout_ms) == WAIT_OBJECT_0;
}

bool host_is_running(long long pid)
{
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)pid);
    if (!process)
        return false;
    bool running = WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    CloseHandle(process);
    return running;
}

void host_kill(long long pid)
{
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)pid);
    if (process) {
        TerminateProcess(process, 1);
        CloseHandle(process);
    }
}

void host_ignore_terminate(void)
{
}

int host_raw_fork(int (*run)(void))
{
    (void)run;
    return -1;
}

void host_stop_self(void)
{
    host_wait_forever();
}

bool host_pause(long long pid)
{
    (void)pid;
    return false;
}

void host_continue(long long pid)
{
    (void)pid;
}

int host_count_marked(const char *mark)
{
    char own[MAX_PATH];
    (void)mark;
    if (!host_own_path(own, sizeof own))
        return -1;
    const char *slash = strrchr(own, '\\');
    const char *name = slash ? slash + 1 : own;
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry = {.dwSize = sizeof entry};
    int count = 0;
    for (BOOL more = Process32First(snapshot, &entry); more;
         more = Process32Next(snapshot, &entry)) {
        if (!_stricmp(entry.szExeFile, name) && entry.th32ProcessID != GetCurrentProcessId())
            count++;
    }
    CloseHandle(snapshot);
    return count;
}

/* ---- programs ---- */

static HANDLE open_file(const char *name, DWORD access, DWORD disposition)
{
    SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
    return CreateFileA(name ? name : "NUL", access, FILE_SHARE_READ | FILE_SHARE_WRITE,
                       &inheritable, name ? disposition : OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL,
                       NULL);
}

static bool append(char *line, size_t capacity, const char *word)
{
    size_t length = strlen(line);
    int more = snprintf(line + length, capacity - length, "%s\"%s\"", length ? " " : "", word);
    return more > 0 && (size_t)more < capacity - length;
}

/* Wine refuses now and then, when several programs start at once, and does not the next time. */
static BOOL create_process(char *line, STARTUPINFOA *startup, PROCESS_INFORMATION *made)
{
    for (int tries = 0; tries < 5; tries++) {
        if (CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, startup, made))
            return TRUE;
        printf("CreateProcess: error %lu\n", GetLastError());
        if (GetLastError() != ERROR_INTERNAL_ERROR)
            return FALSE;
        Sleep(1);
    }
    return FALSE;
}

bool host_start(host_program *program, const host_command *command)
{
    char line[8192] = "", own[MAX_PATH];
    if (!host_own_path(own, sizeof own))
        return false;
    bool good = append(line, sizeof line, command->program ? command->program : own);
    for (const char *const *at = command->arguments; good && at && *at; at++)
        good = append(line, sizeof line, *at);
    if (!good)
        return false;
    HANDLE input = open_file(command->input, GENERIC_READ, OPEN_EXISTING);
    HANDLE output = open_file(command->output, GENERIC_WRITE, CREATE_ALWAYS);
    STARTUPINFOA startup = {.cb = sizeof startup,
                            .dwFlags = STARTF_USESTDHANDLES,
                            .hStdInput = input,
                            .hStdOutput = output,
                            .hStdError = output};
    PROCESS_INFORMATION made;
    BOOL started = create_process(line, &startup, &made);
    CloseHandle(input);
    CloseHandle(output);
    if (!started)
        return false;
    CloseHandle(made.hThread);
    *program =
        (host_program){.handle = (intptr_t)made.hProcess, .pid = (long long)made.dwProcessId};
    return true;
}

bool host_start_copy(host_program *program, const host_command *command,
                     int (*run)(int argc, char **argv))
{
    (void)run;
    return host_start(program, command);
}

bool host_adopt_orphans(void)
{
    return false;
}

bool host_has_children(void)
{
    return false;
}

bool host_wait(host_program *program, int timeout_ms, int *code)
{
    DWORD status;
    if (WaitForSingleObject((HANDLE)program->handle, (DWORD)timeout_ms) != WAIT_OBJECT_0)
        return false;
    GetExitCodeProcess((HANDLE)program->handle, &status);
    CloseHandle((HANDLE)program->handle);
    *code = (int)status;
    return true;
}

/* ---- Ctrl-C ---- */

bool host_lead_group(void)
{
    return FreeConsole() && AllocConsole();
}

/* Only from within: it goes to all who share this process's console. */
void host_interrupt_group(long long leader)
{
    if (leader == host_pid())
        GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
}

/* ---- threads ---- */

static DWORD WINAPI run_thread(void *argument)
{
    host_thread *thread = argument;
    thread->run(thread->argument);
    return 0;
}

bool host_thread_start(host_thread *thread, void (*run)(void *), void *argument)
{
    thread->run = run;
    thread->argument = argument;
    thread->handle = (intptr_t)CreateThread(NULL, 0, run_thread, thread, 0, NULL);
    return thread->handle != 0;
}

void host_thread_join(host_thread *thread)
{
    WaitForSingleObject((HANDLE)thread->handle, INFINITE);
    CloseHandle((HANDLE)thread->handle);
}

void host_thread_leave(host_thread *thread)
{
    CloseHandle((HANDLE)thread->handle);
}
