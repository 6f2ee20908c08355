#include <string.h>

#include "family/arena.h"
#include "family/heap.h"
#include "family/object.h"
#include "family/park.h"
#include "scenario.h"

struct stage stage;

const explore_play *scenario_at(int i)
{
    static const explore_play *const tables[] = {
        queue_scenarios, lock_scenarios,      semaphore_scenarios,
        event_scenarios, condition_scenarios, barrier_scenarios,
        data_scenarios,  heap_scenarios,      object_scenarios};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const explore_play *play = tables[t]; play->name; play++) {
            if (!i--)
                return play;
        }
    }
    return NULL;
}

const explore_play *scenario_named(const char *name)
{
    const explore_play *play;
    for (int i = 0; (play = scenario_at(i)) && strcmp(play->name, name); i++) {
    }
    return play;
}

void stage_open(void)
{
    explore_keep(&stage, sizeof stage);
}

void note_heap(void)
{
    stage.heap_used = heap_used();
    stage.objects = object_count();
}

const char *heap_is_as_before(void)
{
    if (heap_used() != stage.heap_used)
        return "memory is lost";
    return object_count() == stage.objects ? NULL : "an object is lost";
}

void must(mproc_err err, const char *call)
{
    (void)call;
    if (err)
        explore_wrong(call);
}

const volatile void *scenario_word(int who)
{
    const uint64_t asleep = UINT64_C(1) << 63;
    const volatile void *word = explore_sleeps_on(who);
    const os_signal *signals = arena_table_begin(ARENA_SIGNALS);
    const uintptr_t offset = (uintptr_t)word - (uintptr_t)signals;
    if (os_has_futex || offset / sizeof *signals >= PARK_PLACES)
        return word;
    const park_place *places = arena_table_begin(ARENA_PLACES);
    const uint64_t at = atomic_load(&places[offset / sizeof *signals].word);
    return at & asleep ? arena_at(at & ~asleep)
                       : NULL; /* NULL: it has been chosen, but not woken */
}
