/* Connections: messages and their borders, time-outs in the middle, three kinds of ends, and threads
 * that share one. */
#include "connection_support.h"

#include <stdlib.h>

#include "raw.h"

/* ---- messages ---- */

static void borders_of_messages_stay(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    const char *const texts[] = {"one", "", "two and a bit", "", "", "3"};
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            send_text(way ? it.a : it.b, texts[i]);
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            assert_receives(way ? it.b : it.a, texts[i]);
    }
    close_pipe(it);
}

static void an_empty_message_is_a_message(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_SIMPLEX);
    size_t size = 9;
    void *data = NULL;
    assert_int_equal(mproc_connection_send(it.b, NULL, 0, SOON), MPROC_OK);
    assert_int_equal(mproc_connection_send(it.b, "", 0, SOON), MPROC_OK);
    assert_int_equal(mproc_connection_poll(it.a, 0), MPROC_OK);
    assert_int_equal(mproc_connection_recv(it.a, NULL, 0, &size, SOON), MPROC_OK);
    assert_int_equal(size, 0);
    size = 9;
    assert_int_equal(mproc_connection_recv_alloc(it.a, &data, &size, 0, SOON), MPROC_OK);
    assert_int_equal(size, 0);
    assert_non_null(data);
    mproc_connection_free_message(data);
    mproc_connection_free_message(NULL);
    assert_int_equal(mproc_connection_poll(it.a, 0), MPROC_ETIMEDOUT);
    close_pipe(it);
}

typedef struct sending {
    mproc_connection to;
    const void *bytes;
    size_t size;
    int timeout_ms;
    mproc_err err;
} sending;

static void send_there(void *argument)
{
    sending *it = argument;
    it->err = mproc_connection_send(it->to, it->bytes, it->size, it->timeout_ms);
}

static void messages_of_any_size_arrive(void **state)
{
    (void)state;
    const size_t sizes[] = {
        1,     3,     4,      5,      63,     4096,   16379,    16380,          16384,    65532,
        65536, 65537, 262143, 262144, 262145, 524289, 1u << 20, (1u << 20) + 1, 16u << 20};
    ends it = new_pipe(MPROC_DUPLEX);
    for (size_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
        size_t expected = sizes[i / 2], size = 0;
        unsigned char *bytes = new_pattern(expected, (unsigned)i), *buffer = malloc(expected);
        host_thread thread;
        sending other = {it.b, bytes, expected, i % 4 < 2 ? MPROC_FOREVER : SOON, MPROC_EINVAL};
        void *got = NULL;
        assert_non_null(buffer);
        assert_true(host_thread_start(&thread, send_there, &other));
        mproc_err err =
            i % 2 ? mproc_connection_recv(it.a, buffer, expected, &size, SOON)
                  : mproc_connection_recv_alloc(it.a, &got, &size, expected, MPROC_FOREVER);
        host_thread_join(&thread);
        assert_int_equal(err, MPROC_OK);
        assert_int_equal(other.err, MPROC_OK);
        assert_int_equal(size, expected);
        assert_memory_equal(i % 2 ? buffer : got, bytes, size);
        mproc_connection_free_message(got);
        free(buffer);
        free(bytes);
    }
    assert_int_equal(mproc_connection_poll(it.a, 0), MPROC_ETIMEDOUT);
    close_pipe(it);
}

static void too_small_a_buffer_loses_nothing(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    char buffer[8] = "untouch";
    size_t size = 0;
    void *data = buffer;
    send_text(it.a, "eight by");
    send_text(it.a, "next");
    for (size_t capacity = 0; capacity < 8; capacity++) {
        size = 0;
        assert_int_equal(mproc_connection_recv(it.b, buffer, capacity, &size, 0), MPROC_EMSGSIZE);
        assert_int_equal(size, 8);
        assert_int_equal(mproc_connection_poll(it.b, 0), MPROC_OK);
        assert_string_equal(buffer, "untouch");
    }
    size = 0;
    assert_int_equal(mproc_connection_recv_alloc(it.b, &data, &size, 7, 0), MPROC_EMSGSIZE);
    assert_int_equal(size, 8);
    assert_ptr_equal(data, buffer);
    assert_receives(it.b, "eight by");
    assert_receives(it.b, "next");
    close_pipe(it);
}

