/* The pool from within: what two do at the same time in an order that goes wrong easily, what a
 * killed worker leaves that cannot be had by killing one at a kill point, and what is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/park.h"
#include "killpoint.h"
#include "pool/lane.h"

enum { LARGE = 100000 };       /* bytes */
#define SOON pace_limit(30000) /* milliseconds */
#define MILLISECOND INT64_C(1000000)

/* In the arena, for the workers to say and to be told. */
typedef struct board {
    _Atomic uint32_t held[3], released[3];
    _Atomic uint32_t began, end;
    _Atomic int32_t worker; /* of the task that began last */
    _Atomic arena_ref pool; /* what it shares; 0: nobody stops */
} board;

static arena_ref board_ref;
static board *common; /* in each process */

static bool await(const _Atomic uint32_t *word, uint32_t value)
{
    const int64_t end = os_now() + SOON * MILLISECOND;
    _Atomic uint32_t *place = (_Atomic uint32_t *)(uintptr_t)word;
    for (uint32_t now; (now = atomic_load(place)) != value;) {
        if (os_now() > end)
            return false;
        park(place, now, end, family.self);
    }
    return true;
}

static void tell(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    unpark(word, UINT32_MAX);
}

static int find_board(void *args, size_t size)
{
    (void)size;
    common = arena_at(*(arena_ref *)args);
    return 0;
}

static mproc_pool *create(int workers, mproc_target initializer)
{
    const mproc_pool_options options = {.workers = workers,
                                        .initializer = initializer,
                                        .initializer_args = &board_ref,
                                        .initializer_args_size = sizeof board_ref};
    mproc_pool *pool = NULL;
    memset(common, 0, sizeof *common);
    assert_int_equal(mproc_pool_create(&pool, &options), MPROC_OK);
    return pool;
}

static void end(mproc_pool *pool)
{
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    mproc_pool_free(pool);
}

static int do_nothing(mproc_task *task)
{
    (void)task;
    return 0;
}

static int reply_at_length(mproc_task *task)
{
    unsigned char *room = mproc_task_reply_buffer(task, LARGE);
    if (room)
        memset(room, 7, LARGE);
    return room ? 0 : -1;
}

static int reply_in_short(mproc_task *task)
{
    const int number = 9;
    return mproc_task_reply(task, &number, sizeof number);
}

/* Says which worker it is, and waits for the end. */
static int stay(mproc_task *task)
{
    (void)task;
    atomic_store(&common->worker, mproc_worker_index());
    tell(&common->began, 1);
    return await(&common->end, 1) ? 0 : 1;
}

static mproc_result *apply(mproc_pool *pool, mproc_function function)
{
    mproc_result *result = NULL;
    assert_int_equal(mproc_pool_apply_async(pool, function, NULL, 0, NULL, &result), MPROC_OK);
    return result;
}

static void finish(mproc_result *result)
{
    assert_int_equal(mproc_result_get(result, SOON, NULL, NULL), MPROC_OK);
    mproc_result_free(result);
}

/* ---- the end ---- */

/* As mproc_pool_apply leaves it when its wait was interrupted: there is no thread of the pool that
 * would look after the task. */
static void a_closed_pool_ends_although_nobody_waits_for_its_last_task(void **state)
{
    (void)state;
    mproc_pool *pool = create(2, find_board);
    lane_task task = {.flags = 0};
    assert_int_equal(result_submit(pool, stay, &task, NULL), MPROC_OK);
    assert_true(await(&common->began, 1));
    assert_int_equal(mproc_pool_close(pool), MPROC_OK);
    assert_int_equal(mproc_pool_join(pool, 0), MPROC_ETIMEDOUT);
    tell(&common->end, 1);
    assert_int_equal(mproc_pool_join(pool, SOON), MPROC_OK);
    mproc_pool_free(pool);
}

/* ---- orders ---- */

/* Each worker stops once when it has said that it sleeps, before it looks once more. */
static void stop_before_sleep(void)
{
    const uint32_t index = (uint32_t)mproc_worker_index();
    const arena_ref pool = atomic_load(&common->pool);
    const pool_shared *shared = arena_at(pool);
    if (!pool || atomic_load(&common->held[index]) ||
        !(atomic_load(&shared->asleep[0]) >> index & 1))
        return;
    tell(&common->held[index], 1);
    await(&common->released[index], 1);
}

