/* Connections, and waiting for many. */
#include "fault.h"

#include <string.h>

#define CREATE_ERRORS (FOUND_ERRORS | ERR(EIMAGE))
#define START_ERRORS                                                                               \
    (ERR(EAGAIN) | ERR(ENOMEM) | ERR(EIMAGE) | ERR(ENOENT) | ERR(EBROKEN) | ERR(EOS))
#define ERRORS (FOUND_ERRORS | ERR(EINTR))
enum { LARGE = 20000, NUMBER = 11 };

typedef struct ends {
    mproc_connection a, b;
} ends;

static bool make_pipe(ends *pipe)
{
    *pipe = (ends){{0}, {0}};
    return MAKE(*pipe, FOUND_ERRORS, mproc_pipe(&pipe->a, &pipe->b, MPROC_DUPLEX));
}

static void close_one(mproc_connection end)
{
    HOLDS(mproc_connection_close(end) == MPROC_OK);
}

static bool send_number(mproc_connection to)
{
    const int number = NUMBER;
    return TRY(ERRORS | ERR(EEOF), mproc_connection_send(to, &number, sizeof number, SOON));
}

/* MPROC_OK and 0 when the pipe has ended. */
static mproc_err take_number(mproc_connection from, int *number)
{
    size_t size;
    mproc_err err = mproc_connection_recv(from, number, sizeof *number, &size, SOON);
    if (err == MPROC_EEOF)
        *number = 0;
    return err == MPROC_EEOF ? MPROC_OK : err;
}

/* ---- in one process ---- */

static bool pass_small(const ends *pipe)
{
    char text[16] = "";
    size_t size = 0;
    return TRY(ERRORS, mproc_connection_send(pipe->a, "hello", 6, SOON)) &&
           TRY(ERRORS, mproc_connection_poll(pipe->b, SOON)) &&
           MAKE(size, ERRORS, mproc_connection_recv(pipe->b, text, sizeof text, &size, SOON)) &&
           HOLDS(size == 6 && !strcmp(text, "hello"));
}

static bool pass_large(const ends *pipe)
{
    static unsigned char bytes[LARGE];
    void *data = NULL;
    size_t size = 0;
    memset(bytes, 7, sizeof bytes);
    if (!TRY(ERRORS, mproc_connection_send(pipe->b, bytes, LARGE, SOON)) ||
        !MAKE(data, ERRORS, mproc_connection_recv_alloc(pipe->a, &data, &size, 0, SOON)))
        return false;
    HOLDS(size == LARGE && !memcmp(data, bytes, LARGE));
    mproc_connection_free_message(data);
    return true;
}

static void use_a_pipe(void)
{
    ends pipe;
    int number = NUMBER;
    if (!make_pipe(&pipe))
        return;
    bool good = pass_small(&pipe) && pass_large(&pipe);
    close_one(pipe.a);
    if (good && TRY(ERRORS, take_number(pipe.b, &number)))
        HOLDS(number == 0);
    close_one(pipe.b);
}

/* Closed before it is received, so that it comes anew. */
static void send_an_end(void)
{
    ends pipe, sent;
    mproc_connection received = {0};
    int number = 0;
    if (!make_pipe(&pipe))
        return;
    if (make_pipe(&sent)) {
        bool good = TRY(ERRORS, mproc_connection_send_connection(pipe.a, sent.a, SOON));
        close_one(sent.a);
        good = good && MAKE(received, ERRORS | BROKEN_FOR_GOOD,
                            mproc_connection_recv_connection(pipe.b, &received, SOON));
        if (good && send_number(received) && TRY(ERRORS, take_number(sent.b, &number)))
            HOLDS(number == NUMBER);
        if (good)
            close_one(received);
        close_one(sent.b);
    }
    close_one(pipe.a);
    close_one(pipe.b);
}

static mproc_err find_nothing(mproc_waitable *items, size_t count)
{
    mproc_err err = mproc_wait(items, count, NULL, 0);
    return err == MPROC_ETIMEDOUT ? MPROC_OK : err ? err : MPROC_EEXIST;
}

static void wait_here(mproc_connection from, mproc_connection to, mproc_queue queue)
{
    mproc_waitable items[2] = {{.kind = MPROC_WAITABLE_QUEUE, .queue = queue},
                               {.kind = MPROC_WAITABLE_CONNECTION, .connection = from}};
    size_t ready = 0;
    TRY(ERRORS, find_nothing(items, 2));
    if (send_number(to) && MAKE(ready, ERRORS, mproc_wait(items, 2, &ready, SOON)))
        HOLDS(ready == 1 && items[1].ready && !items[0].ready);
    TRY(ERRORS, find_nothing(items, 1));
    if (TRY(ERRORS, mproc_queue_put(queue, "", 1, SOON)) &&
        MAKE(ready, ERRORS, mproc_wait(items, 1, &ready, SOON)))
        HOLDS(ready == 1 && items[0].ready);
}