static void looking_takes_nothing(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_SIMPLEX);
    assert_int_equal(mproc_connection_poll(it.a, 0), MPROC_ETIMEDOUT);
    int64_t began = host_now();
    assert_int_equal(mproc_connection_poll(it.a, 50), MPROC_ETIMEDOUT);
    assert_true(host_now() - began >= 30);
    send_text(it.b, "x");
    for (int i = 0; i < 5; i++)
        assert_int_equal(mproc_connection_poll(it.a, i % 2 ? 0 : MPROC_FOREVER), MPROC_OK);
    assert_receives(it.a, "x");
    assert_int_equal(mproc_connection_poll(it.a, 0), MPROC_ETIMEDOUT);
    close_end(it.b);
    assert_int_equal(mproc_connection_poll(it.a, MPROC_FOREVER), MPROC_OK); /* the end is there */
    close_end(it.a);
}

/* ---- ends ---- */

static void end_closed_and_wrong_direction_are_three_errors(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_SIMPLEX), duplex = new_pipe(MPROC_DUPLEX);
    const mproc_connection none = {0}, forged = {12345};
    mproc_connection received = {7};
    char buffer[8];
    size_t size = 77;
    intptr_t handle = 5;
    assert_int_equal(mproc_connection_send(it.a, "x", 1, 0), MPROC_EACCES);
    assert_int_equal(mproc_connection_flush(it.a, 0), MPROC_EACCES);
    assert_int_equal(mproc_connection_send_connection(it.a, duplex.a, 0), MPROC_EACCES);
    assert_int_equal(mproc_connection_recv(it.b, buffer, 8, &size, 0), MPROC_EACCES);
    assert_int_equal(mproc_connection_poll(it.b, 0), MPROC_EACCES);
    assert_int_equal(mproc_connection_recv_connection(it.b, &received, 0), MPROC_EACCES);
    send_text(it.b, "last");
    close_end(it.b);
    assert_int_equal(mproc_connection_send(it.b, "x", 1, 0), MPROC_ENOTHELD);
    assert_int_equal(mproc_connection_close(it.b), MPROC_ENOTHELD);
    assert_int_equal(mproc_connection_handle(it.b, &handle), MPROC_ENOTHELD);
    assert_int_equal(mproc_connection_recv(none, buffer, 8, &size, 0), MPROC_ENOTHELD);
    assert_int_equal(mproc_connection_poll(forged, 0), MPROC_ENOTHELD);
    assert_int_equal(mproc_connection_send_connection(duplex.a, it.b, 0), MPROC_ENOTHELD);
    assert_receives(it.a, "last");
    for (int i = 0; i < 2; i++)
        assert_int_equal(mproc_connection_recv(it.a, buffer, 8, &size, MPROC_FOREVER), MPROC_EEOF);
    assert_int_equal(size, 77);
    assert_int_equal(handle, 5);
    close_end(it.a);
    close_end(duplex.b);
    assert_int_equal(mproc_connection_send(duplex.a, "x", 1, MPROC_FOREVER), MPROC_EEOF);
    assert_int_equal(mproc_connection_recv(duplex.a, buffer, 8, &size, 0), MPROC_EEOF);
    close_end(duplex.a);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    mproc_connection made = {7};
    char buffer[8];
    size_t size;
    void *data;
    assert_int_equal(mproc_pipe(NULL, &made, MPROC_DUPLEX), MPROC_EINVAL);
    assert_int_equal(mproc_pipe(&made, NULL, MPROC_DUPLEX), MPROC_EINVAL);
    assert_int_equal(mproc_pipe(&made, &made, (mproc_pipe_mode)2), MPROC_EINVAL);
    assert_int_equal(mproc_connection_send(it.a, NULL, 1, 0), MPROC_EINVAL);
    assert_int_equal(mproc_connection_send(it.a, "", 1, -2), MPROC_EINVAL);
    assert_int_equal(mproc_connection_recv(it.a, NULL, 1, &size, 0), MPROC_EINVAL);
    assert_int_equal(mproc_connection_recv(it.a, buffer, 1, &size, -2), MPROC_EINVAL);
    assert_int_equal(mproc_connection_recv_alloc(it.a, NULL, &size, 0, 0), MPROC_EINVAL);
    assert_int_equal(mproc_connection_recv_alloc(it.a, &data, NULL, 0, 0), MPROC_EINVAL);
    assert_int_equal(mproc_connection_poll(it.a, -3), MPROC_EINVAL);
    assert_int_equal(mproc_connection_handle(it.a, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_connection_from_handle(&made, -1, true, true), MPROC_EINVAL);
    assert_int_equal(mproc_connection_from_handle(&made, handle_of(it.a), false, false),
                     MPROC_EINVAL);
    assert_int_equal(mproc_connection_from_handle(&made, 54321, true, true), MPROC_EOS);
    assert_int_equal(mproc_connection_from_handle(NULL, handle_of(it.a), true, true), MPROC_EINVAL);
    assert_int_equal(mproc_connection_send_connection(it.a, it.a, 0), MPROC_EINVAL);
    assert_int_equal(mproc_connection_recv_connection(it.a, NULL, 0), MPROC_EINVAL);
    assert_int_equal(made.id, 7);
    close_pipe(it);
}

