#include "win32.h"

#include <assert.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>

#define SECOND UINT64_C(10000000) /* of a FILETIME */
#define FIRST_CRASH UINT32_C(0xC0000000)

enum { EXIT_TERMINATED = 15, EXIT_KILLED = 9 };

void os_handle_close(os_handle handle)
{
    if (handle == OS_NO_HANDLE)
        return;
    BOOL closed = CloseHandle(win32_handle(handle));
    assert(closed);
    (void)closed;
}

static uint64_t number_of(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

uint64_t os_birth_time(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    return number_of(now);
}

int64_t os_getpid(void)
{
    return (int64_t)GetCurrentProcessId();
}

uint64_t win32_birth_of(HANDLE process)
{
    FILETIME created, exited, kernel, user;
    return GetProcessTimes(process, &created, &exited, &kernel, &user) ? number_of(created) : 0;
}

/* `born` is its creation, or was read while it lived: so whatever has its pid and is not younger is
 * that process. The clock may have been set back a little between the two; in doubt it lives. */
static bool is_that_process(HANDLE process, int64_t pid, uint64_t born)
{
    if (GetProcessId(process) != (DWORD)pid) /* OpenProcess rounds down to a multiple of four */
        return false;
    return win32_birth_of(process) <= born + SECOND / 2;
}

mproc_err win32_process_open(int64_t pid, uint64_t born, DWORD access, HANDLE *process)
{
    if (pid <= 0 || pid > (int64_t)UINT32_MAX)
        return MPROC_ENOENT;
    HANDLE opened =
        OpenProcess(access | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)pid);
    if (!opened)
        return GetLastError() == ERROR_INVALID_PARAMETER ? MPROC_ENOENT : win32_last_error();
    if (!is_that_process(opened, pid, born)) {
        CloseHandle(opened);
        return MPROC_ENOENT;
    }
    *process = opened;
    return MPROC_OK;
}

bool os_process_is_gone(int64_t pid, uint64_t born)
{
    HANDLE process;
    mproc_err err = win32_process_open(pid, born, 0, &process);
    if (err)
        return err == MPROC_ENOENT;
    bool ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
    CloseHandle(process);
    return ended;
}

/* The process's own handle, or one that is opened for this call: several threads may be here. */
static mproc_err borrow(const os_process *process, HANDLE *handle)
{
    if (process->handle == OS_NO_HANDLE)
        return win32_process_open(process->pid, process->born, 0, handle);
    *handle = win32_handle(process->handle);
    return MPROC_OK;
}

static void give_back(const os_process *process, HANDLE handle)
{
    if (process->handle != win32_os_handle(handle))
        CloseHandle(handle);
}

mproc_err os_process_wait(os_process *process, int64_t deadline)
{
    HANDLE handle;
    mproc_err err = borrow(process, &handle);
    if (err)
        return err == MPROC_ENOENT ? MPROC_OK : err;
    err = win32_wait(handle, deadline);
    give_back(process, handle);
    return err;
}

static mproc_exit_status ending_of(HANDLE process)
{
    DWORD code;
    if (WaitForSingleObject(process, 0) != WAIT_OBJECT_0) /* 259 is a legal exit code */
        return (mproc_exit_status){.kind = MPROC_EXIT_RUNNING};
    if (!GetExitCodeProcess(process, &code))
        return (mproc_exit_status){.kind = MPROC_EXIT_LOST};
    return (mproc_exit_status){.kind = code >= FIRST_CRASH ? MPROC_EXIT_CRASHED : MPROC_EXIT_EXITED,
                               .code = (int64_t)code};
}

void os_process_status(os_process *process, mproc_exit_status *status)
{
    HANDLE handle;
    mproc_err err = borrow(process, &handle);
    if (err) {
        *status =
            (mproc_exit_status){.kind = err == MPROC_ENOENT ? MPROC_EXIT_LOST : MPROC_EXIT_RUNNING};
        return;
    }
    *status = ending_of(handle);
    give_back(process, handle);
}

/* A pid is free when its last handle is closed. */
void os_process_collect(os_process *process, mproc_exit_status *status)
{
    os_process_status(process, status);
}

void os_process_reap(os_process *process)
{
    (void)process;
}

mproc_err os_process_signal(os_process *process, bool hard)
{
    HANDLE handle = win32_handle(process->handle);
    bool open = process->foreign || process->handle == OS_NO_HANDLE;
    if (open) {
        mproc_err err = win32_process_open(process->pid, process->born, PROCESS_TERMINATE, &handle);
        if (err)
            return err == MPROC_ENOENT ? MPROC_OK : err;
    }
    mproc_err err = MPROC_OK;
    /* The right to do it was checked with the handle: denied now means that it is ending
     * already. */
    if (!TerminateProcess(handle, hard ? EXIT_KILLED : EXIT_TERMINATED) &&
        GetLastError() != ERROR_ACCESS_DENIED)
        err = win32_last_error();
    if (open)
        CloseHandle(handle);
    return err;
}

mproc_err os_process_sentinel(os_process *process, os_handle *sentinel)
{
    HANDLE handle;
    mproc_err err = borrow(process, &handle);
    if (err)
        return err;
    /* Another thread may have opened a foreign one meanwhile. */
    InterlockedCompareExchangePointer((PVOID volatile *)&process->handle, handle,
                                      INVALID_HANDLE_VALUE);
    give_back(process, handle);
    *sentinel = process->handle;
    return MPROC_OK;
}

void os_process_close(os_process *process)
{
    os_handle_close(process->handle);
    process->handle = OS_NO_HANDLE;
}

/* Through the C library, whose descriptor 0 must follow. */
void os_stdin_null(void)
{
    int null = _wopen(L"NUL", _O_RDONLY);
    if (null < 0)
        return;
    if (null != 0) {
        _dup2(null, 0);
        _close(null);
    }
    SetStdHandle(STD_INPUT_HANDLE, (HANDLE)_get_osfhandle(0));
}

void os_flush_output(void)
{
    fflush(stdout);
    fflush(stderr);
}

void os_flush_all(void)
{
    fflush(NULL);
}

void os_ignore_interrupt(void)
{
    SetConsoleCtrlHandler(NULL, TRUE);
}

static _Thread_local bool holding;

void os_hold_interrupt(bool on)
{
    holding = on;
}

bool win32_holds_interrupt(void)
{
    return holding;
}

void os_heed_interrupt(void)
{
}
