#include "raw_pipe.h"

#include "raw.h"

#include <math.h>
#include <stdio.h>

#include <windows.h>

enum { BUFFER = 65536, NAME = 64, ARGUMENTS = 16 };

static HANDLE end;
static struct raw_program child;

static void name_of(double pid, char name[NAME])
{
    snprintf(name, NAME, "\\\\.\\pipe\\mproc-bench-%.0f", pid);
}

const bool raw_pipe_is_socket = false;

/* Both travel in one number. */
bool raw_pipe_start(const char *role, void (*run)(double argument), double argument)
{
    char name[NAME], text[NAME];
    const double pid = (double)GetCurrentProcessId();
    (void)run;
    name_of(pid, name);
    snprintf(text, sizeof text, "%.0f", pid * ARGUMENTS + argument);
    end = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE,
                           PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT, 1, BUFFER, BUFFER, 0,
                           NULL);
    return end != INVALID_HANDLE_VALUE && raw_program_start(&child, role, text) &&
           (ConnectNamedPipe(end, NULL) || GetLastError() == ERROR_PIPE_CONNECTED);
}

double raw_pipe_join(double argument)
{
    char name[NAME];
    name_of(floor(argument / ARGUMENTS), name);
    end = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    return fmod(argument, ARGUMENTS);
}

void raw_pipe_end(void)
{
    CloseHandle(end);
    raw_program_wait(&child);
}

bool raw_pipe_send(const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        DWORD sent = 0;
        if (!WriteFile(end, next, (DWORD)size, &sent, NULL))
            return false;
        next += sent;
        size -= sent;
    }
    return true;
}

bool raw_pipe_recv(void *bytes, size_t size)
{
    char *next = bytes;
    while (size > 0) {
        DWORD got = 0;
        if (!ReadFile(end, next, (DWORD)size, &got, NULL))
            return false;
        next += got;
        size -= got;
    }
    return true;
}
