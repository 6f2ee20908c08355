/* POSIX only: signals during a wait, too few descriptors, high ones, and a Python program on the
 * other side. */
#include "posix_alarm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- signals ---- */

static mproc_connection receiver, sender;

static mproc_err wait_to_receive(int timeout_ms)
{
    char buffer[8];
    return mproc_connection_recv(receiver, buffer, sizeof buffer, NULL, timeout_ms);
}

static mproc_err wait_to_poll(int timeout_ms)
{
    return mproc_connection_poll(receiver, timeout_ms);
}

static mproc_err wait_for_connection(int timeout_ms)
{
    mproc_connection received;
    return mproc_connection_recv_connection(receiver, &received, timeout_ms);
}

static mproc_err wait_to_send(int timeout_ms)
{
    return mproc_connection_send(sender, "x", 1, timeout_ms);
}

static const timed_wait waits[] = {wait_to_receive, wait_to_poll, wait_for_connection,
                                   wait_to_send};

/* An end from which nothing comes, and one that takes nothing any more. */
static bool make_all(void)
{
    static char much[1 << 20];
    mproc_connection other;
    return !mproc_pipe(&receiver, &other, MPROC_SIMPLEX) &&
           !mproc_pipe(&other, &sender, MPROC_SIMPLEX) &&
           mproc_connection_send(sender, much, sizeof much, 0) == MPROC_EFULL;
}

static int wait_on(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!make_all())
        return 1;
    return wait_uninterruptibly(waits, COUNT_OF(waits), SA_RESTART);
}

static void signals_end_no_wait(void **state)
{
    (void)state;
    assert_int_equal(run_role("wait_on", NULL, NULL)->code, 0);
}

static int wait_to_be_interrupted(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc_init(&(mproc_options){.interruptible = true}) || !make_all())
        return 1;
    return wait_interruptibly(waits, COUNT_OF(waits), SA_RESTART);
}

static void a_signal_ends_a_wait_when_the_program_asked_for_it(void **state)
{
    (void)state;
    assert_int_equal(run_role("wait_to_be_interrupted", NULL, NULL)->code, 0);
}

typedef struct exchange {
    mproc_connection from, to;
    bool good;
} exchange;

enum { LARGE = 1 << 20, ROUNDS = 20 };

static void send_back(void *argument)
{
    exchange *it = argument;
    static unsigned char buffer[LARGE];
    size_t size;
    for (int i = 0; i < ROUNDS && it->good; i++)
        it->good = !mproc_connection_recv(it->from, buffer, LARGE, &size, MPROC_FOREVER) &&
                   !mproc_connection_send(it->to, buffer, size, MPROC_FOREVER);
}

/* Every call is hit by signals, in its middle, too. */
static void signals_tear_no_message(void **state)
{
    (void)state;
    mproc_connection a, b;
    static unsigned char sent[LARGE], got[LARGE];
    host_thread thread;
    assert_int_equal(mproc_pipe(&a, &b, MPROC_DUPLEX), MPROC_OK);
    exchange other = {.from = b, .to = b, .good = true};
    assert_true(host_thread_start(&thread, send_back, &other));
    ring_every(1, 0);
    mproc_err err = MPROC_OK;
    bool same = true;
    for (int i = 0; i < ROUNDS && !err && same; i++) {
        size_t size = 0;
        memset(sent, i + 1, LARGE);
        err = mproc_connection_send(a, sent, LARGE, MPROC_FOREVER);
        if (!err)
            err = mproc_connection_recv(a, got, LARGE, &size, i % 2 ? SOON : MPROC_FOREVER);
        same = size == LARGE && !memcmp(sent, got, LARGE);
    }
    ring_every(0, 0);
    mproc_connection_close(a);
    host_thread_join(&thread);
    mproc_connection_close(b);
    assert_int_equal(err, MPROC_OK);
    assert_true(same && other.good);
}

/* ---- descriptors ---- */

/* Takes all that are left, and gives back as many as wanted. */
static int run_short_of_descriptors(int argc, char **argv)
{
    mproc_connection a, b, c, d, received = {7};
    int last = -1, next;
    (void)argc;
    (void)argv;
    if (!host_limit_handles(64) || mproc_pipe(&a, &b, MPROC_DUPLEX) ||
        mproc_pipe(&c, &d, MPROC_DUPLEX) || mproc_connection_send_connection(a, c, SOON) ||
        mproc_connection_close(c))
        return 1;
    while ((next = dup(0)) >= 0)
        last = next;
    if (mproc_pipe(&c, &received, MPROC_DUPLEX) != MPROC_EAGAIN || received.id != 7)
        return 2;
    for (int i = 0; i < 3; i++) {
        if (mproc_connection_recv_connection(b, &received, SOON) != MPROC_EAGAIN)
            return 3;
    }
    close(last);
    if (mproc_connection_recv_connection(b, &received, SOON) || received.id == 7)
        return 4;
    if (mproc_connection_send(received, "x", 1, SOON) || mproc_connection_poll(d, SOON))
        return 5;
    if (mproc_connection_recv_connection(b, &received, 0) != MPROC_ETIMEDOUT)
        return 6;
    return mproc_connection_close(received) || mproc_pipe(&c, &d, MPROC_DUPLEX) != MPROC_EAGAIN ? 7
                                                                                                : 0;
}

static void an_end_for_which_there_is_no_descriptor_stays_where_it_is(void **state)
{
    (void)state;
    assert_int_equal(run_role("run_short_of_descriptors", NULL, NULL)->code, 0);
}

