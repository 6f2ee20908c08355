#include "members.h"

#include <stdlib.h>

#include "../killpoint.h"

#define BITS (((uint64_t)1 << MEMBERS_EACH) - 1)

static bool swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(word, &from, to);
    killpoint();
    return done;
}

static bool has_tag(uint64_t seen, uint64_t tag)
{
    return (seen & ~BITS) == tag;
}

static bool is_of_same_object(uint64_t seen, uint64_t word)
{
    return seen >> OBJECT_WORD_BITS == word >> OBJECT_WORD_BITS;
}

void members_begin(members *all, uint64_t word)
{
    for (size_t i = 0; i < sizeof all->words / sizeof all->words[0]; i++)
        atomic_store_explicit(&all->words[i], members_tag(word), memory_order_relaxed);
}

member member_look(members *all, slot_id process)
{
    uint32_t index = process % SLOT_COUNT;
    _Atomic uint64_t *word = &all->words[index / MEMBERS_EACH];
    return (member){word, atomic_load(word), UINT64_C(1) << index % MEMBERS_EACH};
}

bool member_belongs(const member *one, uint64_t word)
{
    return has_tag(one->seen, members_tag(word)) && one->seen & one->bit;
}

bool member_join(const member *one, uint64_t word)
{
    uint64_t tag = members_tag(word);
    if (!is_of_same_object(one->seen, word))
        return false;
    return member_belongs(one, word) ||
           swap(one->word, one->seen, (has_tag(one->seen, tag) ? one->seen : tag) | one->bit);
}

bool member_leave(const member *one)
{
    return swap(one->word, one->seen, one->seen & ~one->bit);
}

bool members_any(members *all, uint64_t word, bool (*visit)(uint32_t index))
{
    for (uint32_t i = 0; i < SLOT_COUNT; i += MEMBERS_EACH) {
        uint64_t seen = atomic_load(&all->words[i / MEMBERS_EACH]);
        if (!has_tag(seen, members_tag(word)))
            continue;
        for (uint32_t j = 0; seen & BITS; j++, seen = (seen & BITS) >> 1) {
            if (seen & 1 && visit(i + j))
                return true;
        }
    }
    return false;
}

void members_tidy(members *all, const object *barrier)
{
    for (size_t i = 0; i < sizeof all->words / sizeof all->words[0]; i++) {
        uint64_t seen = atomic_load(&all->words[i]);
        uint64_t word = atomic_load(&barrier->word);
        if (seen & BITS && is_of_same_object(seen, word) && !has_tag(seen, members_tag(word)))
            swap(&all->words[i], seen, members_tag(word));
    }
}

/* ---- presence ---- */

/* An entry belongs to the process that it names. A forked child finds those of its parent's threads
 * in its copy: they are free there, and nothing has to be cleared. */
struct presence {
    _Atomic slot_id process;
    _Atomic uint64_t id;
};

typedef struct sheet sheet;
struct sheet {
    presence entries[62];
    sheet *_Atomic next; /* never freed */
};

static sheet first;

static presence *claim(sheet *in)
{
    for (size_t i = 0; i < sizeof in->entries / sizeof in->entries[0]; i++) {
        presence *one = &in->entries[i];
        slot_id process = atomic_load_explicit(&one->process, memory_order_relaxed);
        if (process != family.self &&
            atomic_compare_exchange_strong(&one->process, &process, family.self))
            return one;
    }
    return NULL;
}

static sheet *next_of(sheet *in)
{
    sheet *next = atomic_load(&in->next);
    if (next)
        return next;
    sheet *made = calloc(1, sizeof *made);
    if (made && !atomic_compare_exchange_strong(&in->next, &next, made)) {
        free(made);
        return next;
    }
    return made;
}

presence *presence_begin(uint64_t id)
{
    presence *one = NULL;
    for (sheet *in = &first; in && !one; in = one ? in : next_of(in))
        one = claim(in);
    if (one)
        atomic_store(&one->id, id);
    return one;
}

void presence_end(presence *one)
{
    atomic_store(&one->id, 0);
    atomic_store(&one->process, 0);
}

bool presence_exists(uint64_t id)
{
    for (sheet *in = &first; in; in = atomic_load(&in->next)) {
        for (size_t i = 0; i < sizeof in->entries / sizeof in->entries[0]; i++) {
            if (atomic_load(&in->entries[i].id) == id &&
                atomic_load(&in->entries[i].process) == family.self)
                return true;
        }
    }
    return false;
}