/* ---- in the middle of a message ---- */

static void a_message_that_dribbles_in_survives_every_time_out(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_DUPLEX);
    const char wire[] = "\0\0\0\x05"
                        "hello\0\0\0\0\0\0\0\x03yes";
    const char *const texts[] = {"hello", "", "yes"};
    for (int round = 0; round < 3; round++) {
        char buffer[8];
        size_t size, count = 0;
        for (size_t i = 0; i < sizeof wire - 1; i++) {
            assert_int_equal(mproc_connection_recv(it.b, buffer, sizeof buffer, &size, 0),
                             MPROC_ETIMEDOUT);
            if (round == 2)
                assert_int_equal(mproc_connection_poll(it.b, 0), MPROC_ETIMEDOUT);
            assert_true(raw_write(handle_of(it.a), wire + i, 1));
            if (i + 1 != 9 && i + 1 != 13 && i + 1 != sizeof wire - 1)
                continue;
            if (round == 1) {
                void *data;
                assert_int_equal(mproc_connection_recv_alloc(it.b, &data, &size, 0, SOON),
                                 MPROC_OK);
                memcpy(buffer, data, size);
                mproc_connection_free_message(data);
            } else {
                assert_int_equal(mproc_connection_recv(it.b, buffer, sizeof buffer, &size, SOON),
                                 MPROC_OK);
            }
            assert_int_equal(size, strlen(texts[count]));
            assert_memory_equal(buffer, texts[count], size);
            count++;
        }
        assert_int_equal(count, 3);
    }
    close_pipe(it);
}

/* Whatever a send says, a receiver that comes later finds whole messages, each one once. */
static void a_send_that_is_late_tears_and_doubles_nothing(void **state)
{
    (void)state;
    enum { SIZE = 300000, TRIES = 12 };
    const int timeouts[] = {0, 1, 5};
    for (size_t round = 0; round < COUNT_OF(timeouts); round++) {
        ends it = new_pipe(MPROC_DUPLEX);
        unsigned seeds[TRIES];
        receiving other = {.from = it.b, .size = SIZE, .seeds = seeds};
        host_thread thread;
        int begun = 0;
        for (unsigned i = 0; i < TRIES; i++) {
            unsigned char *bytes = new_pattern(SIZE, i);
            mproc_err err = mproc_connection_send(it.a, bytes, SIZE, timeouts[round]);
            free(bytes);
            assert_true(!err || err == MPROC_EFULL || err == MPROC_ETIMEDOUT);
            if (err != MPROC_ETIMEDOUT)
                seeds[other.count++] = i;
            begun += err == MPROC_EFULL;
        }
        assert_int_equal(begun, 1); /* behind it nothing else can begin */
        assert_int_equal(mproc_connection_flush(it.a, 1), MPROC_ETIMEDOUT);
        assert_true(host_thread_start(&thread, receive_there, &other));
        mproc_err flushed = mproc_connection_flush(it.a, SOON);
        host_thread_join(&thread);
        assert_int_equal(flushed, MPROC_OK);
        assert_true(other.good);
        assert_int_equal(mproc_connection_flush(it.a, 0), MPROC_OK);
        send_text(it.a, "after");
        assert_receives(it.b, "after");
        close_pipe(it);
    }
}

static void a_large_message_survives_impatient_receivers(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20 };
    ends it = new_pipe(MPROC_DUPLEX);
    unsigned char *bytes = new_pattern(SIZE, 3), *buffer = malloc(SIZE);
    sending other = {it.a, bytes, SIZE, SOON, MPROC_EINVAL};
    host_thread thread;
    size_t size = 0;
    mproc_err err;
    assert_non_null(buffer);
    assert_true(host_thread_start(&thread, send_there, &other));
    int64_t until = host_now() + SOON;
    while ((err = mproc_connection_recv(it.b, buffer, SIZE, &size, 0)) == MPROC_ETIMEDOUT &&
           host_now() < until)
        host_nap(0);
    host_thread_join(&thread);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(other.err, MPROC_OK);
    assert_int_equal(size, SIZE);
    assert_memory_equal(buffer, bytes, SIZE);
    free(bytes);
    free(buffer);
    close_pipe(it);
}

