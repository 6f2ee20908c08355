/* Shared objects: what handles name. Each lives in a cell of one table, and a cell is never
 * anything else.
 *
 * A handle is generation << 32 | index. The generation, of which the lowest bits are the type,
 * stands in the upper bits of the cell's `word`, too, and whoever does something to an object does
 * it by a CAS on that word: so one step checks the handle and acts, and a process that was paused
 * across a destroy cannot touch what lives there now.
 *
 *   life: FREE -> MAKING{maker} -> LIVE -> ENDING{ender, or nobody} -> FREE
 *
 * A generation is never claimed again. A cell whose last one is over stays FREE for ever.
 *
 * The commit store of a creation is the word with its generation; the maker has written the handle
 * to its home before. The commit store of a destruction is the word without one. What a dead maker
 * or ender has left is finished by whoever sweeps it, all of it twice if need be.
 *
 * Whatever a process does to a cell that its end may have to look at, it notes the cell in its journal
 * before (object_note): it takes a lock, makes or ends an object, joins a barrier. So a sweep visits
 * the cells that the dead process noted, and their neighbours, and no others.
 *
 * Waiting is by an event count: read `seq`, look at the word, sleep while seq stays. A waker
 * changes the word first. Who may die owing a wake-up, or with one that was meant for somebody
 * else, has marked the object in its slot before (object_touch): its sweep wakes once more. */
#ifndef MPROC_FAMILY_OBJECT_H
#define MPROC_FAMILY_OBJECT_H

#include "family.h"
#include "journal.h"
#include "park.h"

typedef enum object_type {
    OBJECT_LOCK = 1,
    OBJECT_RLOCK,
    OBJECT_SEMAPHORE,
    OBJECT_EVENT,
    OBJECT_CONDITION,
    OBJECT_BARRIER,
    OBJECT_VALUE,
    OBJECT_ARRAY,
    OBJECT_STRING,
    OBJECT_QUEUE,
    OBJECT_BELL, /* only as a part */
    OBJECT_TYPES = 16
} object_type;

/* The last field of a part names the whole. */
enum { OBJECT_FIELDS = 3, OBJECT_WHOLE = OBJECT_FIELDS - 1, OBJECT_WORD_BITS = 40 };
#define OBJECT_WORD_MASK ((UINT64_C(1) << OBJECT_WORD_BITS) - 1)

typedef struct object {
    _Alignas(64) _Atomic uint64_t word; /* generation << 40 | what the type makes of the rest */
    _Atomic uint64_t life;
    _Atomic uint64_t extra;  /* likewise generation << 40 | the type's own */
    _Atomic uint32_t seq;    /* never starts over */
    _Atomic uint32_t number; /* this and the fields stay while it lives */
    _Atomic uint64_t field[OBJECT_FIELDS];
    _Atomic arena_ref block; /* linked to it, freed with it; 0: none */
} object;
_Static_assert(sizeof(object) == 64, "one line of the cache for each");

uint32_t object_capacity(uint64_t arena_size); /* cells for an arena of that size */

/* ---- life ---- */

/* What a creation needs to know beforehand. */
typedef struct object_draft {
    uint64_t id;
    object *cell; /* MAKING: its fields may be written */
} object_draft;

/* MPROC_ENOMEM; and the errors of family_enter. */
mproc_err object_draft_new(object_type type, object_draft *draft);
/* Gives it a block of zeroes, which is its own from now on. */
mproc_err object_draft_block(object_draft *draft, size_t size);
/* Commits it: *home is written first. `word`: the lower bits. */
void object_commit(const object_draft *draft, uint64_t word, uint64_t *home);
void object_discard(const object_draft *draft); /* instead of a commit */
/* MPROC_ESTALE. All who wait for it wake, and find it gone. */
mproc_err object_destroy(uint64_t id, object_type type);
/* The same in two steps: after the first the handle is stale, but the block still there. The first
 * one consists of two as well: that it is this process's to end, and object_retire. */
mproc_err object_claim_end(uint64_t id, object_type type, object **cell);
mproc_err object_begin_end(uint64_t id, object_type type, object **cell);
void object_end(object *cell, uint64_t id);
/* From here on its handle is stale: for one whose ender died before it came to say so. */
void object_retire(object *cell, uint64_t id);

/* An object that is a part of one that is being made, and lasts as long. It is the whole's to
 * destroy; one whose whole is no more is an orphan, and the next sweep ends it. */
mproc_err object_make_part(object_type type, const object_draft *whole, uint64_t *id);
uint64_t object_orphan(const object *cell); /* its handle; 0: it is none */
uint64_t object_id(const object *cell);     /* of one that is not free */
uint64_t object_tag(uint64_t id);           /* what its blocks are linked to */

/* ---- use ---- */

