#include "win32.h"

#include <stdlib.h>
#include <string.h>

/* Byte mode, for the framing is mproc's own. A pipe's buffer is what it takes without a reader. */
enum { BUFFER = 65536, CHUNK = 65536 };

#define NAME_PREFIX L"\\\\.\\pipe\\mproc-"
enum { RANDOM = 16, NAME_LENGTH = sizeof NAME_PREFIX / sizeof(wchar_t) + 2 * RANDOM };

/* ---- ends ---- */

static mproc_err random_name(wchar_t name[NAME_LENGTH])
{
    unsigned char bytes[RANDOM];
    mproc_err err = os_random(bytes, sizeof bytes);
    if (err)
        return err;
    memcpy(name, NAME_PREFIX, sizeof NAME_PREFIX);
    wchar_t *next = name + sizeof NAME_PREFIX / sizeof(wchar_t) - 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        *next++ = L"0123456789abcdef"[bytes[i] >> 4];
        *next++ = L"0123456789abcdef"[bytes[i] & 0xf];
    }
    *next = L'\0';
    return MPROC_OK;
}

/* Nobody else can have come between: there is one instance, and this process has made it. */
mproc_err os_channel_pair(os_handle ends[2], bool duplex)
{
    wchar_t name[NAME_LENGTH];
    mproc_err err = random_name(name);
    if (err)
        return err;
    DWORD direction = duplex ? PIPE_ACCESS_DUPLEX : PIPE_ACCESS_INBOUND;
    HANDLE first = CreateNamedPipeW(
        name, direction | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, BUFFER,
        BUFFER, 0, NULL);
    if (first == INVALID_HANDLE_VALUE)
        return win32_last_error();
    HANDLE second =
        CreateFileW(name, duplex ? GENERIC_READ | GENERIC_WRITE : GENERIC_WRITE, 0, NULL,
                    OPEN_EXISTING, FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT, NULL);
    if (second == INVALID_HANDLE_VALUE) {
        err = win32_last_error();
        CloseHandle(first);
        return err;
    }
    ends[0] = win32_os_handle(first);
    ends[1] = win32_os_handle(second);
    return MPROC_OK;
}

/* Whether calls return before they are done: what was not made so would wait beyond every
 * deadline. */
static bool is_overlapped(HANDLE handle)
{
    enum { FILE_MODE_INFORMATION = 16, SYNCHRONOUS = 0x10 | 0x20 };
    typedef LONG(WINAPI * query)(HANDLE, void *, void *, ULONG, int);
    struct {
        ULONG_PTR status, information;
    } outcome;
    ULONG mode = 0;
    HMODULE system = GetModuleHandleW(L"ntdll.dll");
    FARPROC found = system ? GetProcAddress(system, "NtQueryInformationFile") : NULL;
    if (!found)
        return true;
    query ask = (query)(uintptr_t)found;
    return ask(handle, &outcome, &mode, sizeof mode, FILE_MODE_INFORMATION) < 0 ||
           !(mode & SYNCHRONOUS);
}

typedef struct side {
    OVERLAPPED reading, writing;
    /* A write whose deadline came first goes on from here. */
    unsigned char *chunk;
    DWORD under_way; /* 0: none */
    bool broken;     /* some of it was lost */
} side;

static side *side_of(const os_channel *channel)
{
    return channel->side;
}

static void free_side(side *own)
{
    if (own->reading.hEvent)
        CloseHandle(own->reading.hEvent);
    if (own->writing.hEvent)
        CloseHandle(own->writing.hEvent);
    free(own->chunk);
    free(own);
}

mproc_err os_channel_open(os_channel *channel, os_handle handle)
{
    if (GetFileType(win32_handle(handle)) != FILE_TYPE_PIPE)
        return win32_error(ERROR_INVALID_HANDLE);
    if (!is_overlapped(win32_handle(handle)))
        return win32_invalid();
    side *own = calloc(1, sizeof *own);
    if (!own)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    own->reading.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    own->writing.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!own->reading.hEvent || !own->writing.hEvent) {
        mproc_err err = win32_last_error();
        free_side(own);
        return err;
    }
    *channel = (os_channel){.handle = handle, .side = own};
    return MPROC_OK;
}

/* ---- one overlapped call ---- */

