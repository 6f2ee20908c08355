#include "plan.h"

#include <stdlib.h>
#include <string.h>

uint32_t plan_random(plan *p, uint32_t limit)
{
    p->random = p->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((p->random >> 33) % limit);
}

/* ---- decks ---- */

static void *grow(void *old, size_t bytes)
{
    void *room = realloc(old, bytes);
    if (!room)
        abort();
    return room;
}

/* At a random place among those that have not been drawn. */
static void deck_add(plan *p, deck *d, kill_at card)
{
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 64;
        d->cards = grow(d->cards, d->room * sizeof *d->cards);
    }
    const size_t at = d->next + plan_random(p, (uint32_t)(d->count - d->next + 1));
    d->cards[d->count++] = d->cards[at];
    d->cards[at] = card;
}

static bool deck_take(deck *d, kill_at card)
{
    for (size_t i = d->next; i < d->count; i++) {
        if (d->cards[i].point == card.point && d->cards[i].second == card.second) {
            d->cards[i] = d->cards[d->next];
            d->cards[d->next++] = card;
            return true;
        }
    }
    return false;
}

/* ---- points ---- */

static uint32_t index_of(const plan *p, uint32_t point)
{
    return point < p->points ? point : p->points - 1;
}

static uint32_t point_at(const plan *p, uint32_t index)
{
    return index + 1 < p->points ? index : THE_END;
}

uint32_t plan_random_point(plan *p)
{
    return point_at(p, plan_random(p, p->points));
}

/* A loop has many points that are alike: behind the first ones ever fewer are tried, in each run
 * others. */
static uint32_t next_point(plan *p, uint32_t point)
{
    return point + 1 + (point < p->dense ? 0 : plan_random(p, point / 4));
}

static void plan_seconds(plan *p, uint32_t index, uint32_t points)
{
    counted *of = &p->seconds[index];
    for (; of->is_chosen && of->planned + 1 < points; of->planned = next_point(p, of->planned))
        deck_add(p, &p->pairs, (kill_at){point_at(p, index), of->planned});
}

static void plan_recovery(plan *p, uint32_t index)
{
    if (!p->recovery)
        return;
    p->seconds[index].is_chosen = true;
    deck_add(p, &p->pairs, (kill_at){point_at(p, index), THE_END});
    plan_seconds(p, index, p->most_seconds);
}

void plan_begin(plan *p, uint64_t seed, uint32_t points)
{
    const uint32_t last = points - 1;
    p->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    p->points = points;
    p->seconds = grow(NULL, points * sizeof *p->seconds);
    memset(p->seconds, 0, points * sizeof *p->seconds);
    for (uint32_t i = 0; i < last; i = next_point(p, i)) {
        deck_add(p, &p->alone, (kill_at){i, NO_POINT});
        if (p->wavers)
            deck_add(p, &p->again, (kill_at){i, NO_POINT});
        plan_recovery(p, i);
    }
    plan_recovery(p, last);
    deck_add(p, &p->alone, (kill_at){last, NO_POINT});
}

void plan_end(plan *p)
{
    free(p->seconds);
    free(p->alone.cards);
    free(p->again.cards);
    free(p->pairs.cards);
}

void plan_learn(plan *p, uint32_t point, uint32_t seconds)
{
    const uint32_t index = index_of(p, point);
    if (!p->recovery || p->seconds[index].points >= seconds)
        return;
    p->seconds[index].points = seconds;
    plan_seconds(p, index, seconds);
    if (seconds <= p->most_seconds)
        return;
    p->most_seconds = seconds;
    for (uint32_t i = 0; i < p->points; i++) {
        if (!p->seconds[i].points)
            plan_seconds(p, i, seconds);
    }
}

uint32_t plan_seconds_of(const plan *p, uint32_t point)
{
    const counted *of = &p->seconds[index_of(p, point)];
    return of->points ? of->points : p->most_seconds;
}

/* The end stays the last. */
void plan_shorten(plan *p, uint32_t points)
{
    p->seconds[points - 1] = p->seconds[p->points - 1];
    p->points = points;
}

void plan_lengthen(plan *p)
{
    const uint32_t last = p->points - 1;
    p->points++;
    p->seconds = grow(p->seconds, p->points * sizeof *p->seconds);
    p->seconds[last + 1] = p->seconds[last];
    p->seconds[last] = (counted){0};
    plan_recovery(p, last);
    deck_add(p, &p->alone, (kill_at){last + 1, NO_POINT});
}

/* ---- draws ---- */

bool plan_take(plan *p, kill_at at)
{
    return deck_take(at.second == NO_POINT ? &p->alone : &p->pairs, at);
}

/* Where fewer have been counted than were planned, the rest does not exist. */
static bool exists(const plan *p, const kill_at *at)
{
    if (at->point != THE_END && at->point + (at->second != NO_POINT) >= p->points)
        return false;
    if (at->second == NO_POINT || at->second == THE_END)
        return true;
    const counted *of = &p->seconds[index_of(p, at->point)];
    return !of->points || at->second + 1 < of->points;
}

bool plan_draw(plan *p, deck *from, kill_at *at)
{
    while (from->next < from->count) {
        *at = from->cards[from->next++];
        if (exists(p, at))
            return true;
    }
    return false;
}

uint64_t plan_total(const plan *p, bool pairs, bool *exact)
{
    uint64_t sum = 0;
    if (!pairs)
        return p->points;
    for (uint32_t i = 0; i < p->points; i++) {
        sum += plan_seconds_of(p, point_at(p, i));
        *exact = *exact && p->seconds[i].points;
    }
    return sum;
}
