/* Queues: nobody sleeps beside a message, beside room or at a closed queue; a message comes once. */
#include <string.h>

#include "data/ends.h"
#include "family/family.h"
#include "scenario.h"

enum { LARGE = 4000 };
static char bytes[LARGE];

/* ---- setting up ---- */

static void make(void)
{
    MUST(mproc_queue_create(&stage.queue, NULL));
}

static void make_for_one(void)
{
    MUST(mproc_queue_create(&stage.queue, &(mproc_queue_options){.max_items = 1}));
}

static void make_with_heap_noted(void)
{
    note_heap();
    make();
}

/* One task has been taken and not been said to be done. */
static void make_with_task(void)
{
    char message[8];
    size_t size;
    make();
    MUST(mproc_queue_put(stage.queue, "0", 1, 0));
    MUST(mproc_queue_get(stage.queue, message, sizeof message, &size, 0));
}

static void make_nearly_full_ring(void)
{
    make();
    for (int i = 0; i < 10; i++)
        MUST(mproc_queue_put(stage.queue, bytes, 180, 0));
}

/* ---- acts ---- */

static mproc_err take(int who, int timeout_ms)
{
    char message[16];
    size_t size;
    mproc_err err = mproc_queue_get(stage.queue, message, sizeof message, &size, timeout_ms);
    if (!err)
        stage.got[who][strlen(stage.got[who])] = message[0];
    return stage.result[who] = err;
}

static void get(int who)
{
    take(who, MPROC_FOREVER);
}

static void get_two(int who)
{
    take(who, MPROC_FOREVER);
    take(who, MPROC_FOREVER);
}

static void get_three(int who)
{
    get_two(who);
    take(who, MPROC_FOREVER);
}

static void get_now(int who)
{
    take(who, 0);
}

static void get_impatiently(int who)
{
    take(who, EXPLORE_TIMEOUT_MS);
}

static void get_many(int who)
{
    char message[16];
    size_t sizes[2], count = 0;
    stage.result[who] =
        mproc_queue_get_many(stage.queue, message, sizeof message, sizes, 2, &count, MPROC_FOREVER);
    for (size_t i = 0; i < count; i++)
        stage.got[who][i] = message[i];
}

static void send(int who, const char *message, int timeout_ms)
{
    stage.result[who] = mproc_queue_put(stage.queue, message, 1, timeout_ms);
    stage.sent += !stage.result[who];
}

static void put_a(int who)
{
    send(who, "a", MPROC_FOREVER);
}

static void put_b(int who)
{
    send(who, "b", MPROC_FOREVER);
}

static void put_a_b(int who)
{
    put_a(who);
    put_b(who);
}

static void put_a_b_c(int who)
{
    put_a_b(who);
    send(who, "c", MPROC_FOREVER);
}

static void put_impatiently(int who)
{
    send(who, "d", EXPLORE_TIMEOUT_MS);
}

static void put_both(int who)
{
    const mproc_message both[] = {{"a", 1}, {"b", 1}};
    size_t done = 0;
    stage.result[who] = mproc_queue_put_many(stage.queue, both, 2, &done, MPROC_FOREVER);
    stage.sent += (int)done;
}

static void put_that_grows(int who)
{
    stage.result[who] = mproc_queue_put(stage.queue, bytes, 180, MPROC_FOREVER);
    stage.result[who] = mproc_queue_put(stage.queue, bytes, 180, MPROC_FOREVER);
}

static void get_of_ring(int who)
{
    char message[200];
    size_t size;
    stage.result[who] = mproc_queue_get(stage.queue, message, sizeof message, &size, MPROC_FOREVER);
}

static void put_large(int who)
{
    stage.result[who] = mproc_queue_put(stage.queue, bytes, LARGE, MPROC_FOREVER);
}

static void put_two_large(int who)
{
    put_large(who);
    put_large(who);
}

static void get_large_now(int who)
{
    char message[LARGE];
    size_t size;
    stage.result[who] = mproc_queue_get(stage.queue, message, LARGE, &size, 0);
}

static void get_large(int who)
{
    char message[LARGE];
    size_t size;
    stage.result[who] = mproc_queue_get(stage.queue, message, LARGE, &size, MPROC_FOREVER);
}

static void close_it(int who)
{
    stage.result[who] = mproc_queue_close(stage.queue);
}

static void destroy(int who)
{
    stage.result[who] = mproc_queue_destroy(stage.queue);
}

static void join(int who)
{
    stage.result[who] = mproc_queue_join(stage.queue, MPROC_FOREVER);
}

static void join_impatiently(int who)
{
    stage.result[who] = mproc_queue_join(stage.queue, EXPLORE_TIMEOUT_MS);
}

static void say_done(int who)
{
    stage.result[who] = mproc_queue_task_done(stage.queue);
}

