/* Streams of messages, also cut, changed or made up, in pieces of any size, against a second reading
 * of the format. The same in every run; MPROC_SOAK=1 makes it long. */
#include "support.h"

#include <stdlib.h>

#include "raw.h"

enum { STREAM = 40000, PASSAGE = 40, MUTATIONS = 5 };

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (uint32_t)(chance_state >> 33) % below;
}

/* ---- streams ---- */

static unsigned char stream[STREAM];
static size_t stream_size;

static void add_number(uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        stream[stream_size++] = (unsigned char)(number >> (8 * i));
}

static void add_message(void)
{
    static const size_t sizes[] = {0, 0, 1, 3, 4, 5, 12, 39, 40, 40, 41, 100, 1000};
    size_t size = chance(40) ? sizes[chance(COUNT_OF(sizes))] : chance(12000);
    if (stream_size + size + 12 > STREAM)
        return;
    bool is_long = chance(8) == 0;
    if (is_long)
        add_number(UINT32_MAX, 4);
    add_number(size, is_long ? 8 : 4);
    size_t begin = stream_size;
    for (size_t i = 0; i < size; i++)
        stream[stream_size++] = (unsigned char)chance(256);
    if (size == PASSAGE && chance(2))
        memcpy(stream + begin, "mprocend", 8);
}

static void mutate(void)
{
    static const uint64_t lengths[] = {0x7fffffff,         0x80000000,         0xfffffffe,
                                       0x4000000000000000, 0x4000000000000001, UINT64_MAX,
                                       UINT64_MAX / 2,     0x100000000,        0xffffffffff};
    size_t at = stream_size ? chance((uint32_t)stream_size) : 0;
    switch (chance(5)) {
    case 0:
        stream[at] ^= (unsigned char)(1 << chance(8));
        break;
    case 1:
        stream[at] = (unsigned char)(chance(2) ? 0xff : chance(256));
        break;
    case 2:
        stream_size = at;
        break;
    case 3:
        if (at + 12 <= stream_size) {
            size_t whole = stream_size;
            stream_size = at;
            if (chance(2))
                add_number(UINT32_MAX, 4);
            add_number(lengths[chance(COUNT_OF(lengths))], 8);
            stream_size = whole;
        }
        break;
    default:
        memmove(stream, stream + at, stream_size - at);
        stream_size -= at;
        break;
    }
}

static void make_stream(void)
{
    stream_size = 0;
    for (uint32_t count = chance(12); count > 0; count--)
        add_message();
    if (chance(3))
        return;
    for (uint32_t count = 1 + chance(MUTATIONS); count > 0; count--)
        mutate();
}

/* ---- the second reading ---- */

typedef struct expected {
    size_t begin, header; /* header 0: what it is cannot be known */
    uint64_t size;
    bool wrong;
} expected;

static uint64_t number_at(size_t at, size_t bytes)
{
    uint64_t number = 0;
    while (bytes-- > 0)
        number = number * 256 + stream[at++];
    return number;
}

static expected read_header(size_t begin, size_t end)
{
    expected it = {.begin = begin};
    size_t have = end - begin;
    if (have < 4)
        return it;
    int32_t told = (int32_t)(uint32_t)number_at(begin, 4);
    if (told >= 0) {
        it.header = 4;
        it.size = (uint64_t)told;
    } else if (told < -1) {
        it.wrong = true;
    } else if (have >= 12) {
        it.header = 12;
        it.size = number_at(begin + 4, 8);
        it.wrong = it.size > UINT64_C(1) << 62;
    }
    return it;
}

typedef struct run {
    mproc_connection from;
    size_t at;  /* where the next message begins */
    size_t fed; /* how much of the stream has been sent */
    bool closed;
    bool broken; /* a receive has said so */
} run;

/* What a receive without waiting says, when the size itself is no obstacle. */
static mproc_err expect(const run *it, expected *next)
{
    *next = read_header(it->at, it->fed);
    next->wrong |= it->broken;
    if (next->wrong)
        return MPROC_EPROTO;
    if (next->header && it->fed - it->at - next->header >= next->size)
        return MPROC_OK;
    if (!it->closed)
        return MPROC_ETIMEDOUT;
    return it->at == it->fed ? MPROC_EEOF : MPROC_EPROTO;
}

static void step(run *it, const expected *next, const void *bytes, size_t size)
{
    assert_int_equal(size, next->size);
    assert_memory_equal(bytes, stream + next->begin + next->header, size);
    it->at = next->begin + next->header + size;
}

/* ---- the receiving side ---- */

