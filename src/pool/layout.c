#include <string.h>

#include "map.h"

#define ALIGNMENT 64

/* ---- the job's block: header, outcomes, items, results ---- */

static bool add(size_t *sum, size_t count, size_t size)
{
    if (size && count > (SIZE_MAX - *sum - ALIGNMENT) / size)
        return false;
    *sum = (*sum + count * size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return true;
}

/* The table of all spans, then their bytes. */
static mproc_err measure_spans(const map_call *call, size_t *size)
{
    const mproc_bytes *spans = call->items;
    *size = 0;
    if (!add(size, call->count, sizeof(job_span)))
        return MPROC_ERANGE;
    for (size_t i = 0; i < call->count; i++) {
        if (spans[i].size && !spans[i].data)
            return MPROC_EINVAL;
        if (spans[i].size > SIZE_MAX / 2 - *size)
            return MPROC_ERANGE;
        *size += job_span_space(spans[i].size);
    }
    return MPROC_OK;
}

static void copy_spans(const map_call *call, unsigned char *to)
{
    const mproc_bytes *spans = call->items;
    job_span *table = (job_span *)(void *)to;
    size_t at = 0;
    add(&at, call->count, sizeof(job_span));
    for (size_t i = 0; i < call->count; i++) {
        table[i] = (job_span){.offset = at, .size = spans[i].size};
        if (spans[i].size)
            memcpy(to + at, spans[i].data, spans[i].size);
        at += job_span_space(spans[i].size);
    }
}

/* Where the parts stand; those that lie in the arena already stay where they are. */
typedef struct layout {
    size_t outcomes, items, results, total;
    bool items_shared, results_shared;
} layout;

/* Its items may be ended from outside, while their functions go on. */
static bool is_limited(const map_call *call)
{
    return call->options.timeout_ms || call->result;
}

static mproc_err lay_out(const map_call *call, layout *to)
{
    size_t items = 0, results = 0;
    mproc_err err = MPROC_OK;
    if (!call->item_size)
        err = measure_spans(call, &items);
    else if (!add(&items, call->count, call->item_size))
        err = MPROC_ERANGE;
    if (!err && !add(&results, call->count, call->result_size))
        err = MPROC_ERANGE;
    if (err)
        return err;
    to->items_shared = call->item_size && arena_contains(call->items, items);
    /* Whose time is over may still write when the caller has got the results. */
    to->results_shared =
        call->result_size && !is_limited(call) && arena_contains(call->results, results);
    to->total = 0;
    bool fits = add(&to->total, 1, sizeof(pool_job));
    to->outcomes = to->total;
    fits = fits && add(&to->total, 1, call->count);
    to->items = to->total;
    fits = fits && add(&to->total, 1, to->items_shared ? 0 : items);
    to->results = to->total;
    fits = fits && add(&to->total, 1, to->results_shared ? 0 : results);
    return fits ? MPROC_OK : MPROC_ERANGE;
}

static uint64_t unit_of(const map_call *call)
{
    size_t chosen = call->options.chunk_size ? call->options.chunk_size : 1;
    size_t least = (call->count + RANGE_UNITS_MAX - 1) / RANGE_UNITS_MAX;
    return chosen > least ? chosen : least;
}

static pool_job describe(const map_call *call, const layout *at, arena_ref block)
{
    const mproc_map_options *options = &call->options;
    return (pool_job){
        .owner = family.self,
        .count = call->count,
        .unit = unit_of(call),
        .item_size = call->item_size,
        .result_size = call->result_size,
        .wants_results = call->wants_results,
        .spans = call->item_size == 0,
        .limited = is_limited(call),
        .notifies = call->result != NULL,
        .timeout_ms = options->timeout_ms,
        .grace_ms = options->grace_ms,
        .outcomes = block + at->outcomes,
        .items = at->items_shared ? arena_offset(call->items) : block + at->items,
        .results = at->results_shared ? arena_offset(call->results) : block + at->results,
    };
}

mproc_err layout_job(map_call *call)
{
    layout at;
    os_code function;
    mproc_err err = os_code_from((os_function)call->function, &function);
    if (err || (err = lay_out(call, &at)) || (err = work_new(call->pool, at.total, 0, &call->work)))
        return err;
    pool_job *job = call->work->job;
    *job = describe(call, &at, call->work->ref);
    job->function = function;
    memset(arena_at(job->outcomes), OUTCOME_NONE, call->count);
    if (job->spans)
        copy_spans(call, arena_at(job->items));
    else if (!at.items_shared)
        memcpy(arena_at(job->items), call->items, call->count * call->item_size);
    return MPROC_OK;
}
