/* Spans of small blocks: opened, closed, and left by somebody who was killed or paused in the
 * middle. */
#include "heap_support.h"

#include "family/journal.h"
#include "family/span.h"

enum { LARGE_CLASS = 8, LARGE_SIZE = 16384, PER_SPAN = 4 };

static span_word *word_at(arena_ref ref, size_t size)
{
    uint64_t offset = ref - spans.begin;
    return &spans.blocks[offset / ARENA_SPAN * SPAN_BLOCKS + offset % ARENA_SPAN / size];
}

static span_word *state_at(arena_ref ref)
{
    return &spans.states[(ref - spans.begin) / ARENA_SPAN];
}

static size_t whole(void)
{
    return (size_t)(spans.limit * ARENA_SPAN);
}

/* A run of the whole heap makes it one piece again. */
static void close_all(void)
{
    assert_int_equal(heap_used(), 0);
    heap_free(alloc(whole(), family.self), family.self);
}

/* ---- coalescing ---- */

static void what_was_cut_up_becomes_one_run_again(void **state)
{
    (void)state;
    const size_t sizes[] = {64, 100, 5000, LARGE_SIZE};
    for (size_t i = 0; i < 4; i++) {
        slot_id owner = somebody();
        assert_true(fill(sizes[i], owner) * rounded(sizes[i]) == whole());
        sweep_and_free(owner);
        close_all();
    }
}

static void blocks_of_mixed_sizes_freed_in_any_order_become_one_run(void **state)
{
    (void)state;
    enum { MANY = 60000 };
    static arena_ref refs[MANY];
    unsigned seed = 7, count = 0;
    while (count < MANY && !heap_alloc(next_random(&seed) % (16u << next_random(&seed) % 11) + 1,
                                       family.self, &refs[count]))
        count++;
    for (unsigned left = count; left > 0; left--) {
        unsigned pick = (next_random(&seed) << 16 | next_random(&seed)) % left;
        heap_free(refs[pick], family.self);
        refs[pick] = refs[left - 1];
    }
    close_all();
}

static void a_run_is_found_room_among_spans_that_are_in_use(void **state)
{
    (void)state;
    slot_id owner = somebody(), rest = somebody();
    arena_ref kept = alloc(64, owner);
    fill(64, rest);
    sweep_and_free(rest);
    const size_t half_size = whole() / ARENA_SPAN / 2 * ARENA_SPAN - ARENA_SPAN;
    arena_ref half = alloc(half_size, owner);
    assert_int_equal(heap_used(), 64 + half_size);
    heap_free(half, owner);
    heap_free(kept, owner);
    sweep_and_free(owner);
    close_all();
}

/* ---- paused for longer than a span lives ---- */

static void who_was_paused_while_a_span_was_closed_changes_nothing(void **state)
{
    (void)state;
    for (size_t size = 64; size <= LARGE_SIZE; size *= 16) {
        arena_ref ref = alloc(size, family.self);
        span_word *word = word_at(ref, size);
        const uint64_t held = *word;
        heap_free(ref, family.self);
        const uint64_t open = *word, before = *state_at(ref);
        close_all();
        const uint64_t closed = *word;
        assert_int_equal(kind_of(*state_at(ref)), SPAN_FREE);
        slot_id owner = somebody();
        fill(size, owner);
        const uint64_t now = *word;
        assert_int_not_equal(*state_at(ref), before);
        /* What it was about to do: to allocate, to free, to close, to roll back. */
        assert_false(swap(word, open, held));
        assert_false(swap(word, held, open));
        assert_false(swap(word, open, closed));
        assert_false(swap(word, closed, open));
        assert_false(swap(state_at(ref), before, SPAN_KEPT));
        assert_false(swap(state_at(ref), before, before | SPAN_FULL));
        sweep_and_free(owner);
        assert_false(swap(word, open, held));
        assert_int_not_equal(*word, now);
        close_all();
    }
}

static void no_two_openings_have_the_same_epoch(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        arena_ref ref = alloc(LARGE_SIZE, family.self);
        assert_true(epoch_of(*state_at(ref)) > last);
        last = epoch_of(*state_at(ref));
        heap_free(ref, family.self);
        close_all();
    }
}

/* ---- killed in the middle ---- */

