#include "win32.h"

#define SPAN UINT64_C(65536)
#define LARGEST (UINT64_C(4) << 30) /* beyond it a section's page table costs too much */

static uint64_t round_up(uint64_t size)
{
    return size > UINT64_MAX - SPAN ? UINT64_MAX - SPAN + 1 : (size + SPAN - 1) / SPAN * SPAN;
}

static void *map(HANDLE section, uint64_t size)
{
    return MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size);
}

static mproc_err create(os_shared *shared, uint64_t size)
{
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE,
                                        (DWORD)(size >> 32), (DWORD)(size & UINT32_MAX), NULL);
    if (!section)
        return win32_last_error();
    void *base = map(section, size);
    if (!base) {
        mproc_err err = win32_last_error();
        CloseHandle(section);
        return err;
    }
    *shared = (os_shared){.base = base, .size = size, .object = win32_os_handle(section)};
    return MPROC_OK;
}

mproc_err os_shared_create(os_shared *shared, uint64_t size, uint64_t least)
{
    least = round_up(least ? least : 1);
    size = round_up(size < LARGEST ? size : LARGEST);
    for (;;) {
        if (size < least)
            size = least;
        mproc_err err = create(shared, size);
        if (!err || size == least)
            return err;
        size = round_up(size / 2);
    }
}

mproc_err os_shared_open(os_shared *shared, os_handle object, uint64_t size)
{
    if (object == OS_NO_HANDLE || size == 0)
        return win32_invalid(); /* 0 would map whatever is there */
    void *base = map(win32_handle(object), size);
    if (!base)
        return win32_last_error();
    *shared = (os_shared){.base = base, .size = size, .object = object};
    return MPROC_OK;
}

void os_shared_close(os_shared *shared)
{
    UnmapViewOfFile(shared->base);
    os_handle_close(shared->object);
    *shared = (os_shared){.object = OS_NO_HANDLE};
}

static bool lies_within(const os_shared *shared, uint64_t offset, uint64_t size)
{
    return offset <= shared->size && size <= shared->size - offset;
}

mproc_err os_shared_commit(const os_shared *shared, uint64_t offset, uint64_t size)
{
    if (!lies_within(shared, offset, size))
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    if (size == 0)
        return MPROC_OK;
    uint64_t begin = offset / SPAN * SPAN, end = round_up(offset + size);
    if (!VirtualAlloc(shared->base + begin, (SIZE_T)(end - begin), MEM_COMMIT, PAGE_READWRITE))
        return win32_last_error();
    return MPROC_OK;
}

/* Pages of a section cannot be uncommitted while a view of it exists. */
bool os_shared_decommit(const os_shared *shared, uint64_t offset, uint64_t size)
{
    (void)shared;
    (void)offset;
    (void)size;
    return false;
}

bool os_shared_is_committed(const os_shared *shared, uint64_t offset, uint64_t size)
{
    if (!lies_within(shared, offset, size))
        return false;
    const unsigned char *next = shared->base + offset, *end = next + size;
    while (next < end) {
        MEMORY_BASIC_INFORMATION region;
        if (!VirtualQuery(next, &region, sizeof region) || region.State != MEM_COMMIT)
            return false;
        next = (const unsigned char *)region.BaseAddress + region.RegionSize;
    }
    return true;
}
