#include "terminal.h"

#include <wchar.h>

#include <windows.h>

enum { ROWS = 8, MOST_COLUMNS = 1100 };

static struct {
    HANDLE console, former;
    int columns;
    char rows[ROWS][MOST_COLUMNS * 4];
    int cursor_row;
} terminal = {.console = INVALID_HANDLE_VALUE};

static bool has_console(void)
{
    HANDLE output = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
                                FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (output == INVALID_HANDLE_VALUE)
        return false;
    DWORD mode;
    bool usable = GetConsoleMode(output, &mode) != 0;
    CloseHandle(output);
    return usable;
}

/* A console that is there already may be too large to be made small, and is somebody's. */
bool terminal_restart(int *code)
{
    static const wchar_t mark[] = L"MPROC_TEST_CONSOLE";
    if (GetEnvironmentVariableW(mark, NULL, 0) > 0)
        return false;
    SetEnvironmentVariableW(mark, L"1");
    STARTUPINFOW start = {.cb = sizeof start,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
                          .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
                          .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
    PROCESS_INFORMATION started;
    wchar_t command[32768];
    wcscpy(command, GetCommandLineW());
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start,
                        &started))
        return false;
    DWORD status = 1;
    WaitForSingleObject(started.hProcess, INFINITE);
    GetExitCodeProcess(started.hProcess, &status);
    CloseHandle(started.hProcess);
    CloseHandle(started.hThread);
    *code = (int)status;
    return true;
}

/* The window must fit into the buffer at all times. */
static void set_columns(int columns)
{
    const SMALL_RECT least = {.Right = 0, .Bottom = 0};
    const COORD size = {.X = (SHORT)columns, .Y = ROWS};
    const SMALL_RECT window = {.Right = (SHORT)(columns - 1), .Bottom = ROWS - 1};
    SetConsoleWindowInfo(terminal.console, TRUE, &least);
    SetConsoleScreenBufferSize(terminal.console, size);
    SetConsoleWindowInfo(terminal.console, TRUE, &window);
    terminal.columns = columns;
}

static void take_place(HANDLE handle)
{
    terminal.console = handle;
    terminal.former = GetStdHandle(STD_ERROR_HANDLE);
    SetStdHandle(STD_ERROR_HANDLE, handle);
}

bool terminal_open(int columns)
{
    HANDLE console = INVALID_HANDLE_VALUE;
    if (has_console())
        console = CreateConsoleScreenBuffer(GENERIC_READ | GENERIC_WRITE,
                                            FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                                            CONSOLE_TEXTMODE_BUFFER, NULL);
    if (console == INVALID_HANDLE_VALUE)
        return false;
    take_place(console);
    set_columns(columns);
    return true;
}

bool terminal_open_null(void)
{
    HANDLE null = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (null != INVALID_HANDLE_VALUE)
        take_place(null);
    return null != INVALID_HANDLE_VALUE;
}

void terminal_resize(int columns)
{
    set_columns(columns);
}

bool terminal_obey(bool escapes)
{
    DWORD mode;
    if (!GetConsoleMode(terminal.console, &mode))
        return false;
    mode = escapes ? mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING
                   : mode & ~(DWORD)ENABLE_VIRTUAL_TERMINAL_PROCESSING;
    return SetConsoleMode(terminal.console, mode) != 0;
}

static void read_row(int row)
{
    wchar_t wide[MOST_COLUMNS];
    DWORD length = 0;
    const COORD at = {.X = 0, .Y = (SHORT)row};
    ReadConsoleOutputCharacterW(terminal.console, wide, (DWORD)terminal.columns, at, &length);
    while (length > 0 && wide[length - 1] == L' ')
        length--;
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, terminal.rows[row],
                                   (int)sizeof terminal.rows[row] - 1, NULL, NULL);
    terminal.rows[row][size] = '\0';
}

static void catch_up(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(terminal.console, &info))
        return;
    terminal.cursor_row = info.dwCursorPosition.Y;
    for (int row = 0; row < ROWS; row++)
        read_row(row);
}

void terminal_close(void)
{
    catch_up();
    SetStdHandle(STD_ERROR_HANDLE, terminal.former);
    CloseHandle(terminal.console);
    terminal.console = INVALID_HANDLE_VALUE;
}

const char *terminal_row(int row)
{
    catch_up();
    return terminal.rows[row];
}

int terminal_cursor_row(void)
{
    catch_up();
    return terminal.cursor_row;
}

bool terminal_has_wrapped(void)
{
    return false;
}

bool terminal_was_strange(void)
{
    return false;
}

bool terminal_had_escapes(void)
{
    return false;
}

long terminal_returns(void)
{
    return -1;
}
