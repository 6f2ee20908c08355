#include <mproc/result.h>

#include <stdlib.h>
#include <string.h>

#include "../family/park.h"
#include "../family/spin.h"
#include "lane.h"
#include "map.h"
#include "thread.h"
#include "watch.h"

/* ---- the end of one ---- */

void result_release(mproc_result *result)
{
    if (--result->references)
        return;
    heap_free(result->block, family.self);
    free(result->error);
    free(result);
}

static bool has_calls(const mproc_result *result)
{
    return result->callback || result->error_callback;
}

void result_owe(mproc_result *result)
{
    result->owed = true;
    result->pool->owed++;
}

void result_be_ready(mproc_result *result)
{
    atomic_store(&result->ready, true);
    if (result->owed) { /* those who wait do so for the pool's thread */
        result->pool->owed--;
        job_ring_pool(result->pool->shared);
    }
    result_release(result);
}

void result_end(mproc_result *result, mproc_err err)
{
    mproc_pool *pool = result->pool;
    result->err = err;
    result->ended = true;
    if (err ? !result->error_callback : !result->callback) {
        result_be_ready(result);
        return;
    }
    result->next = NULL;
    *pool->to_call_end = result;
    pool->to_call_end = &result->next;
    job_ring_thread(pool->shared);
}

void result_fail(mproc_result *result, mproc_err err, const mproc_task_error *why)
{
    result->error = malloc(sizeof *result->error);
    if (result->error)
        *result->error = why ? *why : (mproc_task_error){.err = err};
    result_end(result, err);
}

/* ---- submitting ---- */

mproc_err result_new(mproc_pool *pool, const mproc_task_options *options, mproc_result **result)
{
    mproc_result *made = calloc(1, sizeof *made);
    if (!made)
        return MPROC_ENOMEM;
    *made = (mproc_result){.pool = pool, .owner = family.self, .references = 1};
    if (options) {
        made->callback = options->callback;
        made->error_callback = options->error_callback;
        made->context = options->callback_context;
    }
    *result = made;
    return MPROC_OK;
}

mproc_err result_check_limits(int timeout_ms, int grace_ms)
{
    return timeout_ms < 0 || grace_ms < MPROC_FOREVER ? MPROC_EINVAL : MPROC_OK;
}

/* Looking the function's module up takes longer than the rest of a submission. */
static mproc_err find_code(mproc_pool *pool, mproc_function function, os_code *code)
{
    pools_lock();
    bool known = pool->known == function;
    *code = pool->known_code;
    pools_unlock();
    if (known)
        return MPROC_OK;
    mproc_err err = os_code_from((os_function)function, code);
    if (err)
        return err;
    pools_lock();
    pool->known = function;
    pool->known_code = *code;
    pools_unlock();
    return MPROC_OK;
}

static mproc_err copy_input(lane_task *task)
{
    if (task->input_size <= CELL_ROOM)
        return MPROC_OK;
    mproc_err err = heap_alloc(task->input_size, family.self, &task->block);
    if (!err)
        memcpy(arena_at(task->block), task->input, task->input_size);
    return err;
}

mproc_err result_submit(mproc_pool *pool, mproc_function function, lane_task *task,
                        mproc_result *result)
{
    mproc_err err = find_code(pool, function, &task->code);
    if (err || (err = copy_input(task)))
        return err;
    pools_lock();
    err = pool_admits(pool, task->guest);
    if (!err)
        err = lane_submit(pool, task, result);
    if (!err && (task->flags & CELL_NOTIFY))
        result_owe(result);
    pools_unlock();
    if (err)
        heap_free(task->block, family.self);
    return err;
}

static mproc_err check(const mproc_pool *pool, mproc_function function, const void *input,
                       size_t input_size)
{
    mproc_err err = pool_check(pool);
    return err ? err : !function || (input_size && !input) ? MPROC_EINVAL : MPROC_OK;
}

mproc_err mproc_pool_apply_async(mproc_pool *pool, mproc_function function, const void *input,
                                 size_t input_size, const mproc_task_options *options,
                                 mproc_result **result)
{
    static const mproc_task_options defaults;
    const mproc_task_options *chosen = options ? options : &defaults;
    mproc_result *made = NULL;
    mproc_err err = check(pool, function, input, input_size);
    if (!err)
        err = result_check_limits(chosen->timeout_ms, chosen->grace_ms);
    if (err || (err = thread_start(pool)) ||
        (err = watch_start(pool, chosen->timeout_ms, chosen->grace_ms)))
        return err;
    const bool calls = chosen->callback || chosen->error_callback;
    if ((result || calls) && (err = result_new(pool, chosen, &made)))
        return err;
    lane_task task = {.input = input,
                      .input_size = input_size,
                      .timeout_ms = chosen->timeout_ms,
                      .grace_ms = chosen->grace_ms,
                      .flags = calls ? CELL_NOTIFY : 0};
    err = result_submit(pool, function, &task, made);
    if (made && (err || !result))
        mproc_result_free(made);
    else if (result)
        *result = made;
    return err;
}

/* ---- waiting ---- */

