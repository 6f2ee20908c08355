/* Compares programs in one run. Each side of a comparison is a process of its own (a "peer": this
 * executable once more, in a certain role), so that threads, children and memory of one side do not
 * weigh on the other; they work in turn, and what is compared are the medians. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include <mproc/mproc.h>

/* What a peer does. `prepare` is not measured; `sample` measures by itself and writes up to two
 * figures; `finish` ends what `prepare` began. */
struct bench_role {
    const char *name;
    void (*prepare)(double argument);
    void (*sample)(double argument, double figures[2]);
    void (*finish)(void);
};

/* In main, after the guard: a peer's process plays its role and never returns. The table ends with
 * an empty role. */
void bench_play_role(int argc, char **argv, const struct bench_role *roles);

typedef struct bench_peer bench_peer;
bench_peer *bench_peer_open(const char *role, double argument);
/* false: the peer has died. */
bool bench_peer_ask(bench_peer *peer, double figures[2]);
void bench_peer_close(bench_peer *peer);

/* The medians of so many samples, after one to warm up. False: its process has failed, which the
 * table tells. */
bool bench_ask_often(const char *role, double argument, size_t rounds, double medians[2]);

enum bench_bar { BENCH_NO_BAR, BENCH_AT_MOST, BENCH_AT_LEAST };

struct bench_side {
    const char *role;
    double argument;
};

/* One row of the table. The ratio is ours to theirs. With BENCH_AT_LEAST it is a
 * speed: theirs to ours. */
struct bench_comparison {
    const char *what;
    struct bench_side ours;
    struct bench_side theirs;
    double unit; /* 1e-6: the figures are printed in us */
    enum bench_bar kind;
    double bar;
};

void bench_title(const char *title, const char *unit);
void bench_compare(const struct bench_comparison *comparison);
void bench_compare_all(const struct bench_comparison *rows, size_t count);
/* A single figure. */
void bench_figure(const char *what, double figure, const char *unit, enum bench_bar kind,
                  double bar);
void bench_missing(const char *what, const char *why);

/* What a peer's family does when it is left alone, watched from here, so that watching does not
 * count. The peer's figure is the pid that they descend from. */
struct bench_activity {
    double switches_before;   /* until it had settled */
    double switches, seconds; /* of the processor: each second */
};
/* False: its process has failed, which the table tells. */
bool bench_watch(const char *what, struct bench_side whom, double settling, double seconds,
                 struct bench_activity *seen);

/* How many bars were missed, in words, too. */
int bench_summary(void);

double bench_median(double *values, size_t count); /* sorts them */

/* Ends the peer with a message, when `good` does not hold. */
void bench_check(bool good, const char *what);
void bench_ok(mproc_err err); /* likewise */

/* Seconds that it takes to start a process and to join it. */
double bench_start_and_join(mproc_target target, mproc_start_method method, int count);

#endif
