#include "slot.h"

#include "../hot.h"
#include "../killpoint.h"
#include "journal.h"
#include "park.h"
#include "text.h"

enum { INDEX_BITS = 16, STATE_BITS = 2, GENERATION_BITS = 24, OTHER_INDEX_BITS = 14 };
#define OTHER_SHIFT (GENERATION_BITS + STATE_BITS)
#define GENERATIONS ((UINT64_C(1) << GENERATION_BITS) - 1)
_Static_assert(SLOT_COUNT <= 1 << OTHER_INDEX_BITS, "an index fits");
_Static_assert(OTHER_SHIFT + GENERATION_BITS + OTHER_INDEX_BITS == 64,
               "so does all of another's id");

/* Of another process in the upper bits of a life word. */
static uint64_t tag(slot_id id)
{
    return (id & ((1 << OTHER_INDEX_BITS) - 1)) | id >> INDEX_BITS << OTHER_INDEX_BITS;
}

static uint64_t life_of(slot_id id, slot_state state, uint64_t in_charge)
{
    return in_charge << OTHER_SHIFT | (id >> INDEX_BITS) << STATE_BITS | (uint64_t)state;
}

static slot_state state_of(uint64_t life)
{
    return (slot_state)(life & ((1 << STATE_BITS) - 1));
}

static uint64_t generation_of(uint64_t life)
{
    return life >> STATE_BITS & GENERATIONS;
}

static bool swap(slot *s, uint64_t from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(&s->life, &from, to);
    killpoint();
    return done;
}

static bool try_claim(slot *s, uint32_t index, slot_id claimer, slot_id *id)
{
    uint64_t life = atomic_load_explicit(&s->life, memory_order_relaxed);
    if (state_of(life) != SLOT_FREE || generation_of(life) == GENERATIONS)
        return false;
    *id = (generation_of(life) + 1) << INDEX_BITS | index;
    return swap(s, life, life_of(*id, SLOT_CLAIMED, tag(claimer)));
}

/* Everything in the slot is reset by its claimer. Nobody else believes a field of a claimed
 * slot: who has claimed it stands in its life word. */
static void reset(slot *s, slot_id id, slot_id parent, const char *name, bool daemon)
{
    atomic_store(&s->ending, id >> INDEX_BITS);
    atomic_store(&s->born, 0);
    atomic_store(&s->record, 0);
    atomic_store(&s->parent, parent);
    atomic_store(&s->monitors, false);
    atomic_store(&s->touched, 0);
    atomic_store(&s->watched, 0);
    atomic_store(&s->uses, 0);
    s->daemon = daemon;
    text_copy(s->name, sizeof s->name, name);
    killpoint();
}

mproc_err slot_claim(slot_id parent, const char *name, bool daemon, slot_id *id)
{
    MPROC_HOT static _Atomic uint32_t hint;
    uint32_t used = 0, start = atomic_load_explicit(&hint, memory_order_relaxed);
    slot *table = arena_use_table(ARENA_SLOTS, 1, &used);
    if (parent)
        slot_note_use(parent, SLOT_USES_CHILDREN);
    while (table) {
        for (uint32_t i = 0; i < used; i++) {
            uint32_t index = (start + i) % used;
            slot_id claimed;
            if (!try_claim(&table[index], index, parent, &claimed))
                continue;
            atomic_store_explicit(&hint, index, memory_order_relaxed);
            reset(&table[index], claimed, parent, name, daemon);
            if (!journal_reset(index)) {
                slot_free(claimed);
                return MPROC_ENOMEM;
            }
            *id = claimed;
            return MPROC_OK;
        }
        if (used == SLOT_COUNT)
            return MPROC_EAGAIN;
        start = used;
        table = arena_use_table(ARENA_SLOTS, used + 1, &used);
    }
    return MPROC_ENOMEM;
}

slot *slot_at(slot_id id)
{
    slot *s = arena_entry(ARENA_SLOTS, id & ((1 << INDEX_BITS) - 1));
    return s && generation_of(atomic_load_explicit(&s->life, memory_order_acquire)) ==
                       id >> INDEX_BITS
               ? s
               : NULL;
}

slot_id slot_id_of(uint64_t life, uint32_t index)
{
    return generation_of(life) << INDEX_BITS | index;
}