/* This process's view of the table. */
extern struct object_view {
    _Atomic uint64_t me; /* names this process in words; 0: object_enter first */
    object *_Atomic cells;
    _Atomic uint32_t used;
    _Atomic journal noted; /* this process's journal; set before `me` */
} objects;

/* A process in the lower 40 bits of a word: 24 bits of its slot's generation, two free ones, its
 * slot's index + 1. */
enum { OBJECT_OWNER_BITS = 14, OBJECT_OWNER_SHIFT = 16 };
#define OBJECT_OWNER ((UINT64_C(1) << OBJECT_OWNER_BITS) - 1)

mproc_err object_enter(void); /* before the first use: as family_enter */
void object_after_fork(void);
object *object_find_slowly(uint64_t id);

static inline uint64_t object_generation(uint64_t id)
{
    return id >> 32;
}

/* NULL: there never was such an object. Whether it still is, its word says. */
static inline object *object_find(uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (!atomic_load_explicit(&objects.me, memory_order_acquire) ||
        index >= atomic_load_explicit(&objects.used, memory_order_acquire))
        return object_find_slowly(id);
    return atomic_load_explicit(&objects.cells, memory_order_relaxed) + index;
}

static inline uint64_t object_word(uint64_t id, uint64_t low)
{
    return object_generation(id) << OBJECT_WORD_BITS | low;
}

/* A forged handle may have more bits above than any generation: a word has no room for those. */
static inline bool object_is(uint64_t id, object_type type)
{
    const uint64_t none = ~((UINT64_C(1) << (64 - OBJECT_WORD_BITS)) - 1);
    return (object_generation(id) & (none | (OBJECT_TYPES - 1))) == (uint64_t)type;
}

/* Whether a word that was read belongs to the object that the handle names. */
static inline bool object_matches(uint64_t word, uint64_t id)
{
    return word >> OBJECT_WORD_BITS == object_generation(id);
}

/* Why there is no such object for this process: MPROC_ESTALE, or the errors of family_enter. */
mproc_err object_missing(void);

/* Finds it for a call that returns an error. Whether it still lives, its word says. */
static inline mproc_err object_check(uint64_t id, object_type type, object **found)
{
    *found = object_find(id);
    return *found && object_is(id, type) ? MPROC_OK : object_missing();
}

/* ---- waiting and waking ---- */

/* This process may leave something in that cell, or at what hangs on it. */
static inline void object_note(uint64_t id)
{
    journal_note(atomic_load_explicit(&objects.noted, memory_order_relaxed),
                 journal_bit_of_cell((uint32_t)id));
}

void object_touch(const object *cell); /* see above; notes it, too */
bool object_was_touched(const object *cell, const slot *by);
void object_wake(object *cell, uint32_t count); /* UINT32_MAX: all */
/* A thread that waits for many things at once does not sleep on any of them: between the beginning
 * and the end of its watch, its slot is rung for each of them. */
void object_begin_watch(void);
void object_watch(const object *cell);
void object_end_watch(void); /* of the last thread that watches: it is rung for nothing any more */
void object_ring_watchers(const object *cell);
/* Likewise for several cells, in one walk through the slots. */
typedef uint64_t object_set; /* 0: empty */
void object_add_watched(object_set *set, const object *cell);
void object_ring_watchers_of(object_set set);
/* Who sleeps looks again after so many nanoseconds, a minute: of some ends nobody is told. Tests do
 * not wait as long. */
extern int64_t object_beat;
int64_t object_next_beat(int64_t deadline); /* or the deadline, if that is sooner */
/* Sleeps while `seq` stays, and no longer than that. As park; MPROC_OK: look again. */
mproc_err object_sleep(object *cell, uint32_t seq, int64_t deadline);
/* Sets a bit of the word. False: it is gone. */
bool object_flag(object *cell, uint64_t id, uint64_t flag);

/* ---- sweeping ---- */

/* Calls `visit` for each cell that is not free among those that the process may have left something
 * in, each time it is called. */
void object_each_noted(slot_id by, void (*visit)(object *cell, void *context), void *context);
/* Of a dead maker or ender: finishes what it has begun. */
void object_finish(object *cell, slot_id dead);
object_type object_type_of(const object *cell);
bool object_is_live(const object *cell);
/* An object whose handle is stale and that somebody still uses is in nobody's charge: the process
 * that leaves it last ends it. */
#define OBJECT_ABANDONED ((slot_id)0)
bool object_is_ending(const object *cell, uint64_t id); /* by whomever */
bool object_is_ending_by(const object *cell, uint64_t id, slot_id ender);
/* Moves the charge of that object, of no later one in its cell. False: `from` did not have it. */
bool object_entrust(object *cell, uint64_t id, slot_id from, slot_id to);
uint32_t object_count(void); /* that are not free */
/* Whether this process may hold anything: else its clean end needs no sweep. */
bool objects_were_used(void);

#endif
