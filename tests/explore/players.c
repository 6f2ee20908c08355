#include "players.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "coroutine.h"
#include "decisions.h"
#include "image.h"
#include "point.h"

_Static_assert((int)EXPLORE_ALL == (int)COROUTINE_MAIN && (int)COROUTINES == (int)IMAGES,
               "one of each for each player");

/* os_now, when a schedule begins. No wait of the library's own ends before an impatient player's. */
static const int64_t beginning = INT64_C(1000000000000);
static const int64_t patience = EXPLORE_TIMEOUT_MS * INT64_C(1000000);

enum { STEPS_MOST = 60000 };

typedef enum { ABSENT, READY, ASLEEP, AWAITS_DEATH, DONE, KILLED } player_state;

typedef struct player {
    player_state state;
    const volatile void *word; /* what it sleeps on */
    int64_t clock;
    bool timed, time_up; /* its sleep has an end; that has come */
    bool impatient;      /* its time can still be up */
    bool stored;         /* or was woken, since it could be killed last */
    bool swept;
} player;

static const explore_play *play;
static int process_of[EXPLORE_ALL];

static struct {
    int current, preemptions, bound, kills;
    player of[EXPLORE_ALL];
    int died[EXPLORE_SWEEPERS], deaths; /* in their order */
    long steps;
    char fault[EXPLORE_TEXT];
} run = {.current = NOBODY};

static bool traced;

/* ---- which words several players use ---- */

/* Sets of players, for each 8 bytes of the arena, and of what threads share. */
static struct {
    uint8_t *readers, *writers;
    size_t common; /* index of the first one that threads share */
    long shared;
    bool learned;
} words;

static bool is_shared(size_t i)
{
    const unsigned users = words.readers[i] | words.writers[i];
    return words.writers[i] && users & (users - 1);
}

static bool note_use(const volatile void *word, bool writes)
{
    size_t i = ((uintptr_t)word - explore_arena.begin) / 8;
    if ((uintptr_t)word - explore_arena.begin >= explore_arena.size)
        i = words.common + ((uintptr_t)word - explore_common.begin) / 8;
    const bool before = is_shared(i);
    uint8_t *users = writes ? &words.writers[i] : &words.readers[i];
    *users |= (uint8_t)(1 << run.current);
    const bool now = is_shared(i);
    words.shared += now && !before;
    words.learned |= now && !before;
    return now;
}

static void open_words(void)
{
    char *common;
    size_t size;
    image_static(&common, &size);
    if (play->threads)
        explore_common = (struct explore_range){(uintptr_t)common, size};
    words.common = explore_arena.size / 8;
    words.readers = calloc(2, words.common + size / 8 + 1);
    if (!words.readers)
        abort();
    words.writers = words.readers + words.common + size / 8 + 1;
}

long players_words(void)
{
    return words.shared;
}

bool players_learned(void)
{
    return words.learned;
}

/* ---- saying ---- */

void players_trace(void)
{
    traced = true;
}

