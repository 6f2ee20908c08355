#include "object.h"

#include <string.h>

#include "../killpoint.h"
#include "heap.h"
#include "vacancy.h"

enum { CELL_BITS = 22 };
#define CELLS_MOST (UINT32_C(1) << CELL_BITS)

enum { INDEX_BITS = 16, TYPE_BITS = 4, GENERATION_BITS = 24, STATE_SHIFT = 32 };
#define GENERATIONS ((UINT64_C(1) << GENERATION_BITS) - 1)

typedef enum { FREE, MAKING, LIVE, ENDING } life_state;

struct object_view objects;
int64_t object_beat = INT64_C(60000000000);

uint32_t object_capacity(uint64_t arena_size)
{
    const uint64_t bytes_each = 1024;
    uint64_t count = arena_size / bytes_each;
    return count < CELLS_MOST ? (uint32_t)count : CELLS_MOST;
}

/* ---- the life word: generation << 40 | state << 32 | index of the slot in charge + 1 ---- */

static uint64_t life_of(uint64_t generation, life_state state, slot_id in_charge)
{
    uint64_t owner = in_charge ? (in_charge & ((1 << INDEX_BITS) - 1)) + 1 : 0;
    return generation << OBJECT_WORD_BITS | (uint64_t)state << STATE_SHIFT | owner;
}

static life_state state_of(uint64_t life)
{
    return (life_state)(life >> STATE_SHIFT & 0xff);
}

static bool swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(word, &from, to);
    killpoint();
    return done;
}

/* Its last generation has been: a cell that goes on with the first one would make stale handles
 * valid. */
static bool is_used_up(uint64_t life)
{
    return life >> (OBJECT_WORD_BITS + TYPE_BITS) == GENERATIONS >> TYPE_BITS;
}

static uint64_t next_generation(uint64_t life, object_type type)
{
    uint64_t number = (life >> (OBJECT_WORD_BITS + TYPE_BITS)) + 1;
    return number << TYPE_BITS | (uint64_t)type;
}

/* Of an object, as the heap knows the owner of a block; memory has the bit above these. The number
 * is not all there, and need not be: blocks are linked, unlinked and freed by a process that has the
 * right to the object, by a queue's lock or as its maker or ender. Nobody takes that right from a
 * living process, so no process is late, and an object leaves no block to the next one in its cell. */
uint64_t object_tag(uint64_t id)
{
    enum { NUMBER_BITS = HEAP_TAG_BITS - 2 - CELL_BITS };
    const uint64_t number = object_generation(id) >> TYPE_BITS;
    return (uint64_t)(uint32_t)id << (NUMBER_BITS + 1) | (number & ((1 << NUMBER_BITS) - 1)) << 1 |
           1; /* not 0, whatever the number */
}

static uint64_t id_of(const object *cell, uint64_t life)
{
    return life >> OBJECT_WORD_BITS << 32 |
           (uint64_t)(cell - atomic_load_explicit(&objects.cells, memory_order_relaxed));
}

/* ---- this process's view ---- */

static mproc_err refresh(uint32_t count)
{
    uint32_t used;
    object *cells = arena_use_table(ARENA_OBJECTS, count, &used);
    if (!cells)
        return MPROC_ENOMEM;
    atomic_store_explicit(&objects.cells, cells, memory_order_relaxed);
    atomic_store_explicit(&objects.used, used, memory_order_release);
    return MPROC_OK;
}

static object *cell_at(uint32_t index)
{
    return atomic_load_explicit(&objects.cells, memory_order_relaxed) + index;
}

static void note_vacant(uint32_t from)
{
    for (uint32_t cell = from; cell < objects.used; cell += JOURNAL_CHUNK)
        vacancy_note(cell / JOURNAL_CHUNK);
}

/* The first of its cells are vacant once there is a table. */
static mproc_err begin_table(void)
{
    uint32_t before;
    arena_use_table(ARENA_OBJECTS, 0, &before);
    mproc_err err = refresh(1);
    if (!err && !before)
        note_vacant(0);
    return err;
}

