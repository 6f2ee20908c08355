/* Values, arrays, strings and queues. */
#include "fault.h"

#include <string.h>

#define LOCK_ERRORS (ERR(EINTR) | ERR(EAGAIN))
enum { SOON = 30000, MESSAGES = 20, LARGE = 200000 };

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
    {.name = "messages_are_received_from_a_child", .play = receive_messages},
    {0},
};
