/* What queues cost: streams of small and of large messages, hand-overs, and many queues. */
#include "bench.h"
#include "boost.h"
#include "raw.h"
#include "stream.h"
#include "sync.h"

#include <stdlib.h>
#include <string.h>

#include "family/heap.h"

#define SMALL_COUNT 400000
#define BOUND 1000
#define LARGE (1 << 20)
#define LARGE_COUNT 400
#define LARGE_BOUND 8
#define LOANS 10000
#define NEW_LOANS 50
#define QUEUES 10000
#define ROUNDS 9 /* for a median */
#define SETTLING 5.0
#define WATCHED_SECONDS 10.0

/* ---- streams ---- */

enum {
    FREE,
    BOUNDED,
    BATCHES,
    CROWD,
    BOUNDED_CROWD,
    BIG,
    BOOST,
    BOOST_CROWD,
    RING,
    RING_BATCHES,
    RING_BIG
};

static const struct stream streams[] = {
    [FREE] = {&by_queue, 1, 1, 0, STREAM_SMALL, 1, SMALL_COUNT},
    [BOUNDED] = {&by_queue, 1, 1, BOUND, STREAM_SMALL, 1, SMALL_COUNT},
    [BATCHES] = {&by_queue, 1, 1, 0, STREAM_SMALL, STREAM_MOST, SMALL_COUNT},
    [CROWD] = {&by_queue, 4, 4, 0, STREAM_SMALL, 1, SMALL_COUNT},
    [BOUNDED_CROWD] = {&by_queue, 4, 4, BOUND, STREAM_SMALL, 1, SMALL_COUNT},
    [BIG] = {&by_queue, 1, 1, LARGE_BOUND, LARGE, 1, LARGE_COUNT},
    [BOOST] = {&by_boost, 1, 1, BOUND, STREAM_SMALL, 1, SMALL_COUNT},
    [BOOST_CROWD] = {&by_boost, 4, 4, BOUND, STREAM_SMALL, 1, SMALL_COUNT},
    [RING] = {&by_ring, 1, 1, 1024, STREAM_SMALL, 1, SMALL_COUNT},
    [RING_BATCHES] = {&by_ring, 1, 1, 1024, STREAM_SMALL, STREAM_MOST, SMALL_COUNT},
    [RING_BIG] = {&by_ring, 1, 1, LARGE_BOUND, LARGE, 1, LARGE_COUNT},
};

static void open_stream(double which)
{
    stream_open(&streams[(size_t)which]);
}

static void sample_stream(double which, double figures[2])
{
    (void)which;
    figures[0] = stream_sample();
}

static unsigned char *from, *to;

static void open_copy(double size)
{
    from = malloc((size_t)size);
    to = malloc((size_t)size);
    bench_check(from != NULL && to != NULL, "memory to copy");
    memset(from, 1, (size_t)size);
    memset(to, 2, (size_t)size);
}

static void sample_copy(double size, double figures[2])
{
    double begin = raw_now();
    for (int i = 0; i < LARGE_COUNT; i++) {
        from[0] = (unsigned char)i; /* what is copied is never the same */
        memcpy(to, from, (size_t)size);
        bench_check(((volatile unsigned char *)to)[0] == (unsigned char)i, "a copy");
    }
    figures[0] = (raw_now() - begin) / LARGE_COUNT;
}

static mproc_queue queue;

static void open_queue(double argument)
{
    (void)argument;
    bench_ok(mproc_queue_create(&queue, NULL));
}

static void open_put_and_get(double size)
{
    open_copy(size);
    open_queue(size);
}

static void sample_put_and_get(double size, double figures[2])
{
    double begin = raw_now();
    for (int i = 0; i < LARGE_COUNT; i++) {
        from[0] = (unsigned char)i;
        bench_ok(mproc_queue_put(queue, from, (size_t)size, 0));
        bench_ok(mproc_queue_get(queue, to, (size_t)size, NULL, 0));
        bench_check(to[0] == (unsigned char)i, "what was put");
    }
    figures[0] = (raw_now() - begin) / LARGE_COUNT;
}

/* ---- hand-overs ---- */

static void open_relay(const struct side *chosen, double apart)
{
    side_open(chosen);
    sync_stay(apart > 0);
    side_start(JOB_ECHO);
}

