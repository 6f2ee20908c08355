#include "lane.h"

#include <stdio.h>
#include <string.h>

#include "../family/log.h"
#include "../family/park.h"
#include "../killpoint.h"
#include "results.h"
#include "watch.h"

enum { FIRST_CELLS = 64, MOST_CELLS = 8192 };

static pool_cell *cell_of(const pool_work *lane, uint64_t index)
{
    return job_cell(lane->job, index);
}

static bool has_ended(const pool_cell *cell)
{
    return cell_kind_of(atomic_load(&cell->state)) >= CELL_ENDED;
}

/* ---- lanes ---- */

static mproc_err add_lane(mproc_pool *pool, uint64_t cells, pool_work **lane)
{
    const size_t head = (sizeof(pool_job) + 127) & ~(size_t)127;
    pool_work *made;
    mproc_err err = work_new(pool, head + cells * sizeof(pool_cell), cells, &made);
    if (err)
        return err;
    memset(made->job, 0, made->size);
    made->job->is_lane = true;
    made->job->owner = family.self;
    made->job->count = cells;
    made->job->unit = 1;
    made->job->items = made->ref + head;
    if ((err = work_publish(pool, made, 0, 0)))
        work_discard(pool, made);
    else
        *lane = made;
    return err;
}

/* The worker that was told to stop may still be at it, and read its input. */
static bool is_left(const mproc_pool *pool, const pool_work *lane, uint64_t index)
{
    uint64_t state = atomic_load(&cell_of(lane, index)->state);
    const pool_worker *worker = &pool->shared->workers[cell_worker(state)];
    uint64_t from, end;
    if (cell_kind_of(state) == CELL_MOVED)
        return true;
    return cell_kind_of(state) >= CELL_ENDED &&
           !(atomic_load(&worker->busy) == lane->word &&
             job_current((pool_worker *)(uintptr_t)worker, lane->word, &from, &end) &&
             from == index);
}

static void free_input(pool_cell *cell)
{
    heap_free(cell->input, family.self);
    cell->input = 0;
}

static void free_reply(pool_cell *cell)
{
    heap_free(atomic_exchange(&cell->reply, 0), family.self);
}

/* What its worker has to say of a failure. */
static mproc_task_error failure_in(const pool_cell *cell)
{
    mproc_task_error error = {.err = (mproc_err)cell->err, .code = cell->code, .pid = cell->pid};
    const arena_ref block = atomic_load(&cell->reply);
    const void *text = block ? arena_at(block) : cell->small_reply;
    snprintf(error.message, sizeof error.message, "%.*s", (int)cell->reply_size,
             (const char *)text);
    return error;
}

static void complain(const mproc_pool *pool, const mproc_task_error *why)
{
    char code[32] = "";
    if (!why->message[0])
        snprintf(code, sizeof code, ", code %d", why->code);
    log_write(MPROC_LOG_WARNING, "%s: a task whose end nobody asked for has failed: %s%s",
              pool->name, why->message[0] ? why->message : mproc_strerror(why->err), code);
}

static void look_for_unheard(const mproc_pool *pool, const pool_cell *cell)
{
    const uint64_t state = atomic_load(&cell->state);
    if (!(state & CELL_UNHEARD) || cell_kind_of(state) != CELL_ENDED + OUTCOME_FAILED)
        return;
    const mproc_task_error why = failure_in(cell);
    complain(pool, &why);
}

/* Passes what is done with at its front. */
static void advance(const mproc_pool *pool, pool_work *lane)
{
    while (lane->low < lane->used && !lane->results[lane->low] && is_left(pool, lane, lane->low)) {
        look_for_unheard(pool, cell_of(lane, lane->low));
        free_input(cell_of(lane, lane->low));
        free_reply(cell_of(lane, lane->low));
        lane->low++;
    }
}

/* No worker is left. */
void lane_free_blocks(pool_work *lane)
{
    for (uint64_t i = lane->low; lane->job->is_lane && i < lane->used; i++) {
        free_input(cell_of(lane, i));
        free_reply(cell_of(lane, i));
    }
}