/* 0 when another generation lives there; a slot that was ever claimed has no generation 0. */
static uint64_t life_at(slot_id id, slot **s)
{
    *s = arena_entry(ARENA_SLOTS, id & ((1 << INDEX_BITS) - 1));
    uint64_t life = *s ? atomic_load(&(*s)->life) : 0;
    return generation_of(life) == id >> INDEX_BITS ? life : 0;
}

bool slot_is(slot_id id, slot_state state)
{
    slot *s;
    uint64_t life = life_at(id, &s);
    return life && state_of(life) == state;
}

int64_t slot_pid(slot_id id)
{
    slot *s;
    uint64_t life = life_at(id, &s);
    return state_of(life) == SLOT_LIVING ? (int64_t)(life >> OTHER_SHIFT) : 0;
}

mproc_err slot_enter(slot_id id, int64_t pid)
{
    slot *s;
    uint64_t life = life_at(id, &s);
    return state_of(life) == SLOT_CLAIMED && swap(s, life, life_of(id, SLOT_LIVING, (uint64_t)pid))
               ? MPROC_OK
               : MPROC_ESTATE;
}

bool slot_disown(slot_id id, slot_id charged, slot_id self)
{
    slot *s;
    uint64_t life = life_at(id, &s);
    return (state_of(life) == SLOT_CLAIMED || state_of(life) == SLOT_DISOWNED) &&
           life >> OTHER_SHIFT == tag(charged) &&
           swap(s, life, life_of(id, SLOT_DISOWNED, tag(self)));
}

void slot_free(slot_id id)
{
    slot *s;
    uint64_t life = life_at(id, &s);
    if (life && state_of(life) != SLOT_FREE)
        swap(s, life, life_of(id, SLOT_FREE, 0));
}

/* ending: the generation, until it is 1 << 63 | clean << 62 | kind << 56 | -err << 32 | code. So
 * one step finds the slot of that process and reports: a forkserver that was paused before it
 * writes nothing into the slot's next one. */
#define REPORTED (UINT64_C(1) << 63)

void slot_report(slot_id id, mproc_exit_status status, bool clean)
{
    slot *s = slot_at(id);
    if (!s)
        return;
    uint64_t word = REPORTED | (uint64_t)clean << 62 | (uint64_t)status.kind << 56 |
                    (uint64_t)(-(int)status.err & 0xff) << 32 | (uint32_t)status.code;
    uint64_t none = id >> INDEX_BITS;
    atomic_compare_exchange_strong(&s->ending, &none, word);
    killpoint();
}

void slot_ring(slot_id id)
{
    slot *s = slot_at(id);
    if (!s)
        return;
    atomic_fetch_add(&s->rung, 1);
    unpark(&s->rung, UINT32_MAX);
}

bool slot_reported(slot_id id, mproc_exit_status *status, bool *clean)
{
    slot *s = slot_at(id);
    uint64_t word = s ? atomic_load(&s->ending) : 0;
    if (!(word & REPORTED) || slot_at(id) != s)
        return false;
    status->kind = (mproc_exit_kind)(word >> 56 & 0x3f);
    status->err = (mproc_err) - (int)(word >> 32 & 0xff);
    status->code = status->kind == MPROC_EXIT_CRASHED ? (int64_t)(uint32_t)word : (int32_t)word;
    *clean = word >> 62 & 1;
    return true;
}

void slot_note_use(slot_id id, slot_use what)
{
    slot *s = slot_at(id);
    if (s && !(atomic_load_explicit(&s->uses, memory_order_relaxed) & what)) {
        atomic_fetch_or(&s->uses, (unsigned char)what);
        killpoint();
    }
}

bool slot_has_used(slot_id id, slot_use what)
{
    slot *s = slot_at(id);
    return s && atomic_load(&s->uses) & what;
}

void slot_each(bool (*visit)(slot_id id, slot *slot, void *context), void *context)
{
    uint32_t used = 0;
    slot *table = arena_use_table(ARENA_SLOTS, 1, &used);
    for (uint32_t i = 0; table && i < used; i++) {
        uint64_t life = atomic_load(&table[i].life);
        slot_id id = slot_id_of(life, i);
        looked_at();
        if (state_of(life) != SLOT_FREE && !visit(id, &table[i], context))
            return;
    }
}
