/* Connections: messages and their borders, time-outs in the middle, three kinds of ends, ends that
 * travel, and what a stranger on the other side may do. */
#include "support.h"

#include <stdlib.h>

#include "raw.h"

typedef struct ends {
    mproc_connection a, b;
} ends;

static ends new_pipe(mproc_pipe_mode mode)
{
    ends it;
    assert_int_equal(mproc_pipe(&it.a, &it.b, mode), MPROC_OK);
    return it;
}

static void close_end(mproc_connection end)
{
    assert_int_equal(mproc_connection_close(end), MPROC_OK);
}

static void close_pipe(ends it)
{
    close_end(it.a);
    close_end(it.b);
}

static void send_text(mproc_connection to, const char *text)
{
    assert_int_equal(mproc_connection_send(to, text, strlen(text), SOON), MPROC_OK);
}

static void assert_receives(mproc_connection from, const char *text)
{
    char buffer[256];
    size_t size = 0;
    assert_int_equal(mproc_connection_recv(from, buffer, sizeof buffer, &size, SOON), MPROC_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(buffer, text, size);
}

static intptr_t handle_of(mproc_connection connection)
{
    intptr_t handle = -1;
    assert_int_equal(mproc_connection_handle(connection, &handle), MPROC_OK);
    return handle;
}

static unsigned char *pattern(size_t size, unsigned seed)
{
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((i * 31 + seed) >> (i % 3));
    return bytes;
}

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
        unsigned char *bytes = pattern(expected, (unsigned)i), *buffer = malloc(expected);
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

typedef struct receiving {
    mproc_connection from;
    size_t count; /* of messages to come */
    size_t size;
    unsigned *seeds;
    bool good;
} receiving;

static void receive_there(void *argument)
{
    receiving *it = argument;
    it->good = true;
    for (size_t i = 0; i < it->count && it->good; i++) {
        void *data;
        size_t size;
        mproc_err err = mproc_connection_recv_alloc(it->from, &data, &size, 0, SOON);
        it->good = !err && size == it->size;
        for (size_t j = 0; j < size && it->good; j++)
            it->good =
                ((unsigned char *)data)[j] == (unsigned char)((j * 31 + it->seeds[i]) >> (j % 3));
        if (!err)
            mproc_connection_free_message(data);
    }
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
            unsigned char *bytes = pattern(SIZE, i);
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
    unsigned char *bytes = pattern(SIZE, 3), *buffer = malloc(SIZE);
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
    unsigned char *bytes = pattern(SIZE, 3);
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

/* ---- strangers ---- */

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
            unsigned char *bytes = pattern(SIZE, 4);
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
        unsigned char *bytes = pattern(sizes[i], (unsigned)i);
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
        cmocka_unit_test(what_is_no_message_breaks_the_connection),
        cmocka_unit_test(a_length_that_is_made_up_costs_no_memory),
        cmocka_unit_test(a_long_header_of_a_short_message_is_fine),
        cmocka_unit_test(the_wire_is_pythons),
        cmocka_unit_test(a_handle_becomes_a_connection),
        cmocka_unit_test(threads_take_turns),
        cmocka_unit_test(a_turn_that_does_not_come_times_out),
        cmocka_unit_test(an_end_travels_over_another),
        cmocka_unit_test(an_end_in_the_middle_of_a_message_stays),
        cmocka_unit_test(an_end_that_is_made_up_is_not_received),
        cmocka_unit_test(no_handle_is_left_behind),
        cmocka_unit_test(a_child_answers_and_sees_the_end),
        cmocka_unit_test(ends_travel_between_processes),
        cmocka_unit_test(a_killed_sender_is_the_end_between_messages_and_an_error_within),
    };
    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
