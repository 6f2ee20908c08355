#include "win32.h"

#include <stdlib.h>
#include <string.h>

const char os_segment_prefix[] = "wnsm_";
const size_t os_segment_longest = OS_SEGMENT_NAME - 1;

bool os_segment_allows(const char *name)
{
    static const char *const spaces[] = {"Local\\", "Global\\"};
    wchar_t wide[2 * OS_SEGMENT_NAME];
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        size_t length = strlen(spaces[i]);
        if (!strncmp(name, spaces[i], length)) {
            name += length;
            break;
        }
    }
    /* Of one that is too long only the hash will be used. */
    return *name && !strchr(name, '\\') &&
           (strlen(name) > os_segment_longest ||
            MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide,
                                sizeof wide / sizeof wide[0]) > 0);
}

static mproc_err widen(const char *name, wchar_t wide[OS_SEGMENT_NAME])
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, OS_SEGMENT_NAME)
               ? MPROC_OK
               : win32_last_error();
}

/* Maps all of it and takes the section over. `size` 0: what the system says. */
static mproc_err map(os_segment *segment, const char *name, HANDLE section, uint64_t size)
{
    MEMORY_BASIC_INFORMATION region;
    void *base = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size);
    if (!base || (size == 0 && !VirtualQuery(base, &region, sizeof region))) {
        mproc_err err = win32_last_error();
        if (base)
            UnmapViewOfFile(base);
        CloseHandle(section);
        return err;
    }
    *segment = (os_segment){.base = base,
                            .size = size ? size : (uint64_t)region.RegionSize,
                            .object = win32_os_handle(section)};
    memcpy(segment->name, name, strlen(name) + 1);
    return MPROC_OK;
}

mproc_err os_segment_create(os_segment *segment, const char *name, uint64_t size)
{
    const uint64_t addresses = UINT64_C(1) << 47;
    wchar_t wide[OS_SEGMENT_NAME];
    if (size >= addresses)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    mproc_err err = widen(name, wide);
    if (err)
        return err;
    SetLastError(ERROR_SUCCESS);
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                                        (DWORD)(size >> 32), (DWORD)(size & UINT32_MAX), wide);
    if (!section)
        return win32_last_error();
    if (GetLastError() == ERROR_ALREADY_EXISTS) {
        CloseHandle(section);
        return win32_error(ERROR_ALREADY_EXISTS);
    }
    return map(segment, name, section, size);
}

/* The name ends with its last user. */
mproc_err os_segment_settle(const char *name)
{
    (void)name;
    return MPROC_OK;
}

mproc_err os_segment_open(os_segment *segment, const char *name, uint64_t least)
{
    wchar_t wide[OS_SEGMENT_NAME];
    os_segment opened;
    mproc_err err = widen(name, wide);
    if (err)
        return err;
    HANDLE section = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, wide);
    if (!section)
        return win32_last_error();
    if ((err = map(&opened, name, section, 0)))
        return err;
    if (opened.size < least) {
        os_segment_close(&opened);
        error_remember(ERROR_INVALID_PARAMETER);
        return MPROC_ERANGE;
    }
    *segment = opened;
    return MPROC_OK;
}

mproc_err os_segment_unlink(const os_segment *segment)
{
    (void)segment;
    return MPROC_OK;
}

mproc_err os_segment_keep(const os_segment *segment, bool forced)
{
    (void)segment;
    (void)forced;
    return MPROC_OK;
}

void os_segment_close(os_segment *segment)
{
    UnmapViewOfFile(segment->base);
    os_handle_close(segment->object);
    *segment = (os_segment){.object = OS_NO_HANDLE};
}

size_t os_segment_sweep(void)
{
    return 0;
}
