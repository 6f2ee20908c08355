/* What pipes cost, beside what they are made of: round trips of small messages, streams of large
 * ones. The other side knows the size of each message, and sends nothing else. */
#include "bench.h"
#include "raw.h"
#include "raw_pipe.h"
#include "raw_sync.h"

#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

#define SMALL 64
#define LARGE (1 << 20)
#define TRIPS 5000
#define LARGE_COUNT 200

/* Where the two processes run. */
enum { ANYWHERE, TOGETHER, APART };

/* One side's pipe to another process. */
static struct {
    bool (*send)(const void *bytes, size_t size);
    bool (*recv)(void *bytes, size_t size);
} by;

static mproc_connection connection;
static unsigned char *bytes;

/* ---- mproc's ---- */

static bool pipe_send(const void *sent, size_t size)
{
    return mproc_connection_send(connection, sent, size, MPROC_FOREVER) == MPROC_OK;
}

static bool pipe_recv(void *received, size_t size)
{
    size_t got;
    return mproc_connection_recv(connection, received, size, &got, MPROC_FOREVER) == MPROC_OK &&
           got == size;
}

struct call {
    mproc_connection connection;
    double where;
    int work;
};

static mproc_process *process;

static void begin(bool raw, double where, bool is_child)
{
    by.send = raw ? raw_pipe_send : pipe_send;
    by.recv = raw ? raw_pipe_recv : pipe_recv;
    bytes = malloc(LARGE);
    bench_check(bytes != NULL, "memory for a message");
    memset(bytes, is_child ? 1 : 2, LARGE);
    if ((int)where != ANYWHERE)
        raw_pin((int)where == APART && is_child ? 1 : 0);
}

/* ---- the other process's work, until the pipe ends ---- */

static void echo(void)
{
    while (by.recv(bytes, SMALL) && by.send(bytes, SMALL)) {
    }
}

static void flood(void)
{
    char go;
    while (by.recv(&go, sizeof go)) {
        for (int i = 0; i < LARGE_COUNT; i++) {
            bytes[0] = (unsigned char)i;
            if (!by.send(bytes, LARGE))
                return;
        }
    }
}

enum { ECHO, FLOOD };
static void (*const works[])(void) = {[ECHO] = echo, [FLOOD] = flood};

static int child(void *args, size_t size)
{
    const struct call *call = args;
    (void)size;
    connection = call->connection;
    begin(false, call->where, true);
    works[call->work]();
    return 0;
}

static void open_pipe(int work, double where)
{
    mproc_connection other;
    bench_ok(mproc_pipe(&connection, &other, MPROC_DUPLEX));
    struct call call = {.connection = other, .where = where, .work = work};
    bench_ok(mproc_process_create(&process, &(mproc_process_options){.target = child,
                                                                     .args = &call,
                                                                     .args_size = sizeof call,
                                                                     .connections = &other,
                                                                     .connection_count = 1}));
    bench_ok(mproc_process_start(process));
    bench_ok(mproc_connection_close(other));
    begin(false, where, false);
}

static void close_pipe(void)
{
    bench_ok(mproc_connection_close(connection));
    bench_ok(mproc_process_join(process, MPROC_FOREVER));
    mproc_process_free(process);
}

static void run_raw_echo(double argument)
{
    begin(true, raw_pipe_join(argument), true);
    echo();
}

static void run_raw_flood(double argument)
{
    begin(true, raw_pipe_join(argument), true);
    flood();
}

/* ---- what is measured ---- */

static void open_relay(double where)
{
    open_pipe(ECHO, where);
}

static void open_raw_relay(double where)
{
    bench_check(raw_pipe_start("raw-echo", run_raw_echo, where), "to start a raw echo");
    begin(true, where, false);
}

static void open_stream(double where)
{
    open_pipe(FLOOD, where);
}

static void open_raw_stream(double where)
{
    bench_check(raw_pipe_start("raw-flood", run_raw_flood, where), "to start a raw flood");
    begin(true, where, false);
}

static void sample_round_trip(double where, double figures[2])
{
    (void)where;
    double begun = raw_now();
    for (int i = 0; i < TRIPS; i++) {
        bytes[0] = (unsigned char)i;
        bench_check(by.send(bytes, SMALL) && by.recv(bytes, SMALL), "a round trip");
        bench_check(bytes[0] == (unsigned char)i, "what was sent");
    }
    figures[0] = (raw_now() - begun) / TRIPS;
}

static void sample_stream(double where, double figures[2])
{
    const char go = 1;
    (void)where;
    double begun = raw_now();
    bench_check(by.send(&go, sizeof go), "to ask");
    for (int i = 0; i < LARGE_COUNT; i++) {
        bench_check(by.recv(bytes, LARGE), "a large message");
        bench_check(bytes[0] == (unsigned char)i, "what was sent");
    }
    figures[0] = (raw_now() - begun) / LARGE_COUNT;
}

static const struct bench_role roles[] = {
    {"relay", open_relay, sample_round_trip, close_pipe},
    {"raw-relay", open_raw_relay, sample_round_trip, raw_pipe_end},
    {"stream", open_stream, sample_stream, close_pipe},
    {"raw-stream", open_raw_stream, sample_stream, raw_pipe_end},
    {"raw-echo", run_raw_echo, NULL, NULL},
    {"raw-flood", run_raw_flood, NULL, NULL},
    {0}};

static void compare(const char *what, const char *ours, const char *theirs, double where,
                    double unit, enum bench_bar kind, double bar)
{
    bench_compare(&(struct bench_comparison){.what = what,
                                             .ours = {ours, where},
                                             .theirs = {theirs, where},
                                             .unit = unit,
                                             .kind = kind,
                                             .bar = bar});
}

/* To wake the other one up is what takes the time, but on one processor. There it is seen that a
 * message takes two reads, its size and its bytes: one read of more would take what follows away
 * from whoever else holds that end. */
static void compare_small(void)
{
    const enum bench_bar bar = raw_pipe_is_socket ? BENCH_AT_MOST : BENCH_NO_BAR;
    bench_title("64 bytes there and back, to the system's own", "ns");
    compare("where the system likes", "relay", "raw-relay", ANYWHERE, 1e-9, bar, 1.1);
    if (!raw_can_pin)
        return;
    compare("on two processors", "relay", "raw-relay", APART, 1e-9, bar, 1.1);
    compare("both on one", "relay", "raw-relay", TOGETHER, 1e-9, BENCH_NO_BAR, 0);
}

static void compare_large(void)
{
    bench_title("1 MiB, in a row, to the system's own", "us");
    compare("where the system likes", "stream", "raw-stream", ANYWHERE, 1e-6, BENCH_AT_LEAST, 0.9);
    if (!raw_can_pin)
        return;
    compare("on two processors", "stream", "raw-stream", APART, 1e-6, BENCH_AT_LEAST, 0.9);
    compare("both on one", "stream", "raw-stream", TOGETHER, 1e-6, BENCH_AT_LEAST, 0.9);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);

    compare_small();
    compare_large();
    return bench_summary() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
