/* What two do at the same time, in one order that goes wrong easily: a thread is stopped at a kill
 * point, another one acts meanwhile. And what is left where several have died at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <mproc/mproc.h>

#include "data/ends.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/robust.h"
#include "family/span.h"
#include "killpoint.h"
#include "sync/sweep.h"

/* ---- a thread that stops ---- */

static _Thread_local bool (*stops_here)(void);
static _Atomic bool stopped, goes_on;

static void stop(void)
{
    if (!stops_here || !stops_here())
        return;
    stops_here = NULL;
    atomic_store(&stopped, true);
    while (!atomic_load(&goes_on))
        os_yield();
}

static bool at_once(void)
{
    return true;
}

static void start_with_and_await_stop(os_handle *thread, void (*run)(void *), void *argument)
{
    atomic_store(&stopped, false);
    atomic_store(&goes_on, false);
    killpoint_reached = stop;
    assert_int_equal(os_thread_start(thread, run, argument), MPROC_OK);
    while (!atomic_load(&stopped))
        os_yield();
}

static void start_and_await_stop(os_handle *thread, void (*run)(void *argument))
{
    start_with_and_await_stop(thread, run, NULL);
}

static void let_finish(os_handle thread)
{
    atomic_store(&goes_on, true);
    os_thread_join(thread);
    killpoint_reached = NULL;
}

/* ---- a thread that sleeps, where the system tells ---- */

static bool read_line(const char *path, char line[512])
{
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(line, 1, 511, file) : 0;
    if (file)
        fclose(file);
    line[length] = '\0';
    return length > 0;
}

/* 0 is none: where it does not tell, -1. */
static int sleeper_id(void)
{
    char line[512];
    int id = -1;
    return read_line("/proc/thread-self/stat", line) && sscanf(line, "%d", &id) == 1 ? id : -1;
}

static bool sleeps(int id)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    const char *at = read_line(path, line) ? strrchr(line, ')') : NULL;
    return !at || strncmp(at, ") S", 3) == 0;
}

/* ---- others that are dead ---- */

enum { DEAD = 3 };
static const int64_t nobody = 0x3fffffff; /* no system has such a pid */

static slot_id self, dead[DEAD];

static void be(slot_id who)
{
    family.self = who;
    atomic_store(&objects.me, 0);
    assert_int_equal(object_enter(), MPROC_OK);
}

