#include "decisions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECISIONS_MOST = 8192 };

typedef struct decision {
    long number;
    uint8_t count, taken, options[OPTIONS_MOST];
} decision;

static struct {
    decision row[DECISIONS_MOST];
    int known; /* their beginning is as in the last schedule */
    int at;    /* taken in this schedule */
    long number;
    bool diverged, overflowed;
    const char *replay;
} all;

void decisions_forget(void)
{
    all.known = 0;
}

void decisions_begin(void)
{
    all.at = 0;
    all.number = 0;
    all.diverged = all.overflowed = false;
}

void decide_nothing(void)
{
    all.number++;
}

/* ---- replaying ---- */

static uint8_t choice_of(char letter)
{
    if (letter == '!')
        return DIES;
    if (letter >= 'a' && letter <= 'z')
        return (uint8_t)(TIME_IS_UP | (letter - 'a'));
    return (uint8_t)(letter - 'A');
}

static char letter_of(uint8_t choice)
{
    if (choice == DIES)
        return '!';
    return (char)(choice & TIME_IS_UP ? 'a' + (choice & ~TIME_IS_UP) : 'A' + choice);
}

static uint8_t replayed(const uint8_t *options, int count)
{
    for (const char *at = all.replay; at && *at;) {
        char *end;
        long number = strtol(at, &end, 10);
        if (*end != ':')
            break;
        for (int i = 0; number == all.number && i < count; i++) {
            if (options[i] == choice_of(end[1]))
                return options[i];
        }
        at = strchr(end, ',');
        at = at ? at + 1 : NULL;
    }
    return options[0];
}

void decisions_replay(const char *text)
{
    all.replay = text;
}

bool decisions_are_replayed(void)
{
    return all.replay != NULL;
}

/* ---- deciding ---- */

static uint8_t decide_anew(const uint8_t *options, int count)
{
    decision *d = &all.row[all.at++];
    all.known = all.at;
    *d = (decision){.number = all.number, .count = (uint8_t)count};
    memcpy(d->options, options, (size_t)count);
    return options[0];
}

static uint8_t repeat(const uint8_t *options, int count)
{
    const decision *d = &all.row[all.at++];
    if (d->number != all.number || d->count != count ||
        memcmp(d->options, options, (size_t)count)) {
        all.diverged = true;
        return options[0];
    }
    return d->options[d->taken];
}

uint8_t decide(const uint8_t *options, int count)
{
    all.number++;
    if (all.replay)
        return replayed(options, count);
    if (count == 1)
        return options[0];
    if (all.at == DECISIONS_MOST || count > OPTIONS_MOST) {
        all.overflowed = true;
        return options[0];
    }
    return all.at < all.known ? repeat(options, count) : decide_anew(options, count);
}

bool decisions_go_on(void)
{
    for (all.known = all.at; all.known; all.known--) {
        decision *last = &all.row[all.known - 1];
        if (++last->taken < last->count)
            return true;
    }
    return false;
}

long decisions_count(void)
{
    return all.at;
}

const char *decisions_fault(void)
{
    if (all.diverged)
        return "a schedule did not repeat itself";
    return all.overflowed ? "a schedule has too many decisions" : NULL;
}

void decisions_write(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < all.at && used + 24 < size; i++) {
        const decision *d = &all.row[i];
        if (d->taken)
            used += (size_t)snprintf(text + used, size - used, "%s%ld:%c", used ? "," : "",
                                     d->number, letter_of(d->options[d->taken]));
    }
}
