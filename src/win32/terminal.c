#include "win32.h"

bool os_terminal_look(os_terminal *terminal)
{
    HANDLE console = GetStdHandle(STD_ERROR_HANDLE);
    CONSOLE_SCREEN_BUFFER_INFO info;
    DWORD mode;
    if (!GetConsoleMode(console, &mode))
        return false;
    int columns = 0;
    if (GetConsoleScreenBufferInfo(console, &info)) {
        int window = info.srWindow.Right - info.srWindow.Left + 1;
        columns = window > 0 && window < info.dwSize.X ? window : info.dwSize.X;
    }
    *terminal = (os_terminal){.columns = columns,
                              .escapes = (mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0};
    return true;
}

/* By its own characters, whatever code page the console has. */
mproc_err os_terminal_write(const char *text, size_t size)
{
    wchar_t wide[OS_TERMINAL_MOST];
    HANDLE console = GetStdHandle(STD_ERROR_HANDLE);
    if (size == 0)
        return MPROC_OK;
    if (size > OS_TERMINAL_MOST)
        return win32_invalid();
    int length = MultiByteToWideChar(CP_UTF8, 0, text, (int)size, wide, OS_TERMINAL_MOST);
    if (length == 0)
        return win32_last_error();
    DWORD done = 0;
    for (DWORD at = 0; at < (DWORD)length; at += done)
        if (!WriteConsoleW(console, wide + at, (DWORD)length - at, &done, NULL) || done == 0)
            return win32_last_error();
    return MPROC_OK;
}
