#include "pool_host.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>

struct host_thread {
    HANDLE handle;
    void (*run)(void *);
    void *argument;
};

static DWORD WINAPI begin(void *argument)
{
    host_thread *thread = argument;
    thread->run(thread->argument);
    return 0;
}

host_thread *host_thread_start(void (*run)(void *), void *argument)
{
    host_thread *thread = malloc(sizeof *thread);
    if (!thread)
        return NULL;
    thread->run = run;
    thread->argument = argument;
    thread->handle = CreateThread(NULL, 0, begin, thread, 0, NULL);
    if (thread->handle)
        return thread;
    free(thread);
    return NULL;
}

void host_thread_join(host_thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
    free(thread);
}

void host_sleep(int milliseconds)
{
    Sleep((DWORD)milliseconds);
}

double host_seconds(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

long long host_pid(void)
{
    return (long long)GetCurrentProcessId();
}

void host_kill(long long pid)
{
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)pid);
    if (!process)
        return;
    TerminateProcess(process, 99);
    CloseHandle(process);
}

bool host_has_signals(void)
{
    return false;
}

void host_pause(long long pid)
{
    (void)pid;
}

void host_resume(long long pid)
{
    (void)pid;
}

void host_crash_plainly(void)
{
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
}

int host_raw_fork(int (*run)(void))
{
    (void)run;
    return -1;
}

bool host_temporary(char *path, size_t size)
{
    char folder[MAX_PATH], name[MAX_PATH];
    if (!GetTempPathA(sizeof folder, folder) || !GetTempFileNameA(folder, "mpr", 0, name))
        return false;
    return snprintf(path, size, "%s", name) < (int)size;
}

/* Wine appends in two steps: one at a time. */
static HANDLE open_alone(const char *path)
{
    for (;;) {
        HANDLE file = CreateFileA(path, FILE_APPEND_DATA, FILE_SHARE_READ, NULL, OPEN_ALWAYS,
                                  FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE || GetLastError() != ERROR_SHARING_VIOLATION)
            return file;
        Sleep(0);
    }
}

bool host_append(const char *path, const void *data, size_t size)
{
    HANDLE file = open_alone(path);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    DWORD written = 0;
    bool whole = WriteFile(file, data, (DWORD)size, &written, NULL) && written == size;
    CloseHandle(file);
    return whole;
}