mproc_err object_enter(void)
{
    mproc_err err = family_enter();
    if (err || (err = begin_table()))
        return err;
    slot_note_use(family.self, SLOT_USES_OBJECTS);
    atomic_store_explicit(&objects.noted, journal_of(family.self, JOURNAL_CELLS),
                          memory_order_relaxed);
    uint64_t generation = family.self >> INDEX_BITS & GENERATIONS;
    atomic_store_explicit(&objects.me,
                          generation << OBJECT_OWNER_SHIFT |
                              ((family.self & ((1 << INDEX_BITS) - 1)) + 1),
                          memory_order_release);
    return MPROC_OK;
}

void object_after_fork(void)
{
    if (!atomic_load_explicit(&objects.me, memory_order_relaxed))
        return;
    atomic_store(&objects.me, 0);
    atomic_store(&objects.noted, NULL);
}

bool objects_were_used(void)
{
    return atomic_load_explicit(&objects.me, memory_order_relaxed) != 0;
}

object *object_find_slowly(uint64_t id)
{
    if ((!objects_were_used() && object_enter()) || refresh(1))
        return NULL;
    return (uint32_t)id < objects.used ? cell_at((uint32_t)id) : NULL;
}

mproc_err object_missing(void)
{
    mproc_err err = object_enter();
    return err ? err : MPROC_ESTALE;
}

/* ---- life ---- */

static bool try_claim(uint32_t index, object_type type, uint64_t *generation)
{
    object *cell = cell_at(index);
    uint64_t life = atomic_load_explicit(&cell->life, memory_order_relaxed);
    *generation = next_generation(life, type);
    if (state_of(life) != FREE || is_used_up(life))
        return false;
    object_note(index);
    return swap(&cell->life, life, life_of(*generation, MAKING, family.self));
}

/* Where this process looks for a free cell first: in the chunk that it has taken from the vacant ones,
 * behind the cell that it claimed last; or the cell that it freed last. */
#define NO_CELL UINT32_MAX
static _Atomic uint32_t next_cell = NO_CELL;

/* From `first` on to the end of its chunk. */
static bool claim_in_chunk(uint32_t first, object_type type, object_draft *draft)
{
    const uint32_t end = (first / JOURNAL_CHUNK + 1) * JOURNAL_CHUNK, used = objects.used;
    for (uint32_t index = first; index < end && index < used; index++) {
        uint64_t generation;
        looked_at();
        if (!try_claim(index, type, &generation))
            continue;
        atomic_store_explicit(&next_cell, index + 1 < end ? index + 1 : NO_CELL,
                              memory_order_relaxed);
        *draft = (object_draft){generation << 32 | index, cell_at(index)};
        return true;
    }
    return false;
}

static bool claim_elsewhere(object_type type, object_draft *draft)
{
    uint32_t chunk;
    while (vacancy_take(&chunk)) {
        if (claim_in_chunk(chunk * JOURNAL_CHUNK, type, draft))
            return true;
    }
    return false;
}

/* Vacant chunks may be hidden: others have taken them. */
static bool claim_anywhere(object_type type, object_draft *draft)
{
    for (uint32_t first = 0; first < objects.used; first += JOURNAL_CHUNK) {
        if (claim_in_chunk(first, type, draft))
            return true;
    }
    return false;
}

static bool grow(void)
{
    uint32_t before = objects.used;
    if (refresh(before + 1))
        return false;
    note_vacant(before);
    return true;
}

static mproc_err claim(object_type type, object_draft *draft)
{
    do {
        uint32_t next = atomic_load_explicit(&next_cell, memory_order_relaxed);
        if ((next != NO_CELL && claim_in_chunk(next, type, draft)) || claim_elsewhere(type, draft))
            return MPROC_OK;
    } while (grow());
    return claim_anywhere(type, draft) ? MPROC_OK : MPROC_ENOMEM;
}

