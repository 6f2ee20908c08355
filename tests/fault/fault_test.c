/* Runs each scenario with faults: see fault.h. What can fail is counted in two runs without a fault; of
 * that it does the least that is stated below, and then as much as the budget allows. */
#include "../api/support.h"

#include <stdlib.h>

#include "fault.h"

enum { MOST_CALLS = 2000, MOST_FAILURES = 3, MOST_OF_ALL = 12, MOST_SCENARIOS = 64 };

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
    unsigned runs, faults, failures, possible, starts;
} totals, sums;

typedef struct order {
    const scenario *what;
    bool in_children, forever;
    unsigned at, variant;
    const char *left; /* "": not known yet */
} order;

static char mark[64];
static bool adopts_orphans; /* else they are searched for */

/* ---- one run ---- */

/* Of what the run has started, when it has ended itself. 0: nothing; -1: nobody can tell. */
static int count_strays(void)
{
    const int64_t end = host_now() + SOON / 10;
    int strays = 0;
    while ((strays = adopts_orphans ? host_has_children() : host_count_marked(mark)) > 0 &&
           host_now() < end)
        host_nap(1);
    return strays;
}

/* The program that is tested; the harness itself belongs to no family, and so its copies are as
 * programs that have just been started. */
static int be_tested(int argc, char **argv)
{
    static const role roles[] = {{"run", run_scenario}};
    int code = VIOLATED;
    mproc_main_guard(argc, argv);
    play_role(argc, argv, roles, COUNT_OF(roles), &code);
    return code;
}

static int play(const char *const *arguments, const note *file)
{
    host_program program;
    int code = -1;
    assert_true(host_start_copy(
        &program, &(host_command){.arguments = arguments, .output = file->path}, be_tested));
    if (!host_wait(&program, 2 * SOON, &code)) {
        host_kill(program.pid);
        assert_true(host_wait(&program, SOON, &code));
        code = -1;
    }
    return code;
}

static int64_t number_behind(const char *label, const char *output)
{
    const char *line = strstr(output, label);
    return line ? atoll(line + strlen(label)) : 0;
}

static void tell_failure(const order *told, int code, int strays, bool joined, const char *output)
{
    totals.failures++;
    print_error("%s: %s %s, fault %u, error %u: %s %d, %d processes left%s\n%s\n", told->what->name,
                told->in_children ? "in children" : "here", told->forever ? "for ever" : "once",
                told->at, told->variant, code < 0 ? "hangs" : "exit code", code, strays,
                joined ? "" : ", a child was not joined", output);
}

/* The output of one run; false when it has failed. */
static bool run(const order *told, const note *token, char *output, size_t capacity)
{
    char at[16], variant[16], left[5][32] = {""};
    note file = new_note("output");
    snprintf(at, sizeof at, "%u", told->at);
    snprintf(variant, sizeof variant, "%u", told->variant);
    bool known = sscanf(told->left, "%31s %31s %31s %31s %31s", left[0], left[1], left[2], left[3],
                        left[4]) == 5;
    const char *arguments[] = {"--role",
                               "run",
                               told->what->name,
                               told->in_children ? "1" : "0",
                               told->forever ? "1" : "0",
                               at,
                               variant,
                               token->path,
                               known ? left[0] : NULL,
                               left[1],
                               left[2],
                               left[3],
                               left[4],
                               NULL};
    assert_true(leave_note(token, ""));
    const int code = play(arguments, &file);
    read_file(file.path, output, capacity);
    bool joined =
        told->in_children || !strstr(output, LATE_CHILD_STARTS) || strstr(output, LATE_CHILD_ENDS);
    drop_note(&file);
    drop_note(token);
    const int strays = count_strays();
    totals.runs++;
    totals.starts += 1 + (unsigned)number_behind("starts: ", output);
    if (code == 0 && strays <= 0 && joined)
        return true;
    tell_failure(told, code, strays, joined, output);
    return false;
}

/* ---- what there is to do ---- */

static bool is_slow; /* what is run */

