#include "win32.h"

#include <string.h>

static mproc_err too_long(void)
{
    error_remember(ERROR_FILENAME_EXCED_RANGE);
    return MPROC_ERANGE;
}

static mproc_err to_utf8(const wchar_t *wide, char *text, size_t size)
{
    int most = size < OS_PATH ? (int)size : OS_PATH;
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, most, NULL, NULL))
        return MPROC_OK;
    return GetLastError() == ERROR_INSUFFICIENT_BUFFER ? too_long() : win32_last_error();
}

static mproc_err to_wide(const char *text, wchar_t wide[OS_PATH])
{
    if (MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, OS_PATH))
        return MPROC_OK;
    return GetLastError() == ERROR_INSUFFICIENT_BUFFER ? too_long() : win32_last_error();
}

mproc_err os_variable(const char *name, char *value, size_t size)
{
    wchar_t wide_name[OS_PATH], wide[OS_PATH];
    char text[OS_PATH];
    mproc_err err = to_wide(name, wide_name);
    if (err)
        return err;
    SetLastError(ERROR_SUCCESS);
    DWORD length = GetEnvironmentVariableW(wide_name, wide, OS_PATH);
    if (!length && GetLastError() == ERROR_ENVVAR_NOT_FOUND) {
        error_remember(ERROR_ENVVAR_NOT_FOUND);
        return MPROC_ENOENT;
    }
    if (!length)
        wide[0] = L'\0'; /* it is set to nothing */
    if (length >= OS_PATH)
        return too_long();
    if ((err = to_utf8(wide, text, sizeof text)))
        return err;
    if (strlen(text) >= size)
        return too_long();
    memcpy(value, text, strlen(text) + 1);
    return MPROC_OK;
}

static mproc_err open_plain(const wchar_t *path, DWORD how, os_handle *file)
{
    HANDLE opened =
        CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, how, FILE_ATTRIBUTE_NORMAL, NULL);
    if (opened == INVALID_HANDLE_VALUE)
        return win32_last_error();
    if (GetFileType(opened) != FILE_TYPE_DISK) {
        CloseHandle(opened);
        return win32_invalid();
    }
    *file = win32_os_handle(opened);
    return MPROC_OK;
}

mproc_err os_file_create(const char *path, os_handle *file, char *absolute, size_t size)
{
    wchar_t wide[OS_PATH], full[OS_PATH];
    char text[OS_PATH];
    mproc_err err = to_wide(path, wide);
    if (err)
        return err;
    DWORD length = GetFullPathNameW(wide, OS_PATH, full, NULL);
    if (!length)
        return win32_last_error();
    if (length >= OS_PATH)
        return too_long();
    if ((err = to_utf8(full, text, sizeof text)))
        return err;
    if (strlen(text) >= size)
        return too_long();
    if ((err = open_plain(full, CREATE_ALWAYS, file)))
        return err;
    memcpy(absolute, text, strlen(text) + 1);
    return MPROC_OK;
}

mproc_err os_file_open(const char *absolute, os_handle *file)
{
    wchar_t wide[OS_PATH];
    mproc_err err = to_wide(absolute, wide);
    return err ? err : open_plain(wide, OPEN_EXISTING, file);
}

mproc_err os_file_write(os_handle file, uint64_t at, const void *bytes, size_t size)
{
    const size_t most = (size_t)1 << 30;
    for (const unsigned char *next = bytes; size > 0;) {
        OVERLAPPED place = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
        DWORD written = 0;
        if (!WriteFile(win32_handle(file), next, (DWORD)(size < most ? size : most), &written,
                       &place))
            return win32_last_error();
        if (!written)
            return win32_error(ERROR_HANDLE_DISK_FULL);
        next += written;
        at += written;
        size -= written;
    }
    return MPROC_OK;
}

mproc_err os_file_truncate(os_handle file, uint64_t size)
{
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)size};
    if (!SetFileInformationByHandle(win32_handle(file), FileEndOfFileInfo, &end, sizeof end))
        return win32_last_error();
    return MPROC_OK;
}