static int set_up(void **state)
{
    (void)state;
    self = family.self;
    for (int i = 0; i < DEAD; i++) {
        if (slot_claim(self, "dead", false, &dead[i]) || slot_enter(dead[i], nobody))
            return 1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    be(self);
    for (int i = 0; i < DEAD; i++)
        family_sweep(dead[i], false);
    return 0;
}

/* ---- locks ---- */

static mproc_rlock rlock;

static bool has_seen_holder(void)
{
    return true; /* the first kill point of a sweep stands between its look and its CAS */
}

static void sweep_rlock(void *argument)
{
    (void)argument;
    stops_here = has_seen_holder;
    robust_sweep(object_find(rlock.id), dead[0]);
}

static void a_late_sweep_leaves_the_next_holder_alone(void **state)
{
    (void)state;
    os_handle late;
    assert_int_equal(mproc_rlock_create(&rlock), MPROC_OK);
    be(dead[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mproc_rlock_acquire(rlock, 0), MPROC_OK);
    be(self);
    start_and_await_stop(&late, sweep_rlock);
    robust_sweep(object_find(rlock.id), dead[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mproc_rlock_acquire(rlock, 0), MPROC_EOWNERDEAD);
    let_finish(late);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mproc_rlock_release(rlock), MPROC_OK);
    assert_int_equal(mproc_rlock_release(rlock), MPROC_ENOTOWNER);
    assert_int_equal(mproc_rlock_destroy(rlock), MPROC_OK);
}

static void a_sweep_leaves_what_is_no_lock_alone(void **state)
{
    (void)state;
    mproc_semaphore semaphore;
    unsigned value = 0, index = (unsigned)(dead[0] & 0xffff);
    assert_int_equal(mproc_semaphore_create(&semaphore, index + 1, 0), MPROC_OK);
    robust_sweep(object_find(semaphore.id), dead[0]);
    assert_int_equal(mproc_semaphore_get_value(semaphore, &value), MPROC_OK);
    assert_int_equal(value, index + 1);
    assert_int_equal(mproc_semaphore_destroy(semaphore), MPROC_OK);
}

/* ---- making ---- */

static mproc_lock lock;

static bool is_committed(void)
{
    const object *cell = lock.id ? object_find(lock.id) : NULL;
    return cell && object_matches(atomic_load(&cell->word), lock.id);
}

static void make_lock(void *argument)
{
    (void)argument;
    stops_here = is_committed;
    mproc_lock_create(&lock);
}

static void what_has_just_been_made_can_be_destroyed(void **state)
{
    (void)state;
    os_handle maker;
    const uint32_t before = object_count();
    lock = (mproc_lock){0};
    start_and_await_stop(&maker, make_lock);
    assert_int_equal(mproc_lock_acquire(lock, 0), MPROC_OK);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    let_finish(maker);
    assert_int_equal(mproc_lock_acquire(lock, 0), MPROC_ESTALE);
    assert_int_equal(object_count(), before);
}

/* ---- queues ---- */

enum { LARGE = 5000, SMALL = 1000, MESSAGES = 8, SHORT = 1000000 /* nanoseconds */ };

static const ends *find(mproc_queue queue)
{
    mproc_err err;
    const ends *q = ends_find(queue.id, &err);
    assert_int_equal(err, MPROC_OK);
    return q;
}

/* A process that has used a queue may have left something there. */
static void find_as(slot_id who, mproc_queue queue)
{
    be(who);
    find(queue);
    be(self);
}

static void lock_as(slot_id who, const end *one)
{
    be(who);
    assert_int_equal(robust_acquire(one->cell, one->id, false, 0), MPROC_OK);
    be(self);
}

/* The consumer died holding its end; the ring grows in the midst of a batch. */
static void recovery_keeps_what_is_just_being_put(void **state)
{
    (void)state;
    static unsigned char bytes[LARGE], got[LARGE];
    mproc_queue queue;
    mproc_message messages[MESSAGES];
    const uint64_t used = heap_used();
    size_t size;
    assert_int_equal(mproc_queue_create(&queue, NULL), MPROC_OK);
    const end head = find(queue)->head;
    lock_as(dead[0], &head);
    robust_sweep(head.cell, dead[0]);
    memset(bytes, 7, sizeof bytes);
    for (int i = 0; i < MESSAGES; i++)
        messages[i] = (mproc_message){bytes, i ? SMALL : LARGE};
    assert_int_equal(mproc_queue_put_many(queue, messages, MESSAGES, NULL, 0), MPROC_OK);
    assert_true(heap_used() >= used + LARGE);
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(mproc_queue_get(queue, got, sizeof got, &size, 0), MPROC_OK);
        assert_int_equal(size, messages[i].size);
        assert_memory_equal(got, bytes, size);
    }
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
    assert_int_equal(heap_used(), used);
}

static mproc_queue of_bell;

static bool sees_flag(const void *context)
{
    const end *bell = context;
    assert_true(atomic_load(&bell->cell->word) & BELL_WAITERS);
    return true;
}

static void a_wake_up_is_passed_on_by_a_look_after_the_flag(void **state)
{
    (void)state;
    assert_int_equal(mproc_queue_create(&of_bell, NULL), MPROC_OK);
    const end bell = find(of_bell)->items;
    const eventcount slept = {
        .cell = bell.cell, .id = bell.id, .flag = BELL_WAITERS, .slept = true};
    bell_pass(&slept, sees_flag, &bell);
    assert_int_equal(mproc_queue_destroy(of_bell), MPROC_OK);
}

/* A wait of this thread at a queue's bell, which is announced, and has looked in vain again. */
static eventcount announced_at(const end *bell, const end *other)
{
    eventcount wait = {.cell = bell->cell,
                       .id = bell->id,
                       .flag = BELL_WAITERS,
                       .lock = other->cell,
                       .deadline = os_now() + 1};
    eventcount_look(&wait);
    assert_int_equal(eventcount_sleep(&wait), MPROC_OK);
    assert_true(atomic_load(&bell->cell->word) & BELL_WAITERS);
    return wait;
}

/* A late ring for an earlier message takes the flag away before the look. The sleep would last until
 * the deadline. */
static void nobody_sleeps_whose_announcement_was_taken(void **state)
{
    (void)state;
    mproc_queue queue;
    assert_int_equal(mproc_queue_create(&queue, NULL), MPROC_OK);
    const ends *q = find(queue);
    eventcount wait = announced_at(&q->items, &q->tail);
    bell_ring(q->items.cell, q->items.id);
    assert_false(atomic_load(&q->items.cell->word) & BELL_WAITERS);
    eventcount_look(&wait);
    assert_int_equal(eventcount_sleep(&wait), MPROC_OK);
    eventcount_look(&wait);
    assert_int_equal(eventcount_sleep(&wait), MPROC_OK); /* announced once more */
    assert_true(atomic_load(&q->items.cell->word) & BELL_WAITERS);
    eventcount_look(&wait);
    assert_int_equal(eventcount_sleep(&wait), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

static mproc_queue joined;

static bool has_announced_join(void)
{
    mproc_err err;
    const ends *q = ends_find(joined.id, &err);
    return atomic_load(&q->queue->word) & QUEUE_JOINERS;
}

static mproc_err err_of_join;

static void join_queue(void *argument)
{
    (void)argument;
    stops_here = has_announced_join;
    err_of_join = mproc_queue_join(joined, MPROC_FOREVER);
}

static void put_and_get(mproc_queue queue)
{
    char byte;
    size_t size;
    assert_int_equal(mproc_queue_put(queue, "x", 1, 0), MPROC_OK);
    assert_int_equal(mproc_queue_get(queue, &byte, 1, &size, 0), MPROC_OK);
}

/* The flag is taken when all is done; then there is more to do before the joiner looks. It must
 * announce itself again, or nobody wakes it. */
static void a_join_is_told_though_its_announcement_was_taken(void **state)
{
    (void)state;
    os_handle joiner;
    assert_int_equal(mproc_queue_create(&joined, NULL), MPROC_OK);
    put_and_get(joined);
    start_and_await_stop(&joiner, join_queue);
    assert_int_equal(mproc_queue_task_done(joined), MPROC_OK);
    put_and_get(joined);
    atomic_store(&goes_on, true);
    while (!has_announced_join())
        os_yield();
    assert_int_equal(mproc_queue_task_done(joined), MPROC_OK);
    let_finish(joiner);
    assert_int_equal(err_of_join, MPROC_OK);
    assert_int_equal(mproc_queue_destroy(joined), MPROC_OK);
}

static mproc_queue make_with_large(void)
{
    static const unsigned char bytes[LARGE];
    mproc_queue queue;
    assert_int_equal(mproc_queue_create(&queue, NULL), MPROC_OK);
    assert_int_equal(mproc_queue_put(queue, bytes, sizeof bytes, 0), MPROC_OK);
    return queue;
}

static void begin_end_as(slot_id who, mproc_queue queue)
{
    object *cell;
    be(who);
    assert_int_equal(object_begin_end(queue.id, OBJECT_QUEUE, &cell), MPROC_OK);
    be(self);
}

/* The destroyer died before it told a process that waits for many things. */
static void a_watcher_is_rung_for_a_queue_whose_destroyer_died(void **state)
{
    (void)state;
    mproc_queue queue;
    _Atomic uint32_t *rung = &slot_at(self)->rung;
    assert_int_equal(mproc_queue_create(&queue, NULL), MPROC_OK);
    ends_watch(queue.id);
    const uint32_t before = atomic_load(rung);
    begin_end_as(dead[0], queue);
    ends_sweep(dead[0]);
    sync_sweep(dead[0]);
    assert_int_not_equal(atomic_load(rung), before);
}

/* The first is swept before the second, though both are dead. */
static void one_that_died_behind_the_destroyer_costs_nothing(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    mproc_queue queue = make_with_large();
    const end tail = find(queue)->tail;
    lock_as(dead[1], &tail);
    begin_end_as(dead[0], queue);
    ends_sweep(dead[0]);
    sync_sweep(dead[0]);
    assert_int_equal(heap_used(), used);
    sync_sweep(dead[1]);
    assert_int_equal(object_count(), objects_before);
}

/* A living one stands still in the midst of a put: what it may write into is nobody else's, and
 * no sweep waits for it. */
static void a_queue_in_which_somebody_stands_still_stays_until_he_has_gone_on(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    mproc_queue queue = make_with_large();
    const ends q = *find(queue);
    const uint64_t used_by_it = heap_used() - used;
    lock_as(self, &q.tail);
    const uint64_t held = atomic_load(&q.tail.cell->word);
    begin_end_as(dead[0], queue);
    for (int i = 0; i < 2; i++) {
        ends_sweep(dead[i]);
        sync_sweep(dead[i]);
        assert_int_equal(atomic_load(&q.tail.cell->word),
                         held); /* no sleeper has announced itself */
        assert_int_equal(mproc_queue_put(queue, "", 1, 0), MPROC_ESTALE);
        assert_int_equal(heap_used(), used + used_by_it);
        assert_int_equal(object_count(), objects_before + 5);
    }
    ends_unlock(&q, &q.tail);
    assert_int_equal(heap_used(), used);
    assert_int_equal(object_count(), objects_before);
}

static mproc_queue of_putter;
static end tail_of_putter;

static bool has_put_second(void)
{
    return end_mark(&tail_of_putter).items == 2;
}

static void put_one(void *err)
{
    stops_here = has_put_second;
    *(mproc_err *)err = mproc_queue_put(of_putter, "", 1, 0);
}

static void a_destroy_does_not_wait_for_ever_for_one_who_stands_still(void **state)
{
    (void)state;
    os_handle putter;
    mproc_err err = MPROC_EINVAL;
    const int64_t patience = ends_patience;
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    of_putter = make_with_large();
    tail_of_putter = find(of_putter)->tail;
    const uint64_t used_by_it = heap_used() - used;
    start_with_and_await_stop(&putter, put_one, &err);
    ends_patience = SHORT;
    assert_int_equal(mproc_queue_destroy(of_putter), MPROC_OK);
    ends_patience = patience;
    assert_int_equal(mproc_queue_put(of_putter, "", 1, 0), MPROC_ESTALE);
    assert_int_equal(heap_used(), used + used_by_it);
    let_finish(putter);
    assert_int_equal(err, MPROC_OK); /* it was there first */
    assert_int_equal(heap_used(), used);
    assert_int_equal(object_count(), objects_before);
}

/* All other cells are in use, so that the next object lives there. */
static mproc_queue make_in_cell(uint32_t index)
{
    enum { MANY = 4096 };
    static mproc_lock others[MANY];
    int made = 0;
    for (bool before = false, there = false; made < MANY; before = there) {
        assert_int_equal(mproc_lock_create(&others[made]), MPROC_OK);
        there = (uint32_t)others[made].id == index;
        if (!there)
            made++;
        else
            assert_int_equal(mproc_lock_destroy(others[made]), MPROC_OK);
        if (there && before)
            break;
    }
    mproc_queue queue = make_with_large();
    assert_int_equal((uint32_t)queue.id, index);
    while (made--)
        assert_int_equal(mproc_lock_destroy(others[made]), MPROC_OK);
    return queue;
}

static void sweep_second(void *unused)
{
    (void)unused;
    stops_here = at_once;
    ends_sweep(dead[1]);
}

/* A sweep stands still before it takes the lock of a dead one over; meanwhile another one ends that
 * queue, and the next one in its cell is destroyed under a living one, who still uses it. */
static void a_late_sweep_leaves_the_next_queue_of_the_cell_alone(void **state)
{
    (void)state;
    os_handle late;
    mproc_queue queue = make_with_large();
    const ends first = *find(queue);
    find_as(dead[1], queue);
    find_as(dead[2], queue);
    lock_as(dead[1], &first.tail);
    begin_end_as(dead[0], queue);
    assert_true(object_entrust(first.queue, queue.id, dead[0], OBJECT_ABANDONED));
    start_and_await_stop(&late, sweep_second);
    ends_sweep(dead[2]);
    assert_int_equal(mproc_queue_put(queue, "", 1, 0), MPROC_ESTALE);
    mproc_queue next = make_in_cell((uint32_t)queue.id);
    const ends second = *find(next);
    lock_as(self, &second.tail);
    begin_end_as(dead[0], next);
    ends_sweep(dead[0]);
    const uint64_t used = heap_used();
    let_finish(late);
    assert_int_equal(heap_used(), used);
    assert_true(object_is_ending_by(second.queue, next.id, OBJECT_ABANDONED));
    ends_unlock(&second, &second.tail);
    assert_true(heap_used() < used);
}

/* ---- values and strings ---- */

enum { VALUE = 3000 };

static mproc_value value;
static mproc_string string;
static const unsigned char *writes_here;

static bool has_copied(void)
{
    return writes_here && *writes_here == 'n';
}

static void set_value(void *err)
{
    static unsigned char bytes[VALUE];
    memset(bytes, 'n', sizeof bytes);
    stops_here = has_copied;
    *(mproc_err *)err = mproc_value_set(value, bytes, sizeof bytes);
}

/* A thread stands still in the midst of a set of a value of that kind, which is destroyed. */
static void destroy_under_setter(const mproc_value_options *options)
{
    os_handle setter;
    mproc_err err = MPROC_EINVAL;
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    assert_int_equal(mproc_value_create(&value, VALUE, NULL, options), MPROC_OK);
    const uint64_t used_by_it = heap_used() - used;
    writes_here = mproc_value_data(value);
    start_with_and_await_stop(&setter, set_value, &err);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mproc_value_destroy(value), i ? MPROC_ESTALE : MPROC_OK);
        assert_null(mproc_value_data(value));
        assert_int_equal(heap_used(), used + used_by_it);
        sync_sweep(dead[i]);
    }
    assert_int_equal(heap_used(), used + used_by_it);
    let_finish(setter);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(heap_used(), used);
    assert_int_equal(object_count(), objects_before);
}

static void a_value_lasts_as_long_as_one_who_stands_still_in_a_set(void **state)
{
    (void)state;
    mproc_value_options options = {.unlocked = false};
    destroy_under_setter(&options);
    assert_int_equal(mproc_lock_create(&options.lock), MPROC_OK);
    destroy_under_setter(&options);
    assert_int_equal(mproc_lock_acquire(options.lock, 0), MPROC_OK);
    assert_int_equal(mproc_lock_destroy(options.lock), MPROC_OK);
    options.lock.id = 0;
    assert_int_equal(mproc_rlock_create(&options.rlock), MPROC_OK);
    destroy_under_setter(&options);
    assert_int_equal(mproc_rlock_acquire(options.rlock, 0), MPROC_OK);
    assert_int_equal(mproc_rlock_destroy(options.rlock), MPROC_OK);
}

static void destroy_value(void *err)
{
    *(mproc_err *)err = mproc_value_destroy(value);
}

/* Also a holder that has taken it twice. */
static void a_value_lasts_until_its_holder_releases_it(void **state)
{
    (void)state;
    os_handle other;
    mproc_err err = MPROC_EINVAL;
    const uint64_t used = heap_used();
    assert_int_equal(mproc_value_create(&value, VALUE, NULL, NULL), MPROC_OK);
    const uint64_t used_by_it = heap_used() - used;
    for (int i = 0; i < 2; i++)
        assert_int_equal(mproc_value_acquire(value, 0, NULL), MPROC_OK);
    assert_int_equal(os_thread_start(&other, destroy_value, &err), MPROC_OK);
    os_thread_join(other);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(mproc_value_acquire(value, 0, NULL), MPROC_ESTALE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(heap_used(), used + used_by_it);
        assert_int_equal(mproc_value_release(value), MPROC_ESTALE);
    }
    assert_int_equal(heap_used(), used);
    assert_int_equal(mproc_value_release(value), MPROC_ESTALE);
}

static void a_value_is_gone_with_the_holder_that_destroys_it(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    assert_int_equal(mproc_value_create(&value, VALUE, NULL, NULL), MPROC_OK);
    assert_int_equal(mproc_value_acquire(value, 0, NULL), MPROC_OK);
    assert_int_equal(mproc_value_destroy(value), MPROC_OK);
    assert_int_equal(heap_used(), used);
    assert_int_equal(mproc_value_release(value), MPROC_ESTALE);
}

/* Whether its end is known before or after. */
static void a_dead_holder_keeps_no_value(void **state)
{
    (void)state;
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mproc_value_create(&value, VALUE, NULL, NULL), MPROC_OK);
        be(dead[0]);
        assert_int_equal(mproc_value_acquire(value, 0, NULL), MPROC_OK);
        be(self);
        if (i == 0) {
            assert_int_equal(mproc_value_destroy(value), MPROC_OK);
        } else {
            object *cell;
            be(dead[1]);
            assert_int_equal(object_claim_end(value.id, OBJECT_VALUE, &cell), MPROC_OK);
            be(self);
            sync_sweep(dead[1]);
        }
        sync_sweep(dead[0]);
        assert_int_equal(heap_used(), used);
        assert_int_equal(object_count(), objects_before);
    }
}