static void begin(OVERLAPPED *call)
{
    HANDLE event = call->hEvent;
    *call = (OVERLAPPED){.hEvent = event};
}

/* A call that is done at once, as most are, need not be waited for. */
static mproc_err await_call(const OVERLAPPED *call, int64_t deadline)
{
    return HasOverlappedIoCompleted(call) ? MPROC_OK : win32_wait(call->hEvent, deadline);
}

/* Afterwards the system uses neither its bytes nor `call`. */
static mproc_err finish(HANDLE handle, OVERLAPPED *call, DWORD *count)
{
    return GetOverlappedResult(handle, call, count, TRUE) ? MPROC_OK : win32_last_error();
}

/* Waits for a call that has begun; gives it up at the deadline. For reads only: such a one has
 * taken nothing, or is done after all. */
static mproc_err finish_until(HANDLE handle, OVERLAPPED *call, DWORD *count, int64_t deadline)
{
    mproc_err late = await_call(call, deadline);
    if (late)
        CancelIoEx(handle, call);
    mproc_err err = finish(handle, call, count);
    return late && err && mproc_os_error() == ERROR_OPERATION_ABORTED ? late : err;
}

void os_channel_close(os_channel *channel)
{
    side *own = side_of(channel);
    DWORD count;
    if (own && own->under_way) {
        CancelIoEx(win32_handle(channel->handle), &own->writing);
        finish(win32_handle(channel->handle), &own->writing, &count);
    }
    if (own)
        free_side(own);
    *channel = (os_channel){.handle = OS_NO_HANDLE};
}

/* ---- reading ---- */

static DWORD part_of(size_t size)
{
    const DWORD most = UINT32_C(1) << 30;
    return size < most ? (DWORD)size : most;
}

mproc_err os_channel_read(os_channel *channel, void *bytes, size_t size, size_t *got,
                          os_handle *passed, int64_t deadline)
{
    HANDLE handle = win32_handle(channel->handle);
    OVERLAPPED *call = &side_of(channel)->reading;
    DWORD count = 0;
    while (count == 0) { /* somebody may have written nothing */
        begin(call);
        if (!ReadFile(handle, bytes, part_of(size), NULL, call) &&
            GetLastError() != ERROR_IO_PENDING)
            return win32_last_error();
        mproc_err err = finish_until(handle, call, &count, deadline);
        if (err)
            return err;
    }
    if (passed)
        *passed = OS_NO_HANDLE;
    *got = count;
    return MPROC_OK;
}

/* ---- writing ---- */

static mproc_err begin_write(HANDLE handle, side *own, const void *bytes, DWORD size)
{
    begin(&own->writing);
    if (!WriteFile(handle, bytes, size, NULL, &own->writing) && GetLastError() != ERROR_IO_PENDING)
        return win32_last_error();
    return MPROC_OK;
}

/* A write that is cancelled may have been read in part: so it never is. But the end of the thread
 * that began it cancels it. */
static mproc_err finish_write(HANDLE handle, side *own, DWORD size)
{
    DWORD count = 0;
    mproc_err err = finish(handle, &own->writing, &count);
    if (!err && count == size)
        return MPROC_OK;
    if (err == MPROC_EEOF)
        return err;
    own->broken = true;
    return MPROC_EBROKEN;
}

static mproc_err finish_chunk(HANDLE handle, side *own, int64_t deadline)
{
    mproc_err err = own->under_way ? await_call(&own->writing, deadline) : MPROC_OK;
    if (!err && own->under_way) {
        err = finish_write(handle, own, own->under_way);
        own->under_way = 0;
    }
    return err ? err : own->broken ? MPROC_EBROKEN : MPROC_OK;
}

/* Copies from both parts, beginning at `from`. */
static DWORD gather(unsigned char *to, const os_part parts[2], size_t from, size_t most)
{
    size_t have = 0;
    for (int i = 0; i < 2; i++) {
        size_t skip = from < parts[i].size ? from : parts[i].size;
        size_t size = parts[i].size - skip < most - have ? parts[i].size - skip : most - have;
        if (size)
            memcpy(to + have, (const unsigned char *)parts[i].bytes + skip, size);
        have += size;
        from -= skip;
    }
    return (DWORD)have;
}