/* The task that is there, and one more. */
static void work(int who)
{
    char message[8];
    size_t size;
    mproc_queue_task_done(stage.queue);
    mproc_queue_put(stage.queue, "a", 1, 0);
    mproc_queue_get(stage.queue, message, sizeof message, &size, 0);
    stage.result[who] = mproc_queue_task_done(stage.queue);
}

static void watch(int who)
{
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = stage.queue};
    size_t ready = 0;
    stage.result[who] = mproc_wait(&item, 1, &ready, MPROC_FOREVER);
    if (!stage.result[who] && !ready)
        explore_wrong("a wait returns though nothing is ready");
}

static void watch_impatiently(int who)
{
    mproc_waitable item = {.kind = MPROC_WAITABLE_QUEUE, .queue = stage.queue};
    size_t ready;
    stage.result[who] = mproc_wait(&item, 1, &ready, EXPLORE_TIMEOUT_MS);
}

static void watch_and_get(int who)
{
    watch(who);
    take(who, 0);
}

/* ---- the players that may sleep ---- */

static bool is_at(const volatile void *word, const end *bell)
{
    return bell->cell && word == (const volatile void *)&bell->cell->seq;
}

static const char *stuck_at(const volatile void *word)
{
    mproc_err err;
    uint64_t flags;
    const ends *q = ends_find(stage.queue.id, &err);
    if (!q || !ends_exist(q, &flags))
        return "sleeps at a queue that is gone";
    const uint32_t items = end_now(&q->tail).items - end_now(&q->head).items;
    if (word == (const volatile void *)&q->queue->seq)
        return ends_ring(q)->done == end_now(&q->tail).items ? "joins though all is done" : NULL;
    if (!is_at(word, &q->items) && !is_at(word, &q->room))
        return NULL;
    if (flags & QUEUE_CLOSED)
        return "sleeps at a closed queue";
    if (is_at(word, &q->items))
        return items ? "sleeps beside a message" : NULL;
    return items < atomic_load(&q->queue->number) ? "sleeps beside room" : NULL;
}

/* A word, or the place of its sleeper. */
static const char *stuck(int who)
{
    const volatile void *word = scenario_word(who);
    if (word == (const volatile void *)&slot_at(explore_slot(who))->rung)
        return ends_are_ready(stage.queue.id) ? "waits though a queue is ready" : NULL;
    mproc_err err;
    const ends *q = ends_find(stage.queue.id, &err);
    if (q && word != (const volatile void *)&q->queue->seq && !is_at(word, &q->items) &&
        !is_at(word, &q->room))
        return "sleeps before the lock of an end";
    return stuck_at(word);
}

/* ---- what must be true ---- */

static void count_messages(int counts[256])
{
    char message[16];
    size_t size;
    for (int i = 0; i < EXPLORE_PLAYERS; i++) {
        for (const char *c = stage.got[i]; *c; c++)
            counts[(unsigned char)*c]++;
    }
    while (!mproc_queue_get(stage.queue, message, sizeof message, &size, 0))
        counts[(unsigned char)message[0]]++;
}

/* What was put comes once; a dead consumer may have taken one with it. */
static const char *each_comes_once(void)
{
    int counts[256] = {0}, got = 0;
    count_messages(counts);
    for (int i = 'a'; i <= 'd'; i++) {
        if (counts[i] > 1)
            return "a message comes twice";
        got += counts[i];
    }
    return explore_killed() || got == stage.sent ? NULL : "a message is lost";
}

static const char *queue_and_heap_are_whole(void)
{
    static char message[LARGE];
    size_t size;
    mproc_err err;
    do
        err = mproc_queue_get(stage.queue, message, sizeof message, &size, 0);
    while (!err);
    if (err != MPROC_EEMPTY)
        return "the queue is broken";
    return mproc_queue_destroy(stage.queue) ? "it cannot be destroyed" : heap_is_as_before();
}

static const char *is_gone_with_all_it_had(void)
{
    if (explore_killed() && mproc_queue_size(stage.queue, &(size_t){0}) == MPROC_OK)
        mproc_queue_destroy(stage.queue);
    return heap_is_as_before();
}

