#include "task.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../family/family.h"

void task_prepare(mproc_task *task, const pool_job *job, pool_worker *own)
{
    os_function function;
    task->job = job;
    task->own = own;
    task->function = os_code_find(&job->function, &function) ? NULL : (mproc_function)function;
    task->outcomes = job_outcomes(job);
    task->items = arena_at(job->items);
    task->results = arena_at(job->results);
    task->item_size = job->item_size;
    task->result_size = job->result_size;
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

/* Counted by this process alone: no read-modify-write. */
static void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The record first, then the outcome: who sees the outcome finds the record. */
static enum outcome record_failure(mproc_task *task, int code)
{
    size_t size = strlen(task->message) + 1;
    record *failure = records_reserve(&task->own->records, size, family.self);
    if (!failure)
        return OUTCOME_NO_MEMORY;
    failure->index = task->index;
    failure->err = task->err ? task->err : MPROC_ETASK;
    failure->code = code;
    failure->pid = os_getpid();
    memcpy(failure->bytes, task->message, size);
    records_commit(&task->own->records, failure);
    count(&task->own->failed);
    return OUTCOME_FAILED;
}

static void finish_reply(mproc_task *task)
{
    if (task->reply && task->job->wants_results)
        records_commit(&task->own->records, task->reply);
    else if (!task->replied && task->result_size)
        memset(fixed_result(task), 0, task->result_size);
}

void task_run(mproc_task *task, uint64_t index)
{
    _Atomic unsigned char *outcome = &task->outcomes[index];
    if (atomic_load_explicit(outcome, memory_order_relaxed) != OUTCOME_NONE)
        return;
    task->index = index;
    task->err = task->function ? MPROC_OK : MPROC_EIMAGE;
    task->replied = false;
    task->reply = NULL;
    task->message[0] = '\0';
    find_input(task);
    enum outcome result = OUTCOME_DONE;
    int code = task->function ? task->function(task) : 0;
    if (code || task->err)
        result = record_failure(task, code);
    else
        finish_reply(task);
    atomic_store_explicit(outcome, (unsigned char)result, memory_order_release);
    count(&task->own->done);
}

const void *mproc_task_input(const mproc_task *task, size_t *size)
{
    if (size)
        *size = task->input_size;
    return task->input;
}

size_t mproc_task_index(const mproc_task *task)
{
    return (size_t)task->index;
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
    task->reply = records_reserve(&task->own->records, size, family.self);
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
    void *room = room_for(task, size);
    if (room)
        clear_rest(task, size);
    return room;
}

int mproc_task_reply(mproc_task *task, const void *data, size_t size)
{
    if (!task->job->wants_results)
        return 0;
    void *room = room_for(task, size);
    if (!room)
        return -1;
    if (size)
        memmove(room, data, size); /* of any part of the task's reply buffer... */
    clear_rest(task, size);        /* ...so not before */
    return 0;
}

/* Never in the middle of a UTF-8 character. */
static void cut_at_character(char *text, size_t length)
{
    while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    text[length] = '\0';
}

int mproc_task_fail(mproc_task *task, const char *format, ...)
{
    char text[MPROC_MESSAGE_SIZE + 4];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= sizeof task->message)
        cut_at_character(text, sizeof task->message - 1);
    memcpy(task->message, text, strlen(text) + 1);
    task->err = MPROC_ETASK;
    return -1;
}
