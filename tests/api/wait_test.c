/* Waiting for many things at once: connections, processes, queues and handles, alone and mixed. */
#include "support.h"

#include <stdlib.h>

static mproc_waitable a_queue(mproc_queue queue)
{
    return (mproc_waitable){.kind = MPROC_WAITABLE_QUEUE, .queue = queue};
}

static mproc_waitable a_connection(mproc_connection connection)
{
    return (mproc_waitable){.kind = MPROC_WAITABLE_CONNECTION, .connection = connection};
}

static mproc_waitable a_process(mproc_process *process)
{
    return (mproc_waitable){.kind = MPROC_WAITABLE_PROCESS, .process = process};
}

static mproc_queue new_queue(void)
{
    mproc_queue queue;
    assert_int_equal(mproc_queue_create(&queue, NULL), MPROC_OK);
    return queue;
}

static void new_pipe(mproc_connection ends[2])
{
    assert_int_equal(mproc_pipe(&ends[0], &ends[1], MPROC_DUPLEX), MPROC_OK);
}

static void close_pipe(mproc_connection ends[2])
{
    assert_int_equal(mproc_connection_close(ends[0]), MPROC_OK);
    assert_int_equal(mproc_connection_close(ends[1]), MPROC_OK);
}

/* ---- what is ready by now ---- */

static void nothing_ready_is_a_time_out(void **state)
{
    (void)state;
    mproc_connection pipe[2];
    mproc_queue queue = new_queue();
    new_pipe(pipe);
    mproc_waitable items[] = {a_queue(queue), a_connection(pipe[0]), {0}};
    size_t ready = 77;
    assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, 0), MPROC_ETIMEDOUT);
    int64_t began = host_now();
    assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, 40), MPROC_ETIMEDOUT);
    assert_true(host_now() - began >= 39);
    began = host_now();
    assert_int_equal(mproc_wait(items, 1, &ready, 40), MPROC_ETIMEDOUT);
    assert_true(host_now() - began >= 39);
    assert_int_equal(mproc_wait(NULL, 0, &ready, 1), MPROC_ETIMEDOUT);
    assert_int_equal(ready, 77);
    for (size_t i = 0; i < COUNT_OF(items); i++)
        assert_false(items[i].ready);
    close_pipe(pipe);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void all_that_are_ready_are_told(void **state)
{
    (void)state;
    mproc_connection pipe[2], other[2];
    mproc_queue queue = new_queue(), empty = new_queue();
    new_pipe(pipe);
    new_pipe(other);
    assert_int_equal(mproc_queue_put(queue, "a", 1, 0), MPROC_OK);
    assert_int_equal(mproc_connection_send(pipe[1], "b", 1, SOON), MPROC_OK);
    mproc_waitable items[] = {a_queue(queue), a_connection(other[0]), a_connection(pipe[0]),
                              a_queue(empty)};
    size_t ready = 0;
    for (int i = 0; i < 3; i++) { /* it takes nothing */
        assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, MPROC_FOREVER), MPROC_OK);
        assert_int_equal(ready, 2);
        assert_true(items[0].ready && items[2].ready);
        assert_false(items[1].ready || items[3].ready);
    }
    assert_int_equal(mproc_connection_close(other[1]), MPROC_OK);
    assert_int_equal(mproc_queue_close(empty), MPROC_OK);
    assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, MPROC_FOREVER), MPROC_OK);
    assert_int_equal(ready, 4);
    close_pipe(pipe);
    assert_int_equal(mproc_connection_close(other[0]), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(empty), MPROC_OK);
}

