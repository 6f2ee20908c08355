#include "raw.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <stdio.h>

static bool finish(HANDLE handle, BOOL done, OVERLAPPED *call, DWORD *count)
{
    bool good = (done || GetLastError() == ERROR_IO_PENDING) &&
                GetOverlappedResult(handle, call, count, TRUE);
    CloseHandle(call->hEvent);
    return good;
}

bool raw_write(intptr_t handle, const void *bytes, size_t size)
{
    DWORD count = 0;
    OVERLAPPED call = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    BOOL done = WriteFile((HANDLE)handle, bytes, (DWORD)size, NULL, &call);
    return finish((HANDLE)handle, done, &call, &count) && count == size;
}

bool raw_read(intptr_t handle, void *bytes, size_t size)
{
    for (size_t have = 0; have < size;) {
        DWORD count = 0;
        OVERLAPPED call = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
        BOOL done =
            ReadFile((HANDLE)handle, (char *)bytes + have, (DWORD)(size - have), NULL, &call);
        if (!finish((HANDLE)handle, done, &call, &count))
            return false;
        have += count;
    }
    return true;
}

bool raw_pair(intptr_t handles[2], bool socket, bool blocking)
{
    static int number;
    char name[64];
    (void)blocking;
    snprintf(name, sizeof name, "\\\\.\\pipe\\mproc-test-%lu-%d", GetCurrentProcessId(), number++);
    HANDLE first = CreateNamedPipeA(
        name, (socket ? PIPE_ACCESS_DUPLEX : PIPE_ACCESS_INBOUND) | FILE_FLAG_OVERLAPPED,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE, 1, 4096, 4096, 0, NULL);
    HANDLE second = CreateFileA(name, GENERIC_WRITE | (socket ? GENERIC_READ : 0), 0, NULL,
                                OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    handles[0] = (intptr_t)first;
    handles[1] = (intptr_t)second;
    return first != INVALID_HANDLE_VALUE && second != INVALID_HANDLE_VALUE;
}
