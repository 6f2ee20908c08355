/* The family's heap: whose blocks are whose, and what is left when an owner is killed anywhere. */
#include "heap_support.h"

/* As in span.h: the words that a killed process leaves behind. */
enum { FREE, CLAIMED, RUN, FREEING, SMALL };

static uint64_t word_of(unsigned kind, uint64_t length, slot_id owner)
{
    return (uint64_t)kind << 60 | length << 38 | (owner >> 16 & 0xffffff) << 13 | (owner & 0x1fff);
}

static _Atomic uint64_t *states(void)
{
    return arena_use_table(ARENA_STATES, 1, NULL);
}

/* ---- ordinary use ---- */

/* The first test: no span has been in use yet. */
static void what_comes_and_goes_stays_where_it_was(void **state)
{
    (void)state;
    const size_t size = 100000;
    arena_ref between = alloc(ARENA_SPAN, family.self), highest = 0;
    for (int i = 0; i < 4000; i++) {
        arena_ref ref = alloc(size, family.self);
        highest = ref > highest ? ref : highest;
        heap_free(ref, family.self);
    }
    heap_free(between, family.self);
    assert_true(highest < between + 4 * rounded(size));
}

static void blocks_of_all_sizes_come_and_go(void **state)
{
    (void)state;
    const uint64_t before = heap_used();
    for (size_t size = 1; size < 300000; size += size / 7 + 1) {
        arena_ref ref = alloc(size, family.self);
        assert_int_equal(heap_used() - before, rounded(size));
        memset(arena_at(ref), 0xff, size);
        heap_free(ref, family.self);
        assert_int_equal(heap_used(), before);
    }
    heap_free(0, family.self);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    arena_ref ref = 77;
    assert_int_equal(heap_alloc(0, family.self, &ref), MPROC_EINVAL);
    assert_int_equal(heap_alloc(SIZE_MAX, family.self, &ref), MPROC_ENOMEM);
    assert_int_equal(heap_alloc((size_t)arena_capacity() + 1, family.self, &ref), MPROC_ENOMEM);
    assert_int_equal(heap_alloc((size_t)arena_capacity(), family.self, &ref), MPROC_ENOMEM);
    assert_int_equal(ref, 77);
}

static void fill_twice(const size_t *sizes, size_t count)
{
    const uint64_t before = heap_used();
    size_t first[4] = {0};
    for (size_t i = 0; i < 2 * count; i++) {
        slot_id owner = somebody();
        size_t size = sizes[i % count], blocks = fill(size, owner);
        if (i < count)
            first[i] = blocks;
        /* Where the search begins decides about the last one at each end. */
        assert_true(blocks + 2 >= first[i % count] && blocks <= first[i % count] + 2);
        assert_true(blocks * size > arena_capacity() / 2);
        assert_true(blocks * size < arena_capacity());
        heap_sweep(owner, family.self);
        slot_free(owner);
        assert_int_equal(heap_used(), before);
    }
}

static void a_full_heap_says_so_and_recovers(void **state)
{
    (void)state;
    fill_twice((size_t[]){1 << 20, 65536, 3 * 65536, 100}, 4);
}

/* ---- what a killed process leaves ---- */

enum { LENGTH = 5 };
static slot_id dead, living;

/* Where a free stretch of LENGTH spans lies between two blocks of a living one. */
static uint64_t stretch(arena_ref around[2], arena_ref *begin)
{
    around[0] = alloc(ARENA_SPAN, living);
    *begin = alloc(LENGTH * ARENA_SPAN, dead);
    around[1] = alloc(ARENA_SPAN, living);
    uint32_t used;
    _Atomic uint64_t *state = arena_use_table(ARENA_STATES, 1, &used);
    uint64_t index = 0;
    while (index < used && state[index] != word_of(RUN, LENGTH, dead))
        index++;
    assert_true(index < used);
    for (uint64_t i = 1; i < LENGTH; i++)
        assert_int_equal(state[index + i], word_of(CLAIMED, 0, dead));
    return index;
}

static void set_up_people(void)
{
    dead = somebody();
    living = somebody();
}

