/* Ends of pipes that travel over others, and processes at them. */
#include "connection_support.h"

#include <stdlib.h>

#include "raw.h"

/* ---- ends that travel ---- */

static void an_end_travels_over_another(void **state)
{
    (void)state;
    ends way = new_pipe(MPROC_DUPLEX), it = new_pipe(MPROC_DUPLEX);
    mproc_connection received = {0};
    char buffer[8];
    size_t size;
    send_text(way.a, "before");
    assert_int_equal(mproc_connection_send_connection(way.a, it.b, SOON), MPROC_OK);
    send_text(way.a, "after");
    close_end(it.b);
    assert_int_equal(mproc_connection_recv(it.b, buffer, 8, &size, 0), MPROC_ENOTHELD);
    send_text(it.a, "waiting");
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_ESTATE);
    assert_receives(way.b, "before");
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_OK);
    assert_int_equal(received.id, it.b.id);
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_ESTATE);
    assert_receives(way.b, "after");
    assert_receives(received, "waiting");
    send_text(received, "back");
    assert_receives(it.a, "back");
    close_end(received);
    assert_int_equal(mproc_connection_recv(it.a, buffer, 8, &size, SOON), MPROC_EEOF);
    close_end(it.a);
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, 10), MPROC_ETIMEDOUT);
    close_end(way.a);
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_EEOF);
    close_end(way.b);
}

static void an_end_in_the_middle_of_a_message_stays(void **state)
{
    (void)state;
    ends way = new_pipe(MPROC_DUPLEX), it = new_pipe(MPROC_DUPLEX);
    char buffer[8];
    size_t size;
    assert_true(raw_write(handle_of(it.a), "\0\0", 2));
    assert_int_equal(mproc_connection_recv(it.b, buffer, 8, &size, 0), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_connection_send_connection(way.a, it.b, SOON), MPROC_ESTATE);
    assert_true(raw_write(handle_of(it.a), "\0\x01!", 3));
    assert_receives(it.b, "!");
    assert_int_equal(mproc_connection_send_connection(way.a, it.b, SOON), MPROC_OK);
    close_pipe(way);
    close_pipe(it);
}

/* Forged: the right size and name, but no handle comes with it. */
static void an_end_that_is_made_up_is_not_received(void **state)
{
    (void)state;
    ends way = new_pipe(MPROC_DUPLEX);
    mproc_connection received = {7};
    unsigned char wire[44] = {0, 0, 0, 40, 'm', 'p', 'r', 'o', 'c', 'e', 'n', 'd', 1, 2, 3};
    wire[36] = 3;
    assert_true(raw_write(handle_of(way.a), wire, sizeof wire));
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_EBROKEN);
    memset(wire + 4, 'x', 40);
    assert_true(raw_write(handle_of(way.a), wire, sizeof wire));
    assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_ESTATE);
    assert_receives(way.b, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_int_equal(received.id, 7);
    close_pipe(way);
}

static void no_handle_is_left_behind(void **state)
{
    (void)state;
    size_t before = 0;
    for (int i = 0; i < 12; i++) {
        ends way = new_pipe(MPROC_DUPLEX), it = new_pipe(i % 2 ? MPROC_DUPLEX : MPROC_SIMPLEX);
        mproc_connection received;
        assert_int_equal(mproc_connection_send_connection(way.a, it.a, SOON), MPROC_OK);
        if (i % 3) {
            assert_int_equal(mproc_connection_recv_connection(way.b, &received, SOON), MPROC_OK);
        } else if (!host_is_windows) { /* thrown away: there it would stay with the sender */
            char buffer[64];
            size_t size;
            assert_int_equal(mproc_connection_recv(way.b, buffer, 64, &size, SOON), MPROC_OK);
        }
        send_text(it.b, "x");
        assert_receives(it.a, "x");
        close_pipe(way);
        close_pipe(it);
        if (i == 3)
            before = host_open_handles();
    }
    assert_in_range(host_open_handles(), 0, host_is_windows ? before + 4 : before);
}

/* ---- processes ---- */

static mproc_process *start_with(mproc_target target, mproc_connection given)
{
    return start_options((mproc_process_options){.target = target,
                                                 .args = &given,
                                                 .args_size = sizeof given,
                                                 .connections = &given,
                                                 .connection_count = 1});
}