typedef struct fault_case {
    unsigned at;
    bool in_children, forever;
    bool wanted; /* part of the least that is done */
} fault_case;

static fault_case cases[4 * MOST_CALLS];
static size_t case_count;

/* What a run without a fault called, a byte for each call that tells one function from another, and
 * what it left. */
static size_t count_calls(const order *told, char calls[MOST_CALLS], char left[128])
{
    char output[4096];
    note token = new_note("fault"), list = token;
    strcat(list.path, CALLS_ENDING);
    assert_true(leave_note(&list, ""));
    assert_true(run(told, &token, output, sizeof output));
    const char *line = strstr(output, "left: ");
    snprintf(left, 128, "%s", line ? line + strlen("left: ") : "");
    left[strcspn(left, "\n")] = '\0';
    FILE *file = fopen(list.path, "rb");
    assert_non_null(file);
    const size_t count = fread(calls, 1, MOST_CALLS, file);
    fclose(file);
    drop_note(&list);
    assert_true(count < MOST_CALLS);
    return count;
}

static bool is_new(bool seen[256], char function)
{
    bool *it = &seen[(unsigned char)function];
    const bool new = !*it;
    *it = true;
    return new;
}

/* The least, of the first process and of its children: their first call and their last, once and for
 * ever, and a call of each function, one of the two. Where a run takes long, only one of the two
 * everywhere, and of each function that no scenario has tried yet. */
static void add_cases(bool in_children, const char *calls, size_t count)
{
    static bool tried[2][256];
    bool seen[256] = {false};
    bool *known = is_slow ? tried[in_children] : seen;
    const size_t first = case_count, begin = count ? pace_draw(count) : 0;
    for (size_t i = 0; i < 2 * count; i++)
        cases[case_count++] =
            (fault_case){.at = (unsigned)(i / 2) + 1, .in_children = in_children, .forever = i % 2};
    for (size_t i = 0; i < count; i++) {
        const size_t at = (begin + i) % count;
        const bool is_end = at == 0 || at == count - 1;
        fault_case *pair = &cases[first + 2 * at];
        if (is_new(known, calls[at]) || is_end)
            pair[pace_draw(2)].wanted = true;
        if (is_end && !is_slow)
            pair[0].wanted = pair[1].wanted = true;
    }
}

/* What is wanted comes first, all in an order drawn at random. */
static void shuffle_cases(void)
{
    size_t sorted = 0;
    for (size_t i = case_count; i > 1; i--) {
        const size_t other = pace_draw(i);
        const fault_case moved = cases[i - 1];
        cases[i - 1] = cases[other];
        cases[other] = moved;
    }
    for (size_t i = 0; i < case_count; i++) {
        const fault_case moved = cases[i];
        if (moved.wanted) {
            cases[i] = cases[sorted];
            cases[sorted++] = moved;
        }
    }
}

/* Two runs in a row must leave the same: on a busy machine one may have been looked at too early. */
static void find_cases(const scenario *what, char left[128])
{
    static char calls[MOST_CALLS];
    char before[128] = "?";
    order told = {.what = what, .left = ""};
    case_count = 0;
    add_cases(false, calls, count_calls(&told, calls, left));
    if (!what->starts_nothing) {
        told.in_children = true;
        memcpy(before, left, sizeof before);
        add_cases(true, calls, count_calls(&told, calls, left));
    }
    for (int tries = 0; tries < 20 && strcmp(before, left) != 0; tries++) {
        memcpy(before, left, sizeof before);
        count_calls(&told, calls, left);
    }
    assert_string_equal(before, left);
    shuffle_cases();
}

/* ---- one scenario ---- */

static unsigned failures_before; /* of other scenarios */