static int begin_to_stop(void *args, size_t size)
{
    find_board(args, size);
    killpoint_reached = stop_before_sleep;
    return 0;
}

/* Worker 1 finds a task when 0 has been rung for it, and is busy: then nothing is his to be rung
 * for. */
static void who_has_found_something_is_not_rung_in_anothers_stead(void **state)
{
    (void)state;
    mproc_pool *pool = create(3, begin_to_stop);
    finish(apply(pool, do_nothing)); /* there is a lane to look at */
    atomic_store(&common->pool, pool->shared_ref);
    job_ring_all(pool->shared); /* some of them may be asleep already */
    for (int i = 0; i < 3; i++)
        assert_true(await(&common->held[i], 1));
    mproc_result *first = apply(pool, stay);
    tell(&common->released[1], 1);
    assert_true(await(&common->began, 1));
    assert_int_equal(atomic_load(&common->worker), 1);
    assert_int_equal(atomic_load(&pool->shared->asleep[0]) >> 1 & 1, 0);
    tell(&common->released[0], 1);
    tell(&common->released[2], 1);
    tell(&common->end, 1);
    finish(first);
    end(pool);
}

static int stop_the_first(void *args, size_t size)
{
    return mproc_worker_index() ? find_board(args, size) : begin_to_stop(args, size);
}

/* Until it has ended, in waits of so many milliseconds; not as long as a held worker stays so. */
static void finish_by_waits(mproc_result *result, int each_ms)
{
    const int64_t last = os_now() + SOON / 2 * MILLISECOND;
    mproc_err err;
    do
        err = mproc_result_wait(result, each_ms);
    while (err == MPROC_ETIMEDOUT && os_now() < last);
    assert_int_equal(err, MPROC_OK);
    mproc_result_free(result);
}

/* As one that gets a SIGSTOP while it sleeps, and is rung for each task. The other one would find a task
 * by itself while it is about to sleep: hence some time in between. */
static void check_another_does_it(int each_ms)
{
    enum { ROUNDS = 5, FIRST = 1, OTHER = 2 };
    mproc_pool *pool = create(2, stop_the_first);
    _Atomic uint64_t *asleep = &pool->shared->asleep[0];
    atomic_store(&common->pool, pool->shared_ref);
    finish(apply(pool, do_nothing)); /* there is a lane to look at */
    job_ring_all(pool->shared);      /* it may be asleep already */
    assert_true(await(&common->held[0], 1));
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_or(asleep, FIRST);
        while (!(atomic_load(asleep) & OTHER))
            os_yield();
        park(&common->end, 0, os_now() + MILLISECOND, family.self);
        finish_by_waits(apply(pool, do_nothing), each_ms);
    }
    tell(&common->released[0], 1);
    end(pool);
}

static void what_a_stopped_worker_was_rung_for_is_done_by_another(void **state)
{
    (void)state;
    check_another_does_it(SOON / 2);
    check_another_does_it(5);
}

/* Looks at the last job, in which there is nothing to do, and stops before it looks for the next. */
static void stop_after_look(void)
{
    static bool has_looked;
    const arena_ref pool = atomic_load(&common->pool);
    const pool_shared *shared = arena_at(pool);
    if (!pool || atomic_load(&common->held[0]))
        return;
    const bool looks = atomic_load(&shared->workers[0].busy) != 0;
    if (has_looked && !looks) {
        tell(&common->held[0], 1);
        await(&common->released[0], 1);
    }
    has_looked = looks;
}

static int begin_to_stop_after_look(void *args, size_t size)
{
    find_board(args, size);
    killpoint_reached = stop_after_look;
    return 0;
}

/* Replies what it is in the order of those that have begun. */
static int take_number(mproc_task *task)
{
    const uint32_t number = atomic_fetch_add(&common->began, 1);
    return mproc_task_reply(task, &number, sizeof number);
}

