/* Goes through the kill points of all operations: the least that each is due, then one of each in
 * turn as long as there is time. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../pace/pace.h"
#include "../unit/family_support.h"
#include "budget.h"
#include "drive.h"

#define MILLISECOND INT64_C(1000000)

/* One operation, and what has been seen of it. */
typedef struct campaign {
    subject of;
    plan plan;
    char name[100];
    uint32_t tried, recovered;
    uint32_t last_before, first_after; /* points with these outcomes */
    int64_t spent;
} campaign;

static const drive_options *options;
static int64_t time_limit;

/* Where a process takes a tenth of a second to start. */
static bool is_slow(void)
{
    return !os_can_start(MPROC_FORK);
}

/* There is time for less than the least. */
static bool is_short(void)
{
    return is_slow() || os_now() >= time_limit;
}

/* ---- one case ---- */

static const char *point_name(uint32_t point, char text[16])
{
    snprintf(text, 16, "%" PRIu32, point);
    return point == THE_END ? "end" : text;
}

static void tell_context(const campaign *c, kill_at at)
{
    char first[16], second[16];
    const char *point = point_name(at.point, first);
    if (at.second == NO_POINT)
        scene_context("MPROC_CRASH_ONLY='%s' MPROC_CRASH_POINT=%s", c->name, point);
    else
        scene_context("MPROC_CRASH_ONLY='%s' MPROC_CRASH_POINT=%s:%s", c->name, point,
                      point_name(at.second, second));
}

static void note_outcome(campaign *c, uint32_t point, const reached *got)
{
    if (got->found == OUTCOME_BEFORE && point > c->last_before)
        c->last_before = point;
    if (got->found == OUTCOME_AFTER && point < c->first_after)
        c->first_after = point;
}

static void forget_outcomes(campaign *c)
{
    c->last_before = 0;
    c->first_after = UINT32_MAX;
}

/* Points may have been shifted, by how the heap was left, or by a worker's pool that is at work at
 * the same time: then it does not happen again. */
static bool is_confirmed(campaign *c)
{
    for (int i = 0; i < 3; i++) {
        const uint32_t points[] = {c->last_before, c->first_after};
        forget_outcomes(c);
        for (int k = 0; k < 2; k++) {
            const reached got = drive_case(&c->of, (kill_at){points[k], NO_POINT});
            note_outcome(c, points[k], &got);
        }
        if (c->first_after > c->last_before)
            return false;
    }
    return true;
}

/* An operation happens once: the points without it come before those with it, in whatever order they
 * are tried. Beside companions the same point may come sooner or later. */
static void expect_once(campaign *c, kill_at at, const reached *got)
{
    EXPECT(got->found != OUTCOME_AFTER || at.point > 0);
    EXPECT(got->found != OUTCOME_BEFORE || !got->end);
    if (!options->repeats || c->of.operation->accompany || at.second != NO_POINT)
        return;
    note_outcome(c, at.point, got);
    EXPECT(c->first_after > c->last_before || !is_confirmed(c));
}

static reached attempt(campaign *c, kill_at at)
{
    const int64_t begin = os_now();
    tell_context(c, at);
    const reached got = drive_case(&c->of, at);
    if (at.second == NO_POINT)
        c->tried++;
    else
        c->recovered++;
    /* A killed reaper may take a worker with it. */
    EXPECT(at.point != THE_END || at.second != NO_POINT || got.end);
    EXPECT(at.second != THE_END || got.second_end);
    expect_once(c, at, &got);
    c->spent += os_now() - begin;
    return got;
}

/* The number of points is known where the victim has come by all of them; in the soak the most. */
static void learn(campaign *c, kill_at at, const reached *got)
{
    plan *p = &c->plan;
    if (got->points && got->points < p->points && !is_soak())
        plan_shorten(p, got->points);
    if (at.second == NO_POINT && at.point + 1 == p->points && !got->end)
        plan_lengthen(p);
    if (got->seconds)
        plan_learn(p, at.point, got->seconds);
}