mproc_err object_draft_new(object_type type, object_draft *draft)
{
    mproc_err err = object_enter();
    if (err)
        return err;
    if (!arena_has_objects())
        arena_note_objects();
    if ((err = claim(type, draft)))
        return err;
    object *cell = draft->cell;
    atomic_store_explicit(&cell->number, 0, memory_order_relaxed);
    for (int i = 0; i < OBJECT_FIELDS; i++)
        atomic_store_explicit(&cell->field[i], 0, memory_order_relaxed);
    atomic_store(&cell->extra, object_word(draft->id, 0));
    killpoint();
    return MPROC_OK;
}

/* Noted in the cell before it is linked: until then it is this process's, and swept with it. */
mproc_err object_draft_block(object_draft *draft, size_t size)
{
    arena_ref ref;
    mproc_err err = heap_alloc(size, family.self, &ref);
    if (err)
        return err;
    memset(arena_at(ref), 0, size);
    atomic_store(&draft->cell->block, ref);
    killpoint();
    heap_link(ref, family.self, object_tag(draft->id));
    killpoint();
    return MPROC_OK;
}

void object_commit(const object_draft *draft, uint64_t word, uint64_t *home)
{
    uint64_t generation = object_generation(draft->id);
    *home = draft->id;
    killpoint();
    atomic_store(&draft->cell->word, object_word(draft->id, word));
    killpoint();
    swap(&draft->cell->life, life_of(generation, MAKING, family.self),
         life_of(generation, LIVE, 0));
    family_share();
}

void object_retire(object *cell, uint64_t id)
{
    uint64_t word = atomic_load(&cell->word);
    while (object_matches(word, id) && !atomic_compare_exchange_weak(&cell->word, &word, 0)) {
    }
    killpoint();
    object_wake(cell, UINT32_MAX);
}

/* The lowest one that this process knows of is the next. Its own chunk stays vacant for others then. */
static void remember_free(uint32_t index)
{
    const uint32_t next = atomic_load_explicit(&next_cell, memory_order_relaxed);
    if (index >= next)
        return;
    atomic_store_explicit(&next_cell, index, memory_order_relaxed);
    if (next != NO_CELL && next / JOURNAL_CHUNK != index / JOURNAL_CHUNK)
        vacancy_note(next / JOURNAL_CHUNK);
}

/* Its chunk is noted before, lest a kill hides the free cell; and after it, for a claimer may have
 * looked in between. */
static void let_go(object *cell, uint64_t life)
{
    const uint32_t index = (uint32_t)(cell - cell_at(0));
    vacancy_note(index / JOURNAL_CHUNK);
    if (!swap(&cell->life, life, life_of(life >> OBJECT_WORD_BITS, FREE, 0)))
        return;
    vacancy_note(index / JOURNAL_CHUNK);
    remember_free(index);
}

/* From a life word that gives the right to, up to FREE. Again does no harm. */
static void end(object *cell, uint64_t life)
{
    uint64_t id = id_of(cell, life);
    object_retire(cell, id);
    heap_free_linked(atomic_load(&cell->block), object_tag(id), family.self);
    atomic_store(&cell->block, 0);
    killpoint();
    let_go(cell, life);
}

void object_discard(const object_draft *draft)
{
    arena_ref ref = atomic_load(&draft->cell->block);
    if (ref && !heap_is_linked(ref, object_tag(draft->id)))
        heap_free(ref, family.self);
    end(draft->cell, life_of(object_generation(draft->id), MAKING, family.self));
}

/* Also when its maker has committed it, but not come to say so. */
static bool stands(const object *cell, uint64_t id, uint64_t life)
{
    return life >> OBJECT_WORD_BITS == object_generation(id) &&
           (state_of(life) == LIVE ||
            (state_of(life) == MAKING && object_matches(atomic_load(&cell->word), id)));
}

mproc_err object_claim_end(uint64_t id, object_type type, object **cell)
{
    mproc_err err = object_check(id, type, cell);
    if (err)
        return err;
    uint64_t generation = object_generation(id), life;
    object_note(id);
    do {
        life = atomic_load(&(*cell)->life);
        if (!stands(*cell, id, life))
            return MPROC_ESTALE;
    } while (!swap(&(*cell)->life, life, life_of(generation, ENDING, family.self)));
    return MPROC_OK;
}

