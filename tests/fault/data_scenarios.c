/* Values, arrays, strings and queues. */
#include "fault.h"

#include <string.h>

#define LOCK_ERRORS (ERR(EINTR) | ERR(EAGAIN))
enum { MESSAGES = 20, GROWING = 200, LARGE = 200000 };

static void use_a_value(void)
{
    mproc_value value = {0};
    int number = 7;
    if (!MAKE(value, FOUND_ERRORS, mproc_value_create(&value, sizeof number, &number, NULL)))
        return;
    number = 8;
    TRY(LOCK_ERRORS, mproc_value_set(value, &number, sizeof number));
    if (MAKE(number, LOCK_ERRORS, mproc_value_get(value, &number, sizeof number)))
        HOLDS(number == 8);
    TRY(0, mproc_value_destroy(value));
}

static void use_an_array(void)
{
    mproc_array array = {0};
    int numbers[10] = {0};
    if (!MAKE(array, FOUND_ERRORS, mproc_array_create(&array, sizeof *numbers, 100000, NULL, NULL)))
        return;
    numbers[3] = 3;
    TRY(LOCK_ERRORS, mproc_array_set_range(array, 500, 10, numbers));
    if (MAKE(numbers, LOCK_ERRORS, mproc_array_get_range(array, 500, 10, numbers)))
        HOLDS(numbers[3] == 3);
    TRY(0, mproc_array_destroy(array));
}

static void use_a_string(void)
{
    mproc_string string = {0};
    char text[20] = "";
    if (!MAKE(string, FOUND_ERRORS, mproc_string_create(&string, sizeof text, "hello")))
        return;
    TRY(LOCK_ERRORS, mproc_string_set(string, "world"));
    if (MAKE(text, LOCK_ERRORS, mproc_string_get(string, text, sizeof text, NULL)))
        HOLDS(!strcmp(text, "world"));
    TRY(LOCK_ERRORS, mproc_string_destroy(string));
}

/* ---- a queue ---- */

#define QUEUE_ERRORS (LOCK_ERRORS | ERR(ENOMEM))

static bool put(mproc_queue queue)
{
    static const unsigned char large[LARGE];
    bool all = true;
    for (int i = 0; i < MESSAGES; i++)
        all &= TRY(QUEUE_ERRORS, mproc_queue_put(queue, &i, sizeof i, SOON));
    return TRY(QUEUE_ERRORS, mproc_queue_put(queue, large, sizeof large, SOON)) && all;
}

static int send_messages(void *args, size_t size)
{
    const mproc_queue *queue = args;
    bool good = size == sizeof *queue && put(*queue);
    mproc_queue_close(*queue);
    return good ? 0 : GAVE_UP;
}

/* Until it is closed; what could be taken. */
static size_t get_all(mproc_queue queue, mproc_process *sender)
{
    static unsigned char buffer[LARGE];
    size_t got = 0;
    mproc_err err = MPROC_OK;
    while (err != MPROC_ECLOSED) {
        size_t size = 0;
        bool alive = sender && mproc_process_is_alive(sender);
        err = mproc_queue_get(queue, buffer, sizeof buffer, &size, sender ? 20 : 0);
        got += !err;
        if (err && err != MPROC_EEMPTY && err != MPROC_ECLOSED)
            judge("mproc_queue_get", err, LOCK_ERRORS);
        if (err == MPROC_EEMPTY && !alive)
            break;
    }
    return got;
}

static void use_a_queue(void)
{
    mproc_queue queue = {0};
    if (!MAKE(queue, FOUND_ERRORS, mproc_queue_create(&queue, NULL)))
        return;
    bool all = put(queue);
    size_t got = get_all(queue, NULL);
    HOLDS(!all || got == MESSAGES + 1);
    TRY(LOCK_ERRORS, mproc_queue_destroy(queue));
}