void players_say(const char *format, ...)
{
    va_list arguments;
    if (!traced)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

static char name_of(int who)
{
    return (char)('A' + who);
}

/* ---- who goes on ---- */

static void hand_over(int to)
{
    const int from = run.current == NOBODY ? COROUTINE_MAIN : run.current;
    if (from == to)
        return;
    run.current = to == COROUTINE_MAIN ? NOBODY : to;
    image_enter(to == COROUTINE_MAIN ? to : process_of[to], to);
    coroutine_switch(from, to);
}

_Noreturn static void stop(void)
{
    hand_over(COROUTINE_MAIN);
    abort();
}

void players_abandon(const char *why)
{
    explore_wrong(why);
    stop();
}

static int list_others(uint8_t *options, int current)
{
    int count = 0;
    for (int i = 0; i < EXPLORE_ALL; i++) {
        if (i != current && run.of[i].state == READY)
            options[count++] = (uint8_t)i;
    }
    for (int i = 0; i < EXPLORE_ALL; i++) {
        if (run.of[i].state == ASLEEP && run.of[i].timed && run.of[i].impatient)
            options[count++] = (uint8_t)(TIME_IS_UP | i);
    }
    return count;
}

static void end_time_of(int who)
{
    player *p = &run.of[who];
    p->state = READY;
    p->impatient = false;
    p->time_up = true;
    p->clock += 2 * patience;
    players_say("      %c's time is up\n", name_of(who));
}

/* The player that runs is at a place where another one may go on, or must. */
static void schedule(bool yields)
{
    uint8_t options[OPTIONS_MOST];
    int count = 0;
    const int current = run.current;
    const bool can = current != NOBODY && run.of[current].state == READY;
    const bool free = !can || yields;
    if (can && !yields)
        options[count++] = (uint8_t)current;
    if (free || run.preemptions < run.bound || decisions_are_replayed())
        count += list_others(options + count, current);
    if (!count && can)
        options[count++] = (uint8_t)current;
    if (!count)
        stop();
    const uint8_t choice = decide(options, count);
    const int next = choice & ~TIME_IS_UP;
    if (choice & TIME_IS_UP)
        end_time_of(next);
    if (!free && next != current)
        run.preemptions++;
    if (next != current)
        players_say("  --> %c%s\n", name_of(next), free ? "" : " preempts");
    hand_over(next);
}

static void count_step(void)
{
    if (++run.steps > STEPS_MOST)
        players_abandon("it does not come to an end");
}

void players_yield(void)
{
    count_step();
    players_say("    %c yields\n", name_of(run.current));
    schedule(true);
}

/* ---- sleeping ---- */

bool players_sleep(const volatile void *word, int64_t until)
{
    player *me = &run.of[run.current];
    me->state = ASLEEP;
    me->word = word;
    me->timed = until < INT64_MAX;
    me->time_up = false;
    players_say("    %c sleeps\n", name_of(run.current));
    schedule(false);
    me->stored = true; /* killed now, it takes its wake-up with it */
    return !me->time_up;
}

void players_wake(const volatile void *word, uint32_t count)
{
    while (count) {
        uint8_t sleepers[EXPLORE_ALL];
        int found = 0;
        for (int i = 0; i < EXPLORE_ALL; i++) {
            if (run.of[i].state == ASLEEP && run.of[i].word == word)
                sleepers[found++] = (uint8_t)i;
        }
        if (!found)
            return;
        const int chosen = (uint32_t)found <= count ? sleepers[0] : decide(sleepers, found);
        run.of[chosen].state = READY;
        players_say("      wakes %c\n", name_of(chosen));
        count--;
    }
}

/* ---- dying ---- */

/* The sweeper that is alive comes on, or finds one more when it has done with the first. */
static void tell_sweeper(void)
{
    for (int i = EXPLORE_PLAYERS; i < EXPLORE_ALL; i++) {
        if (run.of[i].state == KILLED)
            continue;
        if (run.of[i].state == AWAITS_DEATH)
            run.of[i].state = READY;
        return;
    }
}

_Noreturn static void die(void)
{
    const int victim = run.current;
    players_say("  *** %c is killed\n", name_of(victim));
    run.kills--;
    run.current = NOBODY;
    if (play->at_death)
        play->at_death(victim);
    run.current = victim;
    for (int i = 0; i < EXPLORE_ALL; i++) {
        if (process_of[i] == process_of[victim] && run.of[i].state != ABSENT)
            run.of[i].state = KILLED;
    }
    run.died[run.deaths++] = process_of[victim];
    tell_sweeper();
    schedule(false);
    abort();
}

static void may_die(void)
{
    const int me = run.current;
    run.of[me].stored = false;
    if (!run.kills || (me < EXPLORE_PLAYERS && !(play->mortal >> me & 1)))
        return;
    const uint8_t options[] = {LIVES, DIES};
    if (decide(options, 2) == DIES)
        die();
}

void players_reach_killpoint(void)
{
    if (run.current != NOBODY)
        may_die();
}

/* The one that died last comes first: as an ancestor finds first its child, then what that one had to
 * look after. */
static bool sweep_next(void)
{
    for (int i = run.deaths; i--;) {
        const slot_id dead = explore_slot(run.died[i]);
        if (run.of[run.died[i]].swept)
            continue;
        if (slot_is(dead, SLOT_LIVING))
            explore_sweep(dead);
        run.of[run.died[i]].swept = true;
        return true;
    }
    return false;
}

static void be_sweeper(void)
{
    for (;;) {
        while (sweep_next()) {
        }
        run.of[run.current].state = AWAITS_DEATH;
        schedule(false);
    }
}

/* ---- points ---- */

static void print_point(const volatile void *word, int writes, const char *file, int line)
{
    if (!traced)
        return;
    const uintptr_t at = (uintptr_t)word & ~(uintptr_t)7;
    const char *name = strrchr(file, '/');
    const uint64_t now = *(const volatile uint64_t *)at;
    players_say("    %c %s %s:%d [%s%lx] = %llx\n", name_of(run.current),
                writes ? "writes" : "reads ", name ? name + 1 : file, line,
                at - explore_arena.begin < explore_arena.size ? "" : "own ",
                (unsigned long)((uintptr_t)word - explore_arena.begin), (unsigned long long)now);
}

void explore_point(const volatile void *word, int writes, const char *file, int line)
{
    if (run.current == NOBODY)
        return;
    count_step();
    player *me = &run.of[run.current];
    if (me->stored)
        may_die();
    if (note_use(word, writes) || decisions_are_replayed())
        schedule(false);
    else
        decide_nothing();
    me->stored = writes;
    print_point(word, writes, file, line);
}

/* ---- a schedule ---- */

static void be_player(void)
{
    const int me = run.current;
    if (me >= EXPLORE_PLAYERS)
        be_sweeper();
    play->act[me](me);
    run.of[me].state = DONE;
    players_say("    %c is done\n", name_of(me));
    schedule(false);
    abort();
}

void players_open(const explore_play *chosen)
{
    play = chosen;
    for (int i = 0; i < EXPLORE_ALL; i++)
        process_of[i] = play->threads >> i & 1 ? process_of[i - 1] : i;
    open_words();
}

void players_run(const explore_limits *limits)
{
    memset(&run, 0, sizeof run);
    run.current = NOBODY;
    run.bound = limits->bound;
    run.kills = limits->kills;
    words.learned = false;
    for (int i = 0; i < EXPLORE_ALL; i++) {
        player *p = &run.of[i];
        p->clock = beginning;
        p->impatient = play->impatient >> i & 1;
        if (i < EXPLORE_PLAYERS)
            p->state = play->act[i] ? READY : ABSENT;
        else
            p->state = limits->kills ? AWAITS_DEATH : ABSENT;
        coroutine_begin(i, be_player);
    }
    schedule(false);
}

static const char *fault_of_sleeper(int who)
{
    static char text[EXPLORE_TEXT];
    const char *why = "sleeps for ever";
    if (who < EXPLORE_PLAYERS && play->stuck)
        why = play->stuck(who);
    if (!why)
        return NULL;
    snprintf(text, sizeof text, "%c %s", name_of(who), why);
    return text;
}

const char *players_complaint(void)
{
    return run.fault[0] ? run.fault : NULL;
}

const char *players_stuck(void)
{
    const char *fault = NULL;
    for (int i = 0; !fault && i < EXPLORE_ALL; i++) {
        if (run.of[i].state == ASLEEP)
            fault = fault_of_sleeper(i);
    }
    return fault;
}

/* On a stack of its own: the player's may be what it has spoilt. */
static void after_crash(void)
{
    stop();
}

bool players_crash(void *context, const char *text)
{
    static _Alignas(16) unsigned char stack[1 << 16];
    ucontext_t *at = context;
    if (run.current == NOBODY)
        return false;
    explore_wrong(text);
    at->uc_mcontext.gregs[REG_RSP] = (greg_t)(uintptr_t)(stack + sizeof stack - 64 - 8);
    at->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)after_crash;
    return true;
}

/* ---- what others ask ---- */

int players_process(int who)
{
    return process_of[who];
}

int players_current(void)
{
    return run.current;
}

int64_t players_clock(void)
{
    return run.current == NOBODY ? beginning : run.of[run.current].clock;
}

long players_steps(void)
{
    return run.steps;
}

void explore_wrong(const char *text)
{
    if (!run.fault[0])
        snprintf(run.fault, sizeof run.fault, "%s", text);
    if (run.current != NOBODY)
        players_say("    %c: %s\n", name_of(run.current), text);
}

bool explore_killed(void)
{
    return run.deaths > 0;
}

bool explore_is_dead(int who)
{
    return run.of[who].state == KILLED;
}

bool explore_is_done(int who)
{
    return run.of[who].state == DONE;
}

const volatile void *explore_sleeps_on(int who)
{
    return run.of[who].state == ASLEEP ? run.of[who].word : NULL;
}