static void set_string(void *err)
{
    stops_here = has_copied;
    *(mproc_err *)err = mproc_string_set(string, "new");
}

static void a_string_lasts_as_long_as_one_who_stands_still_in_a_set(void **state)
{
    (void)state;
    enum { HALF = 64 }; /* of the block, for a short one */
    os_handle setter;
    mproc_err err = MPROC_EINVAL;
    const uint64_t used = heap_used();
    const uint32_t objects_before = object_count();
    assert_int_equal(mproc_string_create(&string, 8, "old"), MPROC_OK);
    const uint64_t used_by_it = heap_used() - used;
    const unsigned char *block = arena_at(atomic_load(&object_find(string.id)->block));
    writes_here = block + HALF + sizeof(uint64_t);
    start_with_and_await_stop(&setter, set_string, &err);
    assert_int_equal(mproc_string_destroy(string), MPROC_OK);
    assert_int_equal(mproc_string_set(string, "newer"), MPROC_ESTALE);
    assert_int_equal(heap_used(), used + used_by_it);
    let_finish(setter);
    assert_int_equal(err, MPROC_OK);
    assert_int_equal(heap_used(), used);
    assert_int_equal(object_count(), objects_before);
}

/* ---- the heap ---- */

/* There is no room for it: so it closes an empty span of small blocks, and stops there. */
static void alloc_large(void *unused)
{
    (void)unused;
    arena_ref ref;
    stops_here = at_once;
    if (!heap_alloc((size_t)8 << 20, family.self, &ref))
        heap_free(ref, family.self);
}