static void bad_input_is_told(void **state)
{
    (void)state;
    mproc_waitable none = {0}, unknown = {.kind = (mproc_waitable_kind)9};
    mproc_waitable no_process = a_process(NULL), forged = a_connection((mproc_connection){123456});
    assert_int_equal(mproc_wait(NULL, 1, NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_wait(&none, 1, NULL, MPROC_FOREVER), MPROC_EINVAL);
    assert_int_equal(mproc_wait(NULL, 0, NULL, MPROC_FOREVER), MPROC_EINVAL);
    assert_int_equal(mproc_wait(&none, 1, NULL, -2), MPROC_EINVAL);
    assert_int_equal(mproc_wait(&unknown, 1, NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_wait(&no_process, 1, NULL, 0), MPROC_EINVAL);
    assert_int_equal(mproc_wait(&forged, 1, NULL, 0), MPROC_ENOTHELD);
    mproc_process *idle = create_process(
        &(mproc_process_options){.target = return_code, .args = "abcd", .args_size = 4});
    mproc_waitable unstarted = a_process(idle);
    assert_int_equal(mproc_wait(&unstarted, 1, NULL, 0), MPROC_ESTATE);
    mproc_process_free(idle);
}

/* ---- what comes later ---- */

typedef struct later {
    mproc_queue queue;
    mproc_queue other;
    uint32_t count;
} later;

static int put_later(void *args, size_t size)
{
    (void)size;
    later *l = args;
    host_nap(30);
    return mproc_queue_put(l->queue, "x", 1, MPROC_FOREVER) ? 1 : 0;
}

static void wait_for_queue_among(mproc_waitable *items, size_t count, mproc_queue queue)
{
    later l = {.queue = queue};
    mproc_process *child = start_process(put_later, &l, sizeof l);
    size_t ready = 0;
    assert_int_equal(mproc_wait(items, count, &ready, SOON), MPROC_OK);
    assert_int_equal(ready, 1);
    assert_true(items[0].ready);
    assert_int_equal(mproc_queue_get(queue, NULL, 0, &ready, 0), MPROC_EMSGSIZE);
    char byte;
    assert_int_equal(mproc_queue_get(queue, &byte, 1, NULL, 0), MPROC_OK);
    assert_int_equal(exit_code_of(child), 0);
}

static void a_message_of_another_process_ends_the_wait(void **state)
{
    (void)state;
    mproc_connection pipe[2];
    mproc_queue queue = new_queue(), empty = new_queue();
    new_pipe(pipe);
    for (int round = 0; round < 4; round++) {
        mproc_waitable items[] = {a_queue(queue), a_queue(empty), a_connection(pipe[0])};
        wait_for_queue_among(items, round % 2 ? 3 : 2, queue);
    }
    close_pipe(pipe);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(empty), MPROC_OK);
}

static void the_end_of_a_process_ends_the_wait(void **state)
{
    (void)state;
    mproc_queue queue = new_queue();
    hold held = {.until = new_note("wait"), .code = 4};
    mproc_process *child = start_process(hold_on, &held, sizeof held);
    mproc_waitable items[] = {a_queue(queue), a_process(child)};
    size_t ready = 0;
    assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, 10), MPROC_ETIMEDOUT);
    leave_note(&held.until, "go");
    assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, SOON), MPROC_OK);
    assert_int_equal(ready, 1);
    assert_true(items[1].ready);
    assert_int_equal(exit_code_of(child), 4);
    drop_note(&held.until);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static void send_soon(void *argument)
{
    const mproc_connection *end = argument;
    host_nap(20);
    mproc_connection_send(*end, "later", 5, SOON);
}

static void a_message_of_another_thread_ends_the_wait(void **state)
{
    (void)state;
    mproc_connection pipe[2];
    mproc_queue queue = new_queue();
    host_thread thread;
    new_pipe(pipe);
    assert_true(host_thread_start(&thread, send_soon, &pipe[1]));
    mproc_waitable items[] = {a_connection(pipe[0]), a_queue(queue)};
    size_t ready = 0;
    assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, SOON), MPROC_OK);
    assert_true(items[0].ready && !items[1].ready);
    host_thread_join(&thread);
    close_pipe(pipe);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

enum { MANY = 100 };