static void a_task_begins_before_a_map_that_was_submitted_after_it(void **state)
{
    (void)state;
    mproc_pool *pool = create(1, begin_to_stop_after_look);
    finish(apply(pool, do_nothing)); /* there is a lane to look at */
    atomic_store(&common->pool, pool->shared_ref);
    job_ring_all(pool->shared);
    assert_true(await(&common->held[0], 1));
    mproc_result *map = NULL, *task = apply(pool, take_number);
    uint32_t number = 7, item = 7;
    assert_int_equal(mproc_pool_map_async(pool, take_number, &item, sizeof item, 1, &number,
                                          sizeof number, NULL, NULL, &map),
                     MPROC_OK);
    tell(&common->released[0], 1);
    const void *reply = NULL;
    assert_int_equal(mproc_result_get(task, SOON, &reply, NULL), MPROC_OK);
    assert_int_equal(*(const uint32_t *)reply, 0);
    mproc_result_free(task);
    finish(map);
    assert_int_equal(number, 1);
    end(pool);
}

/* ---- what a dead worker leaves ---- */

static int count_up(mproc_task *task)
{
    (void)task;
    atomic_fetch_add(&common->began, 1);
    return 0;
}

/* As if one that has never done anything had died while it looked at each lane. */
static void bury_a_third(mproc_pool *pool)
{
    const pool_crash nothing = {.pid = 0};
    _Atomic uint64_t *busy = &pool->shared->workers[2].busy;
    pools_lock();
    atomic_store(&pool->shared->worker_count, 3);
    for (size_t i = 0; i < pool->work_count; i++) {
        atomic_store(busy, pool->works[i]->word);
        assert_false(lane_bury(pool, pool->works[i], 2, &nothing));
    }
    atomic_store(busy, 0);
    pools_unlock();
}

/* The living take one task after the other meanwhile: what they have in hand just then is in no range,
 * and still theirs to begin. */
static void a_burial_leaves_each_task_that_begins_just_then_alone(void **state)
{
    (void)state;
    enum { TASKS = 20000, AT_ONCE = 10 };
    mproc_pool *pool = create(2, find_board);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(mproc_pool_apply_async(pool, count_up, NULL, 0, NULL, NULL), MPROC_OK);
        if (i % AT_ONCE == 0)
            bury_a_third(pool);
    }
    end(pool);
    assert_int_equal(atomic_load(&common->began), TASKS);
}

/* It had read a job's word, was paused until the job was gone, and could still say that it looks
 * at it. */
static void a_worker_dies_beside_a_job_that_is_gone(void **state)
{
    (void)state;
    arena_ref other;
    mproc_pool *pool = create(1, find_board);
    assert_int_equal(heap_alloc(LARGE, family.self, &other), MPROC_OK);
    memset(arena_at(other), 0xa5, LARGE);
    mproc_result *staying = apply(pool, stay);
    assert_true(await(&common->began, 1));
    atomic_store(&pool->shared->workers[0].busy, UINT64_C(9) << 48 | BUSY_LOOKS | other);
    pools_lock();
    mproc_process_kill(pool->seats[0].process);
    pools_unlock();
    tell(&common->end, 1);
    finish(apply(pool, do_nothing));
    mproc_result_free(staying);
    heap_free(other, family.self);
    mproc_pool_free(pool);
}

/* ---- memory ---- */

static void a_block_that_was_replied_is_not_freed_by_the_next_item(void **state)
{
    (void)state;
    const unsigned char *reply = NULL;
    size_t size = 0;
    const uint64_t before = heap_used();
    int item = 0, result = 0;
    mproc_pool *pool = create(1, find_board);
    mproc_result *kept = apply(pool, reply_at_length);
    assert_int_equal(mproc_result_get(kept, SOON, (const void **)&reply, &size), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mproc_pool_map(pool, reply_in_short, &item, sizeof item, 1, &result,
                                        sizeof result, NULL),
                         MPROC_OK);
        assert_int_equal(result, 9);
        finish(apply(pool, reply_at_length));
    }
    assert_int_equal(size, LARGE);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(reply[i], 7);
    mproc_result_free(kept);
    end(pool);
    assert_int_equal(heap_used(), before);
}

static mproc_pool *shared_pool;