static void check_swept(uint64_t index, arena_ref around[2], uint64_t used)
{
    heap_sweep(dead, family.self);
    heap_sweep(dead, family.self); /* once more does no harm */
    for (uint64_t i = 0; i < LENGTH; i++)
        assert_int_equal(states()[index + i] >> 60, FREE);
    assert_int_equal(heap_used(), used + 2 * ARENA_SPAN);
    heap_free(around[0], living);
    heap_free(around[1], living);
    assert_int_equal(heap_used(), used);
    slot_free(dead);
    slot_free(living);
}

static void a_run_being_made_is_swept_at_every_step(void **state)
{
    (void)state;
    for (uint64_t claimed = 0; claimed <= LENGTH; claimed++) {
        set_up_people();
        const uint64_t used = heap_used();
        arena_ref around[2], ref;
        uint64_t index = stretch(around, &ref);
        heap_free(ref, dead);
        for (uint64_t i = 0; i < claimed; i++)
            states()[index + i] = word_of(CLAIMED, 0, dead);
        check_swept(index, around, used);
    }
}

static void a_run_of_a_dead_one_is_swept(void **state)
{
    (void)state;
    set_up_people();
    const uint64_t used = heap_used();
    arena_ref around[2], ref;
    uint64_t index = stretch(around, &ref);
    check_swept(index, around, used);
}

/* The tail of a run keeps its maker's tag, whoever owns it. */
static void a_run_being_freed_is_swept_at_every_step(void **state)
{
    (void)state;
    for (uint64_t step = 0; step <= 2 * LENGTH - 1; step++) {
        set_up_people();
        const uint64_t used = heap_used();
        arena_ref around[2], ref;
        uint64_t index = stretch(around, &ref);
        slot_id maker = somebody();
        _Atomic uint64_t *at = &states()[index];
        for (uint64_t i = 1; i < LENGTH; i++)
            at[i] = word_of(CLAIMED, 0, i <= step ? dead : maker);
        at[0] = step < LENGTH ? word_of(FREEING, LENGTH, dead) : FREE;
        for (uint64_t i = 2 * LENGTH - step; i < LENGTH; i++)
            at[i] = FREE;
        check_swept(index, around, used);
        slot_free(maker);
    }
}

static void what_others_took_of_a_half_freed_run_is_left_to_them(void **state)
{
    (void)state;
    set_up_people();
    const uint64_t used = heap_used();
    arena_ref around[2], ref;
    uint64_t index = stretch(around, &ref);
    _Atomic uint64_t *at = &states()[index];
    at[0] = word_of(RUN, 1, living);
    at[LENGTH - 1] = word_of(CLAIMED, 0, living);
    heap_sweep(dead, family.self);
    assert_int_equal(at[0], word_of(RUN, 1, living));
    assert_int_equal(at[LENGTH - 1], word_of(CLAIMED, 0, living));
    for (uint64_t i = 1; i < LENGTH - 1; i++)
        assert_int_equal(at[i] >> 60, FREE);
    heap_free(ref, living);
    at[LENGTH - 1] = FREE;
    check_swept(index, around, used);
}

static void a_run_given_away_outlives_its_maker(void **state)
{
    (void)state;
    set_up_people();
    const uint64_t used = heap_used();
    slot_id maker = somebody();
    arena_ref ref = alloc(LENGTH * ARENA_SPAN, maker), small = alloc(100, maker);
    memset(arena_at(ref), 0x3c, LENGTH * ARENA_SPAN);
    memset(arena_at(small), 0x3d, 100);
    heap_give(ref, maker, dead);
    heap_give(small, maker, dead);
    heap_give(ref, maker, living); /* no longer its own */
    heap_give(small, maker, living);
    heap_sweep(maker, family.self);
    slot_free(maker);
    assert_int_equal(heap_used(), used + LENGTH * ARENA_SPAN + 128);
    for (uint64_t i = 0; i < LENGTH * ARENA_SPAN; i += 4096)
        assert_int_equal(*(unsigned char *)arena_at(ref + i), 0x3c);
    heap_sweep(living, family.self);
    assert_int_equal(heap_used(), used + LENGTH * ARENA_SPAN + 128);
    heap_sweep(dead, family.self);
    assert_int_equal(heap_used(), used);
    slot_free(dead);
    slot_free(living);
}