/* Without a copy: the same memory goes in and comes out. */
static void lend(mproc_queue queue)
{
    mproc_loan sent = {0}, received = {0};
    if (!MAKE(sent, QUEUE_ERRORS, mproc_queue_reserve(queue, LARGE, &sent)))
        return;
    memset(sent.data, 7, sent.size);
    if (TRY(QUEUE_ERRORS, mproc_queue_commit(queue, &sent, SOON)) &&
        MAKE(received, QUEUE_ERRORS, mproc_queue_get_loan(queue, &received, SOON)))
        HOLDS(received.size == LARGE && *(unsigned char *)received.data == 7);
    mproc_loan_release(&received);
    mproc_loan_release(&sent);
}

/* As many as its first memory has no room for. */
static void fill_and_empty(mproc_queue queue)
{
    mproc_message each[GROWING];
    size_t put_count = 0, taken = 0;
    int numbers[GROWING];
    for (int i = 0; i < GROWING; i++) {
        numbers[i] = i;
        each[i] = (mproc_message){&numbers[i], sizeof numbers[i]};
    }
    while (put_count < GROWING) {
        size_t done = 0;
        mproc_err err =
            mproc_queue_put_many(queue, each + put_count, GROWING - put_count, &done, SOON);
        put_count += done;
        if (err && !judge("mproc_queue_put_many", err, QUEUE_ERRORS) && !must_succeed_now())
            break;
    }
    for (int number; taken < put_count; taken++) {
        size_t size = 0;
        if (!TRY(LOCK_ERRORS, mproc_queue_get(queue, &number, sizeof number, &size, SOON)))
            break;
        HOLDS(size == sizeof number && number == (int)taken);
    }
}

static void use_all_of_a_queue(void)
{
    mproc_queue queue = {0};
    const mproc_queue_options options = {.max_items = GROWING};
    if (!MAKE(queue, FOUND_ERRORS, mproc_queue_create(&queue, &options)))
        return;
    lend(queue);
    fill_and_empty(queue);
    mproc_err err;
    do
        err = mproc_queue_task_done(queue);
    while (!err || (err != MPROC_ERANGE && !judge("mproc_queue_task_done", err, LOCK_ERRORS) &&
                    must_succeed_now()));
    if (err == MPROC_ERANGE)
        TRY(LOCK_ERRORS, mproc_queue_join(queue, SOON));
    TRY(0, mproc_queue_close(queue));
    HOLDS(mproc_queue_put(queue, "", 0, 0) == MPROC_ECLOSED);
    TRY(0, mproc_queue_destroy(queue));
}

static void receive_messages(void)
{
    mproc_queue queue = {0};
    mproc_process *sender = NULL;
    if (!MAKE(queue, FOUND_ERRORS, mproc_queue_create(&queue, NULL)))
        return;
    if (TRY(FOUND_ERRORS | ERR(EIMAGE),
            mproc_process_create(&sender, &(mproc_process_options){.target = send_messages,
                                                                   .args = &queue,
                                                                   .args_size = sizeof queue})) &&
        TRY(FOUND_ERRORS | ERR(EIMAGE) | ERR(ENOENT) | ERR(EBROKEN), mproc_process_start(sender))) {
        size_t got = get_all(queue, sender);
        bool all = ends_with(sender, 0);
        HOLDS(!all || got == MESSAGES + 1);
    } else {
        mproc_process_free(sender);
    }
    TRY(LOCK_ERRORS, mproc_queue_destroy(queue));
}

const scenario data_scenarios[] = {
    {.name = "a_value_is_used", .play = use_a_value, .starts_nothing = true},
    {.name = "an_array_is_used", .play = use_an_array, .starts_nothing = true},
    {.name = "a_string_is_used", .play = use_a_string, .starts_nothing = true},
    {.name = "a_queue_is_used", .play = use_a_queue, .starts_nothing = true},
    {.name = "a_queue_lends_and_grows", .play = use_all_of_a_queue, .starts_nothing = true},
    {.name = "messages_are_received_from_a_child", .play = receive_messages},
    {0},
};
