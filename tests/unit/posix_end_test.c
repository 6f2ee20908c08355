/* A process that ends while other threads of it go on. POSIX: it is held up at its end by a pipe
 * that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mproc/mproc.h>

#include "../pace/pace.h"
#include "family/family.h"
#include "family/heap.h"

#define SOON pace_limit(30000) /* milliseconds */

typedef struct stage {
    mproc_lock lock, held;
    mproc_event held_before, taken_after;
    int pipe[2];
} stage;

static stage told;

static bool has_left(void)
{
    mproc_exit_status status;
    bool clean;
    return slot_reported(family.self, &status, &clean);
}

static void go_on(void *argument)
{
    (void)argument;
    mproc_lock_acquire(told.held, SOON);
    mproc_event_set(told.held_before);
    while (!has_left())
        os_yield();
    mproc_lock_acquire(told.lock, SOON);
    mproc_event_set(told.taken_after);
    for (;;)
        os_yield();
}

static void fill(int fd)
{
    const char nothing[512] = {0};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, nothing, sizeof nothing) > 0 || errno == EINTR) {
    }
    fcntl(fd, F_SETFL, 0);
}

static int end_under_a_thread(void *args, size_t size)
{
    (void)args;
    (void)size;
    os_handle thread;
    close(told.pipe[0]);
    fill(told.pipe[1]);
    FILE *full = fdopen(told.pipe[1], "w");
    if (!full || fputc('x', full) != 'x' || os_thread_start(&thread, go_on, NULL))
        return 1;
    return mproc_event_wait(told.held_before, SOON) ? 2 : 0;
}

static void drain(int fd)
{
    char some[512];
    while (read(fd, some, sizeof some) > 0) {
    }
}

static void what_other_threads_hold_at_the_end_of_a_process_is_swept(void **state)
{
    (void)state;
    mproc_process *process;
    int code = -1;
    assert_int_equal(mproc_lock_create(&told.lock), MPROC_OK);
    assert_int_equal(mproc_lock_create(&told.held), MPROC_OK);
    assert_int_equal(mproc_event_create(&told.held_before), MPROC_OK);
    assert_int_equal(mproc_event_create(&told.taken_after), MPROC_OK);
    assert_int_equal(pipe(told.pipe), 0);
    const mproc_process_options options = {.target = end_under_a_thread, .method = MPROC_FORK};
    assert_int_equal(mproc_process_create(&process, &options), MPROC_OK);
    assert_int_equal(mproc_process_start(process), MPROC_OK);
    close(told.pipe[1]);
    assert_int_equal(mproc_event_wait(told.taken_after, SOON), MPROC_OK);
    assert_int_equal(mproc_lock_acquire(told.held, 0), MPROC_ETIMEDOUT); /* that thread goes on */
    drain(told.pipe[0]);
    close(told.pipe[0]);
    assert_int_equal(mproc_process_join(process, SOON), MPROC_OK);
    assert_int_equal(mproc_process_exitcode(process, &code), MPROC_OK);
    assert_int_equal(code, 0);
    mproc_process_free(process);
    assert_int_equal(mproc_lock_acquire(told.lock, SOON), MPROC_EOWNERDEAD);
    assert_int_equal(mproc_lock_acquire(told.held, SOON), MPROC_EOWNERDEAD);
    mproc_lock_destroy(told.lock);
    mproc_lock_destroy(told.held);
    mproc_event_destroy(told.held_before);
    mproc_event_destroy(told.taken_after);
}

static void a_loan_is_not_given_back_by_the_child_of_a_foreign_fork(void **state)
{
    (void)state;
    mproc_queue queue;
    mproc_loan loan;
    int status = -1;
    assert_int_equal(mproc_queue_create(&queue, NULL), MPROC_OK);
    assert_int_equal(mproc_queue_reserve(queue, 5000, &loan), MPROC_OK);
    pid_t child = fork();
    if (child == 0) {
        mproc_loan_release(&loan);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(heap_owned_size(loan.id, family.self) >= 5000);
    assert_int_equal(mproc_queue_commit(queue, &loan, 0), MPROC_OK);
    assert_int_equal(mproc_queue_destroy(queue), MPROC_OK);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    if (family_enter())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_other_threads_hold_at_the_end_of_a_process_is_swept),
        cmocka_unit_test(a_loan_is_not_given_back_by_the_child_of_a_foreign_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
