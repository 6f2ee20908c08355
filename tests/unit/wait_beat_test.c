/* Waiting for many things at once. A message whose sender was killed before it rang for it, and
 * whose end nobody is told, is found at the next beat; and a queue rings those alone who wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "data/ends.h"
#include "family/family.h"

enum { BEAT = 20000000 /* nanoseconds */ };
#define LONG pace_limit(40000) /* milliseconds */

static mproc_queue queue;

/* As a put does it, up to its commit. */
static bool commit_in_silence(void)
{
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    if (!q || ends_lock(q, &q->tail, 0))
        return false;
    mark tail = end_mark(&q->tail);
    bool written = ring_write(ends_ring(q), end_look(&q->tail, &q->head), &tail, "x", 1);
    if (written)
        end_commit(&q->tail, tail);
    ends_unlock(q, &q->tail);
    return written;
}

/* When the other thread watches, and most likely sleeps: else it finds it without a beat. */
static void commit_while_others_wait(void *good)
{
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    while (q && !(atomic_load(&q->items.cell->word) & BELL_WATCHED))
        os_yield();
    os_wait_ready(NULL, 0, os_now() + 50000000);
    *(bool *)good = commit_in_silence();
}

static void find_by_beat(mproc_waitable *items, size_t count)
{
    os_handle thread;
    bool good = false;
    size_t ready = 0;
    assert_int_equal(os_thread_start(&thread, commit_while_others_wait, &good), MPROC_OK);
    mproc_err err = mproc_wait(items, count, &ready, LONG);
    os_thread_join(thread);
    assert_true(good);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(ready, 1);
    assert_true(items[0].ready);
    char byte;
    assert_int_equal(mproc_queue_get(queue, &byte, 1, NULL, 0), MPROC_OK);
}

static void a_wait_for_queues_alone_looks_again_by_itself(void **state)
{
    (void)state;
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = queue};
    find_by_beat(&item, 1);
}

static void a_wait_for_queues_among_others_looks_again_by_itself(void **state)
{
    (void)state;
    mproc_connection pipe_ends[2];
    assert_int_equal(mproc_pipe(&pipe_ends[0], &pipe_ends[1], MPROC_DUPLEX), MPROC_OK);
    mproc_waitable items[2] = {{.kind = MPROC_WAITABLE_QUEUE, .queue = queue},
                               {.kind = MPROC_WAITABLE_CONNECTION, .connection = pipe_ends[0]}};
    find_by_beat(items, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mproc_connection_close(pipe_ends[i]), MPROC_OK);
}

static void a_time_out_between_two_beats_comes_in_time(void **state)
{
    (void)state;
    const int64_t began = os_now();
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = queue};
    assert_int_equal(mproc_wait(&item, 1, NULL, 105), MPROC_ETIMEDOUT);
    assert_true(os_now() - began >= 105000000);
}

/* ---- whom a queue rings ---- */

static void a_process_whose_watch_has_ended_is_rung_no_more(void **state)
{
    (void)state;
    char byte;
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = queue};
    _Atomic uint32_t *rung = &slot_at(family.self)->rung;
    assert_int_equal(mproc_wait(&item, 1, NULL, 0), MPROC_ETIMEDOUT);
    const uint32_t before = atomic_load(rung);
    assert_int_equal(mproc_queue_put(queue, "x", 1, 0), MPROC_OK);
    assert_int_equal(atomic_load(rung), before);
    assert_int_equal(atomic_load(&slot_at(family.self)->watched), 0);
    assert_int_equal(mproc_queue_get(queue, &byte, 1, NULL, 0), MPROC_OK);
}

static void wait_for_message(void *err)
{
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = queue};
    *(mproc_err *)err = mproc_wait(&item, 1, NULL, LONG);
}

/* The beat would be too late. */
static void the_end_of_a_watch_leaves_other_threads_theirs(void **state)
{
    (void)state;
    os_handle thread;
    char byte;
    mproc_queue other;
    mproc_err err = MPROC_EINVAL, found;
    assert_int_equal(mproc_queue_create(&other, NULL), MPROC_OK);
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = other};
    object_beat = INT64_C(4) * LONG * 1000000;
    const ends *q = ends_find(queue.id, &found);
    assert_non_null(q);
    assert_int_equal(os_thread_start(&thread, wait_for_message, &err), MPROC_OK);
    while (!(atomic_load(&q->items.cell->word) & BELL_WATCHED))
        os_yield();
    assert_int_equal(mproc_wait(&item, 1, NULL, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_queue_put(queue, "x", 1, 0), MPROC_OK);
    os_thread_join(thread);
    object_beat = BEAT;
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(atomic_load(&slot_at(family.self)->watched), 0);
    assert_int_equal(mproc_queue_get(queue, &byte, 1, NULL, 0), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(other), MPROC_OK);
}

/* ---- several threads that wait for the same ---- */

enum { THREADS = 3, ROUNDS = 20 };

static mproc_connection wire[2];

static void wait_for_message_among_others(void *err)
{
    mproc_waitable items[2] = {{.kind = MPROC_WAITABLE_QUEUE, .queue = queue},
                               {.kind = MPROC_WAITABLE_CONNECTION, .connection = wire[0]}};
    *(mproc_err *)err = mproc_wait(items, 2, NULL, LONG);
}

static bool watch_all(void)
{
    const int count_shift = 48;
    return atomic_load(&slot_at(family.self)->watched) >> count_shift == THREADS;
}

/* Whichever of them is first takes what has woken it away. */
static void each_of_several_threads_finds_a_message(void **state)
{
    (void)state;
    char byte;
    object_beat = INT64_C(4) * LONG * 1000000;
    assert_int_equal(mproc_pipe(&wire[0], &wire[1], MPROC_DUPLEX), MPROC_OK);
    for (int round = 0; round < ROUNDS; round++) {
        os_handle threads[THREADS];
        mproc_err err[THREADS];
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(os_thread_start(&threads[i], wait_for_message_among_others, &err[i]),
                             MPROC_OK);
        }
        while (!watch_all())
            os_yield();
        os_wait_ready(NULL, 0, os_now() + 2000000); /* most likely they sleep by then */
        assert_int_equal(mproc_queue_put(queue, "x", 1, 0), MPROC_OK);
        for (int i = 0; i < THREADS; i++)
            os_thread_join(threads[i]);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(err[i], MPROC_OK);
        assert_int_equal(mproc_queue_get(queue, &byte, 1, NULL, 0), MPROC_OK);
    }
    object_beat = BEAT;
    for (int i = 0; i < 2; i++)
        assert_int_equal(mproc_connection_close(wire[i]), MPROC_OK);
}

static int make_queue(void **state)
{
    (void)state;
    object_beat = BEAT;
    return mproc_queue_create(&queue, NULL);
}

static int destroy_queue(void **state)
{
    (void)state;
    return mproc_queue_destroy(queue);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_for_queues_alone_looks_again_by_itself),
        cmocka_unit_test(a_wait_for_queues_among_others_looks_again_by_itself),
        cmocka_unit_test(a_time_out_between_two_beats_comes_in_time),
        cmocka_unit_test(a_process_whose_watch_has_ended_is_rung_no_more),
        cmocka_unit_test(the_end_of_a_watch_leaves_other_threads_theirs),
        cmocka_unit_test(each_of_several_threads_finds_a_message),
    };
    return cmocka_run_group_tests(tests, make_queue, destroy_queue);
}