/* Lanes that are done with, and cannot be gone on with. */
static void clean(mproc_pool *pool)
{
    for (size_t i = pool->work_count; i--;) {
        pool_work *lane = pool->works[i];
        if (!lane->job->is_lane)
            continue;
        advance(pool, lane);
        if (lane->low < lane->used || (lane->used < lane->job->count && i == pool->work_count - 1))
            continue;
        work_withdraw(pool, lane);
        work_retire(pool, lane);
    }
}

static uint64_t count_waiting(const mproc_pool *pool)
{
    uint64_t count = 0;
    for (size_t i = 0; i < pool->work_count; i++)
        count += pool->works[i]->used - pool->works[i]->low;
    return count;
}

/* The last job if it is a lane with room: so tasks and maps begin in their order. */
static mproc_err get_lane(mproc_pool *pool, pool_work **lane)
{
    pool_work *last = pool->work_count ? pool->works[pool->work_count - 1] : NULL;
    if (last && last->job->is_lane && last->used < last->job->count) {
        *lane = last;
        return MPROC_OK;
    }
    clean(pool);
    uint64_t cells = 4 * count_waiting(pool);
    cells = cells < FIRST_CELLS ? FIRST_CELLS : cells > MOST_CELLS ? MOST_CELLS : cells;
    return add_lane(pool, cells, lane);
}

/* ---- submitting ---- */

static void fill(pool_cell *cell, const lane_task *task, uint64_t flags)
{
    cell->function = task->code;
    cell->input_size = task->input_size;
    cell->input = task->block;
    cell->timeout_ms = task->timeout_ms;
    cell->grace_ms = task->grace_ms;
    cell->attempts = task->attempts;
    if (!task->block && task->input_size)
        memcpy(cell->small_input, task->input, task->input_size);
    atomic_store(&cell->state, task->flags | flags | CELL_QUEUED);
    killpoint();
}

mproc_err lane_submit(mproc_pool *pool, const lane_task *task, mproc_result *result)
{
    pool_work *lane;
    mproc_err err = get_lane(pool, &lane);
    if (err)
        return err;
    const uint64_t index = lane->used++;
    lane->results[index] = result;
    if (result) {
        result->work = lane;
        result->cell = index;
        result->references++;
    }
    fill(cell_of(lane, index), task, result ? 0 : CELL_UNHEARD);
    range_append(&lane->job->rest);
    job_ring_workers(pool->shared, 1);
    return MPROC_OK;
}

/* ---- collecting ---- */

static mproc_result *take_result(pool_work *lane, uint64_t index)
{
    mproc_result *result = lane->results[index];
    lane->results[index] = NULL;
    if (result)
        result->work = NULL;
    return result;
}

static void take_reply(mproc_result *result, pool_cell *cell)
{
    result->reply_size = cell->reply_size;
    result->block = atomic_exchange(&cell->reply, 0);
    if (!result->block)
        memcpy(result->small, cell->small_reply, cell->reply_size);
    result->reply = result->block ? arena_at(result->block) : result->small;
}

static void collect_failure(mproc_result *result, pool_cell *cell)
{
    const mproc_task_error error = failure_in(cell);
    free_reply(cell);
    result_fail(result, error.err, &error);
}

/* Of a cell that its worker has ended. */
static void collect(pool_work *lane, uint64_t index)
{
    pool_cell *cell = cell_of(lane, index);
    const bool done = cell_kind_of(atomic_load(&cell->state)) == CELL_ENDED + OUTCOME_DONE;
    mproc_result *result = take_result(lane, index);
    free_input(cell);
    if (!result)
        return;
    if (done) {
        take_reply(result, cell);
        result_end(result, MPROC_OK);
    } else {
        collect_failure(result, cell);
    }
}

bool lane_look(mproc_result *result)
{
    if (result->work && has_ended(cell_of(result->work, result->cell)))
        collect(result->work, result->cell);
    return result->ended;
}

bool lane_await(mproc_result *result)
{
    if (!result->work)
        return !result->ended;
    pool_cell *cell = cell_of(result->work, result->cell);
    uint64_t state = atomic_load(&cell->state);
    while (cell_kind_of(state) < CELL_ENDED) {
        if ((state & CELL_WAITED) ||
            atomic_compare_exchange_weak(&cell->state, &state, state | CELL_WAITED))
            return true;
    }
    collect(result->work, result->cell);
    return false;
}

