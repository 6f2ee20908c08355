#include "storm.h"

#include "../unit/family_support.h"

#include <signal.h>
#include <string.h>

static storm_board *board;

static void check(bool condition, uint32_t line)
{
    uint32_t none = 0;
    if (!condition)
        atomic_compare_exchange_strong(&board->wrong, &none, line);
}
#define MUST(condition) check((condition), __LINE__)

static void repair(guarded *g)
{
    atomic_store(&g->inside, 0);
    g->second = g->first;
}

/* `err` is what taking the lock returned. */
static void work_inside(guarded *g, mproc_err err)
{
    if (err == MPROC_EOWNERDEAD)
        repair(g);
    MUST(atomic_fetch_add(&g->inside, 1) == 0 && g->first == g->second);
    g->first++;
    g->second++;
    atomic_fetch_sub(&g->inside, 1);
}

static void use_lock(uint32_t *seed)
{
    const uint32_t which = next_random(seed) % LOCKS;
    const int patience = next_random(seed) % 4 ? MPROC_FOREVER : (int)(next_random(seed) % 2);
    mproc_err err = mproc_lock_acquire(board->lock[which], patience);
    if (err == MPROC_ETIMEDOUT && patience >= 0)
        return;
    MUST(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    work_inside(&board->by_lock[which], err);
    if (err == MPROC_EOWNERDEAD)
        MUST(mproc_lock_mark_consistent(board->lock[which]) == MPROC_OK);
    MUST(mproc_lock_release(board->lock[which]) == MPROC_OK);
}

static void use_rlock(uint32_t *seed)
{
    mproc_err err = mproc_rlock_acquire(board->rlock, MPROC_FOREVER);
    MUST(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    work_inside(&board->by_rlock, err);
    if (err == MPROC_EOWNERDEAD)
        MUST(mproc_rlock_mark_consistent(board->rlock) == MPROC_OK);
    if (next_random(seed) % 2) {
        MUST(mproc_rlock_acquire(board->rlock, 0) == MPROC_OK);
        MUST(mproc_rlock_release(board->rlock) == MPROC_OK);
    }
    MUST(mproc_rlock_release(board->rlock) == MPROC_OK);
}

/* The dead keep what they had taken: whoever has waited in vain puts one back. */
static void use_semaphore(uint32_t *seed)
{
    unsigned value = 0;
    mproc_err err = mproc_semaphore_acquire(board->semaphore, (int)(next_random(seed) % 4));
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT);
    err = mproc_semaphore_release(board->semaphore);
    MUST(err == MPROC_OK || err == MPROC_ERANGE);
    MUST(mproc_semaphore_get_value(board->semaphore, &value) == MPROC_OK && value <= TOKENS);
}

static void wait_for_event(uint32_t *seed)
{
    mproc_err err = mproc_event_wait(board->event, (int)(next_random(seed) % 3));
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT);
}

static void use_event(uint32_t *seed)
{
    switch (next_random(seed) % 3) {
    case 0:
        MUST(mproc_event_set(board->event) == MPROC_OK);
        break;
    case 1:
        MUST(mproc_event_clear(board->event) == MPROC_OK);
        break;
    default:
        wait_for_event(seed);
        break;
    }
}

static bool is_held(mproc_err err)
{
    MUST(err == MPROC_OK || err == MPROC_EOWNERDEAD);
    return err == MPROC_OK || err == MPROC_EOWNERDEAD;
}

static void use_condition(uint32_t *seed)
{
    mproc_err err = mproc_condition_acquire(board->condition, MPROC_FOREVER);
    if (!is_held(err))
        return;
    work_inside(&board->by_condition, err);
    if (err == MPROC_EOWNERDEAD)
        MUST(mproc_condition_mark_consistent(board->condition) == MPROC_OK);
    const uint32_t what = next_random(seed) % 3;
    if (what == 0)
        MUST(mproc_condition_notify(board->condition, 1 + next_random(seed) % 2) == MPROC_OK);
    else if (what == 1)
        MUST(mproc_condition_notify_all(board->condition) == MPROC_OK);
    err = what == 2 ? mproc_condition_wait(board->condition, (int)(next_random(seed) % 4)) : 0;
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT || err == MPROC_EOWNERDEAD);
    if (err == MPROC_EOWNERDEAD) {
        work_inside(&board->by_condition, err);
        MUST(mproc_condition_mark_consistent(board->condition) == MPROC_OK);
    }
    MUST(mproc_condition_release(board->condition) == MPROC_OK);
}

static void use_barrier(uint32_t *seed)
{
    unsigned index = 0;
    mproc_err err = mproc_barrier_wait(board->barrier, (int)(next_random(seed) % 4), &index);
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT || err == MPROC_EBROKEN);
    MUST(err || index < PARTIES);
    if (err)
        MUST(mproc_barrier_reset(board->barrier) == MPROC_OK);
}

