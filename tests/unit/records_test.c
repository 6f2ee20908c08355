/* What a worker says about its items: chains of records, counted when they are whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "family/family.h"
#include "family_support.h"
#include "pool/records.h"

static slot_id somebody(void)
{
    slot_id id;
    assert_int_equal(slot_claim(family.self, "somebody", false, &id), MPROC_OK);
    assert_int_equal(slot_enter(id, 4000000), MPROC_OK);
    return id;
}

/* Who writes, and into which chain, which is this process's. */
typedef struct chained {
    record_chain chain;
    record_writer writer;
} chained;

static chained chain_of(slot_id self)
{
    return (chained){.chain = 0, .writer = {.self = self, .owner = family.self}};
}

static record *reserve(chained *to, uint64_t index, size_t size)
{
    record *made = records_reserve(&to->chain, &to->writer, size);
    assert_non_null(made);
    assert_int_equal((uintptr_t)made->bytes % _Alignof(max_align_t), 0);
    assert_int_equal(made->size, size);
    made->index = index;
    made->err = MPROC_OK;
    memset(made->bytes, (int)(index & 0xff), size);
    return made;
}

static void append(chained *to, uint64_t index, size_t size)
{
    records_commit(&to->writer, reserve(to, index, size));
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

static reading read_all(chained *from)
{
    reading all = {0};
    records_each(&from->chain, read_one, &all);
    assert_int_equal(all.wrong, 0);
    return all;
}

static void an_empty_chain_has_no_records(void **state)
{
    (void)state;
    chained all = chain_of(family.self);
    assert_int_equal(read_all(&all).count, 0);
    records_free(&all.chain, family.self);
    records_inherit(&all.chain, family.self, family.self);
    assert_int_equal(all.chain, 0);
}

static void records_of_all_sizes_are_kept_whole(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 15, 16, 17, 100, 5000, 65000, 65536, 70000, 3 << 20};
    const uint64_t used = heap_used();
    chained all = chain_of(family.self);
    size_t count = 0, bytes = 0;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] - (round > 2); i++) {
            append(&all, count, sizes[i]);
            bytes += sizes[i];
            count++;
        }
    }
    reading found = read_all(&all);
    assert_int_equal(found.count, count);
    assert_int_equal(found.bytes, bytes);
    assert_int_equal(found.sum, count * (count - 1) / 2);
    records_free(&all.chain, family.self);
    assert_int_equal(all.chain, 0);
    assert_int_equal(heap_used(), used);
}

static void what_was_not_committed_is_not_there(void **state)
{
    (void)state;
    chained all = chain_of(family.self);
    reserve(&all, 1, 100);
    assert_int_equal(read_all(&all).count, 0);
    append(&all, 2, 100);
    reserve(&all, 3, 50);
    assert_int_equal(read_all(&all).count, 1);
    reserve(&all, 4, 200000); /* in a chunk of its own */
    assert_int_equal(read_all(&all).count, 1);
    reserve(&all, 5, 10);
    append(&all, 6, 10);
    reading found = read_all(&all);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.sum, 8);
    records_free(&all.chain, family.self);
}

static void absurd_sizes_get_no_room_and_harm_nothing(void **state)
{
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 64, (size_t)arena_extent(),
                            (size_t)arena_capacity()};
    chained all = chain_of(family.self);
    append(&all, 9, 10);
    for (size_t i = 0; i < 4; i++)
        assert_null(records_reserve(&all.chain, &all.writer, sizes[i]));
    append(&all, 10, 10);
    assert_int_equal(read_all(&all).sum, 19);
    records_free(&all.chain, family.self);
}

static void several_write_into_one_chain(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id others[] = {somebody(), somebody()};
    chained all = chain_of(others[0]);
    record_writer first = all.writer, second = {.self = others[1], .owner = family.self};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 400; i++) {
        all.writer = i % 3 ? first : second;
        append(&all, i, 1000);
        *(i % 3 ? &first : &second) = all.writer;
        sum += i;
    }
    assert_int_equal(read_all(&all).count, 400);
    assert_int_equal(read_all(&all).sum, sum);
    records_free(&all.chain, family.self);
    assert_int_equal(heap_used(), used);
    slot_free(others[0]);
    slot_free(others[1]);
}

static void what_a_dead_one_said_stays(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id dead = somebody();
    chained all = chain_of(dead);
    for (uint64_t i = 0; i < 200; i++)
        append(&all, i, 1000 + i);
    append(&all, 200, 1 << 20);
    reserve(&all, 201, 10);
    const uint64_t full = heap_used();
    records_inherit(&all.chain, dead, family.self);
    heap_sweep(dead, family.self);
    slot_free(dead);
    assert_int_equal(heap_used(), full);
    assert_int_equal(read_all(&all).count, 201);
    records_free(&all.chain, family.self);
    assert_int_equal(heap_used(), used);
}

/* Killed between linking a chunk and giving it. */
static void what_a_dead_one_had_not_given_yet_is_inherited(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    slot_id dead = somebody();
    chained all = chain_of(dead);
    all.writer.owner = dead;
    for (uint64_t i = 0; i < 300; i++)
        append(&all, i, 1000);
    records_inherit(&all.chain, dead, family.self);
    heap_sweep(dead, family.self);
    slot_free(dead);
    assert_int_equal(read_all(&all).count, 300);
    records_free(&all.chain, family.self);
    assert_int_equal(heap_used(), used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_has_no_records),
        cmocka_unit_test(records_of_all_sizes_are_kept_whole),
        cmocka_unit_test(what_was_not_committed_is_not_there),
        cmocka_unit_test(absurd_sizes_get_no_room_and_harm_nothing),
        cmocka_unit_test(several_write_into_one_chain),
        cmocka_unit_test(what_a_dead_one_said_stays),
        cmocka_unit_test(what_a_dead_one_had_not_given_yet_is_inherited),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
