#include <mproc/string.h>

#include <string.h>

#include "../family/robust.h"
#include "../family/rounds.h"
#include "../killpoint.h"

/* Two halves of the block and a count of the texts so far: the last bit says in which half the
 * present one stands. The count is a word with the generation, and its CAS the commit store of a
 * set; the cell's lock is held meanwhile.
 *
 * A getter takes no lock: it copies, and knows by the same count, which another field makes wide
 * (rounds.h), that nobody has begun to write into that half meanwhile. */
enum { CAPACITY, TEXTS, TEXTS_ROUNDS }; /* fields */

typedef struct half {
    _Atomic uint64_t length;
    _Atomic uint64_t words[];
} half;

typedef struct shared_text {
    object *cell;
    uint64_t id;
    size_t capacity;
    unsigned char *block;
} shared_text;

enum { WORD = sizeof(uint64_t), LINE = 64, TRIES = 16 };

static rounds texts_of(object *cell)
{
    return (rounds){&cell->field[TEXTS], &cell->field[TEXTS_ROUNDS], 0, OBJECT_WORD_BITS};
}

static size_t half_size(size_t capacity)
{
    return (sizeof(half) + capacity + LINE - 1) / LINE * LINE;
}

static half *half_of(const shared_text *it, uint64_t texts)
{
    return (half *)(void *)(it->block + (texts & 1) * half_size(it->capacity));
}

/* Every word is written after the count of the text before, and read before the count is looked
 * at again. */
static void write_half(half *to, const char *text, size_t length)
{
    atomic_store_explicit(&to->length, length, memory_order_release);
    killpoint();
    for (size_t at = 0; at < length; at += WORD) {
        uint64_t word = 0;
        memcpy(&word, text + at, length - at < WORD ? length - at : WORD);
        atomic_store_explicit(&to->words[at / WORD], word, memory_order_release);
    }
    killpoint();
}

static void read_half(half *from, char *buffer, size_t length)
{
    for (size_t at = 0; at < length; at += WORD) {
        uint64_t word = atomic_load_explicit(&from->words[at / WORD], memory_order_acquire);
        memcpy(buffer + at, &word, length - at < WORD ? length - at : WORD);
    }
    buffer[length] = '\0';
}

/* ---- life ---- */

mproc_err mproc_string_create(mproc_string *string, size_t capacity, const char *initial)
{
    object_draft draft;
    const size_t most = SIZE_MAX / 4;
    size_t length = initial ? strlen(initial) : 0;
    if (!string || !capacity)
        return MPROC_EINVAL;
    if (length >= capacity)
        return MPROC_EMSGSIZE;
    if (capacity > most)
        return MPROC_ENOMEM;
    mproc_err err = object_draft_new(OBJECT_STRING, &draft);
    if (err)
        return err;
    if ((err = object_draft_block(&draft, 2 * half_size(capacity)))) {
        object_discard(&draft);
        return err;
    }
    if (initial)
        write_half(arena_at(atomic_load(&draft.cell->block)), initial, length);
    atomic_store(&draft.cell->field[CAPACITY], capacity);
    atomic_store(&draft.cell->field[TEXTS], object_word(draft.id, 0));
    atomic_store(&draft.cell->field[TEXTS_ROUNDS], object_word(draft.id, 0));
    killpoint();
    object_commit(&draft, 0, &string->id);
    return MPROC_OK;
}

static bool is_alive(const shared_text *it)
{
    return object_matches(atomic_load_explicit(&it->cell->word, memory_order_acquire), it->id);
}

static mproc_err look(mproc_string string, shared_text *found)
{
    found->id = string.id;
    mproc_err err = object_check(string.id, OBJECT_STRING, &found->cell);
    if (err)
        return err;
    bool alive = is_alive(found);
    object *cell = found->cell;
    arena_ref block = atomic_load_explicit(&cell->block, memory_order_acquire);
    found->capacity = (size_t)atomic_load_explicit(&cell->field[CAPACITY], memory_order_acquire);
    found->block = arena_at(block);
    return alive && is_alive(found) ? MPROC_OK : MPROC_ESTALE;
}

