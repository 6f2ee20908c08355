/* A message whose sender was killed before it rang for it, and whose end nobody is told: who waits
 * for many things at once finds it at the next beat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "data/ends.h"
#include "family/family.h"

enum { LONG = 60000 };

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
    ends_unlock(&q->tail);
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

static int make_queue(void **state)
{
    (void)state;
    object_beat = 20000000;
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
    };
    return cmocka_run_group_tests(tests, make_queue, destroy_queue);
}