mproc_err object_begin_end(uint64_t id, object_type type, object **cell)
{
    mproc_err err = object_claim_end(id, type, cell);
    if (!err)
        object_retire(*cell, id);
    return err;
}

void object_end(object *cell, uint64_t id)
{
    end(cell, life_of(object_generation(id), ENDING, family.self));
}

mproc_err object_destroy(uint64_t id, object_type type)
{
    object *cell;
    mproc_err err = object_begin_end(id, type, &cell);
    if (!err)
        object_end(cell, id);
    return err;
}

/* ---- parts ---- */

mproc_err object_make_part(object_type type, const object_draft *whole, uint64_t *id)
{
    object_draft part;
    mproc_err err = object_draft_new(type, &part);
    if (err)
        return err;
    atomic_store(&part.cell->field[OBJECT_WHOLE], whole->id);
    object_commit(&part, 0, id);
    return MPROC_OK;
}

static object_type type_of(uint64_t life)
{
    return (object_type)(life >> OBJECT_WORD_BITS & (OBJECT_TYPES - 1));
}

/* Only locks and bells are parts. The field is this one's if it has lived before and after. */
uint64_t object_orphan(const object *cell)
{
    uint64_t life = atomic_load(&cell->life);
    uint64_t whole = atomic_load(&cell->field[OBJECT_WHOLE]);
    if (state_of(life) != LIVE || (type_of(life) != OBJECT_LOCK && type_of(life) != OBJECT_BELL) ||
        !whole || atomic_load(&cell->life) != life)
        return 0;
    const object *of = object_find(whole);
    uint64_t life_of_whole = of ? atomic_load(&of->life) : 0;
    bool exists = state_of(life_of_whole) != FREE &&
                  life_of_whole >> OBJECT_WORD_BITS == object_generation(whole);
    return exists ? 0 : id_of(cell, life);
}

uint64_t object_id(const object *cell)
{
    return id_of(cell, atomic_load(&cell->life));
}

/* ---- waiting and waking ---- */

static uint64_t touch_bit(const object *cell)
{
    return UINT64_C(1) << ((cell - objects.cells) % 64);
}

void object_touch(const object *cell)
{
    slot *mine = slot_at(family.self);
    uint64_t bit = touch_bit(cell);
    object_note((uint64_t)(cell - cell_at(0)));
    if (mine && !(atomic_load_explicit(&mine->touched, memory_order_relaxed) & bit)) {
        atomic_fetch_or(&mine->touched, bit);
        killpoint();
    }
}

bool object_was_touched(const object *cell, const slot *by)
{
    return atomic_load(&by->touched) & touch_bit(cell);
}

void object_wake(object *cell, uint32_t count)
{
    atomic_fetch_add(&cell->seq, 1);
    killpoint();
    unpark(&cell->seq, count);
    killpoint();
}

/* A slot's `watched` word: threads that watch << WATCH_BITS | what any of them does. */
enum { WATCH_BITS = 48 };
#define WATCHER (UINT64_C(1) << WATCH_BITS)

static uint64_t watch_bit(const object *cell)
{
    return UINT64_C(1) << ((cell - objects.cells) % WATCH_BITS);
}

void object_begin_watch(void)
{
    atomic_fetch_add(&slot_at(family.self)->watched, WATCHER);
    killpoint();
}

void object_watch(const object *cell)
{
    atomic_fetch_or(&slot_at(family.self)->watched, watch_bit(cell));
    killpoint();
}

/* In one step with the count: nobody's bit is taken away while he watches. */
void object_end_watch(void)
{
    _Atomic uint64_t *watched = &slot_at(family.self)->watched;
    uint64_t now = atomic_load(watched), next;
    do
        next = now < 2 * WATCHER ? 0 : now - WATCHER;
    while (!atomic_compare_exchange_weak(watched, &now, next));
    killpoint();
}

static bool ring_watcher(slot_id id, slot *watcher, void *bit)
{
    if (atomic_load(&watcher->watched) & *(const uint64_t *)bit)
        slot_ring(id);
    return true;
}

void object_add_watched(object_set *set, const object *cell)
{
    *set |= watch_bit(cell);
}