/* What a dead holder has left is one of the two texts. */
static mproc_err acquire(const shared_text *it)
{
    mproc_err err = robust_acquire(it->cell, it->id, false, MPROC_FOREVER);
    return err == MPROC_EOWNERDEAD ? robust_mark_consistent(it->cell, it->id, false) : err;
}

static void release(const shared_text *it)
{
    if (robust_release(it->cell, it->id, false) == MPROC_ESTALE)
        robust_leave(it->cell, it->id, false);
}

mproc_err mproc_string_destroy(mproc_string string)
{
    return robust_destroy(string.id, OBJECT_STRING, false);
}

size_t mproc_string_capacity(mproc_string string)
{
    shared_text it;
    return look(string, &it) ? 0 : it.capacity;
}

/* ---- setting ---- */

static void replace(const shared_text *it, const char *text, size_t length)
{
    uint64_t texts = atomic_load(&it->cell->field[TEXTS]);
    uint64_t next = object_word(it->id, (texts + 1) & OBJECT_WORD_MASK);
    const rounds all = texts_of(it->cell);
    write_half(half_of(it, next), text, length);
    rounds_keep(&all, it->id);
    atomic_compare_exchange_strong(&it->cell->field[TEXTS], &texts, next);
    killpoint();
}

mproc_err mproc_string_set(mproc_string string, const char *text)
{
    shared_text it;
    if (!text)
        return MPROC_EINVAL;
    mproc_err err = look(string, &it);
    if (err)
        return err;
    size_t length = strlen(text);
    if (length >= it.capacity)
        return MPROC_EMSGSIZE;
    if ((err = acquire(&it)))
        return err;
    replace(&it, text, length);
    release(&it);
    return MPROC_OK;
}

/* ---- getting ---- */

typedef struct copy {
    char *buffer;
    size_t capacity, length;
    bool fits;
} copy;

static bool is_still(const shared_text *it, uint64_t texts, uint64_t count)
{
    uint64_t now;
    const rounds all = texts_of(it->cell);
    return rounds_look(&all, &now) == count && now == texts && is_alive(it);
}

/* False: it has been replaced meanwhile. */
static bool try_copy(const shared_text *it, copy *made)
{
    uint64_t texts;
    const rounds all = texts_of(it->cell);
    const uint64_t count = rounds_look(&all, &texts);
    half *from = half_of(it, texts);
    uint64_t length = atomic_load_explicit(&from->length, memory_order_acquire);
    made->length = (size_t)length;
    made->fits = length < made->capacity;
    if (length >= it->capacity)
        return false; /* it lives no more, and these bytes are others' */
    if (made->fits)
        read_half(from, made->buffer, made->length);
    return is_still(it, texts, count);
}

static mproc_err take_copy(const shared_text *it, copy *made)
{
    for (int i = 0; i < TRIES; i++) {
        if (try_copy(it, made))
            return MPROC_OK;
        if (!is_alive(it))
            return MPROC_ESTALE;
    }
    mproc_err err = acquire(it);
    if (err)
        return err;
    err = try_copy(it, made) ? MPROC_OK : MPROC_ESTALE;
    release(it);
    return err;
}

mproc_err mproc_string_get(mproc_string string, char *buffer, size_t capacity, size_t *length)
{
    shared_text it;
    copy made = {.buffer = buffer, .capacity = capacity};
    if (!buffer && capacity)
        return MPROC_EINVAL;
    mproc_err err = look(string, &it);
    if (err || (err = take_copy(&it, &made)))
        return err;
    if (length)
        *length = made.length + !made.fits;
    return made.fits ? MPROC_OK : MPROC_EMSGSIZE;
}
