#include "worker.h"

#include "../family/family.h"
#include "../family/log.h"
#include "../family/park.h"
#include "../family/spin.h"
#include "../family/trace.h"
#include "../killpoint.h"
#include "task.h"

#define TENTH INT64_C(100000000) /* between two looks at the memory in use */

/* This process as a worker. */
static struct me {
    slot_id self; /* whose data this is: a process that a task has forked is no worker */
    pool_shared *shared;
    pool_worker *own;
    uint32_t index;
    uint64_t tasks_left;
    int64_t next_look;
    bool has_enough; /* it is to end, and a successor takes its place */
    bool lies_down;  /* it has said that it sleeps */
    mproc_task task;
    void *state;
    void (*destroy)(void *state);
} me;

/* ---- finding something to do ---- */

/* After a cut the rest of the victim's work and the cut itself are each worth another thief. */
static void offer(uint64_t word)
{
    if (range_left(word, job_generation(word)) > 1)
        job_ring_workers(me.shared, 1);
}

static pool_worker *richest(uint16_t generation)
{
    pool_worker *best = NULL;
    uint32_t most = 0;
    const uint32_t count = atomic_load(&me.shared->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = range_left(atomic_load(&me.shared->workers[i].range), generation);
        if (i != me.index && left > most) {
            most = left;
            best = &me.shared->workers[i];
        }
    }
    return best;
}

/* From somebody else's range. Between the cut and the store the range is in no word; `busy` says
 * that it may be here. */
static bool steal(uint16_t generation)
{
    pool_worker *victim;
    while ((victim = richest(generation))) {
        uint64_t cut;
        if (!range_cut(&victim->range, generation, &cut))
            continue;
        atomic_store(&me.own->range, cut);
        killpoint();
        offer(cut);
        return true;
    }
    return false;
}

static bool claim(pool_job *job, uint16_t generation)
{
    const uint32_t shares = 2 * atomic_load(&me.shared->worker_count);
    const uint32_t most = job->is_lane ? RANGE_BATCH : RANGE_UNITS_MAX;
    uint64_t claimed;
    if (!range_claim(&job->rest, generation, shares, most, &claimed))
        return false;
    atomic_store(&me.own->range, claimed);
    killpoint();
    return true;
}

/* ---- doing it ---- */

/* The memory is looked at now and then: that costs more than many a task. */
static void look_whether_enough(uint32_t done)
{
    const uint64_t limit = me.shared->max_memory;
    me.tasks_left -= done;
    me.has_enough |= !me.tasks_left || atomic_load_explicit(&me.own->retired, memory_order_relaxed);
    if (!limit || os_now() < me.next_look)
        return;
    me.next_look = os_now() + TENTH;
    me.has_enough |= os_memory_used() > limit;
}

static void run_unit(uint64_t unit)
{
    const pool_job *job = me.task.job;
    uint64_t end = (unit + 1) * job->unit < job->count ? (unit + 1) * job->unit : job->count;
    for (uint64_t i = unit * job->unit; i < end; i++)
        task_run_item(&me.task, i);
}

/* What can overrun has nothing else waiting behind it. */
static uint32_t most_units(void)
{
    const uint32_t most = me.task.job->timeout_ms ? 1 : RANGE_BATCH;
    return me.tasks_left < most ? (uint32_t)me.tasks_left : most;
}

static void run_units(uint16_t generation)
{
    uint32_t unit,
        count = range_take(&me.own->range, generation, most_units(), &me.own->taken, &unit);
    for (uint32_t i = 0; i < count; i++, unit++) {
        if (!me.task.is_limited) {
            atomic_store_explicit(&me.own->current, (uint64_t)generation << 48 | (unit + 1),
                                  memory_order_relaxed);
            killpoint();
        }
        run_unit(unit);
    }
    look_whether_enough(count);
}

static void run_cell(uint16_t generation)
{
    uint32_t index, count = range_take(&me.own->range, generation, 1, &me.own->taken, &index);
    if (count)
        task_run_cell(&me.task, index);
    look_whether_enough(count);
}

static bool goes_on(const pool_job *job)
{
    return !me.has_enough && !atomic_load_explicit(&job->canceled, memory_order_relaxed);
}

/* Before anything is run, for who is busy must not be rung. Who has been rung in between may have
 * found something else than what he was rung for. */
static void get_up(bool found)
{
    const uint64_t bit = UINT64_C(1) << me.index % 64;
    if (!me.lies_down)
        return;
    me.lies_down = false;
    const uint64_t before = atomic_fetch_and(&me.shared->asleep[me.index / 64], ~bit);
    killpoint();
    if (found && !(before & bit))
        job_ring_workers(me.shared, 1);
}

/* Whether there was anything to do. */
static bool run_job(uint64_t word)
{
    pool_job *job = job_at(word);
    const uint16_t generation = job_generation(word);
    bool any = false;
    task_prepare(&me.task, word);
    do {
        while (goes_on(job) && range_left(atomic_load(&me.own->range), generation)) {
            get_up(true);
            if (job->is_lane)
                run_cell(generation);
            else
                run_units(generation);
            any = true;
        }
    } while (goes_on(job) && (claim(job, generation) || steal(generation)));
    return any;
}

/* Quiet as well: to hand out lost items, the pool waits until nobody is busy. */
static void tell_pool(uint64_t word, bool settled, bool notifies)
{
    if (!settled && !job_is_quiet(me.shared, word))
        return;
    job_ring_pool(me.shared);
    if (notifies)
        job_ring_thread(me.shared);
}

