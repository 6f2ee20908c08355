/* What a worker says about its items: chains of records, counted when they are whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "family/family.h"
#include "pool/records.h"

static slot_id somebody(void)
{
    slot_id id;
    assert_int_equal(slot_claim(family.self, "somebody", false, &id), MPROC_OK);
    assert_int_equal(slot_enter(id, 4000000), MPROC_OK);
    return id;
}

static record *reserve(record_chain *chain, uint64_t index, size_t size, slot_id self)
{
    record *made = records_reserve(chain, size, self);
    assert_non_null(made);
    assert_int_equal((uintptr_t)made->bytes % _Alignof(max_align_t), 0);
    assert_int_equal(made->size, size);
    made->index = index;
    made->err = MPROC_OK;
    memset(made->bytes, (int)(index & 0xff), size);
    return made;
}

static void append(record_chain *chain, uint64_t index, size_t size, slot_id self)
{
    records_commit(chain, reserve(chain, index, size, self));
}

typedef struct reading {
    size_t count, bytes, wrong;
    uint64_t sum; /* of the indices */
} reading;

static void read_one(const record *item, void *context)
{
    reading *so_far = context;
    so_far->count++;
    so_far->bytes += item->size;
    so_far->sum += item->index;
    for (size_t i = 0; i < item->size; i++)
        so_far->wrong += item->bytes[i] != (item->index & 0xff);
}

static reading read_all(record_chain *chain)
{
    reading all = {0};
    records_each(chain, read_one, &all);
    assert_int_equal(all.wrong, 0);
    return all;
}

static void an_empty_chain_has_no_records(void **state)
{
    (void)state;
    record_chain chain = 0;
    assert_int_equal(read_all(&chain).count, 0);
    records_reset(&chain, family.self);
    records_free(&chain, family.self);
    records_inherit(&chain, family.self, family.self);
    assert_int_equal(chain, 0);
}

static void records_of_all_sizes_are_kept_whole(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 15, 16, 17, 100, 5000, 65000, 65536, 70000, 3 << 20};
    const uint64_t used = heap_used();
    record_chain chain = 0;
    size_t count = 0, bytes = 0;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] - (round > 2); i++) {
            append(&chain, count, sizes[i], family.self);
            bytes += sizes[i];
            count++;
        }
    }
    reading all = read_all(&chain);
    assert_int_equal(all.count, count);
    assert_int_equal(all.bytes, bytes);
    assert_int_equal(all.sum, count * (count - 1) / 2);
    records_free(&chain, family.self);
    assert_int_equal(chain, 0);
    assert_int_equal(heap_used(), used);
}

static void what_was_not_committed_is_not_there(void **state)
{
    (void)state;
    record_chain chain = 0;
    reserve(&chain, 1, 100, family.self);
    assert_int_equal(read_all(&chain).count, 0);
    append(&chain, 2, 100, family.self);
    reserve(&chain, 3, 50, family.self);
    assert_int_equal(read_all(&chain).count, 1);
    reserve(&chain, 4, 200000, family.self); /* in a chunk of its own */
    assert_int_equal(read_all(&chain).count, 1);
    reserve(&chain, 5, 10, family.self);
    append(&chain, 6, 10, family.self);
    reading all = read_all(&chain);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.sum, 8);
    records_free(&chain, family.self);
}

static void absurd_sizes_get_no_room_and_harm_nothing(void **state)
{
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 64, (size_t)arena_extent(),
                            (size_t)arena_capacity()};
    record_chain chain = 0;
    append(&chain, 9, 10, family.self);
    for (size_t i = 0; i < 4; i++)
        assert_null(records_reserve(&chain, sizes[i], family.self));
    append(&chain, 10, 10, family.self);
    assert_int_equal(read_all(&chain).sum, 19);
    records_free(&chain, family.self);
}

static void a_reset_chain_is_empty_and_keeps_one_ordinary_chunk(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    record_chain chain = 0;
    append(&chain, 1, 1000, family.self);
    const arena_ref first = chain;
    const uint64_t one = heap_used();
    records_reset(&chain, family.self);
    assert_int_equal(chain, first);
    assert_int_equal(read_all(&chain).count, 0);
    append(&chain, 2, 1000, family.self);
    assert_int_equal(chain, first);
    assert_int_equal(read_all(&chain).sum, 2);
    assert_int_equal(heap_used(), one);
    for (uint64_t i = 0; i < 100; i++)
        append(&chain, i, 10000, family.self);
    records_reset(&chain, family.self);
    assert_true(heap_used() <= one);
    assert_int_equal(read_all(&chain).count, 0);
    append(&chain, 3, 1 << 20, family.self);
    records_reset(&chain, family.self);
    assert_true(heap_used() <= one);
    records_free(&chain, family.self);
    assert_int_equal(heap_used(), used);
}

static void an_heir_keeps_what_a_dead_one_said(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id dead = somebody(), heir = somebody();
    record_chain chain = 0;
    for (uint64_t i = 0; i < 200; i++)
        append(&chain, i, 1000 + i, dead);
    append(&chain, 200, 1 << 20, dead);
    reserve(&chain, 201, 10, dead);
    const uint64_t full = heap_used();
    records_inherit(&chain, dead, heir);
    heap_sweep(dead, family.self);
    slot_free(dead);
    assert_int_equal(heap_used(), full);
    assert_int_equal(read_all(&chain).count, 201);
    records_free(&chain, heir);
    assert_int_equal(heap_used(), used);
    slot_free(heir);
}

static void without_an_heir_it_is_swept(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id dead = somebody();
    record_chain chain = 0;
    for (uint64_t i = 0; i < 300; i++)
        append(&chain, i, 1000, dead);
    heap_sweep(dead, family.self);
    slot_free(dead);
    assert_int_equal(heap_used(), used);
}

static int found(void **state)
{
    (void)state;
    return (int)family_enter();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_has_no_records),
        cmocka_unit_test(records_of_all_sizes_are_kept_whole),
        cmocka_unit_test(what_was_not_committed_is_not_there),
        cmocka_unit_test(absurd_sizes_get_no_room_and_harm_nothing),
        cmocka_unit_test(a_reset_chain_is_empty_and_keeps_one_ordinary_chunk),
        cmocka_unit_test(an_heir_keeps_what_a_dead_one_said),
        cmocka_unit_test(without_an_heir_it_is_swept),
    };
    return cmocka_run_group_tests(tests, found, NULL);
}
