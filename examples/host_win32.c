#include "host.h"
#include "utf8_win32.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>

#include <windows.h>

#include <shellapi.h>

/* main's own argv has lost every character that the system's code page does not have. */
char **host_arguments(int *argc, char **argv)
{
    (void)argv;
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    if (wide == NULL)
        return NULL;
    char **narrow = calloc((size_t)count + 1, sizeof *narrow);
    bool complete = narrow != NULL;
    for (int i = 0; complete && i < count; i++) {
        narrow[i] = utf8_from_wide(wide[i]);
        complete = narrow[i] != NULL;
    }
    LocalFree(wide);
    if (!complete)
        return NULL;
    *argc = count;
    return narrow;
}

FILE *host_fopen(const char *path, const char *mode)
{
    wchar_t *wide_path = utf8_to_wide(path);
    wchar_t *wide_mode = utf8_to_wide(mode);
    FILE *file = NULL;
    if (wide_path != NULL && wide_mode != NULL)
        file = _wfopen(wide_path, wide_mode);
    int error = errno;
    free(wide_mode);
    free(wide_path);
    errno = error;
    return file;
}

void host_plain_output(void)
{
    SetConsoleOutputCP(CP_UTF8);
    _setmode(_fileno(stdout), _O_BINARY);
}

double host_seconds(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

void host_sleep(int milliseconds)
{
    Sleep((DWORD)milliseconds);
}

struct host_thread {
    HANDLE handle;
    void (*run)(void *argument);
    void *argument;
};

static DWORD WINAPI run_thread(void *started)
{
    struct host_thread *thread = started;
    thread->run(thread->argument);
    return 0;
}

struct host_thread *host_thread_start(void (*run)(void *argument), void *argument)
{
    struct host_thread *thread = malloc(sizeof *thread);
    if (thread == NULL)
        return NULL;
    *thread = (struct host_thread){.run = run, .argument = argument};
    thread->handle = CreateThread(NULL, 0, run_thread, thread, 0, NULL);
    if (thread->handle == NULL) {
        free(thread);
        return NULL;
    }
    return thread;
}

void host_thread_join(struct host_thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
    free(thread);
}
