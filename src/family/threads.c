#include "threads.h"

#include <stdlib.h>

/* A number that is taken is a bit in one of these rows. Rows are never freed. */
enum { ROW_WORDS = 64, ROWS = THREADS_MOST / (ROW_WORDS * 64) };
typedef _Atomic uint64_t row[ROW_WORDS];

static row first_row;
static row *_Atomic rows[ROWS] = {&first_row};
static _Atomic bool were_used;

uint32_t threads_most = THREADS_MOST;

static _Thread_local struct {
    uint64_t
        process; /* `objects.me` at that time: the number counts for nothing in a forked child */
    uint64_t mark;
    uint32_t number;
    uint32_t held; /* too many when somebody else has destroyed a lock that this thread held */
} mine;

/* ---- numbers ---- */

static _Atomic uint64_t *word_of(uint32_t number)
{
    return &(*rows[number / 64 / ROW_WORDS])[number / 64 % ROW_WORDS];
}

static bool take_in_word(uint32_t first, uint32_t *number)
{
    _Atomic uint64_t *word = word_of(first);
    uint64_t taken = atomic_load(word);
    while (~taken) {
        uint32_t bit = 0;
        while (taken >> bit & 1)
            bit++;
        if (first + bit >= threads_most)
            return false;
        if (atomic_compare_exchange_weak(word, &taken, taken | UINT64_C(1) << bit)) {
            *number = first + bit;
            return true;
        }
    }
    return false;
}

static bool add_row(uint32_t index)
{
    row *none = NULL, *made = index < ROWS ? calloc(1, sizeof *made) : NULL;
    if (made && !atomic_compare_exchange_strong(&rows[index], &none, made))
        free(made);
    return made != NULL;
}

/* Begins where it last found one, for what lies before may belong to threads that end late. */
static bool take(uint32_t *number)
{
    static _Atomic uint32_t hint;
    uint32_t count = 1;
    atomic_store(&were_used, true);
    for (;;) {
        while (count < ROWS && atomic_load(&rows[count]))
            count++;
        const uint32_t words = count * ROW_WORDS, start = atomic_load(&hint);
        for (uint32_t i = 0; i < words; i++) {
            uint32_t at = (start + i) % words;
            if (take_in_word(at * 64, number)) {
                atomic_store(&hint, at);
                return true;
            }
        }
        if (words * 64 >= threads_most || !add_row(count))
            return false;
    }
}

static void give_back(uint32_t number)
{
    atomic_fetch_and(word_of(number), ~(UINT64_C(1) << number % 64));
}

/* ---- the calling thread ---- */

uint64_t threads_me(void)
{
    uint64_t me = atomic_load_explicit(&objects.me, memory_order_relaxed);
    return me && mine.process == me ? mine.mark : 0;
}

/* Marks begin elsewhere in each process, so that a word of one is no word of another that has its
 * slot later. */
static uint64_t mark_of(uint64_t process, uint32_t number)
{
    const uint64_t spread = 0x9e3779;
    uint64_t mark = ((process >> OBJECT_OWNER_SHIFT) * spread + number) % THREADS_MOST;
    return mark << OBJECT_OWNER_SHIFT | (process & OBJECT_OWNER);
}

/* A number whose end nobody tells of is never given back. */
uint64_t threads_join(void)
{
    const uint64_t me = atomic_load_explicit(&objects.me, memory_order_relaxed);
    uint64_t mark = threads_me();
    uint32_t number;
    if (mark || !me || !take(&number))
        return mark;
    mine.process = me;
    mine.mark = mark_of(me, number);
    mine.number = number;
    mine.held = 0;
    os_thread_tell_end();
    return mine.mark;
}

void threads_hold(void)
{
    mine.held++;
}

void threads_let_go(void)
{
    mine.held--;
}

/* What else is done at its end may still let go of a lock, or take one: then it is asked for
 * again. */
static void at_end(void)
{
    if (!threads_me())
        return;
    if (mine.held) {
        os_thread_tell_end();
        return;
    }
    mine.process = 0;
    give_back(mine.number);
}

/* ---- the process ---- */

void threads_begin(void)
{
    os_on_thread_end(at_end);
}

void threads_after_fork(void)
{
    if (!atomic_load(&were_used))
        return;
    atomic_store(&were_used, false);
    for (uint32_t i = 0; i < ROWS && atomic_load(&rows[i]); i++) {
        row *each = atomic_load(&rows[i]);
        for (uint32_t j = 0; j < ROW_WORDS; j++) {
            if (atomic_load(&(*each)[j]))
                atomic_store(&(*each)[j], 0);
        }
    }
}
