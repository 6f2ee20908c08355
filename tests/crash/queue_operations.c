/* Queues: a message is there or it is not, whole and once, and in its order; what a dead process had
 * taken is gone with it; nobody sleeps beside a message, or beside room. */
#include "operation.h"

#include <string.h>

#include "data/ends.h"

enum { SMALL = 24, LARGE = 5000, BATCH = 3, BOUND = 2, FILL = 60 };
enum { DONE }; /* `note` of the victim: how often its call has returned */

static unsigned char bytes[LARGE];

static void write_message(unsigned char *message, size_t size, unsigned number)
{
    memset(message, (int)(number & 0xff), size);
    memcpy(message, &number, sizeof number);
}

static mproc_err put(mproc_queue queue, unsigned number, size_t size, int timeout_ms)
{
    write_message(bytes, size, number);
    return mproc_queue_put(queue, bytes, size, timeout_ms);
}

/* Whether it is that message and nothing else. */
static bool is_message(const unsigned char *message, size_t size, size_t expected, unsigned number)
{
    static unsigned char whole[LARGE];
    write_message(whole, expected, number);
    return size == expected && memcmp(message, whole, size) == 0;
}

static bool get(mproc_queue queue, unsigned number, size_t expected)
{
    size_t size = 0;
    return mproc_queue_get(queue, bytes, sizeof bytes, &size, PATIENCE_MS) == MPROC_OK &&
           is_message(bytes, size, expected, number);
}

static size_t count_of(scene *s)
{
    size_t items = 0;
    EXPECT(mproc_queue_size(s->queue, &items) == MPROC_OK);
    return items;
}

/* ---- setting up ---- */

static void make(scene *s)
{
    EXPECT(mproc_queue_create(&s->queue, NULL) == MPROC_OK);
}

static void make_bounded(scene *s)
{
    EXPECT(mproc_queue_create(&s->queue, &(mproc_queue_options){.max_items = BOUND}) == MPROC_OK);
}

static void fill(scene *s, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++)
        EXPECT(put(s->queue, i, size, 0) == MPROC_OK);
}

static void make_full(scene *s)
{
    make_bounded(s);
    fill(s, BOUND, SMALL);
}

static void make_full_to_be_emptied(scene *s)
{
    make_full(s);
    companion_call(s, 0);
}

static void make_with_small(scene *s)
{
    make(s);
    fill(s, BATCH, SMALL);
}

static void make_with_large(scene *s)
{
    make(s);
    fill(s, BATCH, LARGE);
}

/* One more, and the ring is replaced by a larger one. */
static void make_nearly_full_ring(scene *s)
{
    make(s);
    fill(s, FILL, SMALL);
}

static void make_to_be_served(scene *s)
{
    make(s);
    companion_call(s, 0);
}

static void let_both_wait(scene *s)
{
    for (int who = 0; who < COMPANIONS; who++)
        companion_call(s, who);
    for (int who = 0; who < COMPANIONS; who++)
        companion_await_sleep(s, who);
}

static void let_one_wait(scene *s)
{
    companion_call(s, 1);
    companion_await_sleep(s, 1);
}

/* ---- a process stands still in the midst of a put ---- */

static ends used; /* by this process */

static void begin_use(scene *s)
{
    mproc_err err;
    const ends *q = ends_find(s->queue.id, &err);
    MUST(q && ends_lock(q, &q->tail, 0) == MPROC_OK);
    if (q)
        used = *q;
}

static void use_until_over(scene *s, int who)
{
    begin_use(s);
    companion_says(s, who, STAGE_HOLDS);
    MUST(scene_await(&s->over, 1));
    ends_unlock(&used, &used.tail);
}

static const int64_t short_patience = 100000; /* nanoseconds */

static void let_one_use_it(scene *s)
{
    ends_patience = short_patience;
    companion_call(s, 1);
    companion_await_stage(s, 1, STAGE_HOLDS);
}

static void destroy_now(scene *s, int who)
{
    const int64_t before = ends_patience;
    ends_patience = short_patience;
    atomic_store(&s->companions[who].result, (int)mproc_queue_destroy(s->queue));
    ends_patience = before;
}

static void use_destroyed(scene *s)
{
    begin_use(s);
    companion_call(s, 1);
    MUST(scene_await(&s->companions[1].done, atomic_load(&s->companions[1].order)));
}

/* ---- acts ---- */

static void returned(scene *s)
{
    atomic_fetch_add(&s->note[DONE], 1);
}