/* Everything comes back, until the end. */
static int echo(void *args, size_t size)
{
    mproc_connection there = *(mproc_connection *)args;
    void *data;
    int count = 0;
    mproc_err err;
    while (!(err = mproc_connection_recv_alloc(there, &data, &size, 0, SOON))) {
        err = mproc_connection_send(there, data, size, SOON);
        mproc_connection_free_message(data);
        if (err)
            return 100;
        count++;
    }
    return err == MPROC_EEOF ? count : 101;
}

static void a_child_answers_and_sees_the_end(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 5, 70000, 0, 16u << 20, 1};
    ends it = new_pipe(MPROC_DUPLEX);
    mproc_process *child = start_with(echo, it.b);
    close_end(it.b);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *bytes = new_pattern(sizes[i], (unsigned)i);
        void *back = NULL;
        size_t size = 77;
        assert_int_equal(mproc_connection_send(it.a, bytes, sizes[i], SOON), MPROC_OK);
        assert_int_equal(mproc_connection_recv_alloc(it.a, &back, &size, 0, SOON), MPROC_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(back, bytes, size);
        mproc_connection_free_message(back);
        free(bytes);
    }
    close_end(it.a);
    assert_int_equal(exit_code_of(child), COUNT_OF(sizes));
}

/* Serves over each connection that comes, one after the other. */
static int serve(void *args, size_t size)
{
    mproc_connection there = *(mproc_connection *)args, client;
    int served = 0;
    mproc_err err;
    (void)size;
    while (!(err = mproc_connection_recv_connection(there, &client, SOON))) {
        if (echo(&client, sizeof client) != 1 || mproc_connection_close(client))
            return 100;
        served++;
    }
    return err == MPROC_EEOF ? served : 101;
}

static void ends_travel_between_processes(void **state)
{
    (void)state;
    ends way = new_pipe(MPROC_DUPLEX);
    mproc_process *server = start_with(serve, way.b);
    char byte;
    size_t size;
    close_end(way.b);
    for (int i = 0; i < 3; i++) {
        ends it = new_pipe(MPROC_DUPLEX);
        assert_int_equal(mproc_connection_send_connection(way.a, it.b, SOON), MPROC_OK);
        close_end(it.b);
        send_text(it.a, "over there");
        assert_receives(it.a, "over there");
        assert_int_equal(mproc_connection_recv(it.a, &byte, 1, &size, 0), MPROC_ETIMEDOUT);
        close_end(it.a);
    }
    close_end(way.a);
    assert_int_equal(exit_code_of(server), 3);
}

/* Stands still behind one message and a part of another. */
static int send_half(void *args, size_t size)
{
    static char much[4 << 20];
    mproc_connection there = *(mproc_connection *)args;
    (void)size;
    if (mproc_connection_send(there, "whole", 5, SOON) ||
        mproc_connection_send(there, much, sizeof much, 0) != MPROC_EFULL)
        return 100;
    return wait_forever(NULL, 0);
}

static int send_whole(void *args, size_t size)
{
    mproc_connection there = *(mproc_connection *)args;
    (void)size;
    return mproc_connection_send(there, "whole", 5, SOON) ? 100 : wait_forever(NULL, 0);
}

static void a_killed_sender_is_the_end_between_messages_and_an_error_within(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        ends it = new_pipe(MPROC_SIMPLEX);
        mproc_process *child = start_with(half ? send_half : send_whole, it.b);
        void *data;
        size_t size;
        close_end(it.b);
        assert_receives(it.a, "whole");
        if (half)
            assert_int_equal(mproc_connection_poll(it.a, SOON), MPROC_OK);
        end_process(child);
        assert_int_equal(mproc_connection_recv_alloc(it.a, &data, &size, 0, SOON),
                         half ? MPROC_EPROTO : MPROC_EEOF);
        close_end(it.a);
    }
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_travels_over_another),
        cmocka_unit_test(an_end_in_the_middle_of_a_message_stays),
        cmocka_unit_test(an_end_that_is_made_up_is_not_received),
        cmocka_unit_test(no_handle_is_left_behind),
        cmocka_unit_test(a_child_answers_and_sees_the_end),
        cmocka_unit_test(ends_travel_between_processes),
        cmocka_unit_test(a_killed_sender_is_the_end_between_messages_and_an_error_within),
    };
    return cmocka_run_group_tests_name("travelling ends", tests, NULL, NULL);
}
