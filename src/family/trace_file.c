#include "trace_file.h"

#include <string.h>

#include "../killpoint.h"
#include "family.h"
#include "gate.h"
#include "heap.h"
#include "park.h"

#define MILLISECOND INT64_C(1000000)
#define PATIENCE (1000 * MILLISECOND)
#define LONGEST_BEAT (10 * MILLISECOND)

typedef struct trace_board {
    _Atomic uint64_t holder; /* slot_id of who writes; 0: nobody */
    _Atomic uint64_t end;    /* the file's length; what lies behind it counts for nothing */
    _Atomic uint32_t closed;
    _Atomic uint32_t never; /* to sleep on */
    char path[OS_PATH];
    _Atomic int64_t lives[SLOT_COUNT];
} trace_board;

static os_handle file = OS_NO_HANDLE;

static trace_board *board(void)
{
    arena_ref ref = atomic_load_explicit(arena_counter(ARENA_TRACE), memory_order_acquire);
    return ref ? arena_at(ref) : NULL;
}

mproc_err trace_file_create(const char *path)
{
    static const char begin[] = "[\n";
    arena_ref ref;
    mproc_err err = heap_alloc(sizeof(trace_board), family.self, &ref);
    if (err)
        return err;
    trace_board *made = arena_at(ref);
    memset(made, 0, sizeof *made);
    gate_enter();
    err = os_file_create(path, &file, made->path, sizeof made->path);
    gate_leave();
    if (!err && (err = os_file_write(file, 0, begin, sizeof begin - 1)))
        trace_file_end();
    if (err) {
        heap_free(ref, family.self);
        return err;
    }
    atomic_store(&made->end, sizeof begin - 1);
    atomic_store(arena_counter(ARENA_TRACE), ref);
    return MPROC_OK;
}

mproc_err trace_file_open(void)
{
    const trace_board *shared = board();
    if (!shared || atomic_load(&shared->closed))
        return MPROC_ENOENT;
    gate_enter();
    mproc_err err = os_file_open(shared->path, &file);
    gate_leave();
    return err;
}

void trace_file_end(void)
{
    os_handle_close(file);
    file = OS_NO_HANDLE;
}

bool trace_file_is_open(void)
{
    return file != OS_NO_HANDLE;
}

static bool is_gone(slot_id holder)
{
    return !slot_pid(holder) || family_is_gone((uint32_t)(holder & 0xffff));
}

/* Nothing is undone for a holder that died: it has moved the end, or not. */
static mproc_err take(trace_board *shared)
{
    const int64_t patience = os_now() + PATIENCE;
    for (int64_t beat = MILLISECOND / 10;; beat = beat < LONGEST_BEAT ? beat * 2 : beat) {
        uint64_t holder = 0;
        if (atomic_compare_exchange_strong(&shared->holder, &holder, family.self))
            break;
        if (os_now() >= patience)
            return MPROC_ETIMEDOUT;
        park(&shared->never, 0, os_now() + beat, family.self);
        if (is_gone(holder) &&
            atomic_compare_exchange_strong(&shared->holder, &holder, family.self))
            break;
    }
    killpoint();
    return MPROC_OK;
}

static void give_back(trace_board *shared)
{
    atomic_store(&shared->holder, 0);
    killpoint();
}

static mproc_err append(trace_board *shared, const char *lines, size_t size)
{
    if (atomic_load(&shared->closed))
        return MPROC_ECLOSED;
    uint64_t end = atomic_load(&shared->end);
    mproc_err err = os_file_write(file, end, lines, size);
    if (err)
        return err;
    killpoint();
    atomic_store(&shared->end, end + size);
    killpoint();
    return MPROC_OK;
}

mproc_err trace_file_append(const char *lines, size_t size)
{
    trace_board *shared = board();
    mproc_err err = take(shared);
    if (err)
        return err;
    err = append(shared, lines, size);
    give_back(shared);
    return err;
}

mproc_err trace_file_close(const char *last, size_t size)
{
    static const char end[] = "\n]\n";
    trace_board *shared = board();
    mproc_err err = take(shared);
    if (err)
        return err;
    err = append(shared, last, size);
    if (!err)
        err = append(shared, end, sizeof end - 1);
    if (!err)
        err = os_file_truncate(file, atomic_load(&shared->end));
    atomic_store(&shared->closed, 1);
    give_back(shared);
    return err;
}

_Atomic int64_t *trace_file_life(slot_id id)
{
    return &board()->lives[id & (SLOT_COUNT - 1)];
}