static void a_span_being_opened_is_swept_at_every_step(void **state)
{
    (void)state;
    for (uint64_t done = 0; done <= PER_SPAN + 1; done++) {
        slot_id dead = somebody();
        arena_ref ref = alloc(LARGE_SIZE, family.self);
        const uint64_t epoch = epoch_of(*state_at(ref)) + 1;
        heap_free(ref, family.self);
        close_all();
        *state_at(ref) = span_state(SPAN_CLAIMED, 0, dead);
        for (uint64_t i = 0; i < done && i < PER_SPAN; i++)
            word_at(ref, LARGE_SIZE)[i] = block_free(epoch);
        atomic_fetch_add(spans.epochs, 1);
        if (done > PER_SPAN)
            *state_at(ref) = span_small(LARGE_CLASS, epoch);
        heap_sweep(dead, family.self);
        sweep_and_free(dead);
        assert_int_equal(*state_at(ref), done > PER_SPAN ? span_small(LARGE_CLASS, epoch) : 0);
        close_all();
    }
}

static void close_some(arena_ref ref, size_t size, uint64_t count, slot_id closer)
{
    const uint64_t epoch = epoch_of(*state_at(ref));
    const uint64_t index = (ref - spans.begin) / ARENA_SPAN;
    span_word *first = word_at(span_at(index), size);
    journal_note(journal_of(closer, JOURNAL_SPANS), journal_bit_of_span(index));
    for (uint64_t i = 0; i < count; i++)
        assert_true(
            swap(&first[i], block_free(epoch), block_word(BLOCK_CLOSED, epoch, owner_of(closer))));
}

static void a_span_being_closed_is_swept_at_every_step(void **state)
{
    (void)state;
    const size_t sizes[] = {64, 1024, LARGE_SIZE};
    for (size_t i = 0; i < 3; i++) {
        const uint64_t per_span = ARENA_SPAN / sizes[i];
        for (uint64_t done = 0; done <= per_span; done += per_span / 4) {
            slot_id dead = somebody(), owner = somebody();
            arena_ref ref = alloc(sizes[i], family.self);
            heap_free(ref, family.self);
            close_some(ref, sizes[i], done, dead);
            assert_int_equal(heap_used(), 0);
            heap_sweep(dead, family.self);
            sweep_and_free(dead);
            assert_int_equal(fill(sizes[i], owner), whole() / sizes[i]); /* all are there */
            sweep_and_free(owner);
            close_all();
        }
    }
}

/* It stays closed until its closer is proven dead; nothing else is lost, and nobody hangs. */
static void a_paused_closer_costs_one_span(void **state)
{
    (void)state;
    for (uint64_t done = 1; done <= PER_SPAN; done++) {
        slot_id paused = somebody(), owner = somebody();
        arena_ref ref = alloc(LARGE_SIZE, family.self), all;
        heap_free(ref, family.self);
        close_some(ref, LARGE_SIZE, done, paused);
        assert_int_equal(heap_alloc(whole(), family.self, &all), MPROC_ENOMEM);
        assert_int_equal(fill(LARGE_SIZE, owner), whole() / LARGE_SIZE - done);
        sweep_and_free(owner);
        /* It goes on: as nobody could interfere, it ends what it had begun. */
        if (done == PER_SPAN)
            assert_true(swap(state_at(ref), *state_at(ref), SPAN_FREE));
        sweep_and_free(paused);
        close_all();
    }
}

/* Freed by somebody who was killed before the mark was taken away. */
static void a_block_behind_a_mark_is_found_before_the_heap_is_full(void **state)
{
    (void)state;
    slot_id owner = somebody();
    arena_ref ref = alloc(LARGE_SIZE, owner), other;
    fill(LARGE_SIZE, owner);
    assert_true(*state_at(ref) & SPAN_FULL);
    const uint64_t epoch = epoch_of(*state_at(ref));
    assert_true(swap(word_at(ref, LARGE_SIZE), block_word(BLOCK_HELD, epoch, owner_of(owner)),
                     block_free(epoch)));
    assert_int_equal(heap_alloc(LARGE_SIZE, family.self, &other), MPROC_OK);
    assert_int_equal(other, ref);
    heap_free(other, family.self);
    assert_false(*state_at(ref) & SPAN_FULL);
    sweep_and_free(owner);
    close_all();
}

static void who_has_swept_itself_gets_nothing_more(void **state)
{
    (void)state;
    slot_id ending = somebody();
    arena_ref ref = 77;
    alloc(100, ending);
    assert_true(heap_was_used_by(ending));
    heap_sweep(ending, ending);
    assert_false(heap_was_used_by(ending));
    assert_int_equal(heap_used(), 0);
    assert_int_equal(heap_alloc(100, ending, &ref), MPROC_ESTATE);
    assert_int_equal(heap_alloc(100000, ending, &ref), MPROC_ESTATE);
    assert_int_equal(ref, 77);
    slot_free(ending);
    close_all();
}

/* ---- references from anywhere ---- */