static void closing_sends_what_fits(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    ends it = new_pipe(MPROC_DUPLEX);
    unsigned char *bytes = new_pattern(SIZE, 3);
    void *data;
    size_t size;
    assert_int_equal(mproc_connection_send(it.a, bytes, SIZE, 0), MPROC_EFULL);
    free(bytes);
    close_end(it.a);
    /* The other side is told that something is missing. */
    assert_int_equal(mproc_connection_recv_alloc(it.b, &data, &size, 0, SOON), MPROC_EPROTO);
    assert_int_equal(mproc_connection_recv_alloc(it.b, &data, &size, 0, SOON), MPROC_EPROTO);
    assert_int_equal(mproc_connection_poll(it.b, 0), MPROC_OK);
    close_end(it.b);
}

/* ---- threads ---- */

enum { WRITERS = 4, EACH = 200 };

typedef struct writer {
    mproc_connection to;
    unsigned number;
    bool good;
} writer;

static void write_many(void *argument)
{
    writer *it = argument;
    unsigned char bytes[1000];
    it->good = true;
    for (unsigned i = 0; i < EACH && it->good; i++) {
        size_t size = 1 + (i * 37 + it->number) % sizeof bytes;
        memset(bytes, (int)(it->number * 50 + i % 50), size);
        it->good = !mproc_connection_send(it->to, bytes, size, i % 2 ? SOON : MPROC_FOREVER);
    }
}

typedef struct taker {
    mproc_connection from;
    unsigned got;
    bool good;
} taker;

static void take_many(void *argument)
{
    taker *it = argument;
    unsigned char bytes[1000];
    size_t size;
    mproc_err err;
    it->good = true;
    while (!(err = mproc_connection_recv(it->from, bytes, sizeof bytes, &size, SOON))) {
        for (size_t i = 1; i < size; i++)
            it->good = it->good && bytes[i] == bytes[0];
        it->got++;
    }
    it->good = it->good && err == MPROC_EEOF;
}

static void threads_take_turns(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_SIMPLEX);
    host_thread threads[2 * WRITERS];
    writer writers[WRITERS];
    taker takers[WRITERS];
    unsigned got = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.to = it.b, .number = i};
        takers[i] = (taker){.from = it.a};
        assert_true(host_thread_start(&threads[i], write_many, &writers[i]));
        assert_true(host_thread_start(&threads[WRITERS + i], take_many, &takers[i]));
    }
    for (unsigned i = 0; i < WRITERS; i++)
        host_thread_join(&threads[i]);
    close_end(it.b);
    for (unsigned i = 0; i < WRITERS; i++) {
        host_thread_join(&threads[WRITERS + i]);
        assert_true(writers[i].good);
        assert_true(takers[i].good);
        got += takers[i].got;
    }
    assert_int_equal(got, WRITERS * EACH);
    close_end(it.a);
}

static void a_turn_that_does_not_come_times_out(void **state)
{
    (void)state;
    ends it = new_pipe(MPROC_SIMPLEX);
    taker other = {.from = it.a};
    host_thread thread;
    char buffer[8];
    size_t size;
    assert_true(host_thread_start(&thread, take_many, &other));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mproc_connection_recv(it.a, buffer, 8, &size, 0), MPROC_ETIMEDOUT);
        assert_int_equal(mproc_connection_recv(it.a, buffer, 8, &size, 10), MPROC_ETIMEDOUT);
        assert_int_equal(mproc_connection_poll(it.a, 10), MPROC_ETIMEDOUT);
    }
    close_end(it.a); /* while it is in use */
    send_text(it.b, "one");
    close_end(it.b);
    host_thread_join(&thread);
    assert_int_equal(other.got, 1);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_of_messages_stay),
        cmocka_unit_test(an_empty_message_is_a_message),
        cmocka_unit_test(messages_of_any_size_arrive),
        cmocka_unit_test(too_small_a_buffer_loses_nothing),
        cmocka_unit_test(looking_takes_nothing),
        cmocka_unit_test(end_closed_and_wrong_direction_are_three_errors),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_message_that_dribbles_in_survives_every_time_out),
        cmocka_unit_test(a_send_that_is_late_tears_and_doubles_nothing),
        cmocka_unit_test(a_large_message_survives_impatient_receivers),
        cmocka_unit_test(closing_sends_what_fits),
        cmocka_unit_test(threads_take_turns),
        cmocka_unit_test(a_turn_that_does_not_come_times_out),
    };
    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
