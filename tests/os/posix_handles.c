/* Handles for a child when descriptors are short: it says so, and nothing is left anywhere. */
#include "posix_apart.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAIRS = 60, LIMIT = 200, LIMIT_OF_SERVER = 40, FEW = 5 };

static os_handle kept[PAIRS], given[PAIRS];

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The last one first: a spawned child wants the numbers that the first ones have. */
static bool make_pairs(void)
{
    os_handle ends[2];
    for (int i = PAIRS - 1; i >= 0; i--) {
        if (os_channel_pair(ends, false))
            return false;
        kept[i] = ends[0];
        given[i] = ends[1];
    }
    return true;
}

static mproc_err look_for_end(os_handle handle, int64_t deadline)
{
    os_channel channel;
    char byte;
    size_t got;
    mproc_err err = os_channel_open(&channel, handle);
    if (!err)
        err = os_channel_read(&channel, &byte, 1, &got, NULL, deadline);
    os_channel_close(&channel);
    return err;
}

static bool all_are_at_their_end(void)
{
    for (int i = 0; i < PAIRS; i++)
        os_handle_close(given[i]);
    for (int i = 0; i < PAIRS; i++) {
        if (look_for_end(kept[i], soon()) != MPROC_EEOF)
            return false;
    }
    return true;
}

static int play_count(const os_entry *entry, const char *argument)
{
    (void)argument;
    return (int)entry->handle_count;
}

static int spawn_with_few_left(void)
{
    const struct rlimit limit = {LIMIT, LIMIT};
    os_process child = {.pid = 5};
    int fd, last = -1;
    CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
    CHECK(make_pairs());
    while ((fd = dup(STDERR_FILENO)) >= 0)
        last = fd;
    int before = count_descriptors();
    CHECK(os_spawn(&child, "count", given, PAIRS, NULL) == MPROC_EAGAIN && child.pid == 5);
    CHECK(count_descriptors() == before);
    for (fd = last; fd > last - 70 && fd > (int)given[0]; fd--)
        close(fd);
    before = count_descriptors();
    CHECK(os_spawn(&child, "count", given, PAIRS, NULL) == MPROC_OK);
    CHECK(ends_as(&child, MPROC_EXIT_EXITED, PAIRS));
    CHECK(count_descriptors() == before);
    CHECK(all_are_at_their_end());
    return 0;
}

static void a_spawn_without_descriptors_leaves_nothing(void **state)
{
    (void)state;
    apart(spawn_with_few_left);
}

static int play_server(const os_entry *entry, const char *argument)
{
    (void)argument;
    os_order order = os_forkserver_serve(entry->handles[0], NULL);
    free(order.handles);
    return (int)order.handle_count;
}

static bool set_soft_limit(rlim_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return false;
    limit.rlim_cur = count;
    return !setrlimit(RLIMIT_NOFILE, &limit);
}

static int ask_a_poor_server(void)
{
    os_process server, child = {.pid = 5};
    os_handle ends[2];
    CHECK(set_soft_limit(LIMIT_OF_SERVER));
    CHECK(os_forkserver_channel(ends) == MPROC_OK);
    const os_handle handles[] = {ends[1], lifeline.watch};
    CHECK(os_spawn(&server, "server", handles, 2, NULL) == MPROC_OK);
    os_handle_close(ends[1]);
    CHECK(set_soft_limit(LIMIT) && make_pairs());
    int before = count_descriptors();
    for (int i = 0; i < 3; i++)
        CHECK(os_forkserver_request(ends[0], 1, given, PAIRS, &child) == MPROC_EAGAIN);
    CHECK(child.pid == 5 && count_descriptors() == before);
    CHECK(os_forkserver_request(ends[0], 1, given, FEW, &child) == MPROC_OK);
    if (child.foreign)
        os_process_close(&child);
    else
        CHECK(ends_as(&child, MPROC_EXIT_EXITED, FEW));
    CHECK(all_are_at_their_end());
    os_handle_close(ends[0]);
    CHECK(ends_as(&server, MPROC_EXIT_EXITED, 0));
    return 0;
}

static void a_server_without_descriptors_leaves_nothing(void **state)
{
    (void)state;
    apart(ask_a_poor_server);
}

int main(int argc, char **argv)
{
    static const role roles[] = {{"count", play_count}, {"server", play_server}};
    int code;
    if (play_role(argc, argv, roles, sizeof roles / sizeof roles[0], &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spawn_without_descriptors_leaves_nothing),
        cmocka_unit_test(a_server_without_descriptors_leaves_nothing),
    };
    return cmocka_run_group_tests_name("os handles", tests, open_lifeline, NULL);
}
