#include "task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../family/family.h"
#include "../family/park.h"
#include "../family/text.h"
#include "../family/trace.h"
#include "../killpoint.h"

static int run_nothing(mproc_task *task)
{
    mproc_task_fail(task, "the worker does not have the function: its module is not loaded there");
    task->err = MPROC_EIMAGE;
    return 0;
}

static void find_function(mproc_task *task, const os_code *code)
{
    os_function function;
    if (task->function && task->code.identity == code->identity &&
        task->code.offset == code->offset)
        return;
    task->code = *code;
    task->function = os_code_find(code, &function) ? run_nothing : (mproc_function)function;
}

void task_prepare(mproc_task *task, uint64_t job_word)
{
    pool_job *job = job_at(job_word);
    if (task->job != job || task->generation != job_generation(job_word))
        task->writer = (record_writer){.self = family.self, .owner = job->owner};
    task->job = job;
    task->generation = job_generation(job_word);
    task->cell = NULL;
    if (job->is_lane)
        return;
    find_function(task, &job->function);
    task->outcomes = job_outcomes(job);
    task->items = arena_at(job->items);
    task->results = arena_at(job->results);
    task->item_size = job->item_size;
    task->result_size = job->result_size;
    task->wants_reply = job->wants_results;
    task->is_limited = job->limited;
    task->is_traced = trace_is_on();
}

static void find_input(mproc_task *task)
{
    if (task->item_size) {
        task->input = task->items + task->index * task->item_size;
        task->input_size = task->item_size;
        return;
    }
    const job_span *span = (const job_span *)(const void *)task->items + task->index;
    task->input_size = span->size;
    task->input = task->items + span->offset;
}

static unsigned char *fixed_result(const mproc_task *task)
{
    return task->results + task->index * task->result_size;
}

static record_chain *chain_of(const mproc_task *task)
{
    return &task->job->records;
}

/* In the cell, or in a block; the caller frees the one before. NULL: no memory. */
static void *cell_room(mproc_task *task, size_t size)
{
    task->block = 0;
    if (size > CELL_ROOM && heap_alloc(size, family.self, &task->block))
        task->block = 0;
    task->reply_size = size;
    if (size <= CELL_ROOM)
        return task->cell->small_reply;
    return task->block ? arena_at(task->block) : NULL;
}

/* Between two items `err` and `message` are empty. */
static void begin(mproc_task *task, uint64_t index)
{
    task->index = index;
    task->replied = false;
    task->reply = NULL;
}

static void forget_failure(mproc_task *task)
{
    task->err = MPROC_OK;
    task->message[0] = '\0';
}

static void tell(const mproc_task *task, int64_t began)
{
    const trace_args args = {.index = (int64_t)mproc_task_index(task),
                             .err = task->err,
                             .note = task->message[0] ? task->message : NULL};
    trace_span("task", "pool", began, os_now(), &args);
}

/* There is one worker; its copy is to do nothing of its work. */
void task_leave_copy(void)
{
    if (family_is_copy())
        _Exit(1);
}

static inline int run(mproc_task *task)
{
    int code = task->function(task);
    if (family_is_copy())
        task_leave_copy();
    return code;
}

static int call(mproc_task *task)
{
    const int64_t began = trace_is_on() ? os_now() : 0;
    int code = run(task);
    if (code && !task->err)
        task->err = MPROC_ETASK;
    if (began)
        tell(task, began);
    return code;
}

/* ---- what may be ended from outside ---- */

/* Who announces in `current` what it is at can be killed for it, and for nothing else. */
static void announce(const mproc_task *task, uint64_t index, int timeout_ms)
{
    int64_t deadline = timeout_ms ? os_now() + timeout_ms * INT64_C(1000000) : OS_FOREVER;
    atomic_store_explicit(&task->own->deadline, deadline, memory_order_release);
    killpoint();
    atomic_store(&task->own->current, (uint64_t)task->generation << 48 | (index + 1));
    killpoint();
    if (deadline < atomic_load(&task->shared->next_look))
        job_ring_watch(task->shared);
}

static void withdraw(const mproc_task *task)
{
    const uint64_t current = atomic_exchange(&task->own->current, 0);
    killpoint();
    if (!(current & CURRENT_DOOMED))
        return;
    for (;;)
        park(&task->own->doomed, 0, OS_FOREVER, family.self);
}

/* ---- an item of a map ---- */