static void descriptors_may_be_high(void **state)
{
    (void)state;
    enum { HIGH = 700 };
    int made[2];
    char byte;
    mproc_connection high, way[2], received;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, made), 0);
    int fd = fcntl(made[0], F_DUPFD, HIGH);
    assert_true(fd >= HIGH);
    close(made[0]);
    assert_int_equal(mproc_connection_from_handle(&high, fd, true, true), MPROC_OK);
    assert_int_equal(mproc_pipe(&way[0], &way[1], MPROC_DUPLEX), MPROC_OK);
    assert_int_equal(mproc_connection_send_connection(way[0], high, SOON), MPROC_OK);
    assert_int_equal(mproc_connection_close(high), MPROC_OK);
    assert_int_equal(mproc_connection_recv_connection(way[1], &received, SOON), MPROC_OK);
    assert_int_equal(write(made[1], "\0\0\0\x01q", 5), 5);
    assert_int_equal(mproc_connection_recv(received, &byte, 1, NULL, SOON), MPROC_OK);
    assert_int_equal(byte, 'q');
    close(made[1]);
    assert_int_equal(mproc_connection_close(received), MPROC_OK);
    assert_int_equal(mproc_connection_close(way[0]), MPROC_OK);
    assert_int_equal(mproc_connection_close(way[1]), MPROC_OK);
}

/* A descriptor that comes along with an ordinary message is no business of the receiver's. */
static void handles_that_nobody_asked_for_are_dropped(void **state)
{
    (void)state;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    unsigned char wire[44] = {0, 0, 0, 40, 'm', 'p', 'r', 'o', 'c', 'e', 'n', 'd', 1, 2, 3};
    const int given[2] = {0, 1};
    mproc_connection a, b, received;
    intptr_t handle;
    size_t before = host_open_handles();
    assert_int_equal(mproc_pipe(&a, &b, MPROC_DUPLEX), MPROC_OK);
    assert_int_equal(mproc_connection_handle(a, &handle), MPROC_OK);
    wire[36] = 3;
    for (int i = 0; i < 4; i++) {
        struct iovec part = {.iov_base = wire + 4, .iov_len = 40};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
        memset(&control, 0, sizeof control);
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof given);
        memcpy(CMSG_DATA(header), given, sizeof given);
        assert_int_equal(write((int)handle, wire, 4), 4);
        assert_int_equal(sendmsg((int)handle, &message, 0), 40);
        char buffer[64];
        size_t size;
        wire[12]++;
        if (i % 2) {
            assert_int_equal(mproc_connection_recv(b, buffer, sizeof buffer, &size, SOON),
                             MPROC_OK);
            assert_int_equal(size, 40);
        } else { /* two came, one is taken */
            assert_int_equal(mproc_connection_recv_connection(b, &received, SOON), MPROC_OK);
            assert_int_equal(mproc_connection_close(received), MPROC_OK);
        }
    }
    assert_int_equal(mproc_connection_close(a), MPROC_OK);
    assert_int_equal(mproc_connection_close(b), MPROC_OK);
    assert_int_equal(host_open_handles(), before);
}

/* ---- Python ---- */

static void python_understands_and_is_understood(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     4,     5,        1000,          16379,
                                   16380, 16381, 16384, 65536,    262145,        1 << 20,
                                   0,     17,    200,   16 << 20, (16 << 20) - 1};
    const char *script = getenv("MPROC_TEST_SCRIPT");
    mproc_connection a, b;
    intptr_t handle;
    char number[16];
    if (!script) {
        print_message("skipped: there is no python3 to talk to\n");
        skip();
    }
    assert_int_equal(mproc_pipe(&a, &b, MPROC_DUPLEX), MPROC_OK);
    assert_int_equal(mproc_connection_handle(b, &handle), MPROC_OK);
    int inherited = dup((int)handle);
    assert_int_equal(mproc_connection_close(b), MPROC_OK);
    snprintf(number, sizeof number, "%d", inherited);
    const char *arguments[] = {script, number, NULL};
    host_program python;
    assert_true(host_start(
        &python, &(host_command){.program = getenv("MPROC_TEST_PYTHON"), .arguments = arguments}));
    close(inherited);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *bytes = malloc(sizes[i] + 1), *back = malloc(sizes[i] + 1);
        size_t size = 77;
        assert_true(bytes && back);
        for (size_t j = 0; j < sizes[i]; j++)
            bytes[j] = (unsigned char)((j * 31 + i) >> (j % 3));
        assert_int_equal(mproc_connection_send(a, bytes, sizes[i], SOON), MPROC_OK);
        assert_int_equal(mproc_connection_recv(a, back, sizes[i], &size, SOON), MPROC_OK);
        assert_int_equal(size, sizes[i]);
        bool same = true;
        for (size_t j = 0; j < size; j++)
            same = same && bytes[j] == back[size - 1 - j];
        assert_true(same);
        free(bytes);
        free(back);
    }
    assert_int_equal(mproc_connection_close(a), MPROC_OK);
    int code = -1;
    assert_true(host_wait(&python, SOON, &code));
    assert_int_equal(code, COUNT_OF(sizes));
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const role roles[] = {{"wait_on", wait_on},
                                 {"wait_to_be_interrupted", wait_to_be_interrupted},
                                 {"run_short_of_descriptors", run_short_of_descriptors}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_end_no_wait),
        cmocka_unit_test(a_signal_ends_a_wait_when_the_program_asked_for_it),
        cmocka_unit_test(signals_tear_no_message),
        cmocka_unit_test(an_end_for_which_there_is_no_descriptor_stays_where_it_is),
        cmocka_unit_test(descriptors_may_be_high),
        cmocka_unit_test(handles_that_nobody_asked_for_are_dropped),
        cmocka_unit_test(python_understands_and_is_understood),
    };
    return cmocka_run_group_tests_name("connections on POSIX", tests, NULL, NULL);
}
