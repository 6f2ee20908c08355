/* Which processes belong to a barrier, and at which barriers threads of this one wait now. */
#ifndef MPROC_SYNC_MEMBERS_H
#define MPROC_SYNC_MEMBERS_H

#include "../family/object.h"

/* ---- members: a part of the barrier's block ----
 *
 * One bit for each slot, 32 of them in a word whose upper half is a tag: the object's generation
 * and its epoch, which each reset changes. Bits below another tag count for nothing, so the one
 * CAS of a reset forgets all members at once. And a block that is freed while somebody paused in
 * here has another tag or none when he goes on, so that he writes nothing into it. */
enum { MEMBERS_EACH = 32 };

typedef struct members {
    _Atomic uint64_t words[SLOT_COUNT / MEMBERS_EACH];
} members;

/* One process's bit. It is looked at before the barrier's word is read, and changed according to
 * that word: so what has changed meanwhile is noticed by one CAS or the other. */
typedef struct member {
    _Atomic uint64_t *word;
    uint64_t seen, bit;
} member;

/* Of a barrier's word: its lowest bits are the epoch. */
enum { MEMBERS_EPOCH_BITS = 4 };
static inline uint64_t members_tag(uint64_t word)
{
    const uint64_t epochs = (1 << MEMBERS_EPOCH_BITS) - 1;
    return (word >> OBJECT_WORD_BITS << 8 | (word & epochs)) << MEMBERS_EACH;
}

void members_begin(members *all, uint64_t word);
member member_look(members *all, slot_id process);
bool member_belongs(const member *one, uint64_t word);
/* False: look again, somebody has changed something. */
bool member_join(const member *one, uint64_t word);
bool member_leave(const member *one);
/* Calls `visit` with the indices of their slots until it returns true, and returns that. */
bool members_any(members *all, uint64_t word, bool (*visit)(uint32_t index));
/* Clears what is of another epoch than the barrier's, before that comes round again. */
void members_tidy(members *all, const object *barrier);

/* ---- presence: of this process only ---- */

typedef struct presence presence;

presence *presence_begin(uint64_t id); /* NULL: no memory */
void presence_end(presence *one);
bool presence_exists(uint64_t id);

#endif