/* The record first, then the outcome: who sees the outcome finds the record. */
static outcome record_failure(mproc_task *task, int code)
{
    size_t size = strlen(task->message) + 1;
    record *failure = records_reserve(chain_of(task), &task->writer, size);
    atomic_fetch_add(&task->job->failed, 1);
    if (!failure)
        return OUTCOME_NO_MEMORY;
    failure->index = task->index;
    failure->err = task->err;
    failure->code = code;
    failure->pid = task->pid;
    memcpy(failure->bytes, task->message, size);
    records_commit(&task->writer, failure);
    return OUTCOME_FAILED;
}

static void finish_reply(mproc_task *task)
{
    if (task->reply && task->wants_reply)
        records_commit(&task->writer, task->reply);
    else if (!task->replied && task->result_size)
        memset(fixed_result(task), 0, task->result_size);
}

static outcome finish_item(mproc_task *task, int code)
{
    outcome result = OUTCOME_DONE;
    if (!(code | (int)task->err)) {
        finish_reply(task);
        return result;
    }
    task->err = task->err ? task->err : MPROC_ETASK;
    result = record_failure(task, code);
    forget_failure(task);
    return result;
}

/* Who cancels its map finds it in `current`, or is seen here. */
static void run_limited(mproc_task *task)
{
    unsigned char none = OUTCOME_NONE;
    if (atomic_load_explicit(&task->job->canceled, memory_order_relaxed))
        return;
    announce(task, task->index, task->job->timeout_ms);
    if (!atomic_load(&task->job->canceled)) {
        outcome result = finish_item(task, call(task));
        if (!atomic_compare_exchange_strong(&task->outcomes[task->index], &none,
                                            (unsigned char)result) &&
            result != OUTCOME_DONE)
            atomic_fetch_sub(&task->job->failed, 1); /* it had been ended already */
        killpoint();
    }
    withdraw(task);
}

/* For the smallest of items each line in here counts. */
void task_run_item(mproc_task *task, uint64_t index)
{
    _Atomic unsigned char *place = &task->outcomes[index];
    if (atomic_load_explicit(place, memory_order_relaxed) != OUTCOME_NONE)
        return;
    begin(task, index);
    find_input(task);
    if (task->is_limited) {
        run_limited(task);
        return;
    }
    int code = task->is_traced ? call(task) : run(task);
    atomic_store_explicit(place, (unsigned char)finish_item(task, code), memory_order_release);
    killpoint();
}

/* ---- a cell ---- */

static bool claim_cell(const mproc_task *task)
{
    uint64_t state = atomic_load(&task->cell->state);
    while (cell_kind_of(state) == CELL_QUEUED) {
        uint64_t mine = (state & UINT32_MAX) | (uint64_t)task->worker << CELL_WORKER_SHIFT;
        if (atomic_compare_exchange_weak(&task->cell->state, &state,
                                         cell_with_kind(mine, CELL_RUNNING))) {
            killpoint();
            return true;
        }
    }
    return false;
}

/* A block goes to the pool's process while it still can be had back: dead in here, this process has
 * a successor in `current` that finds it by the cell. */
static void publish_reply(const mproc_task *task)
{
    pool_cell *cell = task->cell;
    cell->reply_size = task->reply_size;
    killpoint();
    if (!task->block)
        return;
    atomic_store(&cell->reply, task->block);
    killpoint();
    heap_give(task->block, family.self, task->job->owner);
}

static void take_reply_back(const mproc_task *task)
{
    if (!task->block)
        return;
    heap_give(task->block, task->job->owner, family.self);
    atomic_store(&task->cell->reply, 0);
    killpoint();
    heap_free(task->block, family.self);
}

static void ring_for(pool_shared *shared, uint64_t state)
{
    if (state & CELL_NOTIFY)
        job_ring_thread(shared);
    if ((state & CELL_WAITED) || ((state & CELL_GROUPED) && atomic_load(&shared->harvesting) &&
                                  atomic_exchange(&shared->harvesting, 0)))
        job_ring_pool(shared);
}

static void end_cell(const mproc_task *task, outcome result)
{
    pool_cell *cell = task->cell;
    uint64_t state = atomic_load(&cell->state);
    while (cell_kind_of(state) == CELL_RUNNING) {
        if (!atomic_compare_exchange_weak(&cell->state, &state,
                                          cell_with_kind(state, CELL_ENDED + result)))
            continue;
        killpoint();
        ring_for(task->shared, state);
        return;
    }
    take_reply_back(task);
}

