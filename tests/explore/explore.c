/* Tries the scenarios within bounds, and prints what was found. Without arguments: all of them, as
 * the check wants it, or with MPROC_SOAK=1 as the soak does.
 *
 *   -l            names the scenarios
 *   -s TEXT       those whose name begins so
 *   -b N -k N     preemptions and kills at most, instead of the usual ones
 *   -w futex      how sleepers sleep, instead of both ways: futex, or places
 *   -t SECONDS    of the processor, at most for each search
 *   -f            ends with the first search that finds something
 *   -a            goes on after a finding, and counts them
 *   -v            prints the steps of the first schedule in which something was wrong
 *   -r SCHEDULE   runs that one, and prints its steps; needs -s, -k if somebody is killed, -w */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "scenario.h"

typedef struct wishes {
    const char *name, *schedule, *way;
    int bound, kills;
    double seconds;
    bool go_on, first, steps, list;
} wishes;

enum { UNSAID = -1 };

/* How far each kind of search goes. */
typedef struct effort {
    bool futex;
    int kills, bound, soak_bound;
} effort;

static const effort efforts[] = {
    {true, 0, 2, 3}, {true, 1, 1, 2}, {true, 2, 0, 1}, {false, 0, 1, 2}, {false, 1, 0, 1}};

/* Addresses are the same in every run, so that a schedule can be repeated. */
static void want_same_addresses(char **argv)
{
    const int now = personality(0xffffffff);
    if (now != -1 && !(now & ADDR_NO_RANDOMIZE) &&
        personality((unsigned)now | ADDR_NO_RANDOMIZE) != -1)
        execv("/proc/self/exe", argv);
}

/* ---- one search, in a process of its own ---- */

/* In the child: bound after bound, so that the shortest schedule is found first. */
_Noreturn static void search(const explore_play *play, const effort *e, const wishes *w, int bound,
                             report_line *line)
{
    explore_open(play, e->futex);
    for (line->bound = 0; line->bound <= bound; line->bound++) {
        const explore_limits limits = {line->bound, e->kills, w->seconds, w->go_on};
        explore_search(&limits, &line->outcome);
        line->sum += line->outcome.schedules;
        line->seconds += line->outcome.seconds;
        if (line->outcome.findings || !line->outcome.complete || line->bound == bound)
            break;
    }
    line->ended = true;
    _exit(0);
}

_Noreturn static void replay(const explore_play *play, const effort *e, const char *schedule)
{
    explore_open(play, e->futex);
    const char *fault = explore_replay(&(explore_limits){.kills = e->kills}, schedule);
    printf("=> %s\n", fault ? fault : "nothing is wrong");
    fflush(stdout);
    _exit(0);
}

static bool show_steps(const explore_play *play, const effort *e, const char *schedule)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (!child)
        replay(play, e, schedule);
    return waitpid(child, &status, 0) == child && status == 0;
}

static void explore(const explore_play *play, const effort *e, const wishes *w, int bound)
{
    report_line *line =
        mmap(NULL, sizeof *line, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (line == MAP_FAILED)
        abort();
    *line = (report_line){.play = play, .futex = e->futex, .kills = e->kills, .wanted = bound};
    fflush(stdout);
    pid_t child = fork();
    if (!child)
        search(play, e, w, bound, line);
    waitpid(child, NULL, 0);
    report_add(line);
    if (w->steps && line->outcome.findings)
        show_steps(play, e, line->outcome.schedule);
    munmap(line, sizeof *line);
}

/* ---- what is wanted ---- */

static bool is_wanted(const effort *e, const wishes *w, const explore_play *play)
{
    if (e->kills && !play->mortal)
        return false;
    if (w->way && e->futex != !strcmp(w->way, "futex"))
        return false;
    return w->kills == UNSAID || w->kills == e->kills;
}

static bool is_enough(const wishes *w)
{
    return w->first && report_has_findings();
}

static void explore_in_all_ways(const explore_play *play, const wishes *w, bool soak)
{
    for (size_t i = 0; i < sizeof efforts / sizeof *efforts && !is_enough(w); i++) {
        const effort *e = &efforts[i];
        if (!is_wanted(e, w, play))
            continue;
        const int usual = soak ? e->soak_bound : e->bound;
        explore(play, e, w, w->bound == UNSAID ? usual : w->bound);
    }
}

static int explore_all(const wishes *w, bool soak)
{
    const explore_play *play;
    report_begin();
    for (int i = 0; (play = scenario_at(i)); i++) {
        if (w->name && strncmp(play->name, w->name, strlen(w->name)))
            continue;
        if (w->list)
            printf("%s\n", play->name);
        else
            explore_in_all_ways(play, w, soak);
    }
    return w->list ? 0 : report_end();
}

static int replay_one(const wishes *w)
{
    const explore_play *play = w->name ? scenario_named(w->name) : NULL;
    const effort e = {.futex = !w->way || !strcmp(w->way, "futex"),
                      .kills = w->kills == UNSAID ? 0 : w->kills};
    if (!play) {
        fprintf(stderr, "explore: which scenario? -s with its whole name\n");
        return 2;
    }
    return show_steps(play, &e, w->schedule) ? 0 : 1;
}

static bool read_wishes(int argc, char **argv, wishes *w)
{
    int option;
    while ((option = getopt(argc, argv, "ls:b:k:w:t:favr:")) != -1) {
        switch (option) {
        case 'l':
            w->list = true;
            break;
        case 's':
            w->name = optarg;
            break;
        case 'b':
            w->bound = atoi(optarg);
            break;
        case 'k':
            w->kills = atoi(optarg);
            break;
        case 'w':
            w->way = optarg;
            break;
        case 't':
            w->seconds = atof(optarg);
            break;
        case 'f':
            w->first = true;
            break;
        case 'a':
            w->go_on = true;
            break;
        case 'v':
            w->steps = true;
            break;
        case 'r':
            w->schedule = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc && w->kills <= EXPLORE_SWEEPERS;
}

int main(int argc, char **argv)
{
    const char *soak = getenv("MPROC_SOAK");
    const bool long_form = soak && *soak == '1';
    wishes w = {.bound = UNSAID, .kills = UNSAID, .seconds = long_form ? 30 : 10};
    want_same_addresses(argv);
    if (!read_wishes(argc, argv, &w)) {
        fprintf(stderr, "explore: see the head of explore.c\n");
        return 2;
    }
    stage_open();
    return w.schedule ? replay_one(&w) : explore_all(&w, long_form);
}