/* Straight from the caller's memory, who waits as long as it takes. */
static mproc_err write_all(HANDLE handle, side *own, const os_part *part, size_t *done)
{
    const unsigned char *next = part->bytes;
    size_t left = part->size;
    while (left > 0) {
        DWORD size = part_of(left);
        mproc_err err = begin_write(handle, own, next, size);
        if (!err)
            err = finish_write(handle, own, size);
        if (err)
            return err;
        next += size;
        left -= size;
        *done += size;
    }
    return MPROC_OK;
}

/* From a copy, which stays when the caller does not. */
static mproc_err write_chunks(HANDLE handle, side *own, const os_part parts[2], size_t *done,
                              int64_t deadline)
{
    size_t size = parts[0].size + parts[1].size;
    if (!own->chunk && !(own->chunk = malloc(CHUNK)))
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    while (*done < size) {
        DWORD chunk = gather(own->chunk, parts, *done, CHUNK);
        mproc_err err = begin_write(handle, own, own->chunk, chunk);
        if (err)
            return err;
        own->under_way = chunk;
        *done += chunk;
        if ((err = finish_chunk(handle, own, deadline)))
            return err;
    }
    return MPROC_OK;
}

mproc_err os_channel_write(os_channel *channel, const os_part parts[2], os_handle attached,
                           size_t *done, int64_t deadline)
{
    HANDLE handle = win32_handle(channel->handle);
    side *own = side_of(channel);
    *done = 0;
    if (attached != OS_NO_HANDLE)
        return win32_invalid();
    mproc_err err = finish_chunk(handle, own, deadline);
    if (err)
        return err;
    if (deadline != OS_FOREVER || parts[0].size + parts[1].size <= CHUNK)
        return write_chunks(handle, own, parts, done, deadline);
    err = write_all(handle, own, &parts[0], done);
    return err ? err : write_all(handle, own, &parts[1], done);
}

/* ---- handing over ---- */

const bool os_can_attach = false;

mproc_err os_handle_copy(os_handle handle, os_handle *copy)
{
    HANDLE self = GetCurrentProcess(), made;
    if (!DuplicateHandle(self, win32_handle(handle), self, &made, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return win32_last_error();
    *copy = win32_os_handle(made);
    return MPROC_OK;
}

mproc_err os_handle_offer(os_handle handle, uint64_t *word)
{
    os_handle copy;
    mproc_err err = os_handle_copy(handle, &copy);
    if (!err)
        *word = (uint64_t)copy;
    return err;
}

void os_handle_withdraw(uint64_t word)
{
    CloseHandle((HANDLE)(uintptr_t)word);
}

mproc_err os_handle_accept(int64_t pid, uint64_t born, uint64_t word, os_handle attached,
                           os_handle *handle)
{
    HANDLE process, taken, again, offered = (HANDLE)(uintptr_t)word;
    (void)attached;
    mproc_err err = win32_process_open(pid, born, PROCESS_DUP_HANDLE, &process);
    if (!err) {
        /* Closed after it has been copied: closing would not be undone by a failure. */
        if (!DuplicateHandle(process, offered, GetCurrentProcess(), &taken, 0, FALSE,
                             DUPLICATE_SAME_ACCESS))
            err = win32_last_error();
        else if (DuplicateHandle(process, offered, GetCurrentProcess(), &again, 0, FALSE,
                                 DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE))
            CloseHandle(again);
        CloseHandle(process);
    }
    if (err)
        return err == MPROC_EAGAIN || err == MPROC_ENOMEM ? err : MPROC_EBROKEN;
    *handle = win32_os_handle(taken);
    return MPROC_OK;
}

/* ---- waiting for any of many ---- */

/* A read of nothing ends when there is something to read, and takes none of it. */
typedef struct watch {
    OVERLAPPED call; /* of channels */
    HANDLE object;
    HANDLE registration; /* beyond what the system waits for at once */
    bool is_reading;
} watch;

static mproc_err look_at_channel(os_wait_item *item)
{
    DWORD available = 0;
    mproc_err err = MPROC_OK;
    if (!PeekNamedPipe(win32_handle(item->handle), NULL, 0, NULL, &available, NULL))
        err = win32_last_error();
    item->ready = available > 0 || err == MPROC_EEOF;
    return item->ready ? MPROC_OK : err;
}

static mproc_err look(os_wait_item *items, size_t count, bool *any)
{
    for (size_t i = 0; i < count; i++) {
        os_wait_item *item = &items[i];
        mproc_err err = MPROC_OK;
        if (item->is_channel) {
            err = look_at_channel(item);
        } else {
            err = win32_wait(win32_handle(item->handle), 0);
            item->ready = !err;
            err = err == MPROC_ETIMEDOUT ? MPROC_OK : err;
        }
        if (err)
            return err;
        *any |= item->ready;
    }
    return MPROC_OK;
}

static mproc_err begin_watch(watch *it, const os_wait_item *item)
{
    static char nothing;
    it->object = win32_handle(item->handle);
    if (!item->is_channel)
        return MPROC_OK;
    it->object = it->call.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!it->object)
        return win32_last_error();
    it->is_reading = true;
    if (ReadFile(win32_handle(item->handle), &nothing, 0, NULL, &it->call) ||
        GetLastError() == ERROR_IO_PENDING)
        return MPROC_OK;
    it->is_reading = false;
    mproc_err err = win32_last_error();
    if (err == MPROC_EEOF)
        SetEvent(it->object);
    return err == MPROC_EEOF ? MPROC_OK : err;
}

static void end_watch(watch *it, const os_wait_item *item)
{
    DWORD count;
    if (it->is_reading) {
        CancelIoEx(win32_handle(item->handle), &it->call);
        finish(win32_handle(item->handle), &it->call, &count);
    }
    if (it->call.hEvent)
        CloseHandle(it->call.hEvent);
    *it = (watch){.object = NULL};
}

static mproc_err await_few(const watch *watches, size_t count, int64_t deadline)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS];
    for (size_t i = 0; i < count; i++)
        objects[i] = watches[i].object;
    return win32_wait_any(objects, (DWORD)count, deadline);
}