/* Nobody takes its spans one by one for the orphans of the dead maker. */
static void a_given_run_is_whole_when_all_else_is_taken(void **state)
{
    (void)state;
    set_up_people();
    const uint64_t used = heap_used();
    arena_ref ref = alloc(LENGTH * ARENA_SPAN, dead);
    memset(arena_at(ref), 0x3c, LENGTH * ARENA_SPAN);
    heap_give(ref, dead, living);
    heap_sweep(dead, family.self);
    slot_id greedy = somebody();
    fill(ARENA_SPAN, greedy);
    fill(100, greedy);
    for (uint64_t i = 0; i < LENGTH * ARENA_SPAN; i++)
        assert_int_equal(*(unsigned char *)arena_at(ref + i), 0x3c);
    heap_sweep(greedy, family.self);
    heap_free(ref, living);
    assert_int_equal(heap_used(), used);
    slot_free(greedy);
    slot_free(dead);
    slot_free(living);
}

/* A sweeper is killed in the middle, too. */
static void the_next_sweeper_finishes_the_last_one_s_work(void **state)
{
    (void)state;
    for (uint64_t tagged = 0; tagged < LENGTH; tagged++) {
        set_up_people();
        const uint64_t used = heap_used();
        arena_ref around[2], ref;
        uint64_t index = stretch(around, &ref);
        slot_id sweeper = somebody();
        _Atomic uint64_t *at = &states()[index];
        at[0] = word_of(FREEING, LENGTH, sweeper);
        for (uint64_t i = 1; i <= tagged; i++)
            at[i] = word_of(CLAIMED, 0, sweeper);
        heap_sweep(dead, family.self);
        assert_int_equal(at[0], word_of(FREEING, LENGTH, sweeper));
        heap_sweep(sweeper, family.self);
        slot_free(sweeper);
        check_swept(index, around, used);
    }
}

static void small_blocks_are_swept_one_by_one(void **state)
{
    (void)state;
    set_up_people();
    const uint64_t used = heap_used();
    arena_ref mine[300];
    for (int i = 0; i < 300; i++) {
        alloc(64, dead);
        mine[i] = alloc(64, living);
        memset(arena_at(mine[i]), i & 0xff, 64);
    }
    heap_sweep(dead, family.self);
    assert_int_equal(heap_used(), used + 300 * 64);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(*(unsigned char *)arena_at(mine[i]), i & 0xff);
        heap_free(mine[i], living);
    }
    assert_int_equal(heap_used(), used);
    slot_free(dead);
    slot_free(living);
}

static void a_successor_in_the_slot_is_somebody_else(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id first = somebody();
    slot_free(first);
    slot_id second = somebody();
    assert_int_equal(first & 0xffff, second & 0xffff);
    arena_ref small = alloc(200, second), large = alloc(3 * ARENA_SPAN, second);
    heap_sweep(first, family.self);
    assert_int_equal(heap_used(), used + 256 + 3 * ARENA_SPAN);
    heap_free(small, second);
    heap_free(large, second);
    assert_int_equal(heap_used(), used);
    slot_free(second);
}

/* ---- blocks that belong to no process ---- */

static void linked_blocks_outlive_their_maker(void **state)
{
    (void)state;
    const uint64_t used = heap_used(), tag = 0x123456789;
    const size_t sizes[] = {64, 5000, 3 * ARENA_SPAN, 2 << 20};
    for (size_t i = 0; i < 4; i++) {
        slot_id maker = somebody();
        arena_ref ref = alloc(sizes[i], maker);
        assert_false(heap_is_linked(ref, tag));
        assert_false(heap_free_linked(ref, tag, family.self));
        heap_link(ref, maker, tag);
        heap_link(ref, maker, tag);
        heap_sweep(maker, family.self);
        slot_free(maker);
        assert_int_equal(heap_used(), used + rounded(sizes[i]));
        assert_true(heap_is_linked(ref, tag));
        assert_false(heap_is_linked(ref, tag + 1));
        assert_false(heap_is_linked(ref + 64, tag));
        assert_false(heap_free_linked(ref, tag + 1, family.self));
        assert_false(heap_free_linked(ref, 0, family.self));
        assert_true(heap_free_linked(ref, tag, family.self));
        assert_false(heap_free_linked(ref, tag, family.self));
        assert_false(heap_is_linked(ref, tag));
        assert_int_equal(heap_used(), used);
    }
}

