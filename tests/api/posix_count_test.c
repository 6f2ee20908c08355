/* POSIX only: the example `count` at a terminal, as somebody sees it who runs it. */
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../terminal/terminal.h"

enum { COLUMNS = 72, FILES = 8, ROUNDS = 7 };
#define FIRST_SIZE (INT64_C(4) << 20)

typedef struct tree {
    note folder, output;
} tree;

static void path_in(const tree *of, int number, char *path, size_t capacity)
{
    snprintf(path, capacity, "%s/%d.txt", of->folder.path, number);
}

/* Files with holes, which take time and no room, and one that cannot be read: a link to itself. */
static tree make_tree(int64_t size)
{
    char path[500];
    const tree made = {new_note("folder"), new_note("output")};
    assert_int_equal(mkdir(made.folder.path, 0700), 0);
    for (int i = 0; i < FILES; i++) {
        path_in(&made, i, path, sizeof path);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, size), 0);
        close(fd);
    }
    path_in(&made, FILES, path, sizeof path);
    assert_int_equal(symlink("8.txt", path), 0);
    return made;
}

static void drop_tree(const tree *of)
{
    char path[500];
    for (int i = 0; i <= FILES; i++) {
        path_in(of, i, path, sizeof path);
        remove(path);
    }
    rmdir(of->folder.path);
    drop_note(&of->output);
}

static pid_t start_count(const tree *of)
{
    const char *program = getenv("MPROC_TEST_COUNT"), *method = getenv("MPROC_TEST_METHOD");
    pid_t pid = fork();
    if (pid)
        return pid;
    int output = open(of->output.path, O_CREAT | O_WRONLY, 0600);
    if (output >= 0 && dup2(output, STDOUT_FILENO) >= 0)
        execl(program, program, "--workers", "2", "--start-method", method, of->folder.path,
              (char *)NULL);
    _exit(127);
}

/* A row while it is at work, such as " 44% [#####......] 4/9 files, 51/s,  0:01 left". */
static bool is_under_way(const char *row)
{
    const char *percent = strchr(row, '%'), *count = strstr(row, "/9 files");
    return percent && count && atoi(row) > 0 && atoi(row) < 100 && strstr(row, "% [#") == percent;
}

/* What it ended with; -1: it did not. */
static int run_count(const tree *of, bool *seen)
{
    int status = -1;
    pid_t pid = start_count(of);
    const int64_t patience = host_now() + SOON;
    while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
        *seen = is_under_way(terminal_row(0)) || *seen;
        if (host_now() > patience)
            kill(pid, SIGKILL);
        host_nap(5);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_bar_shows_how_far_count_is(void **state)
{
    (void)state;
    char output[OUTPUT_SIZE];
    bool seen = false;
    int code = 1;
    host_set_variable("NO_COLOR", NULL);
    host_set_variable("TERM", "xterm");
    for (int round = 0; code == 1 && !seen && round < ROUNDS; round++) {
        tree made = make_tree(FIRST_SIZE << round); /* until it lasts long enough to be seen */
        if (!terminal_open(COLUMNS)) {
            drop_tree(&made);
            skip();
        }
        code = run_count(&made, &seen);
        terminal_close();
        read_file(made.output.path, output, sizeof output);
        drop_tree(&made);
    }
    assert_int_equal(code, 1); /* one could not be read */
    assert_true(seen);
    assert_memory_equal(terminal_row(0), "100% [###", 9);
    assert_non_null(strstr(terminal_row(0), "###] 9/9 files, "));
    assert_non_null(strstr(terminal_row(0), " s, 1 failed"));
    assert_memory_equal(terminal_row(1), "count: ", 7);
    assert_non_null(strstr(output, "total: 8 files, 0 lines, "));
    assert_true(terminal_had_escapes());
    assert_false(terminal_was_strange());
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, NULL, 0, &code))
        return code;
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bar_shows_how_far_count_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