static void ring_for_untaken(mproc_pool *pool)
{
    bool any = false;
    pools_lock();
    for (size_t i = 0; i < pool->work_count && !any; i++) {
        pool_work *lane = pool->works[i];
        any = lane->job->is_lane &&
              range_left(atomic_load(&lane->job->rest), job_generation(lane->word));
    }
    pools_unlock();
    if (any)
        job_ring_workers(pool->shared, UINT32_MAX);
}

mproc_err lane_sleep(mproc_pool *pool, uint32_t seen, int64_t deadline, int64_t *patience)
{
    const bool is_patient = *patience < deadline;
    mproc_err err =
        park(&pool->shared->settled, seen, is_patient ? *patience : deadline, family.self);
    if (err != MPROC_ETIMEDOUT || !deadline)
        return err;
    ring_for_untaken(pool);
    if (!is_patient)
        return err;
    *patience = OS_FOREVER;
    return MPROC_OK;
}

/* Stops where nobody has begun anything. */
static void look_at_lane(pool_work *lane)
{
    uint64_t begun = range_first(atomic_load(&lane->job->rest));
    for (uint64_t i = lane->low; i < begun; i++) {
        if (lane->results[i] && has_ended(cell_of(lane, i)) &&
            (atomic_load(&cell_of(lane, i)->state) & CELL_NOTIFY))
            collect(lane, i);
    }
}

void lane_look_at_all(mproc_pool *pool)
{
    for (size_t i = 0; i < pool->work_count; i++) {
        if (!pool->works[i]->job->is_lane)
            continue;
        look_at_lane(pool->works[i]);
        advance(pool, pool->works[i]);
    }
}

static bool is_done(const pool_work *lane)
{
    for (uint64_t i = lane->low; i < lane->used; i++) {
        unsigned kind = cell_kind_of(atomic_load(&cell_of(lane, i)->state));
        if (kind < CELL_ENDED && kind != CELL_MOVED)
            return false;
    }
    return true;
}

bool lane_is_idle(mproc_pool *pool)
{
    clean(pool);
    for (size_t i = 0; i < pool->work_count; i++) {
        if (pool->works[i]->job->is_lane && !is_done(pool->works[i]))
            return false;
    }
    return true;
}

/* ---- ending from outside ---- */

/* Whether it has not ended by itself, or by somebody else, before. `state` receives what it was. */
static bool end_cell(pool_cell *cell, unsigned kind, uint64_t *state)
{
    *state = atomic_load(&cell->state);
    while (cell_kind_of(*state) == CELL_QUEUED || cell_kind_of(*state) == CELL_RUNNING) {
        if (atomic_compare_exchange_weak(&cell->state, state, cell_with_kind(*state, kind)))
            return true;
    }
    return false;
}

static void fail(pool_work *lane, uint64_t index, const mproc_task_error *why)
{
    mproc_result *result = take_result(lane, index);
    if (!result)
        return;
    job_ring_pool(result->pool->shared);
    result_fail(result, why->err, why);
}

mproc_err lane_cancel(mproc_result *result)
{
    uint64_t state;
    if (lane_look(result) || !result->work)
        return MPROC_ESTATE;
    mproc_pool *pool = result->pool;
    pool_work *lane = result->work;
    const uint64_t index = result->cell;
    pool_cell *cell = cell_of(lane, index);
    if (!end_cell(cell, CELL_ENDED + OUTCOME_CANCELED, &state)) {
        lane_look(result);
        return MPROC_ESTATE;
    }
    mproc_task_error why = {.err = MPROC_ECANCELED};
    if (cell_kind_of(state) == CELL_RUNNING) {
        why.pid = cell->pid;
        watch_doom(pool, lane, index, cell_worker(state), cell->grace_ms);
    }
    fail(lane, index, &why);
    return MPROC_OK;
}

void lane_time_out(const mproc_pool *pool, pool_work *lane, uint64_t index)
{
    pool_cell *cell = cell_of(lane, index);
    uint64_t state;
    if (!end_cell(cell, CELL_ENDED + OUTCOME_TIMED_OUT, &state))
        return;
    mproc_task_error why = {.err = MPROC_ETIMEDOUT, .pid = cell->pid};
    results_describe_time_out(why.message, sizeof why.message, cell->timeout_ms);
    if (state & CELL_UNHEARD)
        complain(pool, &why);
    fail(lane, index, &why);
}