static void apply_at_length(void *argument)
{
    static unsigned char input[LARGE];
    *(mproc_err *)argument =
        mproc_pool_apply(shared_pool, stay, input, sizeof input, NULL, 0, NULL);
}

static void what_a_task_was_given_is_freed_when_the_pool_is_terminated(void **state)
{
    (void)state;
    os_handle thread;
    mproc_err err = MPROC_OK;
    const uint64_t before = heap_used();
    shared_pool = create(1, find_board);
    assert_int_equal(os_thread_start(&thread, apply_at_length, &err), MPROC_OK);
    assert_true(await(&common->began, 1));
    assert_int_equal(mproc_pool_terminate(shared_pool), MPROC_OK);
    os_thread_join(thread);
    assert_int_equal(err, MPROC_ECANCELED);
    mproc_pool_free(shared_pool);
    assert_int_equal(heap_used(), before);
}

/* It writes where the program would be reading. */
static int reply_late(mproc_task *task)
{
    int *room = mproc_task_reply_buffer(task, sizeof *room);
    tell(&common->began, 1);
    if (!room)
        return -1;
    if (!await(&common->end, 1))
        atomic_store(&common->worker, 1);
    *room = 9;
    return 0;
}

static void a_map_does_not_wait_for_what_replies_too_late_nor_takes_it(void **state)
{
    (void)state;
    arena_ref ref;
    const int item = 0;
    const mproc_map_options options = {.timeout_ms = 1, .grace_ms = MPROC_FOREVER};
    mproc_pool *pool = create(1, find_board);
    assert_int_equal(heap_alloc(sizeof(int), family.self, &ref), MPROC_OK);
    _Atomic int *result = arena_at(ref);
    atomic_store(result, 5);
    assert_int_equal(mproc_pool_map(pool, reply_late, &item, sizeof item, 1, (void *)result,
                                    sizeof *result, &options),
                     MPROC_ETIMEDOUT);
    assert_true(await(&common->began, 1));
    tell(&common->end, 1);
    end(pool);
    assert_int_equal(atomic_load(&common->worker), 0); /* nobody waited for it */
    assert_int_equal(atomic_load(result), 5);
    heap_free(ref, family.self);
}

/* ---- generations ---- */

/* The map that is published next has this one, unless it is in use. */
static void come_round_to(mproc_pool *pool, uint16_t generation)
{
    pools_lock();
    pool->generation = (uint16_t)(generation - 1);
    pools_unlock();
}

static uint16_t map_nothing(mproc_pool *pool)
{
    const int item = 0;
    assert_int_equal(mproc_pool_map(pool, do_nothing, &item, sizeof item, 1, NULL, 0, NULL),
                     MPROC_OK);
    return pool->generation;
}

static void a_generation_that_somebody_holds_is_passed_by(void **state)
{
    (void)state;
    mproc_pool *pool = create(1, find_board);
    const uint16_t first = map_nothing(pool), next = (uint16_t)(first + 1);
    come_round_to(pool, first); /* the worker's range */
    assert_int_equal(map_nothing(pool), next);
    uint64_t *const remembered[] = {&pool->seats[0].late_word, &pool->seats[0].kill_word};
    for (size_t i = 0; i < sizeof remembered / sizeof remembered[0]; i++) {
        map_nothing(pool);
        *remembered[i] = (uint64_t)first << 48 | 1;
        pool->seats[0].kill_at = OS_FOREVER;
        come_round_to(pool, first);
        assert_int_equal(map_nothing(pool), next);
        *remembered[i] = 0;
    }
    map_nothing(pool);
    come_round_to(pool, first); /* nobody's */
    assert_int_equal(map_nothing(pool), first);
    map_nothing(pool);
    come_round_to(pool, 0); /* which is none */
    assert_int_equal(map_nothing(pool), 1);
    end(pool);
}

/* Not for ever: a watch that has forgotten it does not end it. */
static int stay_long(mproc_task *task)
{
    (void)task;
    const int64_t end = os_now() + 3000 * MILLISECOND;
    while (!atomic_load(&common->end) && os_now() < end)
        park(&common->end, 0, end, family.self);
    return 0;
}

