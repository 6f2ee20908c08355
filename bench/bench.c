#include "bench.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROUNDS 100
#define LEAST_ROUNDS 5
#define MOST_SAMPLES 101
#define SECONDS_PER_ROW 3.0
#define TOLERABLE 0.1 /* processors that others keep busy */

struct bench_peer {
    struct raw_program program;
};

static int missed;
static double began, used_by_others;

void bench_check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench: failed: %s\n", what);
    exit(EXIT_FAILURE);
}

void bench_ok(mproc_err err)
{
    if (err)
        bench_check(false, mproc_strerror(err));
}

/* ---- a peer's side ---- */

static void play(const struct bench_role *role, double argument)
{
    char line[16];
    if (role->prepare != NULL)
        role->prepare(argument);
    while (fgets(line, sizeof line, stdin) != NULL) {
        double figures[2] = {0, 0};
        role->sample(argument, figures);
        printf("%.9g %.9g\n", figures[0], figures[1]);
        fflush(stdout);
    }
    if (role->finish != NULL)
        role->finish();
}

void bench_play_role(int argc, char **argv, const struct bench_role *roles)
{
    if (argc < 4 || strcmp(argv[1], "--peer") != 0)
        return;
    for (; roles->name != NULL; roles++) {
        if (strcmp(roles->name, argv[2]) == 0) {
            play(roles, strtod(argv[3], NULL));
            exit(EXIT_SUCCESS);
        }
    }
    bench_check(false, argv[2]);
}

double bench_start_and_join(mproc_target target, mproc_start_method method, int count)
{
    const mproc_process_options options = {.target = target, .method = method};
    double begin = raw_now();
    for (int i = 0; i < count; i++) {
        mproc_process *process;
        bench_ok(mproc_process_create(&process, &options));
        bench_ok(mproc_process_start(process));
        bench_ok(mproc_process_join(process, MPROC_FOREVER));
        mproc_process_free(process);
    }
    return (raw_now() - begin) / count;
}

/* ---- the other side ---- */

bench_peer *bench_peer_open(const char *role, double argument)
{
    bench_peer *peer = malloc(sizeof *peer);
    bench_check(peer != NULL, "memory for a peer");
    char text[32];
    snprintf(text, sizeof text, "%.17g", argument);
    fflush(stdout);
    bench_check(raw_program_start(&peer->program, role, text), "to start a peer");
    return peer;
}

bool bench_peer_ask(bench_peer *peer, double figures[2])
{
    char line[128];
    if (fputs("go\n", peer->program.to) == EOF || fflush(peer->program.to) == EOF)
        return false;
    if (fgets(line, sizeof line, peer->program.from) == NULL)
        return false;
    return sscanf(line, "%lf %lf", &figures[0], &figures[1]) == 2;
}

