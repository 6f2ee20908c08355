/* Values, arrays, strings and memory: nobody sees half of something, or another's. */
#include <string.h>

#include "scenario.h"

typedef struct pair {
    int a, b;
} pair;

/* ---- values and arrays ---- */

/* Others may run here. */
static void give_way(void)
{
    mproc_semaphore_release(stage.semaphore);
}

static void make_value(void)
{
    MUST(mproc_semaphore_create(&stage.semaphore, 0, 0));
    note_heap();
    MUST(mproc_value_create(&stage.value, sizeof(pair), NULL, NULL));
}

/* Under a given lock, a copy takes the value's own one as well. */
static void make_value_with_lock(void)
{
    MUST(mproc_lock_create(&stage.lock));
    MUST(mproc_semaphore_create(&stage.semaphore, 0, 0));
    note_heap();
    MUST(mproc_value_create(&stage.value, sizeof(pair), NULL,
                            &(mproc_value_options){.lock = stage.lock}));
}

static void make_array(void)
{
    note_heap();
    MUST(mproc_array_create(&stage.array, sizeof(int), 2, NULL, NULL));
}

static bool is_had(mproc_err err)
{
    return !err || (err == MPROC_EOWNERDEAD && explore_killed());
}

/* By two stores, between which others look. */
static void add_to_both(int who)
{
    void *data;
    mproc_err err = mproc_value_acquire(stage.value, MPROC_FOREVER, &data);
    if (err == MPROC_ESTALE)
        return;
    if (!is_had(err))
        explore_wrong("a value's lock cannot be had");
    volatile pair *both = data;
    if (err == MPROC_EOWNERDEAD) {
        both->b = both->a;
        mproc_value_mark_consistent(stage.value);
    }
    if (both->a != both->b)
        explore_wrong("a value is seen half");
    both->a++;
    give_way();
    both->b++;
    stage.result[who] = mproc_value_release(stage.value);
}

static void read_both(int who)
{
    pair both = {0, 0};
    give_way();
    stage.result[who] = mproc_value_get(stage.value, &both, sizeof both);
    if (!stage.result[who] && both.a != both.b)
        explore_wrong("a value is read half");
}

static void set_both(int who)
{
    const pair both = {who, who};
    stage.result[who] = mproc_value_set(stage.value, &both, sizeof both);
}

/* The bytes are the holder's until it lets go, also of a value that is destroyed meanwhile. */
static void hold_and_write(int who)
{
    void *data;
    mproc_err err = mproc_value_acquire(stage.value, MPROC_FOREVER, &data);
    stage.result[who] = err;
    if (err == MPROC_ESTALE)
        return;
    volatile pair *both = data;
    both->a = both->b = 7;
    give_way();
    if (both->a != 7 || both->b != 7)
        explore_wrong("another writes into the holder's bytes");
    mproc_value_release(stage.value);
}

/* A block of the same size, which might be the value's. */
static void take_block(int who)
{
    mproc_memory mine = {0};
    MUST(mproc_memory_alloc(&mine, sizeof(pair)));
    volatile pair *both = mproc_memory_data(mine);
    both->a = both->b = 9;
    give_way();
    if (both->a != 9 || both->b != 9)
        explore_wrong("another writes into a block");
    stage.result[who] = mproc_memory_free(mine);
}

static void destroy_value(int who)
{
    stage.result[who] = mproc_value_destroy(stage.value);
}

static void set_array(int who)
{
    const int both[2] = {who, who};
    stage.result[who] = mproc_array_set_range(stage.array, 0, 2, both);
}

static void read_array(int who)
{
    int both[2] = {0, 0};
    stage.result[who] = mproc_array_get_range(stage.array, 0, 2, both);
    if (!stage.result[who] && both[0] != both[1])
        explore_wrong("an array is read half");
}

static void destroy_array(int who)
{
    stage.result[who] = mproc_array_destroy(stage.array);
}

static const char *value_can_be_ended(void)
{
    const mproc_err err = mproc_value_destroy(stage.value);
    return err && err != MPROC_ESTALE ? "a value cannot be destroyed" : heap_is_as_before();
}

static const char *array_can_be_ended(void)
{
    const mproc_err err = mproc_array_destroy(stage.array);
    return err && err != MPROC_ESTALE ? "an array cannot be destroyed" : heap_is_as_before();
}

/* ---- strings ---- */

static const char *const texts[] = {"first of these texts", "second text", "3"};

