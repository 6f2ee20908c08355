/* Starting, joining, ending: a process that is killed in the middle leaves no slot behind, and what
 * its children are and hold is found by others. */
#include "operation.h"

static int wait_for_the_end(void *args, size_t size)
{
    scene *s = arena_at(*(arena_ref *)args);
    (void)size;
    return !scene_await(&s->over, 1);
}

static int return_at_once(void *args, size_t size)
{
    (void)args;
    (void)size;
    return 0;
}

static void start(scene *s, mproc_target target, bool daemon)
{
    mproc_process *child = NULL;
    const arena_ref ref = arena_offset(s);
    const mproc_process_options options = {
        .target = target, .args = &ref, .args_size = sizeof ref, .daemon = daemon};
    MUST(mproc_process_create(&child, &options) == MPROC_OK);
    MUST(mproc_process_start(child) == MPROC_OK);
    mproc_process_free(child);
}

static void act_start(scene *s)
{
    start(s, wait_for_the_end, false);
}

static void act_start_daemon(scene *s)
{
    start(s, wait_for_the_end, true);
}

static void start_brief(scene *s)
{
    start(s, return_at_once, false);
}

static void act_join(scene *s)
{
    mproc_process *child = NULL;
    size_t count = 0;
    MUST(mproc_active_children(&child, 1, &count) == MPROC_OK && count <= 1);
    MUST(!count || mproc_process_join(child, PATIENCE_MS) == MPROC_OK);
    mproc_process_free(count ? child : NULL);
}

/* The drive looks at slots and blocks. */
static outcome check_gone(scene *s)
{
    (void)s;
    return OUTCOME_ANY;
}

/* ---- a clean end with things in hand ---- */

static void make_lock(scene *s)
{
    EXPECT(mproc_lock_create(&s->lock) == MPROC_OK);
}

static void take_much(scene *s)
{
    MUST(mproc_lock_acquire(s->lock, 0) == MPROC_OK);
    MUST(heap_alloc(100, family.self, &s->ref[0]) == MPROC_OK);
    MUST(heap_alloc(150000, family.self, &s->ref[1]) == MPROC_OK);
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

static void wait_for_lock(scene *s, int who)
{
    companion_says(s, who, STAGE_CALLS);
    mproc_err err = mproc_lock_acquire(s->lock, PATIENCE_MS);
    atomic_store(&s->companions[who].result, (int)err);
    MUST(mproc_lock_release(s->lock) == MPROC_OK);
}

static outcome check_let_go(scene *s)
{
    int result = 0;
    EXPECT(companion_finish(s, 1, &result));
    EXPECT(result == (int)MPROC_EOWNERDEAD);
    EXPECT(mproc_lock_destroy(s->lock) == MPROC_OK);
    return OUTCOME_ANY;
}

const operation process_operations[] = {
    {"start a child", NULL, NULL, act_start, NULL, check_gone},
    {"start a daemon", NULL, NULL, act_start_daemon, NULL, check_gone},
    {"join a child", NULL, start_brief, act_join, NULL, check_gone},
    {"end", NULL, NULL, NULL, NULL, check_gone},
    {"end with lock and blocks", make_lock, take_much, NULL, wait_for_lock, check_let_go},
    {0},
};