static void more_than_sixty_four_are_waited_for(void **state)
{
    (void)state;
    static mproc_connection pipes[MANY][2];
    mproc_queue queue = new_queue();
    mproc_waitable items[MANY + 1];
    for (int i = 0; i < MANY; i++) {
        new_pipe(pipes[i]);
        items[i] = a_connection(pipes[i][0]);
    }
    items[MANY] = a_queue(queue);
    for (int i = 0; i < MANY; i += 33) {
        host_thread thread;
        size_t ready = 0, size;
        char text[5];
        assert_true(host_thread_start(&thread, send_soon, &pipes[i][1]));
        assert_int_equal(mproc_wait(items, COUNT_OF(items), &ready, SOON), MPROC_OK);
        assert_int_equal(ready, 1);
        assert_true(items[i].ready);
        assert_int_equal(mproc_connection_recv(pipes[i][0], text, sizeof text, &size, SOON),
                         MPROC_OK);
        host_thread_join(&thread);
    }
    for (int i = 0; i < MANY; i++)
        close_pipe(pipes[i]);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

/* Each message is found, however closely it follows the wait. */
static int put_many_times(void *args, size_t size)
{
    (void)size;
    later *l = args;
    uint32_t number;
    for (uint32_t i = 0; i < l->count; i++) {
        if (mproc_queue_get(l->other, &number, sizeof number, NULL, MPROC_FOREVER) ||
            mproc_queue_put(l->queue, &number, sizeof number, MPROC_FOREVER))
            return 1;
    }
    return 0;
}

static void no_message_is_missed(void **state)
{
    (void)state;
    mproc_connection pipe[2];
    later l = {.queue = new_queue(), .other = new_queue(), .count = 1000};
    new_pipe(pipe);
    mproc_process *child = start_process(put_many_times, &l, sizeof l);
    for (uint32_t i = 0; i < l.count; i++) {
        mproc_waitable items[] = {a_queue(l.queue), a_connection(pipe[0])};
        uint32_t number = i;
        assert_int_equal(mproc_queue_put(l.other, &number, sizeof number, 0), MPROC_OK);
        assert_int_equal(mproc_wait(items, 1 + i % 2, NULL, SOON), MPROC_OK);
        assert_int_equal(mproc_queue_get(l.queue, &number, sizeof number, NULL, 0), MPROC_OK);
        assert_int_equal(number, i);
    }
    assert_int_equal(exit_code_of(child), 0);
    close_pipe(pipe);
    assert_int_equal(mproc_queue_destroy(l.queue), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(l.other), MPROC_OK);
}

/* A forked child has no doorbell, and makes its own. */
static int wait_in_child(void *args, size_t size)
{
    (void)size;
    later *l = args;
    mproc_connection pipe[2];
    mproc_waitable items[2] = {a_queue(l->queue)};
    if (mproc_pipe(&pipe[0], &pipe[1], MPROC_DUPLEX))
        return 1;
    items[1] = a_connection(pipe[0]);
    mproc_err err = mproc_queue_put(l->other, "r", 1, 0);
    if (err || (err = mproc_wait(items, 2, NULL, SOON)))
        return 2;
    return items[0].ready && !items[1].ready ? 0 : 3;
}

static void children_wait_for_themselves(void **state)
{
    (void)state;
    later l = {.queue = new_queue(), .other = new_queue()};
    mproc_connection pipe[2];
    new_pipe(pipe);
    mproc_waitable items[] = {a_queue(l.queue), a_connection(pipe[0])};
    assert_int_equal(mproc_wait(items, 2, NULL, 1), MPROC_ETIMEDOUT);
    mproc_process *child = start_process(wait_in_child, &l, sizeof l);
    char byte;
    assert_int_equal(mproc_queue_get(l.other, &byte, 1, NULL, SOON), MPROC_OK);
    host_nap(10);
    assert_int_equal(mproc_queue_put(l.queue, "m", 1, 0), MPROC_OK);
    assert_int_equal(exit_code_of(child), 0);
    close_pipe(pipe);
    assert_int_equal(mproc_queue_destroy(l.queue), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(l.other), MPROC_OK);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_ready_is_a_time_out),
        cmocka_unit_test(all_that_are_ready_are_told),
        cmocka_unit_test(bad_input_is_told),
        cmocka_unit_test(a_message_of_another_process_ends_the_wait),
        cmocka_unit_test(the_end_of_a_process_ends_the_wait),
        cmocka_unit_test(a_message_of_another_thread_ends_the_wait),
        cmocka_unit_test(more_than_sixty_four_are_waited_for),
        cmocka_unit_test(no_message_is_missed),
        cmocka_unit_test(children_wait_for_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