static void an_item_is_ended_in_time_also_by_the_number_of_one_that_was_before(void **state)
{
    (void)state;
    const int item = 0;
    const mproc_map_options options = {.timeout_ms = 20, .grace_ms = MPROC_FOREVER};
    mproc_pool *pool = create(1, find_board);
    uint16_t generation = 0;
    for (int i = 0; i < 2; i++) {
        atomic_store(&common->end, 0);
        if (i)
            come_round_to(pool, generation);
        assert_int_equal(mproc_pool_map(pool, stay_long, &item, sizeof item, 1, NULL, 0, &options),
                         MPROC_ETIMEDOUT);
        generation = pool->generation;
        tell(&common->end, 1);
        map_nothing(pool); /* so that the worker holds that */
    }
    end(pool);
}

/* ---- its threads ---- */

static void a_map_that_could_be_canceled_is_canceled(void **state)
{
    (void)state;
    const int item = 0;
    mproc_pool *pool = create(2, find_board);
    for (int i = 0; i < 2000; i++) {
        mproc_result *result = NULL;
        assert_int_equal(mproc_pool_map_async(pool, do_nothing, &item, sizeof item, 1, NULL, 0,
                                              NULL, NULL, &result),
                         MPROC_OK);
        for (int k = i % 50; k > 0; k--)
            os_pause();
        const bool canceled = mproc_result_cancel(result) == MPROC_OK;
        assert_int_equal(mproc_result_get(result, SOON, NULL, NULL),
                         canceled ? MPROC_ECANCELED : MPROC_OK);
        mproc_result_free(result);
    }
    end(pool);
}

static void resize_often(void *argument)
{
    (void)argument;
    for (int i = 0; i < 100; i++)
        mproc_pool_resize(shared_pool, 1 + i % 4);
}

/* More than that have no place. */
static size_t count_children(void)
{
    mproc_process *list[64];
    size_t count = 0;
    assert_int_equal(mproc_active_children(list, 64, &count), MPROC_OK);
    for (size_t i = 0; i < count && i < 64; i++)
        mproc_process_free(list[i]);
    return count;
}

static void each_place_has_one_worker_whoever_resizes(void **state)
{
    (void)state;
    os_handle thread;
    shared_pool = create(2, find_board);
    const size_t before = count_children() - 2;
    assert_int_equal(os_thread_start(&thread, resize_often, NULL), MPROC_OK);
    resize_often(NULL);
    os_thread_join(thread);
    assert_int_equal(mproc_pool_resize(shared_pool, 2), MPROC_OK);
    const int64_t deadline = os_now() + SOON * MILLISECOND;
    while (count_children() - before != 2 && os_now() < deadline)
        os_yield();
    assert_int_equal(count_children() - before, 2);
    end(shared_pool);
}

static int set_up(void **state)
{
    (void)state;
    if (family_enter() || heap_alloc(sizeof(board), family.self, &board_ref))
        return 1;
    common = arena_at(board_ref);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    heap_free(board_ref, family.self);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_pool_ends_although_nobody_waits_for_its_last_task),
        cmocka_unit_test(who_has_found_something_is_not_rung_in_anothers_stead),
        cmocka_unit_test(what_a_stopped_worker_was_rung_for_is_done_by_another),
        cmocka_unit_test(a_task_begins_before_a_map_that_was_submitted_after_it),
        cmocka_unit_test(a_burial_leaves_each_task_that_begins_just_then_alone),
        cmocka_unit_test(a_worker_dies_beside_a_job_that_is_gone),
        cmocka_unit_test(a_block_that_was_replied_is_not_freed_by_the_next_item),
        cmocka_unit_test(what_a_task_was_given_is_freed_when_the_pool_is_terminated),
        cmocka_unit_test(a_map_does_not_wait_for_what_replies_too_late_nor_takes_it),
        cmocka_unit_test(a_generation_that_somebody_holds_is_passed_by),
        cmocka_unit_test(an_item_is_ended_in_time_also_by_the_number_of_one_that_was_before),
        cmocka_unit_test(a_map_that_could_be_canceled_is_canceled),
        cmocka_unit_test(each_place_has_one_worker_whoever_resizes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
