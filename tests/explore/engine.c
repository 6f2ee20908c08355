#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/ends.h"
#include "decisions.h"
#include "family/heap.h"
#include "family/park.h"
#include "family/waiters.h"
#include "image.h"
#include "killpoint.h"
#include "pages.h"
#include "players.h"
#include "point.h"
#include "seams.h"
#include "sync/sweep.h"

struct explore_range explore_arena, explore_common;

static const explore_play *play;
static slot_id slots[EXPLORE_ALL];

enum { KEPT_MOST = 4 };
static struct {
    void *at, *copy;
    size_t size;
} kept[KEPT_MOST];
static int kept_count;

/* Of this process's own time: what the machine does besides changes nothing. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the family ---- */

_Noreturn static void give_up(const char *what)
{
    fprintf(stderr, "explore: %s: %s\n", play->name, what);
    fflush(NULL);
    _exit(2);
}

/* The table of waiters is there, and each player has a slot, as if it had just come to life. The
 * first process watches its children, as one does that shares something. */
static void found_family(void)
{
    uint32_t used;
    setenv("MPROC_ARENA_SIZE", "16M", 1);
    setenv("MPROC_ARENA_LIMIT", "8M", 1);
    if (family_enter() || object_enter() || !arena_use_table(ARENA_WAITERS, 1, &used))
        give_up("there is no family");
    arena_note_objects();
    atomic_store(&slot_at(family.self)->monitors, true);
    explore_arena = (struct explore_range){(uintptr_t)arena_base(), arena_extent()};
    for (int i = 0; i < EXPLORE_ALL; i++) {
        if (slot_claim(family.self, "player", false, &slots[i]) ||
            slot_enter(slots[i], SEAMS_FIRST_PID + i))
            give_up("there is no slot");
    }
}

/* The static data of the first process and of the players differ in who they are. */
static void define_images(void)
{
    const slot_id self = family.self;
    image_define(IMAGES - 1);
    for (int i = 0; i < EXPLORE_ALL; i++) {
        family.self = slots[i];
        if (object_enter())
            give_up("a player is nobody");
        image_define(i);
    }
    family.self = self;
    if (object_enter())
        give_up("nobody is left");
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    char text[EXPLORE_TEXT];
    if (signal == SIGSEGV && (pages_catch(info->si_addr) || image_catch(info->si_addr)))
        return;
    snprintf(text, sizeof text, "signal %d at address %p", signal, info->si_addr);
    if (players_crash(context, text))
        return;
    char schedule[EXPLORE_SCHEDULE];
    decisions_write(schedule, sizeof schedule);
    fprintf(stderr, "  after schedule %s\n", schedule);
    give_up(text);
}

static void catch_signals(void)
{
    static unsigned char stack[1 << 16];
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&own, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGILL, &action, NULL);
}

void explore_keep(void *bytes, size_t size)
{
    if (kept_count == KEPT_MOST)
        abort();
    kept[kept_count].at = bytes;
    kept[kept_count].size = size;
    kept[kept_count++].copy = malloc(size);
}

void explore_open(const explore_play *chosen, bool futex)
{
    play = chosen;
    seams_choose(futex);
    images_open();
    found_family();
    players_open(play);
    play->set_up();
    killpoint_reached = players_reach_killpoint;
    define_images();
    for (int i = 0; i < kept_count; i++)
        memcpy(kept[i].copy, kept[i].at, kept[i].size);
    seams_keep();
    catch_signals();
    pages_open(arena_base(), arena_extent());
    images_protect();
}

slot_id explore_slot(int who)
{
    return slots[players_process(who)];
}

void explore_sweep(slot_id dead)
{
    ends_sweep(dead);
    sync_sweep(dead);
    family_disown(dead);
    family_sweep(dead, false);
}

/* ---- one schedule ---- */

static void run_once(const explore_limits *limits)
{
    pages_restore();
    images_reset();
    seams_begin();
    for (int i = 0; i < kept_count; i++)
        memcpy(kept[i].at, kept[i].copy, kept[i].size);
    decisions_begin();
    players_run(limits);
    image_enter(IMAGES - 1, IMAGES - 1);
}

/* What the predicates call may complain, too. */
static const char *fault_of_run(void)
{
    const char *fault = decisions_fault();
    if (!fault)
        fault = players_complaint();
    if (!fault)
        fault = players_stuck();
    if (!fault && play->check)
        fault = play->check();
    return fault ? fault : players_complaint();
}

/* ---- all of them ---- */

static void note_finding(explore_outcome *outcome, const char *fault, double begin)
{
    if (outcome->findings++)
        return;
    outcome->first = outcome->schedules;
    outcome->first_seconds = now() - begin;
    snprintf(outcome->text, sizeof outcome->text, "%s", fault);
    decisions_write(outcome->schedule, sizeof outcome->schedule);
}

static bool is_late(const explore_limits *limits, const explore_outcome *outcome, double begin)
{
    const long seldom = 64;
    return outcome->schedules % seldom == 0 && now() - begin > limits->seconds;
}

void explore_search(const explore_limits *limits, explore_outcome *outcome)
{
    const double begin = now();
    *outcome = (explore_outcome){0};
    decisions_replay(NULL);
    decisions_forget();
    do {
        run_once(limits);
        outcome->schedules++;
        outcome->steps += players_steps();
        if (decisions_count() > outcome->deepest)
            outcome->deepest = decisions_count();
        const char *fault = fault_of_run();
        if (fault)
            note_finding(outcome, fault, begin);
        if (fault && !limits->go_on)
            break;
        if (players_learned())
            decisions_forget();
        else if (!decisions_go_on())
            outcome->complete = true;
    } while (!outcome->complete && !is_late(limits, outcome, begin));
    outcome->words = players_words();
    outcome->seconds = now() - begin;
}

const char *explore_replay(const explore_limits *limits, const char *schedule)
{
    decisions_replay(schedule);
    decisions_forget();
    players_trace();
    run_once(limits);
    return fault_of_run();
}