static void open_queue_relay(double apart)
{
    open_relay(&side_queue, apart);
}

static void open_word_relay(double apart)
{
    open_relay(&side_word, apart);
}

static void open_line_relay(double apart)
{
    open_relay(&side_line, apart);
}

static void sample_round_trip(double apart, double figures[2])
{
    (void)apart;
    figures[0] = sync_round_trip(SYNC_MOST_TRIPS);
}

static void open_idle_consumer(double argument)
{
    (void)argument;
    side_open(&side_queue);
    side_start(JOB_ECHO);
    side->give(THERE); /* it has begun */
    side->take(BACK);
}

static void sample_pid(double argument, double figures[2])
{
    (void)argument;
    figures[0] = (double)mproc_process_pid(mproc_process_current());
}

/* ---- loans and numbers ---- */

static mproc_loan loan;

static void open_loan(double size)
{
    open_queue(size);
    bench_ok(mproc_queue_reserve(queue, (size_t)size, &loan));
}

static void send_and_receive(int number)
{
    *(int *)loan.data = number;
    bench_ok(mproc_queue_commit(queue, &loan, 0));
    bench_ok(mproc_queue_get_loan(queue, &loan, 0));
    bench_check(*(int *)loan.data == number, "what was sent");
}

static void sample_loan(double size, double figures[2])
{
    (void)size;
    double begin = raw_now();
    for (int i = 0; i < LOANS; i++)
        send_and_receive(i);
    figures[0] = (raw_now() - begin) / LOANS;
}

static void sample_new_loan(double size, double figures[2])
{
    double begin = raw_now();
    for (int i = 0; i < NEW_LOANS; i++) {
        bench_ok(mproc_queue_reserve(queue, (size_t)size, &loan));
        send_and_receive(i);
        mproc_loan_release(&loan);
    }
    figures[0] = (raw_now() - begin) / NEW_LOANS;
}

/* Seconds and bytes for each. */
static void sample_many(double count, double figures[2])
{
    mproc_queue *many = malloc((size_t)count * sizeof *many);
    bench_check(many != NULL, "memory for the handles");
    const uint64_t used = heap_used();
    double begin = raw_now();
    for (size_t i = 0; i < (size_t)count; i++)
        bench_ok(mproc_queue_create(&many[i], NULL));
    figures[0] = (raw_now() - begin) / count;
    figures[1] = (double)(heap_used() - used) / count;
    for (size_t i = 0; i < (size_t)count; i++)
        bench_ok(mproc_queue_destroy(many[i]));
    free(many);
}

/* ---- the tables ---- */

static const struct bench_role roles[] = {
    {"stream", open_stream, sample_stream, stream_close},
    {"copy", open_copy, sample_copy, NULL},
    {"put-and-get", open_put_and_get, sample_put_and_get, NULL},
    {"queue-relay", open_queue_relay, sample_round_trip, side_close},
    {"word-relay", open_word_relay, sample_round_trip, side_close},
    {"line-relay", open_line_relay, sample_round_trip, side_close},
    {"idle-consumer", open_idle_consumer, sample_pid, side_close},
    {"loan", open_loan, sample_loan, NULL},
    {"new-loan", open_queue, sample_new_loan, NULL},
    {"many", open_queue, sample_many, NULL},
    {0}};

static const struct bench_comparison against_boost[] = {
    {"1 producer, 1 consumer", {"stream", FREE}, {"stream", BOOST}, 1e-9, BENCH_AT_LEAST, 5},
    {"  at most 1000 wait, as in Boost's",
     {"stream", BOUNDED},
     {"stream", BOOST},
     1e-9,
     BENCH_AT_LEAST,
     5},
    {"4 producers, 4 consumers",
     {"stream", CROWD},
     {"stream", BOOST_CROWD},
     1e-9,
     BENCH_AT_LEAST,
     3},
    {"  at most 1000 wait, as in Boost's",
     {"stream", BOUNDED_CROWD},
     {"stream", BOOST_CROWD},
     1e-9,
     BENCH_AT_LEAST,
     3},
};