/* The message is the reply then. */
static void fail_cell(mproc_task *task, int code)
{
    size_t size = strlen(task->message) + 1;
    mproc_err err = task->err;
    heap_free(task->block, family.self);
    void *room = cell_room(task, size);
    task->cell->err = err;
    task->cell->code = code;
    if (room)
        memcpy(room, task->message, size);
    else
        task->reply_size = 0;
}

void task_run_cell(mproc_task *task, uint64_t index)
{
    pool_cell *cell = task->cell = job_cell(task->job, index);
    announce(task, index, cell->timeout_ms);
    if (claim_cell(task)) {
        find_function(task, &cell->function);
        begin(task, index);
        task->block = 0;
        task->reply_size = 0;
        task->input_size = cell->input_size;
        task->input = cell->input ? arena_at(cell->input) : cell->small_input;
        task->wants_reply = true;
        task->result_size = 0;
        cell->pid = task->pid;
        int code = call(task);
        if (task->err)
            fail_cell(task, code);
        publish_reply(task);
        end_cell(task, task->err ? OUTCOME_FAILED : OUTCOME_DONE);
        forget_failure(task);
        task->block = 0;
    }
    withdraw(task);
}

/* ---- what the function calls ---- */

const void *mproc_task_input(const mproc_task *task, size_t *size)
{
    if (size)
        *size = task ? task->input_size : 0;
    return task ? task->input : NULL;
}

size_t mproc_task_index(const mproc_task *task)
{
    return !task || task->cell ? 0 : (size_t)task->index;
}

bool mproc_task_canceled(const mproc_task *task)
{
    if (!task)
        return false;
    if (task->cell)
        return cell_kind_of(atomic_load_explicit(&task->cell->state, memory_order_relaxed)) !=
               CELL_RUNNING;
    return task->job->limited &&
           (atomic_load_explicit(&task->outcomes[task->index], memory_order_relaxed) ||
            atomic_load_explicit(&task->job->canceled, memory_order_relaxed));
}

static void *fail(mproc_task *task, mproc_err err, size_t size)
{
    task->err = err;
    snprintf(task->message, sizeof task->message, "a reply of %zu bytes: %s", size,
             mproc_strerror(err));
    return NULL;
}

static void *reserve_record(mproc_task *task, size_t size)
{
    task->reply = records_reserve(chain_of(task), &task->writer, size);
    if (!task->reply)
        return fail(task, MPROC_ENOMEM, size);
    task->reply->index = task->index;
    task->reply->err = MPROC_OK;
    task->reply->code = 0;
    task->reply->pid = 0;
    return task->reply->bytes;
}

static void *room_for(mproc_task *task, size_t size)
{
    if (task->cell) {
        void *room = cell_room(task, size);
        return room ? room : fail(task, MPROC_ENOMEM, size);
    }
    if (!task->result_size) /* of any size; or without results: room that nobody will read */
        return reserve_record(task, size);
    if (size > task->result_size)
        return fail(task, MPROC_EMSGSIZE, size);
    task->replied = true;
    return fixed_result(task);
}

static void clear_rest(mproc_task *task, size_t size)
{
    if (size < task->result_size)
        memset(fixed_result(task) + size, 0, task->result_size - size);
}

void *mproc_task_reply_buffer(mproc_task *task, size_t size)
{
    if (!task || family_is_copy())
        return NULL;
    arena_ref before = task->block;
    void *room = room_for(task, size);
    if (room)
        clear_rest(task, size);
    heap_free(before, family.self);
    return room;
}

int mproc_task_reply(mproc_task *task, const void *data, size_t size)
{
    if (task && size && !data)
        fail(task, MPROC_EINVAL, size);
    if (!task || family_is_copy() || (size && !data))
        return -1;
    if (!task->wants_reply)
        return 0;
    arena_ref before = task->block;
    void *room = room_for(task, size);
    if (room && size)
        memmove(room, data, size); /* of any part of the task's reply buffer... */
    if (room)
        clear_rest(task, size); /* ...so not before */
    heap_free(before, family.self);
    return room ? 0 : -1;
}

int mproc_task_fail(mproc_task *task, const char *format, ...)
{
    char text[MPROC_MESSAGE_SIZE + 4] = "";
    int length = 0;
    va_list arguments;
    if (!task)
        return -1;
    va_start(arguments, format);
    if (format)
        length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= sizeof task->message)
        text_cut(text, sizeof task->message - 1);
    memcpy(task->message, text, strlen(text) + 1);
    task->err = MPROC_ETASK;
    return -1;
}
