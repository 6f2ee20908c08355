#include "roles.h"

#include <stdlib.h>
#include <string.h>

#include "../pace/pace.h"

bool play_role(int argc, char **argv, const role *roles, size_t count, int *code)
{
    os_entry entry;
    mproc_err err = os_entry_claim(argc, argv, &entry);
    if (err == MPROC_ENOENT)
        return false;
    *code = CHILD_FAILED;
    if (err)
        return true;
    size_t length = strcspn(entry.text, "/");
    const char *argument = entry.text + length + (entry.text[length] == '/');
    for (size_t i = 0; i < count; i++) {
        if (strlen(roles[i].name) == length && !memcmp(roles[i].name, entry.text, length))
            *code = roles[i].play(&entry, argument);
    }
    free(entry.handles);
    return true;
}

int64_t in_milliseconds(int64_t count)
{
    return os_now() + count * 1000000;
}

int64_t soon(void)
{
    return in_milliseconds(pace_limit(30000));
}

os_process start_role(const char *text, const os_handle *handles, size_t count)
{
    os_process child;
    assert_int_equal(os_spawn(&child, text, handles, count, NULL), MPROC_OK);
    return child;
}

mproc_exit_status finish(os_process *child)
{
    mproc_exit_status status = {.kind = MPROC_EXIT_LOST};
    mproc_err err = os_process_wait(child, soon());
    if (err)
        os_process_signal(child, true);
    assert_int_equal(err, MPROC_OK);
    os_process_status(child, &status);
    os_process_reap(child);
    os_process_close(child);
    return status;
}

void assert_exits_with(os_process *child, int code)
{
    mproc_exit_status status = finish(child);
    assert_int_equal(status.kind, MPROC_EXIT_EXITED);
    assert_int_equal(status.code, code);
}

void assert_was_ended(os_process *child, bool hard)
{
    mproc_exit_status status = finish(child);
    bool has_signals = os_can_start(MPROC_FORK);
    assert_int_equal(status.kind, has_signals ? MPROC_EXIT_SIGNALED : MPROC_EXIT_EXITED);
    assert_int_equal(status.code, hard ? 9 : 15);
}

board *make_board(os_shared *shared)
{
    assert_int_equal(os_shared_create(shared, BOARD_SIZE, BOARD_SIZE), MPROC_OK);
    assert_int_equal(os_shared_commit(shared, 0, 65536), MPROC_OK);
    return (board *)(void *)shared->base;
}

board *find_board(os_shared *shared, os_handle object)
{
    return os_shared_open(shared, object, BOARD_SIZE) ? NULL : (board *)(void *)shared->base;
}

void drop_board(os_shared *shared)
{
    os_handle_close(shared->object);
}

bool comes_to(_Atomic uint32_t *word, uint32_t value)
{
    int64_t deadline = soon();
    while (atomic_load(word) != value) {
        if (os_now() > deadline)
            return false;
        os_yield();
    }
    return true;
}

/* ---- the lifeline ---- */

os_lifeline lifeline;

int open_lifeline(void **state)
{
    (void)state;
    return os_lifeline_create(&lifeline);
}

int close_lifeline(void **state)
{
    (void)state;
    os_lifeline_close(&lifeline);
    return 0;
}

int play_sleeper(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_lifeline_wait(entry->handles[0], OS_FOREVER);
    return 77;
}

int play_exit(const os_entry *entry, const char *argument)
{
    (void)entry;
    return atoi(argument);
}
