#include "drive.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/family_support.h"
#include "family/object.h"
#include "family/park.h"
#include "host.h"
#include "pool_inside.h"

#define MILLISECOND INT64_C(1000000)

typedef struct order {
    arena_ref scene;
    uint32_t operation;
    uint32_t point;  /* of the victim */
    uint32_t second; /* of the one who joins it; or NO_POINT */
} order;

typedef struct subject {
    const operation *operation;
    const char *noun;
    int kind;
    uint32_t index;
} subject;

static arena_ref scene_ref;

static subject subject_at(uint32_t index)
{
    subject found = {.index = index};
    found.operation = operation_at(index, &found.noun, &found.kind);
    return found;
}

/* ---- the victim, and the one who joins it ---- */

/* Whatever a test framework catches in the root shall end its children. */
static void enter(void)
{
    signal(SIGSEGV, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    method.enter();
}

static int be_victim(void *args, size_t size)
{
    const order *told = args;
    (void)size;
    scene *s = arena_at(told->scene);
    const subject of = subject_at(told->operation);
    const operation *op = of.operation;
    enter();
    atomic_store(&s->victim, family.self);
    if (op->prepare)
        op->prepare(s);
    scene_tell(&s->ready, 1);
    MUST(scene_await(&s->go, 1));
    method.begin(told->point);
    if (!op->act)
        return 0;
    op->act(s);
    atomic_store(&s->done, 1);
    method.end();
    host_end_self();
    return 0;
}

static mproc_process *start(mproc_target target, const order *told)
{
    mproc_process *process = NULL;
    const mproc_process_options options = {
        .target = target, .args = told, .args_size = sizeof *told};
    if (mproc_process_create(&process, &options) == MPROC_OK &&
        mproc_process_start(process) == MPROC_OK)
        return process;
    mproc_process_free(process);
    return NULL;
}

/* ---- the victim as a worker ---- */

static scene *scene_of_worker;
static order order_of_worker; /* for victim_employ, in the victim's parent */
static mproc_process *employed;

scene *worker_scene(void)
{
    return scene_of_worker;
}

static void come_to_the_end(void *state)
{
    scene *s = state;
    atomic_store(&s->done, 1);
    method.end();
    host_end_self();
}

static int initialize_worker(void *args, size_t size)
{
    const order *told = args;
    (void)size;
    scene *s = scene_of_worker = arena_at(told->scene);
    if (mproc_worker_index() != 0 || atomic_load(&s->victim))
        return 0;
    enter();
    atomic_store(&s->victim, family.self);
    MUST(mproc_worker_set_state(s, come_to_the_end) == MPROC_OK);
    MUST(scene_await(&s->employed, 1));
    scene_tell(&s->ready, 1);
    MUST(scene_await(&s->go, 1));
    method.begin(told->point);
    return 0;
}

mproc_pool *victim_employ(scene *s, const mproc_pool_options *options)
{
    mproc_pool *pool = NULL;
    mproc_pool_options all = *options;
    all.initializer = initialize_worker;
    all.initializer_args = &order_of_worker;
    all.initializer_args_size = sizeof order_of_worker;
    MUST(mproc_pool_create(&pool, &all) == MPROC_OK);
    if (pool)
        employed = pool_worker_of(pool, 0);
    return pool;
}

static mproc_process *start_victim(const order *told)
{
    const subject of = subject_at(told->operation);
    if (of.kind != KIND_WORKER)
        return start(be_victim, told);
    scene *s = arena_at(told->scene);
    order_of_worker = *told;
    employed = NULL;
    of.operation->prepare(s);
    scene_tell(&s->employed, 1);
    return employed;
}

static void conclude(const order *told)
{
    const subject of = subject_at(told->operation);
    if (of.kind == KIND_WORKER)
        of.operation->act(arena_at(told->scene));
}

/* Killed, not crashed. */
static bool was_killed(mproc_process *process)
{
    mproc_exit_status status;
    return mproc_process_exit_status(process, &status) == MPROC_OK && status.code == 9 &&
           status.kind != MPROC_EXIT_CRASHED;
}

static bool has_ended_by_itself(mproc_process *process)
{
    int code = -1;
    return mproc_process_exitcode(process, &code) == MPROC_OK && code == 0;
}

/* What ends the victim happens when its reaper is on its way. */
static int be_reaper(void *args, size_t size)
{
    const order *told = args;
    (void)size;
    scene *s = arena_at(told->scene);
    enter();
    mproc_process *victim = start_victim(told);
    MUST(victim && method.bring(mproc_process_pid(victim), s, told->point));
    method.begin(told->second);
    method.finish(s);
    mproc_process_join(victim, MPROC_FOREVER);
    conclude(told);
    atomic_store(&s->second_done, 1);
    method.end();
    host_end_self();
    return 0;
}

/* ---- the root ---- */

typedef struct measures {
    uint64_t heap;
    uint32_t slots;
    uint32_t objects;
} measures;

static bool count_slot(slot_id id, slot *one, void *count)
{
    (void)id;
    (void)one;
    ++*(uint32_t *)count;
    return true;
}

/* The slots first: the root's monitor may be sweeping, and a process's slot is the last that it
 * frees. */
static measures measure(void)
{
    measures now = {0};
    slot_each(count_slot, &now.slots);
    now.heap = heap_used();
    now.objects = object_count();
    return now;
}

/* Children of the victim may take a moment to end: only then nobody is in the midst of a sweep. */
static measures measure_again(scene *s, uint32_t slots)
{
    const int64_t end = os_now() + PATIENCE_MS * MILLISECOND;
    measures now = measure();
    while (now.slots > slots && os_now() < end) {
        host_reap_orphans(method.let_go);
        scene_nap(s);
        now = measure();
    }
    return now;
}

static bool is_in_use(slot_id id)
{
    return id && slot_at(id) && !slot_is(id, SLOT_FREE);
}

static void expect_no_place_of_the_dead(void)
{
    const uint64_t flag = UINT64_C(1) << 63;
    for (uint32_t i = 1; i < PARK_PLACES; i++) {
        park_place *place = arena_entry(ARENA_PLACES, i);
        uint64_t owner = place ? atomic_load(&place->owner) & ~flag : 0;
        if (!place)
            break;
        EXPECT(!owner || is_in_use(owner));
    }
}

/* Adopted by the root, if its parent could not finish. */
static void await_sweep(slot_id id)
{
    const int64_t end = os_now() + PATIENCE_MS * MILLISECOND;
    scene *s = arena_at(scene_ref);
    while (is_in_use(id) && os_now() < end) {
        host_reap_orphans(method.let_go);
        scene_nap(s);
    }
    EXPECT(!is_in_use(id));
}

/* Not for a moment the companions: one that is woken for nothing looks whether it has an order. */
static void clear(scene *s, const subject *of)
{
    const size_t first = offsetof(scene, nap);
    memset((unsigned char *)s + first, 0, sizeof *s - first);
    atomic_store(&s->operation, of->index);
    s->kind = of->kind;
}

typedef struct reached {
    bool end;        /* the victim came to the end of its act */
    bool second_end; /* the one who joined it came to the end of that */
    outcome found;
} reached;

/* A child that it was just making when it was killed may be left stopped, and holds what it had open:
 * without pidfds it is not seen to have ended until that one goes on. */
static mproc_err join_killed(mproc_process *process)
{
    enum { TENTH_MS = 100 };
    const int64_t end = os_now() + PATIENCE_MS * MILLISECOND;
    mproc_err err;
    do {
        host_find_stopped(method.let_go);
        err = mproc_process_join(process, TENTH_MS);
    } while (err == MPROC_ETIMEDOUT && os_now() < end);
    return err;
}

/* True: the victim has come to the end of its act, where that is its own end. */
static bool run_processes(scene *s, const order *told)
{
    const bool alone = told->second == NO_POINT;
    mproc_process *process = alone ? start_victim(told) : start(be_reaper, told);
    EXPECT(process != NULL);
    EXPECT(method.bring(mproc_process_pid(process), s, alone ? told->point : told->second));
    method.finish(s);
    EXPECT(join_killed(process) == MPROC_OK);
    const bool ended = alone && has_ended_by_itself(process);
    EXPECT(was_killed(process) || ended);
    mproc_process_free(process);
    if (alone)
        conclude(told);
    scene_tell(&s->go, 1); /* in case that its reaper died before it could tell it */
    EXPECT(atomic_load(&s->victim) != 0);
    await_sweep(atomic_load(&s->victim));
    return ended;
}

/* Each case begins with a chunk of free cells: so its processes note as many chunks each time, and the
 * kill points have the same numbers. */
typedef struct padding {
    mproc_lock locks[4 * JOURNAL_CHUNK];
    size_t count;
} padding;

static void pad_cells(padding *pads)
{
    uint32_t cell;
    pads->count = 0;
    do {
        EXPECT(pads->count < sizeof pads->locks / sizeof *pads->locks);
        EXPECT(mproc_lock_create(&pads->locks[pads->count]) == MPROC_OK);
        cell = (uint32_t)pads->locks[pads->count++].id;
    } while (cell % JOURNAL_CHUNK != JOURNAL_CHUNK - 1);
}

static void free_padding(padding *pads)
{
    while (pads->count)
        EXPECT(mproc_lock_destroy(pads->locks[--pads->count]) == MPROC_OK);
}

static reached run_case(const subject *of, uint32_t point, uint32_t second)
{
    scene *s = arena_at(scene_ref);
    const order told = {scene_ref, of->index, point, second};
    padding pads;
    clear(s, of);
    pad_cells(&pads);
    const measures before = measure();
    if (of->operation->set_up)
        of->operation->set_up(s);
    const bool ended = run_processes(s, &told);
    EXPECT(!ended || !of->operation->act);
    reached got = {.end = ended || atomic_load(&s->done),
                   .second_end = atomic_load(&s->second_done)};
    scene_tell(&s->over, 1);
    got.found = of->operation->check(s);
    if (atomic_load(&s->wrong))
        print_error("wrong at line %u of another process\n", atomic_load(&s->wrong));
    EXPECT(!atomic_load(&s->wrong));
    const measures after = measure_again(s, before.slots);
    expect_no_place_of_the_dead();
    EXPECT(after.heap == before.heap);
    EXPECT(after.slots == before.slots);
    EXPECT(after.objects == before.objects);
    free_padding(&pads);
    return got;
}

typedef struct totals {
    uint32_t operations, points, recoveries;
} totals;

/* Where a process takes a tenth of a second to start, the ordinary form is a sample. */
static bool is_sample(void)
{
    return !is_soak() && !os_can_start(MPROC_FORK);
}

/* Long operations go over many alike: behind the first ones ever fewer are tried. */
static uint32_t next_point(uint32_t point, uint32_t step, const drive_options *options)
{
    const uint32_t dense = is_soak() ? 10 * options->dense : options->dense;
    if (is_sample())
        return point + step + point / 2;
    return point + (point < dense ? step : step + point / 8);
}

static void drive_recovery(const subject *of, uint32_t point, totals *sum,
                           const drive_options *options)
{
    static uint32_t cases;
    const uint32_t every = is_soak() ? 1 : is_sample() ? 8 : options->every;
    for (uint32_t second = cases++ % every;; second = next_point(second, every, options)) {
        scene_context("%s: %s, killed at point %u, its recovery at %u", of->noun,
                      of->operation->name, point, second);
        sum->recoveries++;
        if (run_case(of, point, second).second_end || is_sample())
            return;
    }
}

/* In the ordinary form: of long operations a part, and of a sample little. */
static bool is_worth_recovery(const subject *of, uint32_t point)
{
    const uint32_t first = 16, part = is_sample() ? 8 : 4;
    return is_soak() || (point < first && !is_sample()) || point % part == of->index % part;
}

/* Where others are at work at the same time, the same point may come sooner or later. */
static void expect_once(const subject *of, outcome found, bool repeats, bool *after)
{
    EXPECT(found != OUTCOME_BEFORE || !*after);
    *after |= found == OUTCOME_AFTER && repeats && !of->operation->accompany;
}

static void drive_one(const subject *of, totals *sum, const drive_options *options)
{
    bool after = false;
    const uint32_t step = is_sample() ? 4 : 1;
    for (uint32_t point = of->index % step;; point = next_point(point, step, options)) {
        scene_context("%s: %s, killed at point %u", of->noun, of->operation->name, point);
        reached got = run_case(of, point, NO_POINT);
        sum->points++;
        EXPECT(got.found != OUTCOME_AFTER || point > 0);
        EXPECT(got.found != OUTCOME_BEFORE || !got.end);
        expect_once(of, got.found, options->repeats, &after);
        if (options->recovery && is_worth_recovery(of, point))
            drive_recovery(of, point, sum, options);
        if (got.end)
            break;
    }
    sum->operations++;
}

/* A noun, or a noun and a name. */
static bool is_chosen(const char *name)
{
    const char *only = getenv("MPROC_CRASH_ONLY"), *without = getenv("MPROC_CRASH_WITHOUT");
    return (!only || strncmp(only, name, strlen(only)) == 0) &&
           (!without || strncmp(without, name, strlen(without)) != 0);
}

void drive_operations(const drive_options *options)
{
    totals sum = {0};
    subject of;
    for (uint32_t i = 0; (of = subject_at(i)).operation; i++) {
        const int64_t begin = os_now();
        const totals before = sum;
        char name[100];
        snprintf(name, sizeof name, "%s: %s", of.noun, of.operation->name);
        if (!is_chosen(name))
            continue;
        drive_one(&of, &sum, options);
        print_message("%-48s %5u kill points, recovery %6u, %6lld ms\n", name,
                      sum.points - before.points, sum.recoveries - before.recoveries,
                      (long long)((os_now() - begin) / MILLISECOND));
    }
    print_message("%s: %u operations, %u kill points, all recovered; recovery: %u kill points, all "
                  "recovered\n",
                  method.name, sum.operations, sum.points, sum.recoveries);
}

int drive_set_up(void **state)
{
    (void)state;
    if (family_enter() || heap_alloc(sizeof(scene), family.self, &scene_ref))
        return 1;
    memset(arena_at(scene_ref), 0, sizeof(scene));
    companions_start(scene_ref);
    host_adopt_orphans();
    return 0;
}

int drive_tear_down(void **state)
{
    (void)state;
    companions_end();
    heap_free(scene_ref, family.self);
    return 0;
}