static void attempt_planned(campaign *c, kill_at at)
{
    const reached got = attempt(c, at);
    learn(c, at, &got);
}

/* ---- one operation ---- */

static void take(campaign *c, uint32_t point, uint32_t second)
{
    const kill_at at = {point, second};
    if (plan_take(&c->plan, at))
        attempt_planned(c, at);
}

typedef enum kind_of_case { ALONE, ONCE_MORE, RECOVERED } kind_of_case;

/* One more of that kind. False: there are none left. */
static bool go_on(campaign *c, kind_of_case kind)
{
    kill_at at;
    plan *p = &c->plan;
    deck *from = kind == ALONE ? &p->alone : kind == ONCE_MORE ? &p->again : &p->pairs;
    if (!plan_draw(p, from, &at))
        return false;
    attempt_planned(c, at);
    c->tried -= kind == ONCE_MORE;
    return true;
}

/* Recovery, too, is killed at its first point and at its last, at its end and at another one; each
 * time after another kill. */
static void begin_recovery(campaign *c)
{
    plan *p = &c->plan;
    if (is_short()) {
        go_on(c, RECOVERED);
        return;
    }
    take(c, plan_random_point(p), THE_END);
    take(c, plan_random_point(p), 0);
    const uint32_t point = plan_random_point(p);
    const uint32_t seconds = plan_seconds_of(p, point);
    if (seconds > 1)
        take(c, point, seconds - 2);
    if (seconds > 1)
        take(c, plan_random_point(p), plan_random(p, seconds - 1));
}

/* The least: the end, which counts the points, twice, for the first time may leave the heap such that
 * they are fewer; first and last kill point, and two others. In a hurry just two at random. */
static void begin_operation(campaign *c, uint64_t seed)
{
    plan *p = &c->plan;
    p->recovery = options->recovery;
    p->wavers = c->of.operation->accompany != NULL;
    p->dense = options->dense * (is_soak() ? 10 : 1);
    const kill_at end = {THE_END, NO_POINT};
    const reached got = attempt(c, end);
    plan_begin(p, seed, got.points);
    learn(c, end, &got);
    if (is_short()) {
        go_on(c, ALONE);
        go_on(c, ALONE);
    } else if (p->points > 1) {
        take(c, p->points - 1, NO_POINT);
        const uint32_t kills = p->points - 1;
        take(c, 0, NO_POINT);
        take(c, kills - 1, NO_POINT);
        take(c, plan_random(p, kills), NO_POINT);
        take(c, plan_random(p, kills), NO_POINT);
    }
    if (p->recovery)
        begin_recovery(c);
}

/* ---- all of them ---- */

/* A noun, or a noun and a name. */
static bool is_chosen(const char *name)
{
    const char *only = getenv("MPROC_CRASH_ONLY"), *without = getenv("MPROC_CRASH_WITHOUT");
    return (!only || strncmp(only, name, strlen(only)) == 0) &&
           (!without || strncmp(without, name, strlen(without)) != 0);
}

static size_t choose(campaign **all)
{
    size_t count = 0;
    subject of;
    *all = NULL;
    for (uint32_t i = 0; (of = subject_at(i)).operation; i++) {
        campaign one = {.of = of, .first_after = UINT32_MAX};
        snprintf(one.name, sizeof one.name, "%s: %s", of.noun, of.operation->name);
        if (!is_chosen(one.name))
            continue;
        *all = realloc(*all, (count + 1) * sizeof one);
        assert_non_null(*all);
        (*all)[count++] = one;
    }
    for (size_t i = count; i > 1; i--) {
        const size_t j = pace_draw(i);
        const campaign one = (*all)[i - 1];
        (*all)[i - 1] = (*all)[j];
        (*all)[j] = one;
    }
    return count;
}

