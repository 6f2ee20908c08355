#include "fault.h"

#include <stdio.h>

#include "../api/host.h"

#define CREATE_ERRORS (FOUND_ERRORS | ERR(EIMAGE))
#define START_ERRORS                                                                               \
    (ERR(EAGAIN) | ERR(ENOMEM) | ERR(EIMAGE) | ERR(ENOENT) | ERR(EACCES) | ERR(EBROKEN) | ERR(EOS))
#define LIST_ERRORS (FOUND_ERRORS)
#define SEND_ERRORS (ERR(ENOMEM) | ERR(EAGAIN) | ERR(EOS))

static mproc_process *create(const mproc_process_options *options)
{
    mproc_process *process = NULL;
    return MAKE(process, CREATE_ERRORS, mproc_process_create(&process, options)) ? process : NULL;
}

static mproc_process *start(const mproc_process_options *options)
{
    mproc_process *process = create(options);
    if (process && TRY(START_ERRORS, mproc_process_start(process)))
        return process;
    if (process)
        HOLDS(!mproc_process_is_alive(process) && mproc_process_pid(process) == 0);
    mproc_process_free(process);
    return NULL;
}

static mproc_process *start_number(int number)
{
    return start(&(mproc_process_options){
        .target = return_number, .args = &number, .args_size = sizeof number});
}

static mproc_process *start_waiting(bool daemon)
{
    return start(&(mproc_process_options){.target = wait_forever, .daemon = daemon});
}

/* Until it is ended, whatever refuses to. */
static void end(mproc_process *process)
{
    bool asked = false;
    for (int tries = 0; process && !asked && tries < 10; tries++)
        asked = TRY(ERR(EACCES), mproc_process_kill(process));
    while (asked && !TRY(ERR(EINTR), mproc_process_join(process, 30000))) {
    }
    mproc_process_free(process);
}

/* ---- */

static void create_and_free(void)
{
    mproc_process *process = create(&(mproc_process_options){.target = wait_forever});
    if (process)
        HOLDS(mproc_process_name(process) && !mproc_process_is_alive(process));
    mproc_process_free(process);
}

static void start_and_join(void)
{
    mproc_process *process = start_number(7);
    if (process)
        ends_with(process, 7);
}

static void start_with_large_args(void)
{
    static const unsigned char large[3 << 20];
    mproc_process *process = start(&(mproc_process_options){
        .target = return_number, .args = large, .args_size = sizeof large});
    if (process)
        ends_with(process, VIOLATED);
}

static void start_three(void)
{
    mproc_process *processes[3];
    for (int i = 0; i < 3; i++)
        processes[i] = start_number(i);
    for (int i = 0; i < 3; i++) {
        if (processes[i])
            ends_with(processes[i], i);
    }
}

/* ---- connections ---- */

static int send_number(void *args, size_t size)
{
    const mproc_connection *to = args;
    const int number = 11;
    (void)size;
    return TRY(SEND_ERRORS, mproc_connection_send(*to, &number, sizeof number, MPROC_FOREVER))
               ? number
               : GAVE_UP;
}

static mproc_err take_number(mproc_connection from, int *number)
{
    size_t size = 0;
    return mproc_connection_recv(from, number, sizeof *number, &size, 30000);
}

static mproc_err await_end(mproc_connection from)
{
    int number;
    mproc_err err = take_number(from, &number);
    return err == MPROC_EEOF ? MPROC_OK : err ? err : MPROC_EEXIST;
}

/* The end of the pipe shows that nobody has kept what the child was given. */
static void start_with_a_connection(void)
{
    struct {
        mproc_connection a, b;
    } it = {{0}, {0}};
    int number = 0;
    if (!MAKE(it, FOUND_ERRORS, mproc_pipe(&it.a, &it.b, MPROC_SIMPLEX)))
        return;
    mproc_process *process = start(&(mproc_process_options){.target = send_number,
                                                            .args = &it.b,
                                                            .args_size = sizeof it.b,
                                                            .connections = &it.b,
                                                            .connection_count = 1});
    bool sent = process && ends_with(process, 11);
    HOLDS(mproc_connection_close(it.b) == MPROC_OK);
    if (!sent || (TRY(SEND_ERRORS, take_number(it.a, &number)) && HOLDS(number == 11)))
        TRY(SEND_ERRORS, await_end(it.a));
    HOLDS(mproc_connection_close(it.a) == MPROC_OK);
}