static void act_create(scene *s)
{
    MUST(mproc_queue_create(&s->queue, NULL) == MPROC_OK);
}

static void act_destroy(scene *s)
{
    MUST(mproc_queue_destroy(s->queue) == MPROC_OK);
}

static void act_leave(scene *s)
{
    (void)s;
    ends_unlock(&used, &used.tail);
}

static void act_put(scene *s)
{
    MUST(put(s->queue, 0, SMALL, PATIENCE_MS) == MPROC_OK);
    returned(s);
}

static void act_put_large(scene *s)
{
    MUST(put(s->queue, 0, LARGE, PATIENCE_MS) == MPROC_OK);
    returned(s);
}

static void act_put_last(scene *s)
{
    for (unsigned i = FILL; i < FILL + BATCH; i++) {
        MUST(put(s->queue, i, SMALL, 0) == MPROC_OK);
        returned(s);
    }
}

static void act_put_third(scene *s)
{
    MUST(put(s->queue, BOUND, SMALL, PATIENCE_MS) == MPROC_OK);
    returned(s);
}

static void act_put_many(scene *s)
{
    static unsigned char each[BATCH][LARGE];
    mproc_message messages[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        write_message(each[i], LARGE, i);
        messages[i] = (mproc_message){each[i], LARGE};
    }
    MUST(mproc_queue_put_many(s->queue, messages, BATCH, NULL, PATIENCE_MS) == MPROC_OK);
    atomic_fetch_add(&s->note[DONE], BATCH);
}

static void act_send_loan(scene *s)
{
    mproc_loan loan;
    MUST(mproc_queue_reserve(s->queue, LARGE, &loan) == MPROC_OK);
    write_message(loan.data, LARGE, 0);
    MUST(mproc_queue_commit(s->queue, &loan, PATIENCE_MS) == MPROC_OK);
    returned(s);
}

static void act_get(scene *s)
{
    MUST(get(s->queue, 0, SMALL));
    returned(s);
}

static void act_get_large(scene *s)
{
    MUST(get(s->queue, 0, LARGE));
    returned(s);
}

static void act_get_many(scene *s)
{
    size_t sizes[BATCH], count = 0;
    MUST(mproc_queue_get_many(s->queue, bytes, sizeof bytes, sizes, BATCH, &count, 0) == MPROC_OK);
    MUST(count == BATCH && is_message(bytes, sizes[0], SMALL, 0));
    atomic_fetch_add(&s->note[DONE], BATCH);
}

static void act_get_loan(scene *s)
{
    mproc_loan loan;
    MUST(mproc_queue_get_loan(s->queue, &loan, 0) == MPROC_OK);
    MUST(is_message(loan.data, loan.size, LARGE, 0));
    returned(s);
    mproc_loan_release(&loan);
}

static void act_close(scene *s)
{
    MUST(mproc_queue_close(s->queue) == MPROC_OK);
    returned(s);
}

static void act_say_done(scene *s)
{
    MUST(mproc_queue_task_done(s->queue) == MPROC_OK);
    returned(s);
}

/* ---- companions ---- */

static void wait_for_message(scene *s, int who)
{
    size_t size;
    companion_says(s, who, STAGE_CALLS);
    mproc_err err = mproc_queue_get(s->queue, bytes, sizeof bytes, &size, PATIENCE_MS);
    atomic_store(&s->companions[who].result, (int)err);
}

static void wait_until_done(scene *s, int who)
{
    companion_says(s, who, STAGE_CALLS);
    atomic_store(&s->companions[who].result, (int)mproc_queue_join(s->queue, PATIENCE_MS));
}

static void serve(scene *s, int who)
{
    (void)who;
    victim_await_sleep(s);
    MUST(put(s->queue, 0, SMALL, PATIENCE_MS) == MPROC_OK);
}

static void make_room(scene *s, int who)
{
    (void)who;
    victim_await_sleep(s);
    MUST(get(s->queue, 0, SMALL));
}

/* ---- checks ---- */

static bool is_gone(scene *s)
{
    size_t items;
    mproc_err err = mproc_queue_size(s->queue, &items);
    EXPECT(err == MPROC_OK || err == MPROC_ESTALE);
    return err != MPROC_OK;
}

static void use_and_destroy(scene *s)
{
    EXPECT(count_of(s) == 0);
    EXPECT(put(s->queue, 7, SMALL, 0) == MPROC_OK);
    EXPECT(put(s->queue, 8, LARGE, 0) == MPROC_OK);
    EXPECT(get(s->queue, 7, SMALL) && get(s->queue, 8, LARGE));
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    EXPECT(mproc_queue_put(s->queue, "", 0, 0) == MPROC_ESTALE);
}

