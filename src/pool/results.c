#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../family/text.h"

typedef struct result_entry {
    mproc_err err;
    size_t offset, size;
} result_entry;

struct mproc_results {
    size_t count;
    unsigned char *bytes;
    result_entry entries[];
};

/* ---- records ---- */

/* A record counts when its item's outcome agrees: a killed worker may have written the one and
 * not the other. */
static bool is_of(const record *from, const pool_job *job, outcome wanted)
{
    return from->index < job->count && atomic_load(&job_outcomes(job)[from->index]) == wanted;
}

/* ---- failures ---- */

typedef struct failures {
    const pool_job *job;
    mproc_task_error *errors; /* by ascending index */
    size_t kept, count;
} failures;

static bool failed(unsigned char ended)
{
    return ended > OUTCOME_DONE;
}

/* Unless a record says more. */
static mproc_err error_of(outcome ended)
{
    switch (ended) {
    case OUTCOME_DONE:
        return MPROC_OK;
    case OUTCOME_CRASHED:
        return MPROC_ECRASHED;
    case OUTCOME_TIMED_OUT:
        return MPROC_ETIMEDOUT;
    case OUTCOME_CANCELED:
        return MPROC_ECANCELED;
    default:
        return MPROC_ENOMEM;
    }
}

/* The indices first: which failures are kept must not depend on who reported when. */
static void list_failed(failures *list, size_t capacity)
{
    const _Atomic unsigned char *outcomes = job_outcomes(list->job);
    uint64_t count = list->job->count, next = count;
    for (int kind = OUTCOME_DONE + 1; kind <= OUTCOME_CANCELED; kind++)
        next = job_find(list->job, (outcome)kind, 0, next);
    for (; next < count; next++) {
        unsigned char ended = atomic_load_explicit(&outcomes[next], memory_order_relaxed);
        if (!failed(ended))
            continue;
        if (list->count++ < capacity)
            list->errors[list->kept++] =
                (mproc_task_error){.index = (size_t)next, .err = error_of((outcome)ended)};
    }
}

