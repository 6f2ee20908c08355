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
    kill_at at;
} order;

static arena_ref scene_ref;

subject subject_at(uint32_t index)
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
    method.begin(told->at.point, &s->points);
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
    method.begin(told->at.point, &s->points);
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
    MUST(victim && method.bring(mproc_process_pid(victim), s, told->at.point, &s->points));
    method.begin(told->at.second, &s->seconds);
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

/* The root joins the victim: what would be kill points of a process in its place is counted. */
static void finish_victim(scene *s, mproc_process *victim, const order *told)
{
    if (method.count)
        method.count(&s->seconds);
    method.finish(s);
    EXPECT(join_killed(victim) == MPROC_OK);
    conclude(told);
    if (method.count)
        method.end();
}

/* True: the victim has come to the end of its act, where that is its own end. */
static bool run_processes(scene *s, const order *told)
{
    const bool alone = told->at.second == NO_POINT;
    mproc_process *process = alone ? start_victim(told) : start(be_reaper, told);
    EXPECT(process != NULL);
    EXPECT(alone ? method.bring(mproc_process_pid(process), s, told->at.point, &s->points)
                 : method.bring(mproc_process_pid(process), s, told->at.second, &s->seconds));
    if (alone) {
        finish_victim(s, process, told);
    } else {
        method.finish(s);
        EXPECT(join_killed(process) == MPROC_OK);
    }
    const bool ended = alone && has_ended_by_itself(process);
    EXPECT(was_killed(process) || ended);
    mproc_process_free(process);
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

/* With the end as one more. */
static void count(reached *got, const scene *s, bool alone)
{
    if (got->end)
        got->points = atomic_load(&s->points) + 1;
    if (got->second_end || (alone && method.count))
        got->seconds = atomic_load(&s->seconds) + 1;
}

reached drive_case(const subject *of, kill_at at)
{
    scene *s = arena_at(scene_ref);
    const order told = {scene_ref, of->index, at};
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
    count(&got, s, at.second == NO_POINT);
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