static outcome check_create(scene *s)
{
    if (is_gone(s))
        return OUTCOME_BEFORE;
    use_and_destroy(s);
    return OUTCOME_AFTER;
}

static outcome check_destroy(scene *s)
{
    if (is_gone(s))
        return OUTCOME_AFTER;
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    return OUTCOME_BEFORE;
}

/* The messages from `first` on, to the last one that may have been put. */
static outcome check_put(scene *s, unsigned before, unsigned most, size_t size)
{
    const size_t items = count_of(s);
    EXPECT(items >= before + atomic_load(&s->note[DONE]) && items <= before + most);
    for (unsigned i = 0; i < items; i++)
        EXPECT(get(s->queue, i, size));
    use_and_destroy(s);
    return items == before ? OUTCOME_BEFORE : items == before + most ? OUTCOME_AFTER : OUTCOME_ANY;
}

static outcome check_put_small(scene *s)
{
    return check_put(s, 0, 1, SMALL);
}

static outcome check_put_large(scene *s)
{
    return check_put(s, 0, 1, LARGE);
}

static outcome check_put_last(scene *s)
{
    check_put(s, FILL, BATCH, SMALL);
    return OUTCOME_ANY;
}

static outcome check_put_many(scene *s)
{
    return check_put(s, 0, BATCH, LARGE);
}