/* Announce, then look again: the pool takes the job word away before it looks who is busy with
 * it, and frees the job when nobody is. In between it may be gone already. */
static bool look_at_job(uint64_t word)
{
    const pool_job *job = job_at(word);
    bool any = false, is_map = true, settled = false, notifies = true;
    atomic_store(&me.own->busy, word | BUSY_LOOKS);
    killpoint();
    if (job_is_published(me.shared, word)) {
        atomic_store_explicit(&me.own->busy, word, memory_order_release);
        killpoint();
        any = run_job(word);
        is_map = !job->is_lane;
        notifies = job->notifies;
        settled = is_map && job_is_settled(me.shared, word);
    }
    atomic_store(&me.own->busy, 0);
    killpoint();
    if (is_map)
        tell_pool(word, settled, notifies);
    return any;
}

/* What a predecessor has left in the range comes first: nobody may write over it. */
static bool look_at_own_range(void)
{
    uint64_t own = atomic_load(&me.own->range), word;
    if (!range_left(own, job_generation(own)))
        return false;
    uint32_t i = 0;
    while (i < JOBS_MOST && atomic_load(&me.shared->jobs[i]))
        i++;
    while (i--) { /* downwards, as they move: none is missed */
        word = atomic_load(&me.shared->jobs[i]);
        if (word && job_generation(word) == job_generation(own))
            return look_at_job(word);
    }
    return false;
}

static bool has_successor(uint64_t word, uint32_t place)
{
    return job_after(me.shared, word, &place);
}

/* In their order: tasks are appended to the last job only, so when that was looked at and is not the
 * last one any more, what was appended meanwhile comes before the next job. */
static bool look_at_jobs(void)
{
    uint64_t word = 0;
    uint32_t place = 0;
    bool any = look_at_own_range();
    while (!me.has_enough && (word = job_after(me.shared, word, &place))) {
        const bool was_last = !has_successor(word, place);
        any |= look_at_job(word);
        if (was_last && has_successor(word, place))
            any |= look_at_job(word);
    }
    return any;
}

/* ---- waiting for it ---- */

/* Of a closed pool: whoever joins it, or its thread, dismisses the workers when nothing is left. */
static void tell_of_idleness(void)
{
    job_ring_pool(me.shared);
    job_ring_thread(me.shared);
}

/* Who rings looks for the sleeping after it has published: so they look once more after they have
 * said that they sleep. */
static void sleep_until_rung(uint32_t bell)
{
    atomic_fetch_or(&me.shared->asleep[me.index / 64], UINT64_C(1) << me.index % 64);
    me.lies_down = true;
    killpoint();
    if (!look_at_jobs() && !me.has_enough && !atomic_load(&me.shared->closing) &&
        !atomic_load(&me.own->retired)) {
        if (atomic_load(&me.shared->draining))
            tell_of_idleness();
        trace_flush();
        park(&me.own->bell, bell, OS_FOREVER, family.self);
    }
    get_up(false);
}

static bool spin_for_jobs(void)
{
    spin looking = spin_begin();
    bool any;
    do
        any = look_at_jobs();
    while (!any && spin_once(&looking));
    spin_end(&looking, any);
    return any;
}

static void serve(void)
{
    while (!me.has_enough && !atomic_load(&me.own->retired)) {
        uint32_t bell = atomic_load(&me.own->bell);
        if (spin_for_jobs())
            continue;
        if (atomic_load(&me.shared->closing))
            return;
        sleep_until_rung(bell);
    }
}

/* ---- its life ---- */

static bool initialize(worker_args *args)
{
    os_function initializer;
    if (!args->has_initializer)
        return true;
    if (os_code_find(&args->initializer, &initializer))
        return false;
    void *own_args = args->initializer_size ? args->initializer_args : NULL;
    return ((mproc_target)initializer)(own_args, args->initializer_size) == 0;
}

int worker_main(void *data, size_t size)
{
    (void)size;
    worker_args *args = data;
    pool_shared *shared = arena_at(args->shared);
    me = (struct me){.self = family.self, /* a fork has copied what a worker's own worker is not */
                     .shared = shared,
                     .own = &shared->workers[args->index],
                     .index = args->index,
                     .tasks_left = shared->max_tasks ? shared->max_tasks : UINT64_MAX};
    log_keep_in(me.own->log, sizeof me.own->log);
    me.task =
        (mproc_task){.shared = me.shared, .own = me.own, .worker = me.index, .pid = os_getpid()};
    os_ignore_interrupt();
    if (!initialize(args))
        return WORKER_INITIALIZER_FAILED;
    task_leave_copy();
    atomic_store(&me.own->ready, 1);
    killpoint();
    serve();
    mproc_worker_set_state(NULL, NULL);
    return 0;
}

static bool is_worker(void)
{
    return me.self && me.self == family.self && !family_is_copy();
}

int mproc_worker_index(void)
{
    return is_worker() ? (int)me.index : -1;
}

mproc_err mproc_worker_set_state(void *state, void (*destroy)(void *state))
{
    void *before = me.state;
    if (!is_worker())
        return MPROC_ESTATE;
    me.state = state;
    if (me.destroy && before && before != state)
        me.destroy(before);
    me.destroy = destroy;
    return MPROC_OK;
}

void *mproc_worker_state(void)
{
    return is_worker() ? me.state : NULL;
}