static mproc_err receive_into(run *it)
{
    static unsigned char buffer[STREAM];
    size_t capacity = chance(3) ? STREAM : chance(60), size = 0;
    expected next;
    mproc_err right = expect(it, &next);
    if (next.header && !next.wrong && next.size > capacity)
        right = MPROC_EMSGSIZE;
    mproc_err err = mproc_connection_recv(it->from, buffer, capacity, &size, 0);
    assert_int_equal(err, right);
    it->broken |= err == MPROC_EPROTO;
    if (err == MPROC_EMSGSIZE)
        assert_true(size == next.size);
    if (!err)
        step(it, &next, buffer, size);
    return err;
}

static mproc_err receive_alloc(run *it, bool any)
{
    size_t limit = any || chance(3) ? 0 : 1 + chance(60), size = 0;
    void *data = NULL;
    expected next;
    mproc_err right = expect(it, &next);
    if (next.header && !next.wrong && limit && next.size > limit)
        right = MPROC_EMSGSIZE;
    mproc_err err = mproc_connection_recv_alloc(it->from, &data, &size, limit, 0);
    assert_int_equal(err, right);
    it->broken |= err == MPROC_EPROTO;
    if (err == MPROC_EMSGSIZE)
        assert_true(size == next.size);
    if (!err) {
        step(it, &next, data, size);
        mproc_connection_free_message(data);
    }
    return err;
}

/* Handles that were made up are never there. */
static void receive_end(run *it)
{
    mproc_connection received = {0};
    expected next;
    mproc_err right = expect(it, &next);
    const unsigned char *bytes = stream + next.begin + next.header;
    bool is_known = next.header && !next.wrong;
    bool is_passage = is_known && next.size == PASSAGE && right == MPROC_OK &&
                      !memcmp(bytes, "mprocend", 8) && bytes[32] & 3;
    if (is_known && (right == MPROC_OK || next.size != PASSAGE))
        right = is_passage ? MPROC_EBROKEN : MPROC_ESTATE;
    mproc_err err = mproc_connection_recv_connection(it->from, &received, 0);
    assert_int_equal(err, right);
    it->broken |= err == MPROC_EPROTO;
    if (err == MPROC_EBROKEN)
        it->at = next.begin + next.header + PASSAGE;
}

static void receive_somehow(run *it)
{
    switch (chance(5)) {
    case 0:
    case 1:
        receive_into(it);
        break;
    case 2:
        receive_alloc(it, false);
        break;
    case 3:
        receive_end(it);
        break;
    default: {
        mproc_err err = mproc_connection_poll(it->from, 0);
        expected next;
        if (expect(it, &next) != MPROC_ETIMEDOUT)
            assert_int_equal(err, MPROC_OK);
        else
            assert_true(err == MPROC_OK || err == MPROC_ETIMEDOUT);
        break;
    }
    }
}

static void drain(run *it)
{
    while (receive_alloc(it, true) == MPROC_OK) {
    }
}

static void execute(void)
{
    enum { UNREAD = 32 }; /* so many pieces the pipe takes in any case */
    mproc_connection to;
    intptr_t handle;
    run it = {.at = 0};
    make_stream();
    assert_int_equal(mproc_pipe(&it.from, &to, MPROC_SIMPLEX), MPROC_OK);
    assert_int_equal(mproc_connection_handle(to, &handle), MPROC_OK);
    for (int pieces = 1; it.fed < stream_size; pieces++) {
        size_t left = stream_size - it.fed, most = chance(4) ? 20 : left;
        size_t piece = 1 + chance((uint32_t)(most < left ? most : left));
        assert_true(raw_write(handle, stream + it.fed, piece));
        it.fed += piece;
        for (uint32_t tries = chance(3); tries > 0; tries--)
            receive_somehow(&it);
        if (pieces % UNREAD == 0 || piece > 1000)
            drain(&it);
        expected next;
        if (expect(&it, &next) == MPROC_EPROTO)
            break;
    }
    assert_int_equal(mproc_connection_close(to), MPROC_OK);
    it.closed = true;
    for (uint32_t tries = chance(4); tries > 0; tries--)
        receive_somehow(&it);
    drain(&it);
    drain(&it);
    assert_int_equal(mproc_connection_close(it.from), MPROC_OK);
}

static void no_stream_misleads_the_receiver(void **state)
{
    (void)state;
    const char *soak = getenv("MPROC_SOAK");
    const int64_t most = soak && *soak == '1' ? 600000 : 3000;
    const int64_t began = host_now();
    long executions = 0;
    for (chance_state = 88172645463325252; host_now() - began < most; executions++)
        execute();
    print_message("%ld executions\n", executions);
}

int main(int argc, char **argv)
{
    int code;
    mproc_main_guard(argc, argv);
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_stream_misleads_the_receiver)};
    return cmocka_run_group_tests_name("strangers", tests, NULL, NULL);
}
