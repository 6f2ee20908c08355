/* Runs each scenario with each fault, until a run is through before its fault's turn has come. */
#include "../api/support.h"

#include <stdlib.h>

#include "fault.h"

enum { LIMIT = 60000, MOST_CALLS = 2000, MOST_FAILURES = 3, MOST_SCENARIOS = 64 };

static const scenario *const groups[] = {process_scenarios, pool_scenarios, memory_scenarios,
                                         sync_scenarios,    data_scenarios, connection_scenarios};

const scenario *find_scenario(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        for (const scenario *at = groups[i]; at->name; at++) {
            if (!strcmp(at->name, name))
                return at;
        }
    }
    return NULL;
}

static struct totals {
    unsigned runs, faults, failures;
} totals;

typedef struct order {
    const scenario *what;
    bool in_children, forever;
    unsigned at, variant;
    const char *left; /* "": not known yet */
} order;

static char mark[64];

/* The output of one run; false when it has failed. */
static bool run(const order *told, char *output, size_t capacity)
{
    char at[16], variant[16], left[5][32] = {""};
    note token = new_note("fault"), file = new_note("output");
    snprintf(at, sizeof at, "%u", told->at);
    snprintf(variant, sizeof variant, "%u", told->variant);
    bool known = sscanf(told->left, "%31s %31s %31s %31s", left[0], left[1], left[2], left[3]) == 4;
    const char *arguments[] = {"--role",
                               "run",
                               told->what->name,
                               told->in_children ? "1" : "0",
                               told->forever ? "1" : "0",
                               at,
                               variant,
                               token.path,
                               known ? left[0] : NULL,
                               left[1],
                               left[2],
                               left[3],
                               left[4],
                               NULL};
    host_program program;
    int code = -1;
    assert_true(leave_note(&token, ""));
    assert_true(host_start(&program, &(host_command){.arguments = arguments, .output = file.path}));
    if (!host_wait(&program, LIMIT, &code)) {
        host_kill(program.pid);
        assert_true(host_wait(&program, SOON, &code));
        code = -1;
    }
    read_file(file.path, output, capacity);
    bool joined =
        told->in_children || !strstr(output, LATE_CHILD_STARTS) || strstr(output, LATE_CHILD_ENDS);
    drop_note(&file);
    drop_note(&token);
    int64_t end = host_now() + SOON / 10;
    while (host_count_marked(mark) > 0 && host_now() < end)
        host_nap(2);
    int strays = host_count_marked(mark);
    totals.runs++;
    if (code == 0 && strays <= 0 && joined)
        return true;
    totals.failures++;
    print_error("%s: %s %s, fault %u, error %u: %s %d, %d processes left%s\n%s\n", told->what->name,
                told->in_children ? "in children" : "here", told->forever ? "for ever" : "once",
                told->at, told->variant, code < 0 ? "hangs" : "exit code", code, strays,
                joined ? "" : ", a child was not joined", output);
    return false;
}

static void find_what_is_left(const order *told, char left[128])
{
    char output[4096];
    assert_true(run(told, output, sizeof output));
    const char *line = strstr(output, "left: ");
    if (line)
        snprintf(left, 128, "%s", line + strlen("left: "));
}

/* The system's own start method is tried in full, the others share most calls with it. Where a run
 * takes long, not every call is tried by every scenario. */
static bool method_is_default;

static unsigned step(void)
{
    const char *text = getenv("MPROC_TEST_FAULT_STEP");
    unsigned given = text ? (unsigned)atoi(text) : 1;
    return getenv("MPROC_SOAK") ? 1 : method_is_default ? given : given * 2;
}

/* Which errors: all that there are, or each time another one. */
static bool run_variants(order *told)
{
    char output[4096];
    bool struck = false;
    unsigned variants = getenv("MPROC_SOAK") ? 4 : 1;
    for (unsigned i = 0; i < variants; i++) {
        told->variant = told->at + i + told->forever;
        run(told, output, sizeof output);
        bool strikes = strstr(output, "fault: ") != NULL;
        struck |= strikes;
        totals.faults += strikes;
    }
    return struck;
}

static void survives_every_fault(void **state)
{
    char left[128] = "";
    order told = {.what = *state, .left = left};
    static unsigned first; /* another one for each scenario */
    first++;
    totals = (struct totals){0};
    note trace = new_note("trace");
    host_set_variable("MPROC_TRACE", told.what->traced ? trace.path : NULL);
    find_what_is_left(&told, left);
    const unsigned enough = step() > 2 ? 1 : 2;
    for (int kind = 0; kind < 4; kind++) {
        unsigned quiet = 0;
        told.in_children = kind & 2;
        told.forever = kind & 1;
        told.at = (first + (unsigned)kind) % step() + 1;
        for (; quiet < enough && told.at <= MOST_CALLS; told.at += step()) {
            quiet = run_variants(&told) ? 0 : quiet + 1;
            if (totals.failures >= MOST_FAILURES)
                fail();
        }
        assert_true(quiet == enough);
    }
    drop_note(&trace);
    print_message("%s: %u faults in %u runs\n", told.what->name, totals.faults, totals.runs);
    assert_int_equal(totals.failures, 0);
}

static const role roles[] = {{"run", run_scenario}};

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    struct CMUnitTest tests[MOST_SCENARIOS];
    size_t count = 0;
    const char *only = argc > 1 ? argv[1] : "";
    mproc_start_method method = mproc_get_start_method();
    mproc_set_start_method(MPROC_START_DEFAULT);
    method_is_default = mproc_get_start_method() == method;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        for (const scenario *at = groups[i]; at->name && count < MOST_SCENARIOS; at++) {
            if (strstr(at->name, only) && (method_is_default || !at->starts_nothing))
                tests[count++] = (struct CMUnitTest){.name = at->name,
                                                     .test_func = survives_every_fault,
                                                     .initial_state = (void *)(uintptr_t)at};
        }
    }
    snprintf(mark, sizeof mark, "fault-%lld", host_pid());
    host_set_variable("MPROC_TEST_MARK", mark);
    host_set_variable("MPROC_ARENA_SIZE", "128M"); /* can be filled in no time */
    host_set_variable("MPROC_ARENA_LIMIT", "96M");
    return _cmocka_run_group_tests("fault", tests, count, NULL, NULL);
}