const explore_play queue_scenarios[] = {
    {"queue: a message, one waits, one does not",
     make,
     {get, get_now, put_a},
     .stuck = stuck,
     .check = each_comes_once},
    {"queue: two messages, two consumers",
     make,
     {get, get, put_a_b},
     .stuck = stuck,
     .check = each_comes_once,
     .mortal = FIRST | THIRD},
    {"queue: two consumers, two producers",
     make,
     {get, get, put_a, put_b},
     .stuck = stuck,
     .check = each_comes_once},
    {"queue: two messages, one waits, one does not",
     make,
     {get, get_now, put_a_b},
     .stuck = stuck,
     .check = each_comes_once},
    {"queue: a producer, a consumer",
     make,
     {get_two, put_a_b},
     .stuck = stuck,
     .check = each_comes_once,
     .mortal = FIRST | SECOND},
    {"queue: many at once",
     make,
     {get_many, get, put_both},
     .stuck = stuck,
     .check = each_comes_once,
     .mortal = FIRST | THIRD},
    {"queue: an impatient consumer",
     make,
     {get_impatiently, get, put_a},
     .stuck = stuck,
     .check = each_comes_once,
     .impatient = FIRST},
    {"queue: a consumer with two threads, a producer",
     make,
     {get, get, put_a_b},
     .stuck = stuck,
     .check = each_comes_once,
     .threads = SECOND},
    {"queue: room for one, two producers",
     make_for_one,
     {put_a, put_b, get_two},
     .stuck = stuck,
     .check = each_comes_once,
     .mortal = FIRST | THIRD},
    {"queue: room for one, three messages",
     make_for_one,
     {put_a_b_c, get_three},
     .stuck = stuck,
     .check = each_comes_once,
     .mortal = FIRST | SECOND},
    {"queue: room for one, two consumers",
     make_for_one,
     {put_a_b, get, get},
     .stuck = stuck,
     .check = each_comes_once,
     .mortal = FIRST | SECOND},
    {"queue: room for one, two and two",
     make_for_one,
     {put_a, put_b, get, get},
     .stuck = stuck,
     .check = each_comes_once},
    {"queue: room for one, an impatient producer",
     make_for_one,
     {put_impatiently, put_a, get_two},
     .stuck = stuck,
     .check = each_comes_once,
     .impatient = FIRST},
    {"queue: close under sleepers", make, {close_it, get, get}, .stuck = stuck, .mortal = FIRST},
    {"queue: close under a producer",
     make_for_one,
     {close_it, put_a_b, put_b},
     .stuck = stuck,
     .mortal = FIRST},
    {"queue: join, task_done, put", make_with_task, {join, work}, .stuck = stuck, .mortal = SECOND},
    {"queue: two join",
     make_with_task,
     {join, join, say_done},
     .stuck = stuck,
     .mortal = FIRST | THIRD},
    {"queue: an impatient join",
     make_with_task,
     {join_impatiently, join, work},
     .stuck = stuck,
     .impatient = FIRST},
    {"queue: a watcher, a consumer", make, {watch, get, put_a_b}, .stuck = stuck, .mortal = THIRD},
    {"queue: two watchers",
     make,
     {watch_and_get, watch_and_get, put_a_b},
     .stuck = stuck,
     .check = each_comes_once},
    {"queue: two threads watch, one of them impatiently",
     make,
     {watch_impatiently, watch, put_a},
     .stuck = stuck,
     .mortal = THIRD,
     .impatient = FIRST,
     .threads = SECOND},
    {"queue: a watcher, close", make, {close_it, watch}, .stuck = stuck, .mortal = FIRST},
    {"queue: a watcher, destroy", make, {destroy, watch}, .stuck = stuck, .mortal = FIRST},
    {"queue: the ring grows",
     make_nearly_full_ring,
     {put_that_grows, get_of_ring},
     .stuck = stuck,
     .mortal = FIRST | SECOND},
    {"queue: a large message",
     make_with_heap_noted,
     {put_large, get_large_now},
     .stuck = stuck,
     .check = queue_and_heap_are_whole,
     .mortal = FIRST | SECOND},
    {"queue: large messages, two consumers",
     make_with_heap_noted,
     {put_two_large, get_large, get_large},
     .stuck = stuck,
     .check = queue_and_heap_are_whole},
    {"queue: destroy under consumers",
     make_with_heap_noted,
     {destroy, get, get},
     .stuck = stuck,
     .check = is_gone_with_all_it_had,
     .mortal = FIRST},
    {"queue: destroy under producer and consumer",
     make_with_heap_noted,
     {destroy, put_a_b, get},
     .stuck = stuck,
     .check = is_gone_with_all_it_had,
     .mortal = FIRST | SECOND},
    {"queue: destroy under a join",
     make_with_task,
     {destroy, join},
     .stuck = stuck,
     .mortal = FIRST},
    {"queue: an impatient destroyer",
     make_with_heap_noted,
     {destroy, put_a_b, get},
     .stuck = stuck,
     .check = is_gone_with_all_it_had,
     .mortal = SECOND,
     .impatient = FIRST},
    {"queue: an impatient destroyer, a large message",
     make_with_heap_noted,
     {destroy, put_large, get_large_now},
     .stuck = stuck,
     .check = is_gone_with_all_it_had,
     .mortal = FIRST | SECOND,
     .impatient = FIRST},
    {"queue: destroy and destroy",
     make_with_heap_noted,
     {destroy, destroy, put_large},
     .stuck = stuck,
     .check = is_gone_with_all_it_had,
     .mortal = FIRST},
    {NULL}};