/* ---- */

static void terminate(void)
{
    mproc_process *process = start_waiting(false);
    if (process)
        TRY(ERR(EACCES), mproc_process_terminate(process));
    end(process);
}

static void end_daemon(void)
{
    mproc_process *process = start_waiting(true);
    end(process);
}

static void ask_for_a_sentinel(void)
{
    intptr_t sentinel = -1;
    mproc_process *process = start_number(3);
    if (!process)
        return;
    if (MAKE(sentinel, ERR(EAGAIN), mproc_process_sentinel(process, &sentinel)))
        HOLDS(sentinel != -1);
    ends_with(process, 3);
}

static void list_children(void)
{
    mproc_process *listed[4], *process = start_waiting(false), *other = start_waiting(true);
    size_t count = 99;
    if (MAKE(count, LIST_ERRORS, mproc_active_children(listed, 4, &count))) {
        HOLDS(faults_reach_children() || count == (size_t) !!process + !!other);
        for (size_t i = 0; i < count; i++)
            mproc_process_free(listed[i]);
    }
    end(process);
    end(other);
}

static int start_grandchild(void *args, size_t size)
{
    mproc_process *process = start_number(5);
    (void)args;
    (void)size;
    return process && ends_with(process, 5) ? 0 : GAVE_UP;
}

static void start_a_grandchild(void)
{
    mproc_process *process = start(&(mproc_process_options){.target = start_grandchild});
    if (process)
        ends_with(process, 0);
}

static int look_at_parent(void *args, size_t size)
{
    intptr_t sentinel = -1;
    mproc_process *parent = mproc_process_parent();
    (void)args;
    (void)size;
    return HOLDS(parent) &&
                   MAKE(sentinel, ERR(EAGAIN), mproc_process_sentinel(parent, &sentinel)) &&
                   HOLDS(mproc_process_is_alive(parent)) &&
                   HOLDS(mproc_process_join(parent, 0) == MPROC_ETIMEDOUT)
               ? 0
               : GAVE_UP;
}

static void ask_for_the_parent(void)
{
    mproc_process *process = start(&(mproc_process_options){.target = look_at_parent});
    if (process)
        ends_with(process, 0);
}

/* Slow enough that a program that does not wait for it ends before it. */
static int end_late(void *args, size_t size)
{
    (void)args;
    (void)size;
    host_nap(30);
    fputs(LATE_CHILD_ENDS, stderr);
    return 0;
}

static void leave_children_to_the_exit(void)
{
    mproc_process *late = start(&(mproc_process_options){.target = end_late});
    if (late)
        fputs(LATE_CHILD_STARTS, stderr);
    mproc_process_free(late);
    mproc_process_free(start_waiting(true));
}

const scenario process_scenarios[] = {
    {.name = "a_process_is_created_and_freed", .play = create_and_free},
    {.name = "a_process_is_started_and_joined", .play = start_and_join},
    {.name = "a_process_is_started_with_large_args", .play = start_with_large_args},
    {.name = "three_processes_are_started", .play = start_three},
    {.name = "a_process_is_given_a_connection", .play = start_with_a_connection},
    {.name = "a_process_is_started_and_joined_by_an_interruptible_program",
     .play = start_and_join,
     .interruptible = true},
    {.name = "a_process_is_terminated", .play = terminate, .can_deny = true},
    {.name = "a_daemon_is_killed", .play = end_daemon},
    {.name = "a_sentinel_is_asked_for", .play = ask_for_a_sentinel},
    {.name = "active_children_are_listed", .play = list_children},
    {.name = "a_child_starts_a_child", .play = start_a_grandchild},
    {.name = "a_child_asks_for_its_parent", .play = ask_for_the_parent},
    {.name = "a_program_ends_with_children",
     .play = leave_children_to_the_exit,
     .to_the_end = true},
    {.name = "an_interruptible_program_ends_with_children",
     .play = leave_children_to_the_exit,
     .interruptible = true,
     .to_the_end = true},
    {.name = "a_traced_program_ends_with_children",
     .play = leave_children_to_the_exit,
     .to_the_end = true,
     .traced = true},
    {0},
};