static void any_reference_at_all_is_safe(void **state)
{
    (void)state;
    unsigned seed = 99;
    const uint64_t tag = 5, used = heap_used();
    arena_ref small = alloc(200, family.self), large = alloc(3 * ARENA_SPAN, family.self);
    heap_link(small, family.self, tag);
    heap_link(large, family.self, tag);
    const arena_ref edges[] = {0,
                               1,
                               spans.begin - 1,
                               small + 1,
                               small + 128,
                               large + 64,
                               large + ARENA_SPAN,
                               large + 2 * ARENA_SPAN,
                               spans.begin + span_high() * ARENA_SPAN,
                               arena_capacity() - 64,
                               arena_capacity(),
                               arena_extent() - 64,
                               arena_extent(),
                               UINT64_MAX - 63,
                               UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        assert_false(heap_is_linked(edges[i], tag));
        assert_false(heap_free_linked(edges[i], tag, family.self));
    }
    for (int i = 0; i < 300000; i++) {
        arena_ref ref = (uint64_t)next_random(&seed) << 48 | (uint64_t)next_random(&seed) << 32 |
                        next_random(&seed) << 16 | next_random(&seed);
        ref >>= next_random(&seed) % 64;
        assert_false(heap_free_linked(ref, tag + 1 + (ref & 1), family.self));
        assert_true(ref == small || ref == large || !heap_is_linked(ref, tag));
    }
    const uint64_t bad[] = {0, tag + 1, UINT64_C(1) << HEAP_TAG_BITS | tag, UINT64_MAX,
                            owner_of(family.self)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(heap_free_linked(small, bad[i], family.self));
    assert_true(heap_free_linked(small, tag, family.self));
    assert_true(heap_free_linked(large, tag, family.self));
    assert_int_equal(heap_used(), used);
}

/* ---- several threads, little room ---- */

enum { THREADS = 4, KEPT = 24, ROUNDS = 30000 };

typedef struct crowd {
    unsigned seed, wrong, refused;
} crowd;

static void compete(void *argument)
{
    static const size_t sizes[] = {64, 64, 200, 3000, 16384, 50000, 200000, 700000};
    crowd *one = argument;
    struct {
        arena_ref ref;
        size_t size;
        unsigned char mark;
    } kept[KEPT] = {{0, 0, 0}};
    for (int round = 0; round < ROUNDS + KEPT; round++) {
        unsigned i = round < ROUNDS ? next_random(&one->seed) % KEPT : (unsigned)(round - ROUNDS);
        unsigned char *bytes = arena_at(kept[i].ref);
        if (kept[i].ref) {
            one->wrong += bytes[0] != kept[i].mark || bytes[kept[i].size - 1] != kept[i].mark;
            heap_free(kept[i].ref, family.self);
            kept[i].ref = 0;
        } else if (round < ROUNDS) {
            kept[i].size = sizes[next_random(&one->seed) % 8];
            kept[i].mark = (unsigned char)next_random(&one->seed);
            if (heap_alloc(kept[i].size, family.self, &kept[i].ref)) {
                one->refused++;
                continue;
            }
            bytes = arena_at(kept[i].ref);
            bytes[0] = bytes[kept[i].size - 1] = kept[i].mark;
        }
    }
}

static void threads_compete_for_the_last_spans(void **state)
{
    (void)state;
    arena_ref most = alloc(whole() - 40 * ARENA_SPAN, family.self);
    const uint64_t used = heap_used();
    crowd crowds[THREADS] = {{0, 0, 0}};
    os_handle threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        crowds[i].seed = i * 77 + 5;
        assert_int_equal(os_thread_start(&threads[i], compete, &crowds[i]), MPROC_OK);
    }
    for (int i = 0; i < THREADS; i++)
        os_thread_join(threads[i]);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(crowds[i].wrong, 0);
        assert_true(crowds[i].refused < ROUNDS / 2);
    }
    assert_int_equal(heap_used(), used);
    heap_free(most, family.self);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_cut_up_becomes_one_run_again),
        cmocka_unit_test(blocks_of_mixed_sizes_freed_in_any_order_become_one_run),
        cmocka_unit_test(a_run_is_found_room_among_spans_that_are_in_use),
        cmocka_unit_test(who_was_paused_while_a_span_was_closed_changes_nothing),
        cmocka_unit_test(no_two_openings_have_the_same_epoch),
        cmocka_unit_test(a_span_being_opened_is_swept_at_every_step),
        cmocka_unit_test(a_span_being_closed_is_swept_at_every_step),
        cmocka_unit_test(a_paused_closer_costs_one_span),
        cmocka_unit_test(a_block_behind_a_mark_is_found_before_the_heap_is_full),
        cmocka_unit_test(who_has_swept_itself_gets_nothing_more),
        cmocka_unit_test(any_reference_at_all_is_safe),
        cmocka_unit_test(threads_compete_for_the_last_spans),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