static mproc_task_error *find(const failures *list, uint64_t index)
{
    size_t low = 0, high = list->kept;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list->errors[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->kept && list->errors[low].index == index ? &list->errors[low] : NULL;
}

static void fill_failed(const record *from, void *context)
{
    failures *list = context;
    if (!from->err || !is_of(from, list->job, OUTCOME_FAILED))
        return;
    mproc_task_error *error = find(list, from->index);
    if (!error)
        return;
    error->err = (mproc_err)from->err;
    error->code = from->code;
    error->pid = from->pid;
    snprintf(error->message, sizeof error->message, "%s", (const char *)from->bytes);
}

void results_describe_end(char *text, size_t size, const pool_crash *crash)
{
    static const char *const kinds[] = {"is running",
                                        "exited with code",
                                        "was ended by signal",
                                        "was terminated with",
                                        "crashed with status",
                                        "could not run",
                                        "was lost"};
    char whole[2 * MPROC_MESSAGE_SIZE];
    const mproc_exit_status *status = &crash->status;
    const char *format =
        status->kind == MPROC_EXIT_CRASHED ? "its worker %s 0x%llx" : "its worker %s %lld";
    snprintf(whole, sizeof whole, format, kinds[status->kind], (long long)status->code);
    if (crash->log[0]) {
        text_append(whole, sizeof whole, "; its last message: ");
        text_append(whole, sizeof whole, crash->log);
    }
    if (strlen(whole) >= size)
        text_cut(whole, size - 1);
    text_copy(text, size, whole);
}

void results_describe_time_out(char *text, size_t size, int timeout_ms)
{
    snprintf(text, size, "it ran for longer than %d ms", timeout_ms);
}

static void fill_ended(const map_call *call, failures *list)
{
    pools_lock();
    for (size_t i = 0; i < call->work->crash_count; i++) {
        const pool_crash *crash = &call->work->crashes[i];
        mproc_task_error *error = find(list, crash->index);
        if (!error || (error->err != MPROC_ECRASHED && error->err != MPROC_ETIMEDOUT))
            continue; /* it failed by itself when it was retried */
        error->pid = crash->pid;
        error->status = crash->status;
        if (error->err == MPROC_ETIMEDOUT)
            results_describe_time_out(error->message, sizeof error->message, list->job->timeout_ms);
        else
            results_describe_end(error->message, sizeof error->message, crash);
    }
    pools_unlock();
}

/* *first receives the one with the lowest index, if there is any. */
static mproc_err deliver_failures(const map_call *call, mproc_task_error *first)
{
    const mproc_map_options *options = &call->options;
    pool_job *job = call->work->job;
    bool own = options->error_capacity != 0;
    failures list = {.job = job, .errors = own ? options->errors : first};
    list_failed(&list, own ? options->error_capacity : 1);
    if (list.count) {
        records_each(&job->records, fill_failed, &list);
        fill_ended(call, &list);
        *first = list.errors[0];
    }
    if (options->error_count)
        *options->error_count = list.count;
    return list.count ? first->err : MPROC_OK;
}

/* ---- replies of one size ---- */

static void deliver_fixed(const pool_job *job, unsigned char *to, bool all)
{
    const unsigned char *from = arena_at(job->results);
    const _Atomic unsigned char *outcomes = job_outcomes(job);
    size_t size = job->result_size;
    if (from == to || !size)
        return;
    if (all) {
        memcpy(to, from, job->count * size);
        return;
    }
    for (uint64_t i = 0; i < job->count; i++) {
        if (atomic_load_explicit(&outcomes[i], memory_order_relaxed) == OUTCOME_DONE)
            memcpy(to + i * size, from + i * size, size);
    }
}

/* ---- replies of any size ---- */

typedef struct collection {
    const pool_job *job;
    mproc_results *into;
    size_t size;
} collection;

static bool is_reply(const record *from, const pool_job *job)
{
    return !from->err && is_of(from, job, OUTCOME_DONE);
}

static void measure(const record *from, void *context)
{
    collection *to = context;
    if (is_reply(from, to->job))
        to->size += job_span_space(from->size);
}

static void copy(const record *from, void *context)
{
    collection *to = context;
    if (is_of(from, to->job, OUTCOME_FAILED) && from->err)
        to->into->entries[from->index].err = (mproc_err)from->err;
    if (!is_reply(from, to->job))
        return;
    to->into->entries[from->index].offset = to->size;
    to->into->entries[from->index].size = from->size;
    memcpy(to->into->bytes + to->size, from->bytes, from->size);
    to->size += job_span_space(from->size);
}

static mproc_results *make(size_t count, size_t bytes)
{
    mproc_results *made = NULL;
    if (count <= (SIZE_MAX - sizeof *made) / sizeof made->entries[0])
        made = malloc(sizeof *made + count * sizeof made->entries[0]);
    if (!made)
        return NULL;
    made->count = count;
    made->bytes = malloc(bytes ? bytes : 1);
    if (made->bytes)
        return made;
    free(made);
    return NULL;
}

static mproc_err collect(pool_job *job, mproc_results **kept)
{
    collection all = {.job = job};
    records_each(&job->records, measure, &all);
    all.into = make(job->count, all.size);
    if (!all.into)
        return MPROC_ENOMEM;
    for (uint64_t i = 0; i < job->count; i++) {
        unsigned char ended = atomic_load(&job_outcomes(job)[i]);
        all.into->entries[i] = (result_entry){.err = error_of((outcome)ended)};
    }
    all.size = 0;
    records_each(&job->records, copy, &all);
    *kept = all.into;
    return MPROC_OK;
}

/* ---- */

mproc_err results_deliver(const map_call *call, mproc_task_error *first)
{
    pool_job *job = call->work->job;
    mproc_err failure = deliver_failures(call, first);
    if (call->results)
        deliver_fixed(job, call->results, failure == MPROC_OK);
    mproc_err err = call->kept ? collect(job, call->kept) : MPROC_OK;
    return err ? err : failure;
}

mproc_err results_empty(mproc_results **kept)
{
    mproc_results *made = kept ? make(0, 0) : NULL;
    if (kept && !made)
        return MPROC_ENOMEM;
    if (kept)
        *kept = made;
    return MPROC_OK;
}

size_t mproc_results_count(const mproc_results *results)
{
    return results ? results->count : 0;
}

mproc_err mproc_results_get(const mproc_results *results, size_t index, const void **reply,
                            size_t *size)
{
    if (!results)
        return MPROC_EINVAL;
    if (index >= results->count)
        return MPROC_ERANGE;
    const result_entry *entry = &results->entries[index];
    if (entry->err)
        return entry->err;
    if (reply)
        *reply = results->bytes + entry->offset;
    if (size)
        *size = entry->size;
    return MPROC_OK;
}

void mproc_results_free(mproc_results *results)
{
    if (!results)
        return;
    free(results->bytes);
    free(results);
}