static const struct bench_comparison against_others[] = {
    {"batches of 64, to an unsafe ring",
     {"stream", BATCHES},
     {"stream", RING},
     1e-9,
     BENCH_AT_LEAST,
     0.7},
    {"  which takes batches, too",
     {"stream", BATCHES},
     {"stream", RING_BATCHES},
     1e-9,
     BENCH_NO_BAR,
     0},
    {"4 producers, 4 consumers, to 1 and 1",
     {"stream", CROWD},
     {"stream", FREE},
     1e-9,
     BENCH_AT_MOST,
     2},
    {"  at most 1000 wait", {"stream", BOUNDED_CROWD}, {"stream", BOUNDED}, 1e-9, BENCH_AT_MOST, 2},
};

static const struct bench_comparison round_trips[] = {
    {"asleep: on one processor, to two futexes",
     {"queue-relay", 0},
     {"word-relay", 0},
     1e-9,
     BENCH_AT_MOST,
     1.15},
    {"awake: on two processors, to a line of the cache",
     {"queue-relay", 1},
     {"line-relay", 1},
     1e-9,
     BENCH_AT_MOST,
     5},
};

static const struct bench_comparison large_ones[] = {
    {"1 MiB put and got, to one copy of it",
     {"put-and-get", LARGE},
     {"copy", LARGE},
     1e-6,
     BENCH_AT_LEAST,
     0.4},
    {"  by two processes, to an unsafe ring",
     {"stream", BIG},
     {"stream", RING_BIG},
     1e-6,
     BENCH_AT_LEAST,
     0.4},
    {"a loan of 16 MiB sent and received, to 64 KiB",
     {"loan", 16 << 20},
     {"loan", 64 << 10},
     1e-6,
     BENCH_AT_MOST,
     1.25},
    {"  reserved and released each time",
     {"new-loan", 16 << 20},
     {"new-loan", 64 << 10},
     1e-6,
     BENCH_NO_BAR,
     0},
};

static void report_python(void)
{
    double python, ours[2];
    FILE *output = raw_output_of("python3 " BENCH_PYTHON_SCRIPT " 2>&1");
    bool ran = output != NULL && fscanf(output, "%lf", &python) == 1;
    if (output != NULL)
        raw_output_close(output);
    if (!ran) {
        bench_missing("Python's Queue", "not installed");
        return;
    }
    bench_figure("Python's Queue, 1 producer, 1 consumer", python * 1e9, "ns", BENCH_NO_BAR, 0);
    if (bench_ask_often("stream", FREE, ROUNDS, ours))
        bench_figure("  to ours", python / ours[0], "times as long", BENCH_AT_LEAST, 80);
}

static void report_many(void)
{
    double medians[2];
    if (!bench_ask_often("many", QUEUES, ROUNDS, medians))
        return;
    bench_figure("10,000 queues: to make one", medians[0] * 1e9, "ns", BENCH_NO_BAR, 0);
    bench_figure("  memory of one, beside 5 cells of 64 bytes", medians[1], "bytes", BENCH_NO_BAR,
                 0);
}

static void report_idle(void)
{
    struct bench_activity seen;
    if (!bench_watch("an idle consumer", (struct bench_side){"idle-consumer", 0}, SETTLING,
                     WATCHED_SECONDS, &seen))
        return;
    bench_figure("an idle consumer and its parent: wake-ups", seen.switches, "a second",
                 BENCH_AT_MOST, 1);
    bench_figure("  processor time", seen.seconds * 1e6, "us a second", BENCH_AT_MOST, 100);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    raw_begin(argv[0]);
    bench_play_role(argc, argv, roles);

    bench_title("64 bytes, to Boost.Interprocess's message_queue", "ns");
    if (boost_exists)
        bench_compare_all(against_boost, sizeof against_boost / sizeof *against_boost);
    else
        bench_missing("Boost", "not installed");
    bench_title("64 bytes, to others", "ns");
    bench_compare_all(against_others, sizeof against_others / sizeof *against_others);
    report_python();
    bench_title("round trip over two queues", "ns");
    bench_compare_all(round_trips, sizeof round_trips / sizeof *round_trips);
    bench_title("large ones", "us");
    bench_compare_all(large_ones, sizeof large_ones / sizeof *large_ones);
    bench_title("many, and idle ones", "");
    report_many();
    report_idle();
    return bench_summary() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
