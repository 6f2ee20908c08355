#include "report.h"

#include <stdio.h>

static struct {
    int searches, complete, cut_off, wrong;
    long schedules, steps;
    double seconds;
} sums;

void report_begin(void)
{
    printf("%-52s %-7s %5s %5s %10s %7s %8s\n", "scenario", "sleep", "kills", "bound", "schedules",
           "words", "seconds");
}

static const char *how_it_ended(const report_line *line)
{
    if (!line->ended)
        return "  DIED";
    if (line->outcome.findings)
        return "  WRONG";
    return line->outcome.complete ? "" : "  cut off";
}

static void print_finding(const report_line *line)
{
    const explore_outcome *o = &line->outcome;
    printf("    %s\n    by schedule %ld, after %.3f s", o->text, o->first, o->first_seconds);
    if (o->findings > 1)
        printf("; %ld schedules in all", o->findings);
    printf("\n    explore -s \"%s\" -k %d -w %s -r \"%s\"\n", line->play->name, line->kills,
           line->futex ? "futex" : "places", o->schedule);
}

void report_add(const report_line *line)
{
    const explore_outcome *o = &line->outcome;
    printf("%-52s %-7s %5d %5d %10ld %7ld %8.2f%s\n", line->play->name,
           line->futex ? "futex" : "places", line->kills, line->bound, o->schedules, o->words,
           line->seconds, how_it_ended(line));
    if (o->findings)
        print_finding(line);
    sums.searches++;
    sums.schedules += line->sum;
    sums.seconds += line->seconds;
    if (!line->ended || o->findings)
        sums.wrong++;
    else if (o->complete)
        sums.complete++;
    else
        sums.cut_off++;
    fflush(stdout);
}

bool report_has_findings(void)
{
    return sums.wrong > 0;
}

int report_end(void)
{
    printf("explored: %d searches, %ld schedules, %.1f s; %d complete, %d cut off, %d wrong\n",
           sums.searches, sums.schedules, sums.seconds, sums.complete, sums.cut_off, sums.wrong);
    return sums.wrong ? 1 : 0;
}