static void use_value(void)
{
    void *data;
    mproc_err err = mproc_value_acquire(board->value, MPROC_FOREVER, &data);
    if (!is_held(err))
        return;
    work_inside(data, err);
    if (err == MPROC_EOWNERDEAD)
        MUST(mproc_value_mark_consistent(board->value) == MPROC_OK);
    MUST(mproc_value_release(board->value) == MPROC_OK);
}

/* A range is set as a whole, or its setter has died with the lock held: then the next one knows. */
static void use_array(uint32_t *seed)
{
    uint32_t items[ITEMS];
    void *data;
    bool equal = true;
    mproc_err err = mproc_array_acquire(board->array, MPROC_FOREVER, &data);
    if (!is_held(err))
        return;
    memcpy(items, data, sizeof items);
    for (int i = 1; i < ITEMS; i++)
        equal = equal && items[i] == items[0];
    MUST(equal || err == MPROC_EOWNERDEAD);
    items[0] = next_random(seed);
    for (int i = 1; i < ITEMS; i++)
        items[i] = items[0];
    MUST(mproc_array_set_range(board->array, 0, ITEMS, items) == err);
    if (err)
        MUST(mproc_array_mark_consistent(board->array) == MPROC_OK);
    MUST(mproc_array_release(board->array) == MPROC_OK);
}

static void use_text(uint32_t *seed)
{
    char text[TEXT];
    size_t length = 0;
    const size_t size = next_random(seed) % (TEXT - 1) + 1;
    memset(text, 'a' + (int)(next_random(seed) % 26), size);
    text[size] = '\0';
    if (next_random(seed) % 2)
        MUST(mproc_string_set(board->text, text) == MPROC_OK);
    MUST(mproc_string_get(board->text, text, sizeof text, &length) == MPROC_OK);
    for (size_t i = 1; i < length; i++)
        MUST(text[i] == text[0]);
}

static void make_and_end_value(uint32_t *seed, homes *mine)
{
    const uint32_t i = next_random(seed) % HOMES;
    if (mproc_value_destroy(mine->value[i]) != MPROC_OK)
        MUST(mproc_value_create(&mine->value[i], next_random(seed) % 5000 + 1, NULL, NULL) ==
             MPROC_OK);
}

static void make_and_end(uint32_t *seed, homes *mine)
{
    const uint32_t i = next_random(seed) % HOMES;
    if (mproc_lock_destroy(mine->lock[i]) != MPROC_OK)
        MUST(mproc_lock_create(&mine->lock[i]) == MPROC_OK);
    else
        MUST(mproc_lock_acquire(mine->lock[i], 0) == MPROC_ESTALE);
}

static void alloc_and_free(uint32_t *seed, homes *mine)
{
    const uint32_t i = next_random(seed) % HOMES;
    const size_t size = next_random(seed) % 4 ? 200 : 200000;
    if (mproc_memory_free(mine->memory[i]) == MPROC_OK)
        return;
    MUST(mproc_memory_alloc(&mine->memory[i], size) == MPROC_OK);
    memset(mproc_memory_data(mine->memory[i]), 0x5a, size);
}

/* Whose lock that is may be dead, and the lock destroyed or made anew at any moment. */
static void use_somebodys(uint32_t *seed)
{
    const homes *other = &board->of[next_random(seed) % WORKERS];
    mproc_lock lock = other->lock[next_random(seed) % HOMES];
    mproc_err err = mproc_lock_acquire(lock, 0);
    if (err == MPROC_OK || err == MPROC_EOWNERDEAD)
        err = mproc_lock_release(lock);
    MUST(err == MPROC_OK || err == MPROC_ETIMEDOUT || err == MPROC_ESTALE);
}

static void work(uint32_t *seed, homes *mine)
{
    switch (next_random(seed) % 14) {
    case 0:
    case 1:
        use_lock(seed);
        break;
    case 2:
        use_rlock(seed);
        break;
    case 3:
        use_semaphore(seed);
        break;
    case 4:
        use_event(seed);
        break;
    case 5:
        make_and_end(seed, mine);
        break;
    case 6:
        alloc_and_free(seed, mine);
        break;
    case 7:
        use_condition(seed);
        break;
    case 8:
        use_barrier(seed);
        break;
    case 9:
        use_value();
        break;
    case 10:
        use_array(seed);
        break;
    case 11:
        use_text(seed);
        break;
    case 12:
        make_and_end_value(seed, mine);
        break;
    default:
        use_somebodys(seed);
        break;
    }
}

int storm_work(void *args, size_t size)
{
    storm_order *told = args;
    (void)size;
    signal(SIGSEGV, SIG_DFL);
    board = arena_at(told->board);
    homes *mine = &board->of[told->who];
    while (!atomic_load(&board->stop)) {
        work(&told->seed, mine);
        atomic_fetch_add(&mine->rounds, 1);
    }
    return 0;
}
