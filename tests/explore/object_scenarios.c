/* Cells: create against create, against destroy, and what a stale handle may not do. */
#include "family/object.h"
#include "scenario.h"

static void make(void)
{
    note_heap();
}

static void make_lock(void)
{
    note_heap();
    MUST(mproc_lock_create(&stage.lock));
}

static void create_queue(int who)
{
    mproc_queue mine = {0};
    stage.result[who] = mproc_queue_create(&mine, NULL);
    if (stage.result[who])
        explore_wrong("a queue cannot be made");
    else
        MUST(mproc_queue_destroy(mine));
}

static void create_lock(int who)
{
    mproc_lock mine = {0};
    MUST(mproc_lock_create(&mine));
    if (mine.id == stage.lock.id)
        explore_wrong("two objects have one handle");
    MUST(mproc_lock_acquire(mine, 0));
    MUST(mproc_lock_release(mine));
    stage.result[who] = mproc_lock_destroy(mine);
}

static void create_semaphore(int who)
{
    mproc_semaphore mine = {0};
    unsigned value = 0;
    MUST(mproc_semaphore_create(&mine, 3, 0));
    MUST(mproc_semaphore_get_value(mine, &value));
    if (value != 3)
        explore_wrong("another's semaphore");
    stage.result[who] = mproc_semaphore_destroy(mine);
}

static void create_barrier(int who)
{
    mproc_barrier mine = {0};
    MUST(mproc_barrier_create(&mine, 1, NULL));
    MUST(mproc_barrier_wait(mine, 0, NULL));
    stage.result[who] = mproc_barrier_destroy(mine);
}

static void destroy_lock(int who)
{
    stage.result[who] = mproc_lock_destroy(stage.lock);
    stage.flag += !stage.result[who];
}

/* A handle that is stale by now must not reach what lives in its cell. */
static void use_lock(int who)
{
    mproc_err err = mproc_lock_acquire(stage.lock, MPROC_FOREVER);
    stage.result[who] = err;
    if (!err || err == MPROC_EOWNERDEAD)
        mproc_lock_release(stage.lock);
}

static void destroy_and_create(int who)
{
    destroy_lock(who);
    create_lock(who);
}

static void end_all(void)
{
    object *cells = atomic_load(&objects.cells);
    for (uint32_t i = 0; i < atomic_load(&objects.used); i++) {
        if (object_is_live(&cells[i]))
            object_destroy(object_id(&cells[i]), object_type_of(&cells[i]));
    }
}

/* What a dead one has made is there, whole: ended here. */
static const char *nothing_is_left(void)
{
    if (explore_killed()) {
        const uint32_t before = object_count();
        end_all();
        if (before > stage.objects + 6)
            return "there are more objects than were made";
        return object_count() ? "an object is neither there nor gone" : NULL;
    }
    return heap_is_as_before();
}

static const char *ended_once(void)
{
    return stage.flag > 1 ? "an object was destroyed twice" : nothing_is_left();
}

const explore_play object_scenarios[] = {{"object: create and create",
                                          make,
                                          {create_lock, create_semaphore},
                                          .check = nothing_is_left,
                                          .mortal = FIRST | SECOND},
                                         {"object: three create",
                                          make,
                                          {create_lock, create_semaphore, create_lock},
                                          .check = nothing_is_left},
                                         {"object: two make queues",
                                          make,
                                          {create_queue, create_queue},
                                          .check = nothing_is_left,
                                          .mortal = FIRST},
                                         {"object: a queue and a barrier",
                                          make,
                                          {create_queue, create_barrier},
                                          .check = nothing_is_left,
                                          .mortal = FIRST | SECOND},
                                         {"object: destroy, destroy, create",
                                          make_lock,
                                          {destroy_lock, destroy_lock, create_semaphore},
                                          .check = ended_once,
                                          .mortal = FIRST},
                                         {"object: a stale handle",
                                          make_lock,
                                          {destroy_and_create, use_lock, create_lock},
                                          .check = ended_once,
                                          .mortal = FIRST | SECOND},
                                         {NULL}};