/* All at once: none of them is left, or all. */
static outcome check_got(scene *s, unsigned taken, size_t size)
{
    const size_t items = count_of(s);
    EXPECT(items == BATCH || items == BATCH - taken);
    EXPECT(items == BATCH - taken || !atomic_load(&s->note[DONE]));
    for (unsigned i = BATCH - (unsigned)items; i < BATCH; i++)
        EXPECT(get(s->queue, i, size));
    use_and_destroy(s);
    return items == BATCH ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static outcome check_got_small(scene *s)
{
    return check_got(s, 1, SMALL);
}

static outcome check_got_large(scene *s)
{
    return check_got(s, 1, LARGE);
}

static outcome check_got_many(scene *s)
{
    return check_got(s, BATCH, SMALL);
}

static outcome check_closed(scene *s)
{
    const mproc_err err = put(s->queue, 9, SMALL, 0);
    EXPECT(err == MPROC_OK || err == MPROC_ECLOSED);
    EXPECT(err == MPROC_ECLOSED || !atomic_load(&s->note[DONE]));
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    return err ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static void expect_finish(scene *s, int who, mproc_err expected)
{
    int result = 1;
    EXPECT(companion_finish(s, who, &result));
    EXPECT(result == (int)expected);
}

static outcome check_closed_under_waiter(scene *s)
{
    const mproc_err err = put(s->queue, 9, SMALL, 0);
    EXPECT(err == MPROC_OK || err == MPROC_ECLOSED);
    expect_finish(s, 1, err);
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    return err ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

/* The closer owes its wake-up to all. */
static outcome check_closed_under_two(scene *s)
{
    const mproc_err err = put(s->queue, 9, SMALL, 0);
    EXPECT(err == MPROC_ECLOSED || !atomic_load(&s->note[DONE]));
    if (!err)
        EXPECT(put(s->queue, 9, SMALL, 0) == MPROC_OK);
    for (int who = 0; who < COMPANIONS; who++)
        expect_finish(s, who, err);
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    return err ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static bool has_finished(const companion *one)
{
    return atomic_load(&one->done) == atomic_load(&one->order);
}

/* Nobody sleeps beside a message. */
static void await_balance(scene *s)
{
    const int64_t deadline = os_now() + PATIENCE_MS * INT64_C(1000000);
    while (count_of(s) && !has_finished(&s->companions[1]) && os_now() < deadline)
        scene_nap(s);
    EXPECT(!count_of(s) || has_finished(&s->companions[1]));
}

/* It has been put, or the one that waits gets another. */
static outcome check_handed_over(scene *s)
{
    const bool put_before = atomic_load(&s->note[DONE]);
    await_balance(s);
    EXPECT(put(s->queue, 1, SMALL, 0) == MPROC_OK);
    expect_finish(s, 1, MPROC_OK);
    const size_t items = count_of(s);
    EXPECT(items <= 1 && (items || !put_before));
    while (count_of(s))
        EXPECT(get(s->queue, 1, SMALL));
    use_and_destroy(s);
    return items ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_served(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    const size_t items = count_of(s);
    EXPECT(items <= 1 && (!items || !atomic_load(&s->note[DONE])));
    if (items)
        EXPECT(get(s->queue, 0, SMALL));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static outcome check_room_made(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 0, &result));
    const size_t items = count_of(s);
    EXPECT(items == BOUND || (items == BOUND - 1 && !atomic_load(&s->note[DONE])));
    for (unsigned i = 1; i <= items; i++)
        EXPECT(get(s->queue, i, SMALL));
    use_and_destroy(s);
    return OUTCOME_ANY;
}

static outcome check_said_done(scene *s)
{
    unsigned said = 0;
    while (mproc_queue_task_done(s->queue) == MPROC_OK)
        said++;
    EXPECT(said == BATCH || said == BATCH - 1);
    EXPECT(said == BATCH - 1 || !atomic_load(&s->note[DONE]));
    EXPECT(mproc_queue_join(s->queue, 0) == MPROC_OK);
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    return said == BATCH ? OUTCOME_BEFORE : OUTCOME_AFTER;
}

static void make_with_one(scene *s)
{
    make(s);
    fill(s, 1, SMALL);
}

static outcome check_last_said_done(scene *s)
{
    const mproc_err err = mproc_queue_task_done(s->queue);
    EXPECT(err == MPROC_ERANGE || (err == MPROC_OK && !atomic_load(&s->note[DONE])));
    expect_finish(s, 1, MPROC_OK);
    EXPECT(mproc_queue_destroy(s->queue) == MPROC_OK);
    return err ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

static outcome check_destroyed_under_waiter(scene *s)
{
    const mproc_err gone = mproc_queue_destroy(s->queue);
    EXPECT(gone == MPROC_OK || gone == MPROC_ESTALE);
    expect_finish(s, 1, MPROC_ESTALE);
    return gone ? OUTCOME_AFTER : OUTCOME_BEFORE;
}

/* The one who used it has left it only now. */
static outcome check_destroyed_under_user(scene *s)
{
    int result;
    EXPECT(companion_finish(s, 1, &result));
    return check_destroy(s);
}

static outcome check_left(scene *s)
{
    expect_finish(s, 1, MPROC_OK);
    EXPECT(is_gone(s));
    return OUTCOME_ANY;
}

const operation queue_operations[] = {
    {"create", NULL, NULL, act_create, NULL, check_create},
    {"destroy", make_with_small, NULL, act_destroy, NULL, check_destroy},
    {"destroy with large ones", make_with_large, NULL, act_destroy, NULL, check_destroy},
    {"destroy under a waiter", make, let_one_wait, act_destroy, wait_for_message,
     check_destroyed_under_waiter},
    {"destroy under one who stands still", make_with_large, let_one_use_it, act_destroy,
     use_until_over, check_destroyed_under_user},
    {"leave a destroyed one", make_with_large, use_destroyed, act_leave, destroy_now, check_left},
    {"put", make, NULL, act_put, NULL, check_put_small},
    {"put a large one", make, NULL, act_put_large, NULL, check_put_large},
    {"put several large ones", make, NULL, act_put_many, NULL, check_put_many},
    {"put into a ring that grows", make_nearly_full_ring, NULL, act_put_last, NULL, check_put_last},
    {"put to a waiter", make, let_one_wait, act_put, wait_for_message, check_handed_over},
    {"put after waiting for room", make_full_to_be_emptied, NULL, act_put_third, make_room,
     check_room_made},
    {"send a loan", make, NULL, act_send_loan, NULL, check_put_large},
    {"get", make_with_small, NULL, act_get, NULL, check_got_small},
    {"get a large one", make_with_large, NULL, act_get_large, NULL, check_got_large},
    {"get several", make_with_small, NULL, act_get_many, NULL, check_got_many},
    {"get a loan", make_with_large, NULL, act_get_loan, NULL, check_got_large},
    {"get after waiting", make_to_be_served, NULL, act_get, serve, check_served},
    {"close", make, NULL, act_close, NULL, check_closed},
    {"close under a waiter", make, let_one_wait, act_close, wait_for_message,
     check_closed_under_waiter},
    {"close under two waiters", make, let_both_wait, act_close, wait_for_message,
     check_closed_under_two},
    {"say that one is done", make_with_small, NULL, act_say_done, NULL, check_said_done},
    {"say that the last one is done", make_with_one, let_one_wait, act_say_done, wait_until_done,
     check_last_said_done},
    {0},
};