void object_ring_watchers_of(object_set set)
{
    if (set)
        slot_each(ring_watcher, &set);
}

void object_ring_watchers(const object *cell)
{
    object_ring_watchers_of(watch_bit(cell));
}

int64_t object_next_beat(int64_t deadline)
{
    const int64_t beat = os_now() + object_beat;
    return beat < deadline ? beat : deadline;
}

mproc_err object_sleep(object *cell, uint32_t seq, int64_t deadline)
{
    const int64_t until = object_next_beat(deadline);
    mproc_err err = park(&cell->seq, seq, until, family.self);
    return err == MPROC_ETIMEDOUT && until < deadline ? MPROC_OK : err;
}

bool object_flag(object *cell, uint64_t id, uint64_t flag)
{
    uint64_t word = atomic_load(&cell->word);
    while (object_matches(word, id)) {
        if (word & flag || atomic_compare_exchange_weak(&cell->word, &word, word | flag)) {
            killpoint();
            return true;
        }
    }
    return false;
}

/* ---- sweeping ---- */

typedef struct round {
    void (*visit)(object *cell, void *context);
    void *context;
} round;

static void visit_cells(uint32_t first, uint32_t end, const round *r)
{
    for (uint32_t i = first; i < end; i++) {
        object *cell = cell_at(i);
        looked_at();
        if (state_of(atomic_load_explicit(&cell->life, memory_order_acquire)) != FREE)
            r->visit(cell, r->context);
    }
}

static void visit_chunk(uint32_t bit, void *context)
{
    const uint64_t used = objects.used, whole_map = (uint64_t)journal_bits * JOURNAL_CHUNK;
    for (uint64_t first = (uint64_t)bit * JOURNAL_CHUNK; first < used; first += whole_map) {
        const uint64_t end = first + JOURNAL_CHUNK;
        vacancy_note((uint32_t)first / JOURNAL_CHUNK); /* the process may have taken it */
        visit_cells((uint32_t)first, (uint32_t)(end < used ? end : used), context);
    }
}

void object_each_noted(slot_id by, void (*visit)(object *cell, void *context), void *context)
{
    round r = {visit, context};
    if (slot_has_used(by, SLOT_USES_OBJECTS) && !object_enter() && !refresh(1))
        journal_each(journal_of(by, JOURNAL_CELLS), visit_chunk, &r);
}

/* A creation whose word stands has happened. */
void object_finish(object *cell, slot_id dead)
{
    uint64_t life = atomic_load(&cell->life), generation = life >> OBJECT_WORD_BITS;
    if (life != life_of(generation, state_of(life), dead))
        return;
    if (state_of(life) == MAKING && atomic_load(&cell->word) >> OBJECT_WORD_BITS == generation)
        swap(&cell->life, life, life_of(generation, LIVE, 0));
    else if (state_of(life) == MAKING || state_of(life) == ENDING)
        end(cell, life);
}

object_type object_type_of(const object *cell)
{
    return type_of(atomic_load(&cell->life));
}

bool object_is_ending(const object *cell, uint64_t id)
{
    const uint64_t life = atomic_load(&cell->life);
    return life >> OBJECT_WORD_BITS == object_generation(id) && state_of(life) == ENDING;
}

bool object_is_ending_by(const object *cell, uint64_t id, slot_id ender)
{
    return atomic_load(&cell->life) == life_of(object_generation(id), ENDING, ender);
}

bool object_entrust(object *cell, uint64_t id, slot_id from, slot_id to)
{
    const uint64_t generation = object_generation(id);
    if (to == family.self)
        object_note(id);
    return swap(&cell->life, life_of(generation, ENDING, from), life_of(generation, ENDING, to));
}

bool object_is_live(const object *cell)
{
    return state_of(atomic_load(&cell->life)) == LIVE;
}

static void count_one(object *cell, void *count)
{
    (void)cell;
    ++*(uint32_t *)count;
}

uint32_t object_count(void)
{
    uint32_t count = 0;
    const round r = {count_one, &count};
    if (arena_has_objects() && !refresh(1))
        visit_cells(0, objects.used, &r);
    return count;
}