/* Each time another error of those that the call can give; in the soak all of them. */
static void run_case(order *told, const fault_case *chosen)
{
    char output[4096];
    const unsigned variants = pace_is_soak() ? 4 : 1;
    const unsigned first = (unsigned)pace_draw(64);
    note token = new_note("fault");
    told->at = chosen->at;
    told->in_children = chosen->in_children;
    told->forever = chosen->forever;
    for (unsigned i = 0; i < variants; i++) {
        told->variant = first + i;
        run(told, &token, output, sizeof output);
        totals.faults += strstr(output, "fault: ") != NULL;
    }
    totals.possible += variants;
    if (totals.failures >= MOST_FAILURES || failures_before + totals.failures >= MOST_OF_ALL)
        fail();
}

static int64_t whole_end; /* of the budget */
static unsigned scenarios_left;

static void survives_every_fault(void **state)
{
    char left[128] = "";
    order told = {.what = *state, .left = left};
    const int64_t begin = host_now();
    const int64_t end = begin + (whole_end - begin) / scenarios_left--;
    failures_before += totals.failures;
    if (failures_before >= MOST_OF_ALL)
        fail(); /* enough is known */
    totals = (struct totals){0};
    note trace = new_note("trace");
    host_set_variable("MPROC_TRACE", told.what->traced ? trace.path : NULL);
    find_cases(told.what, left);
    size_t done = 0;
    for (; done < case_count && (cases[done].wanted || host_now() < end); done++)
        run_case(&told, &cases[done]);
    drop_note(&trace);
    totals.possible += (unsigned)(case_count - done);
    print_message("%s: %u of %u faults, %u runs\n", told.what->name, totals.faults, totals.possible,
                  totals.runs);
    sums.faults += totals.faults;
    sums.possible += totals.possible;
    sums.runs += totals.runs;
    sums.starts += totals.starts;
    assert_int_equal(totals.failures, 0);
    assert_true(totals.faults > 0 || case_count == 0); /* there may be nothing that can fail */
}

/* ---- all ---- */

static size_t list_scenarios(struct CMUnitTest tests[MOST_SCENARIOS], const char *only,
                             bool is_usual_method)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        for (const scenario *at = groups[i]; at->name && count < MOST_SCENARIOS; at++) {
            if (strstr(at->name, only) && (is_usual_method || !at->starts_nothing))
                tests[count++] = (struct CMUnitTest){.name = at->name,
                                                     .test_func = survives_every_fault,
                                                     .initial_state = (void *)(uintptr_t)at};
        }
    }
    return count;
}

/* The system's own start method is tried for longer: the others share most calls with it. */
static int run_all(int argc, char **argv)
{
    struct CMUnitTest tests[MOST_SCENARIOS];
    int code;
    play_role(argc, argv, NULL, 0, &code); /* makes the method that is tested the usual one */
    const mproc_start_method method = mproc_get_start_method();
    mproc_set_start_method(MPROC_START_DEFAULT);
    const bool is_usual_method = mproc_get_start_method() == method;
    const size_t count = list_scenarios(tests, argc > 1 ? argv[1] : "", is_usual_method);
    snprintf(mark, sizeof mark, "fault-%lld", host_pid());
    host_set_variable("MPROC_TEST_MARK", mark);
    host_set_variable("MPROC_ARENA_SIZE", "128M"); /* can be filled in no time */
    host_set_variable("MPROC_ARENA_LIMIT", "96M");
    is_slow = FAULT_IS_SLOW || (FAULT_STARTS_SLOWLY && !is_usual_method);
    adopts_orphans = host_adopt_orphans();
    const int64_t begin = host_now();
    whole_end = begin + pace_budget(is_usual_method ? FAULT_BUDGET : FAULT_BUDGET / 2);
    scenarios_left = (unsigned)count;
    print_message("MPROC_TEST_SEED=%u\n", pace_seed());
    code = _cmocka_run_group_tests("fault", tests, count, NULL, NULL);
    print_message("fault: %u of %u faults in %u runs, %u processes started, %lld s\n", sums.faults,
                  sums.possible, sums.runs, sums.starts, (long long)(host_now() - begin) / 1000);
    return code;
}

int main(int argc, char **argv)
{
    return getenv("MPROC_TEST_MARK") ? be_tested(argc, argv) : run_all(argc, argv);
}