static void CALLBACK ring(void *event, BOOLEAN timed_out)
{
    (void)timed_out;
    SetEvent(event);
}

static mproc_err await_many(watch *watches, size_t count, int64_t deadline)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    mproc_err err = event ? MPROC_OK : win32_last_error();
    for (size_t i = 0; !err && i < count; i++) {
        if (!RegisterWaitForSingleObject(&watches[i].registration, watches[i].object, ring, event,
                                         INFINITE, WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
            watches[i].registration = NULL;
            err = win32_last_error();
        }
    }
    if (!err)
        err = win32_wait_any(&event, 1, deadline);
    for (size_t i = 0; i < count; i++) {
        if (watches[i].registration)
            UnregisterWaitEx(watches[i].registration, INVALID_HANDLE_VALUE);
        watches[i].registration = NULL;
    }
    if (event)
        CloseHandle(event);
    return err;
}

static mproc_err await_any(watch *watches, const os_wait_item *items, size_t count,
                           int64_t deadline)
{
    mproc_err err = MPROC_OK;
    for (size_t i = 0; !err && i < count; i++)
        err = begin_watch(&watches[i], &items[i]);
    if (!err)
        err = count <= MAXIMUM_WAIT_OBJECTS ? await_few(watches, count, deadline)
                                            : await_many(watches, count, deadline);
    for (size_t i = 0; i < count; i++)
        end_watch(&watches[i], &items[i]);
    return err;
}

/* Another reader may have taken what was there: then it all begins again. */
mproc_err os_wait_ready(os_wait_item *items, size_t count, int64_t deadline)
{
    enum { FEW = 4 };
    watch few[FEW] = {{.object = NULL}};
    watch *watches = count <= FEW ? few : calloc(count, sizeof *watches);
    if (!watches)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    bool any = false;
    mproc_err late = deadline == 0 ? MPROC_ETIMEDOUT : MPROC_OK;
    mproc_err err = look(items, count, &any);
    while (!err && !any && !late) {
        late = await_any(watches, items, count, deadline);
        if (late && late != MPROC_ETIMEDOUT)
            err = late;
        else
            err = look(items, count, &any);
    }
    if (watches != few)
        free(watches);
    return err ? err : any ? MPROC_OK : MPROC_ETIMEDOUT;
}
