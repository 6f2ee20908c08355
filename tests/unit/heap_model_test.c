/* Random calls beside a model that knows what each must give. */
#include "heap_support.h"

enum { BLOCKS = 400, OWNERS = 4, MARK_EVERY = 4096, QUICK = 200000, THOROUGH = 10000000 };

typedef struct block {
    arena_ref ref; /* 0: there is none */
    size_t size;
    unsigned owner; /* OWNERS: nobody, it is linked */
    uint64_t tag;
    unsigned char mark;
} block;

static struct {
    block blocks[BLOCKS];
    slot_id owners[OWNERS];
    uint64_t used, tags;
    unsigned seed;
} model;

static unsigned chance(unsigned of)
{
    return next_random(&model.seed) % of;
}

/* Small ones whole, large ones here and there: an overlap would be seen. */
static void write_marks(const block *b)
{
    unsigned char *bytes = arena_at(b->ref);
    if (b->size <= MARK_EVERY)
        memset(bytes, b->mark, b->size);
    for (size_t i = 0; i < b->size; i += MARK_EVERY)
        bytes[i] = b->mark;
    bytes[b->size - 1] = b->mark;
}

static bool marks_are_whole(const block *b)
{
    const unsigned char *bytes = arena_at(b->ref);
    const size_t step = b->size <= MARK_EVERY ? 1 : MARK_EVERY;
    for (size_t i = 0; i < b->size; i += step) {
        if (bytes[i] != b->mark)
            return false;
    }
    return bytes[b->size - 1] == b->mark;
}

static void make(block *b, unsigned owner)
{
    const size_t limits[] = {64, 64, 200, 200, 1000, 1000, 16384, 70000, 300000, 2000000};
    size_t limit = limits[chance(chance(8) ? 7 : 10)];
    *b = (block){.size = (chance(65536) << 16 | chance(65536)) % limit + 1,
                 .owner = owner,
                 .mark = (unsigned char)chance(256)};
    b->ref = alloc(b->size, model.owners[owner]);
    write_marks(b);
    model.used += rounded(b->size);
}

static void release(block *b)
{
    assert_true(marks_are_whole(b));
    if (b->owner == OWNERS) {
        assert_false(heap_free_linked(b->ref, b->tag + 1, family.self));
        assert_int_equal(heap_linked_size(b->ref, b->tag), rounded(b->size));
        assert_true(heap_free_linked(b->ref, b->tag, family.self));
        assert_false(heap_free_linked(b->ref, b->tag, family.self));
    } else {
        heap_free(b->ref, model.owners[b->owner]);
    }
    model.used -= rounded(b->size);
    b->ref = 0;
}

static void hand_over(block *b, unsigned to)
{
    if (b->owner == OWNERS)
        return;
    if (chance(3) == 0) {
        b->tag = ++model.tags;
        heap_link(b->ref, model.owners[b->owner], b->tag);
        b->owner = OWNERS;
    } else {
        heap_give(b->ref, model.owners[b->owner], model.owners[to]);
        b->owner = to;
    }
}

static void let_die(unsigned owner)
{
    sweep_and_free(model.owners[owner]);
    model.owners[owner] = somebody();
    for (block *b = model.blocks; b < model.blocks + BLOCKS; b++) {
        if (b->ref && b->owner == owner) {
            model.used -= rounded(b->size);
            b->ref = 0;
        }
    }
}

/* Owners stay the same for a while, as threads do. */
static void step(unsigned round)
{
    static unsigned owner;
    if (round % 64 == 0)
        owner = chance(OWNERS);
    block *b = &model.blocks[chance(BLOCKS)];
    if (chance(1000) == 0)
        let_die(owner);
    else if (!b->ref)
        make(b, owner);
    else if (chance(4))
        release(b);
    else
        hand_over(b, chance(OWNERS));
}

static void the_heap_agrees_with_a_simple_model(void **state)
{
    (void)state;
    const char *soak = getenv("MPROC_SOAK"), *told = getenv("MPROC_TEST_SEED");
    const unsigned steps = soak && *soak == '1' ? THOROUGH : QUICK;
    model.seed = told ? (unsigned)strtoul(told, NULL, 10) : 20240229;
    print_message("%u steps, MPROC_TEST_SEED=%u\n", steps, model.seed);
    const uint64_t before = heap_used();
    for (unsigned i = 0; i < OWNERS; i++)
        model.owners[i] = somebody();
    for (unsigned round = 0; round < steps; round++) {
        step(round);
        if (round % 256 == 0 && heap_used() - before != model.used)
            fail_msg("step %u: %llu bytes in use, not %llu", round,
                     (unsigned long long)(heap_used() - before), (unsigned long long)model.used);
    }
    for (block *b = model.blocks; b < model.blocks + BLOCKS; b++) {
        if (b->ref)
            release(b);
    }
    assert_int_equal(heap_used(), before);
    for (unsigned i = 0; i < OWNERS; i++)
        sweep_and_free(model.owners[i]);
    /* Nothing is cut up for ever. */
    arena_ref whole = alloc((size_t)(arena_capacity() - ARENA_SPAN - before), family.self);
    heap_free(whole, family.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_heap_agrees_with_a_simple_model),
    };
    return cmocka_run_group_tests(tests, found_family, NULL);
}