/* ---- memory goes back ---- */

static void a_large_run_goes_back_to_the_system(void **state)
{
    (void)state;
    const size_t size = 4 << 20;
    arena_ref probe = alloc(size, family.self);
    memset(arena_at(probe), 0xff, size);
    bool gives_back = arena_decommit(probe, size);
    assert_int_equal(arena_commit(probe, size), MPROC_OK);
    if (gives_back)
        assert_int_equal(*(unsigned char *)arena_at(probe + size - 1), 0);
    memset(arena_at(probe), 0xff, size);
    heap_free(probe, family.self);
    if (!gives_back)
        skip();
    slot_id owner = somebody();
    arena_ref ref = 0;
    while (ref != probe && heap_alloc(size, owner, &ref) == MPROC_OK) {
    }
    if (ref == probe) { /* unless the runs are cut otherwise this time */
        for (size_t i = 0; i < size; i += 4096)
            assert_int_equal(*(unsigned char *)arena_at(ref + i), 0);
    }
    heap_sweep(owner, family.self);
    slot_free(owner);
}

/* ---- several threads ---- */

typedef struct crowd {
    unsigned seed;
    unsigned wrong;
} crowd;

static void alloc_and_free(void *argument)
{
    crowd *one = argument;
    arena_ref refs[32] = {0};
    size_t sizes[32];
    for (int round = 0; round < 20000; round++) {
        unsigned i = next_random(&one->seed) % 32;
        unsigned char mark = (unsigned char)(one->seed & 0xff);
        if (refs[i]) {
            unsigned char *bytes = arena_at(refs[i]);
            one->wrong += bytes[0] != bytes[sizes[i] - 1];
            heap_free(refs[i], family.self);
            refs[i] = 0;
            continue;
        }
        sizes[i] = next_random(&one->seed) % (next_random(&one->seed) % 8 ? 500 : 150000) + 1;
        if (heap_alloc(sizes[i], family.self, &refs[i])) {
            one->wrong++;
            continue;
        }
        ((unsigned char *)arena_at(refs[i]))[0] = mark;
        ((unsigned char *)arena_at(refs[i]))[sizes[i] - 1] = mark;
    }
    for (int i = 0; i < 32; i++)
        heap_free(refs[i], family.self);
}

static void threads_never_get_the_same_block(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    crowd crowds[4];
    os_handle threads[4];
    for (unsigned i = 0; i < 4; i++) {
        crowds[i] = (crowd){.seed = i * 77 + 5};
        assert_int_equal(os_thread_start(&threads[i], alloc_and_free, &crowds[i]), MPROC_OK);
    }
    for (int i = 0; i < 4; i++)
        os_thread_join(threads[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(crowds[i].wrong, 0);
    assert_int_equal(heap_used(), used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_and_goes_stays_where_it_was),
        cmocka_unit_test(blocks_of_all_sizes_come_and_go),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(a_full_heap_says_so_and_recovers),
        cmocka_unit_test(a_run_being_made_is_swept_at_every_step),
        cmocka_unit_test(a_run_of_a_dead_one_is_swept),
        cmocka_unit_test(a_run_being_freed_is_swept_at_every_step),
        cmocka_unit_test(what_others_took_of_a_half_freed_run_is_left_to_them),
        cmocka_unit_test(a_run_given_away_outlives_its_maker),
        cmocka_unit_test(a_given_run_is_whole_when_all_else_is_taken),
        cmocka_unit_test(the_next_sweeper_finishes_the_last_one_s_work),
        cmocka_unit_test(small_blocks_are_swept_one_by_one),
        cmocka_unit_test(a_successor_in_the_slot_is_somebody_else),
        cmocka_unit_test(linked_blocks_outlive_their_maker),
        cmocka_unit_test(a_large_run_goes_back_to_the_system),
        cmocka_unit_test(threads_never_get_the_same_block),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
