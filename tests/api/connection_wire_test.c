/* The wire of connections, which is Python's: what a stranger on the other side may do, and handles
 * that come from elsewhere. */
#include "connection_support.h"

#include <stdlib.h>

#include "raw.h"

static void what_is_no_message_breaks_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool ends;
    } streams[] = {
        {"\xff\xff\xff\xfe", 4, false},
        {"\x80\0\0\0", 4, false},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, false},
        {"\xff\xff\xff\xff\x40\0\0\0\0\0\0\x01", 12, false},
        {"\0", 1, true},
        {"\0\0\0", 3, true},
        {"\xff\xff\xff\xff\0\0\0", 7, true},
        {"\0\0\0\x05hell", 8, true},
        {"\x7f\xff\xff\xff"
         "abc",
         7, true},
        {"\xff\xff\xff\xff\x40\0\0\0\0\0\0\0z", 13, true},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(streams); i++) {
        ends it = new_pipe(MPROC_DUPLEX);
        char buffer[16] = "";
        size_t size = 77;
        void *data = NULL;
        assert_true(raw_write(handle_of(it.a), streams[i / 2].bytes, streams[i / 2].size));
        if (streams[i / 2].ends)
            close_end(it.a);
        for (int j = 0; j < 3; j++) {
            mproc_err err = i % 2 ? mproc_connection_recv_alloc(it.b, &data, &size, 0, SOON)
                                  : mproc_connection_recv(it.b, buffer, sizeof buffer, &size, SOON);
            if (err == MPROC_EMSGSIZE && i % 2 == 0)
                err = mproc_connection_recv_alloc(it.b, &data, &size, 0, SOON);
            assert_int_equal(err, MPROC_EPROTO);
            assert_null(data);
            assert_int_equal(mproc_connection_poll(it.b, 0), MPROC_OK);
        }
        if (!streams[i / 2].ends) {
            send_text(it.b, "the other direction goes on");
            close_end(it.a);
        }
        close_end(it.b);
    }
}

static void a_length_that_is_made_up_costs_no_memory(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    void *data = NULL;
    size_t size = 0;
    assert_true(raw_write(handle_of(it.a),
                          "\xff\xff\xff\xff\x3f\xff\xff\xff\xff\xff\xff\xff"
                          "abc",
                          15));
    assert_int_equal(mproc_connection_recv_alloc(it.b, &data, &size, 1000, 0), MPROC_EMSGSIZE);
    assert_true(size == (size_t)0x3fffffffffffffff);
    for (int i = 0; i < 10; i++)
        assert_int_equal(mproc_connection_recv_alloc(it.b, &data, &size, 0, 1), MPROC_ETIMEDOUT);
    assert_null(data);
    close_pipe(it);
}

/* What Python would send for 3 bytes if they were many is read, too. */
static void a_long_header_of_a_short_message_is_fine(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    assert_true(raw_write(handle_of(it.a),
                          "\xff\xff\xff\xff\0\0\0\0\0\0\0\x03"
                          "abc\0\0\0\x01z",
                          20));
    assert_receives(it.b, "abc");
    assert_receives(it.b, "z");
    close_pipe(it);
}

static void the_wire_is_pythons(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    char bytes[16];
    send_text(it.a, "hello");
    assert_int_equal(mproc_connection_send(it.a, NULL, 0, SOON), MPROC_OK);
    assert_true(raw_read(handle_of(it.b), bytes, 13));
    assert_memory_equal(bytes, "\0\0\0\x05hello\0\0\0\0", 13);
    close_pipe(it);
}

static void a_handle_becomes_a_connection(void **state)
{
    (void)state;
    for (int blocking = 0; blocking < 2; blocking++) {
        for (int socket = 0; socket < 2; socket++) {
            intptr_t handles[2];
            ends it;
            char buffer[8];
            size_t size;
            assert_true(raw_pair(handles, socket, blocking));
            assert_int_equal(mproc_connection_from_handle(&it.a, handles[0], true, socket),
                             MPROC_OK);
            assert_int_equal(mproc_connection_from_handle(&it.b, handles[1], socket, true),
                             MPROC_OK);
            assert_int_equal(handle_of(it.a), handles[0]);
            assert_int_equal(mproc_connection_recv(it.a, buffer, 8, &size, 0), MPROC_ETIMEDOUT);
            assert_int_equal(mproc_connection_recv(it.a, buffer, 8, &size, 10), MPROC_ETIMEDOUT);
            send_text(it.b, "hi");
            assert_receives(it.a, "hi");
            enum { SIZE = 1 << 20 };
            unsigned char *bytes = new_pattern(SIZE, 4);
            receiving other = {.from = it.a, .count = 2, .size = SIZE, .seeds = (unsigned[]){4, 4}};
            host_thread thread;
            assert_int_equal(mproc_connection_send(it.b, bytes, SIZE, 5), MPROC_EFULL);
            assert_true(host_thread_start(&thread, receive_there, &other));
            mproc_err err =
                mproc_connection_send(it.b, bytes, SIZE, blocking ? MPROC_FOREVER : SOON);
            host_thread_join(&thread);
            assert_int_equal(err, MPROC_OK);
            assert_true(other.good);
            free(bytes);
            close_end(it.a);
            assert_int_equal(mproc_connection_send(it.b, "x", 1, SOON), MPROC_EEOF);
            assert_int_equal(mproc_connection_send(it.b, "x", 1, MPROC_FOREVER), MPROC_EEOF);
            close_end(it.b);
        }
    }
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_message_breaks_the_connection),
        cmocka_unit_test(a_length_that_is_made_up_costs_no_memory),
        cmocka_unit_test(a_long_header_of_a_short_message_is_fine),
        cmocka_unit_test(the_wire_is_pythons),
        cmocka_unit_test(a_handle_becomes_a_connection),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