static bool is_ready(mproc_result *result)
{
    if (atomic_load_explicit(&result->ready, memory_order_acquire))
        return true;
    pools_lock();
    lane_look(result);
    pools_unlock();
    return atomic_load(&result->ready);
}

/* With a callback the pool's thread rings after it; else the worker, who is told. */
static bool await(mproc_result *result)
{
    if (atomic_load(&result->ready))
        return false;
    pools_lock();
    bool waits = result->map || has_calls(result) || lane_await(result);
    pools_unlock();
    return waits;
}

static bool spin_for(mproc_result *result)
{
    spin looking = spin_begin();
    bool ready;
    do
        ready = is_ready(result);
    while (!ready && spin_once(&looking));
    spin_end(&looking, ready);
    return ready;
}

mproc_err result_await(mproc_result *result, int64_t deadline)
{
    if (deadline ? spin_for(result) : is_ready(result))
        return MPROC_OK;
    mproc_pool *pool = result->pool;
    int64_t patience = os_now() + LANE_PATIENCE;
    for (;;) {
        uint32_t seen = atomic_load(&pool->shared->settled);
        if (!await(result) && is_ready(result))
            return MPROC_OK;
        mproc_err err = lane_sleep(pool, seen, deadline, &patience);
        if (err)
            return is_ready(result) ? MPROC_OK : err;
    }
}

static mproc_err check_result(const mproc_result *result)
{
    if (!result)
        return MPROC_EINVAL;
    return family_is_member() && result->owner == family.self ? MPROC_OK : MPROC_ESTATE;
}

static bool waits_for_own_thread(mproc_result *result)
{
    return thread_is_this(result->pool) && (result->map || has_calls(result)) && !is_ready(result);
}

mproc_err mproc_result_wait(mproc_result *result, int timeout_ms)
{
    int64_t deadline;
    mproc_err err = check_result(result);
    if (err || (err = park_deadline(timeout_ms, &deadline)))
        return err;
    if (waits_for_own_thread(result))
        return MPROC_EDEADLK;
    return result_await(result, deadline);
}

mproc_err mproc_result_get(mproc_result *result, int timeout_ms, const void **reply, size_t *size)
{
    mproc_err err = mproc_result_wait(result, timeout_ms);
    if (err || (err = result->err))
        return err;
    if (reply)
        *reply = result->reply;
    if (size)
        *size = result->reply_size;
    return MPROC_OK;
}

bool mproc_result_ready(mproc_result *result)
{
    return !check_result(result) && is_ready(result);
}

mproc_err mproc_result_successful(mproc_result *result, bool *successful)
{
    mproc_err err = successful ? check_result(result) : MPROC_EINVAL;
    if (err)
        return err;
    if (!is_ready(result))
        return MPROC_ESTATE;
    *successful = result->err == MPROC_OK;
    return MPROC_OK;
}

mproc_err mproc_result_error(mproc_result *result, mproc_task_error *error)
{
    mproc_err err = error ? check_result(result) : MPROC_EINVAL;
    if (err)
        return err;
    if (!is_ready(result))
        return MPROC_ESTATE;
    *error = result->error ? *result->error : (mproc_task_error){.err = result->err};
    return MPROC_OK;
}

mproc_err mproc_result_cancel(mproc_result *result)
{
    mproc_err err = check_result(result);
    if (err)
        return err;
    if (is_ready(result))
        return MPROC_ESTATE;
    pools_lock();
    err = result->ended ? MPROC_ESTATE
          : result->map ? map_cancel(result->map)
                        : lane_cancel(result);
    pools_unlock();
    return err;
}

void mproc_result_free(mproc_result *result)
{
    if (!result || check_result(result))
        return;
    pools_lock();
    if (result->work && !has_calls(result) &&
        !lane_look(result)) { /* nobody wants to know any more */
        result->work->results[result->cell] = NULL;
        result->work = NULL;
        result_release(result);
    }
    result_release(result);
    pools_unlock();
}

/* ---- apply ---- */

static mproc_err deliver(const mproc_result *result, void *reply, size_t capacity, size_t *size)
{
    if (size)
        *size = result->reply_size;
    if (!capacity)
        return MPROC_OK;
    if (result->reply_size > capacity)
        return MPROC_EMSGSIZE;
    if (result->reply_size)
        memcpy(reply, result->reply, result->reply_size);
    return MPROC_OK;
}

mproc_err mproc_pool_apply(mproc_pool *pool, mproc_function function, const void *input,
                           size_t input_size, void *reply, size_t capacity, size_t *size)
{
    mproc_result *result;
    mproc_err err = capacity && !reply ? MPROC_EINVAL : check(pool, function, input, input_size);
    if (err || (err = result_new(pool, NULL, &result)))
        return err;
    lane_task task = {.input = input, .input_size = input_size, .flags = CELL_WAITED};
    err = result_submit(pool, function, &task, result);
    if (!err)
        err = result_await(result, OS_FOREVER);
    if (!err && !(err = result->err))
        err = deliver(result, reply, capacity, size);
    mproc_result_free(result);
    pools_lock();
    pool_dismiss(pool);
    pools_unlock();
    return err;
}