static _Atomic int waiter;

static void wait_for_closer(void *unused)
{
    (void)unused;
    atomic_store(&waiter, sleeper_id());
    span_stop_closing(family.self);
    atomic_store(&waiter, 0);
}

/* A thread that waits for one of a lower priority must not keep the processor. This is the last test:
 * nobody closes spans after it. */
static void a_thread_that_waits_for_a_closer_sleeps_in_the_end(void **state)
{
    (void)state;
    os_handle closer, other;
    arena_ref ref;
    assert_int_equal(heap_alloc(2000, family.self, &ref), MPROC_OK);
    heap_free(ref, family.self);
    start_and_await_stop(&closer, alloc_large);
    assert_int_equal(os_thread_start(&other, wait_for_closer, NULL), MPROC_OK);
    while (!atomic_load(&waiter))
        os_yield();
    while (!sleeps(atomic_load(&waiter)))
        os_yield();
    let_finish(closer);
    os_thread_join(other);
    assert_int_equal(atomic_load(&waiter), 0);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    if (family_enter() || object_enter())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_sweep_leaves_the_next_holder_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_leaves_what_is_no_lock_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_just_been_made_can_be_destroyed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(recovery_keeps_what_is_just_being_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wake_up_is_passed_on_by_a_look_after_the_flag, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nobody_sleeps_whose_announcement_was_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_join_is_told_though_its_announcement_was_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_watcher_is_rung_for_a_queue_whose_destroyer_died, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_died_behind_the_destroyer_costs_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_queue_in_which_somebody_stands_still_stays_until_he_has_gone_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_destroy_does_not_wait_for_ever_for_one_who_stands_still,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_sweep_leaves_the_next_queue_of_the_cell_alone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_lasts_as_long_as_one_who_stands_still_in_a_set,
                                        set_up, tear_down),
        cmocka_unit_test(a_value_lasts_until_its_holder_releases_it),
        cmocka_unit_test(a_value_is_gone_with_the_holder_that_destroys_it),
        cmocka_unit_test_setup_teardown(a_dead_holder_keeps_no_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_string_lasts_as_long_as_one_who_stands_still_in_a_set,
                                        set_up, tear_down),
        cmocka_unit_test(a_thread_that_waits_for_a_closer_sleeps_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