static void wait_for_many(void)
{
    ends pipe;
    mproc_queue queue = {0};
    if (!make_pipe(&pipe))
        return;
    if (MAKE(queue, FOUND_ERRORS, mproc_queue_create(&queue, NULL))) {
        wait_here(pipe.a, pipe.b, queue);
        TRY(ERRORS, mproc_queue_destroy(queue));
    }
    close_one(pipe.a);
    close_one(pipe.b);
}

/* ---- with a child ---- */

typedef struct call {
    mproc_connection connection;
    mproc_queue queue;
} call;

/* This process does not hold that end any more. */
static mproc_process *start(mproc_target target, const call *args)
{
    mproc_process *process = NULL;
    bool created = MAKE(
        process, CREATE_ERRORS,
        mproc_process_create(&process, &(mproc_process_options){.target = target,
                                                                .args = args,
                                                                .args_size = sizeof *args,
                                                                .connections = &args->connection,
                                                                .connection_count = 1}));
    if (created && !TRY(START_ERRORS, mproc_process_start(process))) {
        mproc_process_free(process);
        process = NULL;
    }
    close_one(args->connection);
    return process;
}

/* Of a child that waits for what does not come. */
static void end(mproc_process *process)
{
    TRY(0, mproc_process_kill(process));
    TRY(ERR(EINTR), mproc_process_join(process, SOON));
    mproc_process_free(process);
}

static int put_and_send(void *args, size_t size)
{
    const call *told = args;
    (void)size;
    return TRY(ERRORS, mproc_queue_put(told->queue, "", 1, SOON)) && send_number(told->connection)
               ? NUMBER
               : GAVE_UP;
}

/* Until the pipe has brought something, or its end. */
static bool wait_for_pipe(mproc_connection from, mproc_queue queue, int *number)
{
    mproc_waitable items[2] = {{.kind = MPROC_WAITABLE_QUEUE, .queue = queue},
                               {.kind = MPROC_WAITABLE_CONNECTION, .connection = from}};
    while (!items[1].ready) {
        if (!TRY(ERRORS, mproc_wait(items, 2, NULL, SOON)))
            return false;
        if (items[0].ready) /* from now on only the pipe */
            items[0].kind = MPROC_WAITABLE_NONE;
    }
    return TRY(ERRORS, take_number(from, number));
}

static void wait_for_a_child(void)
{
    ends pipe;
    call told = {{0}, {0}};
    int number = 0;
    if (!make_pipe(&pipe))
        return;
    told.connection = pipe.b;
    if (MAKE(told.queue, FOUND_ERRORS, mproc_queue_create(&told.queue, NULL))) {
        mproc_process *process = start(put_and_send, &told);
        bool heard = process && wait_for_pipe(pipe.a, told.queue, &number);
        if (heard && ends_with(process, NUMBER))
            HOLDS(number == NUMBER && !mproc_queue_is_empty(told.queue));
        else if (process && !heard)
            end(process);
        TRY(ERRORS, mproc_queue_destroy(told.queue));
    } else {
        close_one(pipe.b);
    }
    close_one(pipe.a);
}

/* What comes over the pipe whose other end it has sent; 0: nothing, that end is gone. */
static int lend_an_end(void *args, size_t size)
{
    const call *told = args;
    ends pipe;
    int number = 0;
    (void)size;
    if (!make_pipe(&pipe))
        return GAVE_UP;
    bool sent = TRY(ERRORS, mproc_connection_send_connection(told->connection, pipe.a, SOON));
    close_one(pipe.a);
    return sent && TRY(ERRORS, take_number(pipe.b, &number)) ? number : GAVE_UP;
}

static mproc_err take_end(mproc_connection from, mproc_connection *end)
{
    mproc_err err = mproc_connection_recv_connection(from, end, SOON);
    return err == MPROC_EEOF ? MPROC_OK : err;
}

static void receive_an_end(void)
{
    ends pipe;
    mproc_connection lent = {0};
    if (!make_pipe(&pipe))
        return;
    mproc_process *process = start(lend_an_end, &(call){.connection = pipe.b});
    if (process) {
        bool good = MAKE(lent, ERRORS | BROKEN_FOR_GOOD, take_end(pipe.a, &lent));
        if (lent.id) {
            good = send_number(lent);
            close_one(lent);
        }
        if (good)
            ends_with(process, NUMBER);
        else
            end(process);
    }
    close_one(pipe.a);
}

const scenario connection_scenarios[] = {
    {.name = "a_pipe_is_used", .play = use_a_pipe, .starts_nothing = true},
    {.name = "a_pipe_is_used_by_an_interruptible_program",
     .play = use_a_pipe,
     .interruptible = true,
     .starts_nothing = true},
    {.name = "an_end_is_sent", .play = send_an_end, .starts_nothing = true},
    {.name = "many_are_waited_for", .play = wait_for_many, .starts_nothing = true},
    {.name = "a_queue_and_a_pipe_of_a_child_are_waited_for", .play = wait_for_a_child},
    {.name = "an_end_is_received_from_a_child", .play = receive_an_end},
    {0},
};
