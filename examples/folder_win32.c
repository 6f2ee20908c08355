#include "folder.h"
#include "utf8_win32.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

struct folder {
    HANDLE search;
    WIN32_FIND_DATAW entry;
    bool fresh; /* `entry` holds a name that has not been handed out */
    char *name; /* the last one that was */
};

static int errno_of(DWORD error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
        return EACCES;
    case ERROR_DIRECTORY:
        return ENOTDIR;
    case ERROR_NOT_ENOUGH_MEMORY:
        return ENOMEM;
    default:
        return EIO;
    }
}

static wchar_t *everything_in(const char *path)
{
    size_t length = strlen(path);
    char *pattern = malloc(length + 3);
    if (pattern == NULL)
        return NULL;
    memcpy(pattern, path, length);
    memcpy(pattern + length, "/*", 3);
    wchar_t *wide = utf8_to_wide(pattern);
    free(pattern);
    return wide;
}

struct folder *folder_open(const char *path)
{
    wchar_t *pattern = everything_in(path);
    if (pattern == NULL)
        return NULL;
    int error = ENOMEM;
    struct folder *folder = calloc(1, sizeof *folder);
    if (folder != NULL) {
        folder->search = FindFirstFileW(pattern, &folder->entry);
        folder->fresh = true;
        if (folder->search == INVALID_HANDLE_VALUE) {
            error = errno_of(GetLastError());
            free(folder);
            folder = NULL;
        }
    }
    free(pattern);
    errno = folder == NULL ? error : 0;
    return folder;
}

/* Links and mount points to folders are neither followed nor files. */
static enum folder_kind kind_of(DWORD attributes)
{
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return FOLDER_FILE;
    return (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 ? FOLDER_OTHER : FOLDER_FOLDER;
}

static bool advance(struct folder *folder)
{
    if (folder->fresh) {
        folder->fresh = false;
        return true;
    }
    if (FindNextFileW(folder->search, &folder->entry) != 0)
        return true;
    DWORD error = GetLastError();
    errno = error == ERROR_NO_MORE_FILES ? 0 : errno_of(error);
    return false;
}

const char *folder_next(struct folder *folder, enum folder_kind *kind)
{
    while (advance(folder)) {
        const wchar_t *name = folder->entry.cFileName;
        if (wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0)
            continue;
        free(folder->name);
        folder->name = utf8_from_wide(name);
        *kind = kind_of(folder->entry.dwFileAttributes);
        return folder->name;
    }
    return NULL;
}

void folder_close(struct folder *folder)
{
    if (folder == NULL)
        return;
    FindClose(folder->search);
    free(folder->name);
    free(folder);
}