static void make_string(void)
{
    note_heap();
    MUST(mproc_string_create(&stage.string, 32, texts[2]));
}

static void set_first(int who)
{
    stage.result[who] = mproc_string_set(stage.string, texts[0]);
}

static void set_second(int who)
{
    stage.result[who] = mproc_string_set(stage.string, texts[1]);
}

static void set_two_texts(int who)
{
    set_first(who);
    set_second(who);
}

static void read_string(int who)
{
    char text[32];
    size_t length;
    stage.result[who] = mproc_string_get(stage.string, text, sizeof text, &length);
    if (stage.result[who])
        return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!strcmp(text, texts[i]))
            return;
    }
    explore_wrong("a string is none of those that were set");
}

static void destroy_string(int who)
{
    stage.result[who] = mproc_string_destroy(stage.string);
}

static const char *string_can_be_ended(void)
{
    char text[32];
    size_t length;
    mproc_err err = mproc_string_get(stage.string, text, sizeof text, &length);
    if (err != MPROC_ESTALE && (err = mproc_string_destroy(stage.string)))
        return "a string cannot be destroyed";
    return heap_is_as_before();
}

/* ---- memory ---- */

static void make_memory(void)
{
    note_heap();
    MUST(mproc_memory_alloc(&stage.memory, 100));
}

static void free_memory(int who)
{
    stage.result[who] = mproc_memory_free(stage.memory);
    stage.flag += !stage.result[who];
}

static void use_and_free_memory(int who)
{
    mproc_memory mine = {0};
    MUST(mproc_memory_alloc(&mine, 100));
    if (mine.id == stage.memory.id)
        explore_wrong("two blocks have one handle");
    stage.result[who] = mproc_memory_free(mine);
}

static const char *memory_was_freed_once(void)
{
    mproc_memory_free(stage.memory);
    return stage.flag > 1 ? "a block was freed twice" : heap_is_as_before();
}

/* A block that was allocated and not given to anybody is its maker's to free. */
static const char *memory_is_whole(void)
{
    mproc_memory_free(stage.memory);
    return explore_killed() ? NULL : heap_is_as_before();
}

const explore_play data_scenarios[] = {{"value: two add, one reads",
                                        make_value,
                                        {add_to_both, add_to_both, read_both},
                                        .check = value_can_be_ended,
                                        .mortal = FIRST},
                                       {"value: destroy beside two",
                                        make_value,
                                        {destroy_value, add_to_both, read_both},
                                        .check = value_can_be_ended,
                                        .mortal = FIRST | SECOND},
                                       {"value: destroy under a holder",
                                        make_value,
                                        {destroy_value, hold_and_write, take_block},
                                        .check = value_can_be_ended,
                                        .mortal = FIRST | SECOND},
                                       {"value: a given lock, destroy beside two",
                                        make_value_with_lock,
                                        {destroy_value, set_both, read_both},
                                        .check = value_can_be_ended,
                                        .mortal = FIRST | SECOND},
                                       {"value: two destroy",
                                        make_value,
                                        {destroy_value, destroy_value, set_both},
                                        .check = value_can_be_ended,
                                        .mortal = FIRST | THIRD},
                                       {"array: two set, one reads",
                                        make_array,
                                        {set_array, set_array, read_array},
                                        .check = array_can_be_ended},
                                       {"array: destroy beside two",
                                        make_array,
                                        {destroy_array, set_array, read_array},
                                        .check = array_can_be_ended,
                                        .mortal = FIRST | SECOND},
                                       {"string: two set, one reads",
                                        make_string,
                                        {set_first, set_second, read_string},
                                        .check = string_can_be_ended,
                                        .mortal = FIRST},
                                       {"string: two texts while one reads",
                                        make_string,
                                        {set_two_texts, read_string},
                                        .check = string_can_be_ended,
                                        .mortal = FIRST},
                                       {"string: destroy beside two",
                                        make_string,
                                        {destroy_string, set_first, read_string},
                                        .check = string_can_be_ended,
                                        .mortal = FIRST | SECOND},
                                       {"memory: two free the same",
                                        make_memory,
                                        {free_memory, free_memory, use_and_free_memory},
                                        .check = memory_was_freed_once},
                                       {"memory: one frees, one allocates",
                                        make_memory,
                                        {free_memory, use_and_free_memory},
                                        .check = memory_is_whole,
                                        .mortal = FIRST | SECOND},
                                       {NULL}};