void lane_fail_all(mproc_pool *pool, mproc_err err)
{
    const mproc_task_error why = {.err = err};
    for (size_t i = 0; i < pool->work_count; i++) {
        pool_work *lane = pool->works[i];
        for (uint64_t c = lane->low; lane->job->is_lane && c < lane->used; c++) {
            uint64_t state;
            if (end_cell(cell_of(lane, c), CELL_ENDED + OUTCOME_CANCELED, &state))
                fail(lane, c, &why);
            else if (lane->results[c])
                collect(lane, c);
        }
    }
}

/* ---- after the end of a worker ---- */

/* Only in the state in which it was seen: one that was queued may be in the hands of a living worker,
 * who begins it just now, and then it stays his. */
static void move(mproc_pool *pool, pool_work *lane, uint64_t index, uint64_t state)
{
    pool_cell *cell = cell_of(lane, index);
    if (!atomic_compare_exchange_strong(&cell->state, &state, cell_with_kind(state, CELL_MOVED)))
        return;
    lane_task again = {
        .code = cell->function,
        .input = cell->small_input,
        .input_size = cell->input_size,
        .block = cell->input,
        .timeout_ms = cell->timeout_ms,
        .grace_ms = cell->grace_ms,
        .attempts = cell->attempts,
        .flags = state & (CELL_WAITED | CELL_GROUPED | CELL_NOTIFY),
    };
    cell->input = 0;
    mproc_result *result = take_result(lane, index);
    mproc_err err = lane_submit(pool, &again, result);
    if (err) {
        heap_free(again.block, family.self);
        if (result)
            result_fail(result, err, NULL);
    } else if (result) {
        result_release(result); /* the new cell has its own reference */
    }
}

static void crash(mproc_pool *pool, pool_work *lane, uint64_t index, const pool_crash *why)
{
    pool_cell *cell = cell_of(lane, index);
    uint64_t state;
    const bool again = pool->on_crash == MPROC_CRASH_RETRIES && cell->attempts < pool->retries;
    pool_mark_loss(why->pid, 0, again);
    if (again) {
        cell->attempts++;
        move(pool, lane, index, atomic_load(&cell->state));
        return;
    }
    if (!end_cell(cell, CELL_ENDED + OUTCOME_CRASHED, &state))
        return;
    mproc_task_error error = {.err = MPROC_ECRASHED, .pid = why->pid, .status = why->status};
    results_describe_end(error.message, sizeof error.message, why);
    if (state & CELL_UNHEARD)
        complain(pool, &error);
    fail(lane, index, &error);
}

static bool is_in_a_range(const mproc_pool *pool, const pool_work *lane, uint64_t index)
{
    const uint32_t count = atomic_load(&pool->shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = atomic_load(&pool->shared->workers[i].range);
        if (range_left(word, job_generation(lane->word)) && index >= range_first(word) &&
            index < range_end(word))
            return true;
    }
    return false;
}

/* Its block may be with us although it has not said so: see the hook that inherits. */
static void free_unsaid_reply(pool_cell *cell)
{
    unsigned kind = cell_kind_of(atomic_load(&cell->state));
    if (kind != CELL_ENDED + OUTCOME_DONE && kind != CELL_ENDED + OUTCOME_FAILED)
        free_reply(cell);
}

/* What it had claimed and not written down may also be in the hands of a living thief at the
 * moment: moved nevertheless, for the thief will find that. */
bool lane_bury(mproc_pool *pool, pool_work *lane, uint32_t worker, const pool_crash *why)
{
    const uint64_t begun = range_first(atomic_load(&lane->job->rest));
    bool lost = false;
    for (uint64_t i = lane->low; i < begun; i++) {
        pool_cell *cell = cell_of(lane, i);
        uint64_t state = atomic_load(&cell->state);
        if (cell_kind_of(state) != CELL_QUEUED && cell_worker(state) == worker)
            free_unsaid_reply(cell);
        if (cell_kind_of(state) == CELL_RUNNING && cell_worker(state) == worker) {
            crash(pool, lane, i, why);
            lost = true;
        } else if (cell_kind_of(state) == CELL_QUEUED && !is_in_a_range(pool, lane, i)) {
            move(pool, lane, i, state);
        }
    }
    return lost;
}
