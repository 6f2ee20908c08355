#include "win32.h"

#include <stdlib.h>

/* Each process has a registered wait, for WaitForMultipleObjects ends at 64. Its callback, on a
 * thread of the system's, hands the entry over to the one thread of the watcher. */
enum { REGISTERED = 1, ENDED = 2, READY = REGISTERED | ENDED };

typedef struct entry {
    os_watcher *watcher;
    uint64_t key;
    HANDLE process; /* NULL: it had ended before */
    HANDLE wait;    /* valid once REGISTERED */
    _Atomic int state;
    struct entry *next, **link; /* among all */
    struct entry *next_ready;
} entry;

struct os_watcher {
    void (*ended)(void *context, uint64_t key);
    void *context;
    os_mutex lock; /* of the four below */
    entry *all;
    entry *ready, **last_ready;
    bool stop;
    int64_t alarm; /* OS_FOREVER: none */
    HANDLE event;
    os_handle thread;
};

static void release(entry *e)
{
    if (e->wait)
        UnregisterWaitEx(e->wait, INVALID_HANDLE_VALUE); /* its callback has returned afterwards */
    if (e->process)
        CloseHandle(e->process);
    free(e);
}

/* The callback may run before the wait's handle is known: whoever comes second hands the entry
 * over. */
static void mark(entry *e, int half)
{
    if ((atomic_fetch_or(&e->state, half) | half) != READY)
        return;
    os_watcher *w = e->watcher;
    os_mutex_lock(&w->lock);
    *w->last_ready = e;
    w->last_ready = &e->next_ready;
    SetEvent(w->event); /* before the entry can be released, and its watcher with it */
    os_mutex_unlock(&w->lock);
}

static void CALLBACK process_ended(void *context, BOOLEAN timed_out)
{
    (void)timed_out;
    mark(context, ENDED);
}

static void enlist(os_watcher *w, entry *e)
{
    os_mutex_lock(&w->lock);
    e->next = w->all;
    e->link = &w->all;
    if (e->next)
        e->next->link = &e->next;
    w->all = e;
    os_mutex_unlock(&w->lock);
}

static void delist(os_watcher *w, entry *e)
{
    os_mutex_lock(&w->lock);
    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
    os_mutex_unlock(&w->lock);
}

static entry *take_ready(os_watcher *w, bool *stop)
{
    os_mutex_lock(&w->lock);
    entry *list = w->ready;
    w->ready = NULL;
    w->last_ready = &w->ready;
    *stop = w->stop;
    os_mutex_unlock(&w->lock);
    return list;
}

void os_watcher_alarm(os_watcher *watcher, int64_t deadline)
{
    os_mutex_lock(&watcher->lock);
    if (deadline < watcher->alarm) {
        watcher->alarm = deadline;
        SetEvent(watcher->event);
    }
    os_mutex_unlock(&watcher->lock);
}

static void await_event(os_watcher *w)
{
    os_mutex_lock(&w->lock);
    int64_t alarm = w->alarm;
    os_mutex_unlock(&w->lock);
    if (win32_wait(w->event, alarm) != MPROC_ETIMEDOUT)
        return;
    os_mutex_lock(&w->lock);
    bool now = w->alarm <= os_now();
    if (now)
        w->alarm = OS_FOREVER;
    os_mutex_unlock(&w->lock);
    if (now)
        w->ended(w->context, 0);
}

static void watch(void *argument)
{
    os_watcher *w = argument;
    for (;;) {
        bool stop;
        entry *e = take_ready(w, &stop);
        if (stop)
            return;
        if (!e)
            await_event(w);
        while (e) {
            entry *next = e->next_ready;
            uint64_t key = e->key;
            delist(w, e);
            release(e);
            w->ended(w->context, key);
            e = next;
        }
    }
}

mproc_err os_watcher_create(os_watcher **watcher, void (*ended)(void *context, uint64_t key),
                            void *context)
{
    os_watcher *w = calloc(1, sizeof *w);
    if (!w)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    w->ended = ended;
    w->context = context;
    w->last_ready = &w->ready;
    w->alarm = OS_FOREVER;
    os_mutex_init(&w->lock);
    mproc_err err = MPROC_OK;
    if (!(w->event = CreateEventW(NULL, FALSE, FALSE, NULL)))
        err = win32_last_error();
    if (!err)
        err = os_thread_start(&w->thread, watch, w);
    if (err) {
        if (w->event)
            CloseHandle(w->event);
        free(w);
        return err;
    }
    *watcher = w;
    return MPROC_OK;
}

/* A handle of the watcher's own. *handle is NULL for a foreign process that is gone. */
static mproc_err own_handle(const os_process *process, HANDLE *handle)
{
    HANDLE self = GetCurrentProcess();
    if (process->handle == OS_NO_HANDLE) {
        mproc_err err = win32_process_open(process->pid, process->born, 0, handle);
        if (err == MPROC_ENOENT)
            *handle = NULL;
        return err == MPROC_ENOENT ? MPROC_OK : err;
    }
    return DuplicateHandle(self, win32_handle(process->handle), self, handle, SYNCHRONIZE, FALSE, 0)
               ? MPROC_OK
               : win32_last_error();
}

mproc_err os_watcher_add(os_watcher *watcher, os_process *process, uint64_t key)
{
    entry *e = calloc(1, sizeof *e);
    if (!e)
        return win32_error(ERROR_NOT_ENOUGH_MEMORY);
    e->watcher = watcher;
    e->key = key;
    mproc_err err = own_handle(process, &e->process);
    if (err) {
        free(e);
        return err;
    }
    enlist(watcher, e);
    if (!e->process) {
        mark(e, READY);
        return MPROC_OK;
    }
    /* In the wait thread: the callback is too short to be worth another one. */
    if (!RegisterWaitForSingleObject(&e->wait, e->process, process_ended, e, INFINITE,
                                     WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
        err = win32_last_error();
        e->wait = NULL;
        delist(watcher, e);
        release(e);
        return err;
    }
    mark(e, REGISTERED);
    return MPROC_OK;
}

void os_watcher_free(os_watcher *watcher)
{
    if (!watcher)
        return;
    os_mutex_lock(&watcher->lock);
    watcher->stop = true;
    SetEvent(watcher->event);
    os_mutex_unlock(&watcher->lock);
    os_thread_join(watcher->thread);
    while (watcher->all) {
        entry *e = watcher->all;
        delist(watcher, e);
        release(e);
    }
    CloseHandle(watcher->event);
    free(watcher);
}

/* Nothing forks here. */
void os_watcher_after_fork(os_watcher *watcher)
{
    (void)watcher;
}