void bench_peer_close(bench_peer *peer)
{
    raw_program_wait(&peer->program);
    free(peer);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

bool bench_ask_often(const char *role, double argument, size_t rounds, double medians[2])
{
    double first[MOST_SAMPLES], second[MOST_SAMPLES], figures[2];
    bench_check(rounds <= MOST_SAMPLES, "room for the samples");
    bench_peer *peer = bench_peer_open(role, argument);
    bool alive = bench_peer_ask(peer, figures); /* to warm up */
    for (size_t i = 0; alive && i < rounds; i++) {
        alive = bench_peer_ask(peer, figures);
        first[i] = figures[0];
        second[i] = figures[1];
    }
    bench_peer_close(peer);
    if (!alive) {
        bench_missing(role, "its process failed");
        return false;
    }
    medians[0] = bench_median(first, rounds);
    medians[1] = bench_median(second, rounds);
    return true;
}

bool bench_watch(const char *what, struct bench_side whom, double settling, double seconds,
                 struct bench_activity *seen)
{
    double figures[2], switches[2] = {0}, used[2] = {0};
    bench_peer *peer = bench_peer_open(whom.role, whom.argument);
    bool alive = bench_peer_ask(peer, figures);
    if (alive) {
        const long long root = (long long)figures[0];
        raw_sleep(settling);
        raw_family_activity(root, &switches[0], &used[0]);
        raw_sleep(seconds);
        raw_family_activity(root, &switches[1], &used[1]);
    }
    bench_peer_close(peer);
    if (!alive)
        bench_missing(what, "its process failed");
    seen->switches_before = switches[0];
    seen->switches = (switches[1] - switches[0]) / seconds;
    seen->seconds = (used[1] - used[0]) / seconds;
    return alive;
}

/* ---- the table ---- */

void bench_title(const char *title, const char *unit)
{
    if (began == 0) {
        began = raw_now();
        used_by_others = raw_used_by_others();
    }
    char ours[32], theirs[32];
    snprintf(ours, sizeof ours, "mproc [%s]", unit);
    snprintf(theirs, sizeof theirs, "other [%s]", unit);
    printf("\n%-56s %14s %14s %8s  %s\n", title, ours, theirs, "ratio", "bar");
}

static void print_verdict(double figure, enum bench_bar kind, double bar)
{
    if (kind == BENCH_NO_BAR) {
        putchar('\n');
        return;
    }
    bool pass = kind == BENCH_AT_MOST ? figure <= bar : figure >= bar;
    printf("  %s %-6g %s\n", kind == BENCH_AT_MOST ? "<=" : ">=", bar, pass ? "PASS" : "MISS");
    missed += !pass;
}

void bench_compare(const struct bench_comparison *row)
{
    bench_peer *ours = bench_peer_open(row->ours.role, row->ours.argument);
    bench_peer *theirs = bench_peer_open(row->theirs.role, row->theirs.argument);
    double a[MOST_ROUNDS], b[MOST_ROUNDS], figures[2];
    bool alive = bench_peer_ask(ours, figures) && bench_peer_ask(theirs, figures); /* to warm up */
    double end = raw_now() + SECONDS_PER_ROW;
    size_t rounds = 0;
    while (alive && rounds < MOST_ROUNDS && (rounds < LEAST_ROUNDS || raw_now() < end)) {
        alive = bench_peer_ask(ours, figures);
        a[rounds] = figures[0];
        alive = alive && bench_peer_ask(theirs, figures);
        b[rounds] = figures[0];
        rounds += alive;
    }
    bench_peer_close(ours);
    bench_peer_close(theirs);
    if (!alive) {
        bench_missing(row->what, "a process of it failed");
        missed += row->kind != BENCH_NO_BAR;
        return;
    }
    double mine = bench_median(a, rounds), other = bench_median(b, rounds);
    double ratio = row->kind == BENCH_AT_LEAST ? other / mine : mine / other;
    printf("%-56s %14.1f %14.1f %8.2f", row->what, mine / row->unit, other / row->unit, ratio);
    print_verdict(ratio, row->kind, row->bar);
    fflush(stdout);
}

void bench_compare_all(const struct bench_comparison *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_compare(&rows[i]);
}

void bench_figure(const char *what, double figure, const char *unit, enum bench_bar kind,
                  double bar)
{
    printf("%-56s %14.1f %-23s", what, figure, unit);
    print_verdict(figure, kind, bar);
    fflush(stdout);
}

void bench_missing(const char *what, const char *why)
{
    printf("%-56s %s\n", what, why);
}

int bench_summary(void)
{
    double busy = (raw_used_by_others() - used_by_others) / (raw_now() - began);
    if (busy > TOLERABLE)
        printf("\nnot to be trusted: other programs kept %.1f processors busy meanwhile\n", busy);
    if (missed == 0)
        puts("\nevery bar was reached");
    else
        printf("\n%d bar%s missed\n", missed, missed == 1 ? " was" : "s were");
    return missed;
}