static uint32_t read_point(const char *text)
{
    return strncmp(text, "end", 3) == 0 ? THE_END : (uint32_t)strtoul(text, NULL, 10);
}

/* Told from outside. */
static void try_one_point(campaign *all, size_t count, const char *text)
{
    const char *colon = strchr(text, ':');
    const kill_at at = {read_point(text), colon ? read_point(colon + 1) : NO_POINT};
    for (size_t i = 0; i < count; i++) {
        const reached got = attempt(&all[i], at);
        print_message("%s: %s; the one who joined it %s; recovered\n", all[i].name,
                      got.end ? "came to the end" : "killed",
                      got.second_end          ? "came to the end"
                      : at.second == NO_POINT ? "was not to be killed"
                                              : "was killed");
        if (got.points || got.seconds)
            print_message("points: %" PRIu32 ", of its recovery: %" PRIu32 "\n", got.points,
                          got.seconds);
    }
}

typedef struct totals {
    uint64_t tried, recovered, points, seconds;
    bool exact;
} totals;

/* What was tried of more points than there are now is not more than all. */
static uint64_t least(uint64_t tried, uint64_t all)
{
    return tried < all ? tried : all;
}

static void report(const campaign *c, totals *sum)
{
    bool exact = true;
    const uint64_t points = plan_total(&c->plan, false, &exact);
    const uint64_t seconds = plan_total(&c->plan, true, &exact);
    const uint64_t tried = least(c->tried, points), recovered = least(c->recovered, seconds);
    print_message("%-48s %4" PRIu64 " of %4" PRIu64 " kill points, recovery %5" PRIu64
                  " of %s%5" PRIu64 ", %6lld ms\n",
                  c->name, tried, points, recovered, exact ? "" : "~", seconds,
                  (long long)(c->spent / MILLISECOND));
    sum->tried += tried;
    sum->recovered += recovered;
    sum->points += points;
    sum->seconds += seconds;
    sum->exact = sum->exact && exact;
}

/* Of each in turn. */
static void take_turns(campaign *all, size_t count, kind_of_case kind)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count && os_now() < time_limit; i++)
            more = go_on(&all[i], kind) || more;
    }
}

/* The least of all operations; where a process takes long to start of as many as there is time for.
 * Returns how many. */
static size_t begin_all(campaign *all, size_t count)
{
    const size_t few = 12;
    size_t done = 0;
    for (; done < count && (!is_slow() || done < few || os_now() < time_limit); done++) {
        begin_operation(&all[done], pace_seed() * UINT64_C(1000) + all[done].of.index);
        while (is_soak() && (go_on(&all[done], ALONE) || go_on(&all[done], ONCE_MORE) ||
                             go_on(&all[done], RECOVERED))) {
        }
    }
    return done;
}

void drive_operations(const drive_options *chosen)
{
    const char *point = getenv("MPROC_CRASH_POINT");
    campaign *all;
    totals sum = {.exact = true};
    options = chosen;
    time_limit = budget_end(chosen->seconds, 1);
    const size_t count = choose(&all);
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    if (point) {
        try_one_point(all, count, point);
        free(all);
        return;
    }
    const size_t begun = begin_all(all, count);
    /* Kill points first: they cost half as much, and some faults show nowhere else. */
    for (kind_of_case kind = ALONE; kind <= RECOVERED; kind++)
        take_turns(all, begun, kind);
    for (size_t i = 0; i < begun; i++) {
        report(&all[i], &sum);
        plan_end(&all[i].plan);
    }
    free(all);
    print_message(
        "%s: %u of %u operations, %" PRIu64 " of %" PRIu64 " kill points, recovery %" PRIu64
        " of %s%" PRIu64 ", %" PRIu64 " process starts, seed %u: all recovered\n",
        method.name, (unsigned)begun, (unsigned)count, sum.tried, sum.points, sum.recovered,
        sum.exact ? "" : "about ", sum.seconds, count_starts(), pace_seed());
}
