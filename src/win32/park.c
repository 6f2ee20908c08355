#include "win32.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* WaitOnAddress is not woken across processes. */
const bool os_has_futex = false;

mproc_err os_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    (void)word;
    (void)expected;
    (void)deadline;
    assert(os_has_futex);
    return win32_unsupported();
}

void os_futex_wake(_Atomic uint32_t *word, uint32_t count)
{
    (void)word;
    (void)count;
    assert(os_has_futex);
}

/* What stands in the arena: the name of the semaphore. */
typedef struct signal_name {
    unsigned char nonce[16];
    uint32_t index;
} signal_name;
_Static_assert(sizeof(signal_name) <= sizeof(os_signal), "the name fits");

/* The semaphores this process has opened. Never closed: while a handle is open, the name means
 * the same object to everybody, however often its waiters die and are replaced. */
typedef struct known_signal {
    signal_name name;
    HANDLE semaphore;
    struct known_signal *next;
} known_signal;

enum { BUCKETS = 4096 };
static _Atomic(known_signal *) known[BUCKETS];

#define NAME_PREFIX L"Local\\mproc-"
enum { NAME_LENGTH = sizeof NAME_PREFIX / sizeof(wchar_t) + 32 + 1 + 8 };

static wchar_t *write_hex(wchar_t *next, uint32_t value, int digits)
{
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        *next++ = L"0123456789abcdef"[value >> shift & 0xf];
    return next;
}

static void write_name(wchar_t text[NAME_LENGTH], const signal_name *name)
{
    memcpy(text, NAME_PREFIX, sizeof NAME_PREFIX);
    wchar_t *next = text + sizeof NAME_PREFIX / sizeof(wchar_t) - 1;
    for (size_t i = 0; i < sizeof name->nonce; i++)
        next = write_hex(next, name->nonce[i], 2);
    *next++ = L'-';
    next = write_hex(next, name->index, 8);
    *next = L'\0';
}

static HANDLE find(const known_signal *from, const signal_name *name)
{
    for (; from; from = from->next) {
        if (from->name.index == name->index && !memcmp(from->name.nonce, name->nonce, 16))
            return from->semaphore;
    }
    return NULL;
}

/* Publishes an open semaphore; when another thread was faster, closes it and gives the other
 * one. */
static HANDLE keep(const signal_name *name, HANDLE semaphore)
{
    _Atomic(known_signal *) *bucket = &known[name->index % BUCKETS];
    known_signal *entry = malloc(sizeof *entry), *first = atomic_load(bucket);
    HANDLE faster = NULL;
    if (entry) {
        *entry = (known_signal){.name = *name, .semaphore = semaphore};
        do {
            if ((faster = find(first, name)))
                break;
            entry->next = first;
        } while (!atomic_compare_exchange_weak(bucket, &first, entry));
    }
    if (entry && !faster)
        return semaphore;
    free(entry);
    CloseHandle(semaphore);
    if (!faster)
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return faster;
}

/* NULL with the last error set. Any nonce and index name some semaphore, so a damaged signal does
 * no harm here. */
static HANDLE semaphore_of(const signal_name *name, bool create)
{
    HANDLE semaphore = find(atomic_load(&known[name->index % BUCKETS]), name);
    if (semaphore)
        return semaphore;
    wchar_t text[NAME_LENGTH];
    write_name(text, name);
    semaphore = create ? CreateSemaphoreW(NULL, 0, LONG_MAX, text)
                       : OpenSemaphoreW(SEMAPHORE_MODIFY_STATE | SYNCHRONIZE, FALSE, text);
    return semaphore ? keep(name, semaphore) : NULL;
}

static signal_name name_of(const os_signal *signal)
{
    signal_name name;
    memcpy(&name, signal->bytes, sizeof name);
    return name;
}

mproc_err os_signal_init(os_signal *signal, const unsigned char nonce[16], uint32_t index)
{
    signal_name name = {.index = index};
    memcpy(name.nonce, nonce, sizeof name.nonce);
    if (!semaphore_of(&name, true))
        return win32_last_error();
    memcpy(signal->bytes, &name, sizeof name);
    return MPROC_OK;
}

mproc_err os_signal_wait(os_signal *signal, int64_t deadline)
{
    signal_name name = name_of(signal);
    HANDLE semaphore = semaphore_of(&name, true);
    return semaphore ? win32_wait(semaphore, deadline) : win32_last_error();
}

/* A name that nobody holds has no waiter. */
void os_signal_post(os_signal *signal)
{
    signal_name name = name_of(signal);
    HANDLE semaphore = semaphore_of(&name, false);
    if (semaphore)
        ReleaseSemaphore(semaphore, 1, NULL);
}
