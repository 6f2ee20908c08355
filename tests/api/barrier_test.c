/* Barriers: parties are threads of this process and other processes, at once. */
#include "sync_support.h"

#include <stdlib.h>

enum { MOST = 8, ROUNDS = 1000 };

/* In shared memory. */
typedef struct court {
    mproc_barrier barrier, second;
    _Atomic int err[MOST], arrivals[MOST], passes[MOST];
    _Atomic unsigned index[MOST][ROUNDS];
    _Atomic int action_runs, action_sees_wrong;
    _Atomic long long action_pid;
    _Atomic int stage, go, overtaken;
} court;

static mproc_memory place;
static court *the;

static void open_court(unsigned parties, const mproc_barrier_options *options)
{
    the = alloc_shared(&place, sizeof *the);
    for (int i = 0; i < MOST; i++)
        the->err[i] = UNTOUCHED;
    assert_int_equal(mproc_barrier_create(&the->barrier, parties, options), MPROC_OK);
}

static void close_court(void)
{
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    free_shared(place);
}

static bool await_waiting(mproc_barrier barrier, unsigned wanted)
{
    const int64_t deadline = host_now() + SOON;
    for (unsigned count = 0;; host_nap(1)) {
        if (!mproc_barrier_n_waiting(barrier, &count) && count == wanted)
            return true;
        if (host_now() > deadline)
            return false;
    }
}

/* ---- parties ---- */

/* Waits as often as it is told to, or until it fails. */
static int take_part(void *args, size_t size)
{
    const party *me = args;
    court *here = place_of(args, size);
    if (!here)
        return 1;
    mproc_err err = MPROC_OK;
    for (int i = 0; i < me->rounds && !err; i++) {
        unsigned index = UNTOUCHED;
        here->arrivals[me->who]++;
        err = mproc_barrier_wait(here->barrier, me->timeout_ms, &index);
        here->index[me->who][i] = index;
        for (int j = 0; j < me->of && !err; j++)
            here->overtaken += here->arrivals[j] <= i || here->passes[j] > i + 1;
        here->passes[me->who] += !err;
    }
    here->err[me->who] = err;
    return 0;
}

static void take_part_as_thread(void *args)
{
    take_part(args, sizeof(party));
}

static void start_waits(team *all, int threads, int processes, party like)
{
    like.place = place;
    start_team(all, take_part, threads, processes, like);
}

static void assert_team_got(const team *all, mproc_err err)
{
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(the->err[i], err);
}

static const party once = {.rounds = 1, .timeout_ms = MPROC_FOREVER};

/* Two threads and two processes wait where one is missing. */
static void start_waiters(team *all)
{
    start_waits(all, 2, 2, once);
    assert_true(await_waiting(the->barrier, 4));
}

static void assert_it_works(int parties)
{
    team all;
    for (int i = 0; i < MOST; i++)
        the->err[i] = UNTOUCHED;
    assert_false(mproc_barrier_is_broken(the->barrier));
    start_waits(&all, 2, parties - 2, once);
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
}

/* ---- passing ---- */

static void one_party_passes_at_once(void **state)
{
    (void)state;
    open_court(1, NULL);
    for (int i = 0; i < 10; i++) {
        unsigned index = UNTOUCHED;
        assert_int_equal(mproc_barrier_wait(the->barrier, i % 2 ? 0 : MPROC_FOREVER, &index),
                         MPROC_OK);
        assert_int_equal(index, 0);
        assert_int_equal(mproc_barrier_wait(the->barrier, 0, NULL), MPROC_OK);
    }
    close_court();
}

static void assert_indices_are_complete(int parties, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        unsigned seen = 0;
        for (int j = 0; j < parties; j++) {
            assert_true(the->index[j][i] < (unsigned)parties);
            seen |= 1u << the->index[j][i];
        }
        assert_int_equal(seen, (1u << parties) - 1);
    }
}

static void every_index_is_given_once_and_exactly_one_party_gets_zero(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    start_waits(&all, 3, 3, (party){.rounds = 50, .timeout_ms = SOON});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_indices_are_complete(6, 50);
    close_court();
}

static void a_thousand_passes_and_nobody_is_overtaken(void **state)
{
    (void)state;
    team all;
    open_court(4, NULL);
    start_waits(&all, 2, 2, (party){.rounds = ROUNDS, .timeout_ms = MPROC_FOREVER});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_indices_are_complete(4, ROUNDS);
    assert_int_equal(the->overtaken, 0);
    close_court();
}

static void more_users_than_parties_pass_in_groups(void **state)
{
    (void)state;
    team all;
    open_court(2, NULL);
    start_waits(&all, 3, 3, (party){.rounds = 1, .timeout_ms = SOON});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    close_court();
}

static void waiting_and_parties_are_told(void **state)
{
    (void)state;
    team all;
    unsigned number = UNTOUCHED;
    open_court(5, NULL);
    assert_int_equal(mproc_barrier_parties(the->barrier, &number), MPROC_OK);
    assert_int_equal(number, 5);
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, &number), MPROC_OK);
    assert_int_equal(number, 0);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, &number), MPROC_OK);
    assert_int_equal(number, 4);
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, &number), MPROC_OK);
    assert_int_equal(number, 0);
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    close_court();
}

/* ---- the action ---- */

typedef struct brief {
    mproc_memory place;
    int number, returns, wait_for;
    unsigned char rest[101];
} brief;

static int action(void *args, size_t size)
{
    brief *mine = args;
    court *here = size == sizeof *mine ? mproc_memory_data(mine->place) : NULL;
    if (!here)
        return 1;
    here->action_sees_wrong += mine->number != 17 || mine->rest[100] != 100;
    mine->number = 0; /* it is a copy */
    here->action_pid = host_pid();
    here->action_runs++;
    here->stage = 1;
    if (mine->wait_for && !await_value(&here->go, 1))
        return 2;
    return mine->returns;
}

static void open_court_with_action(unsigned parties, int returns, int wait_for)
{
    brief args = {.number = 17, .returns = returns, .wait_for = wait_for};
    open_court(1, NULL);
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    args.place = place;
    args.rest[100] = 100;
    assert_int_equal(
        mproc_barrier_create(
            &the->barrier, parties,
            &(mproc_barrier_options){.action = action, .args = &args, .args_size = sizeof args}),
        MPROC_OK);
    memset(&args, 0xff, sizeof args);
}

static void the_action_runs_once_for_each_pass_with_its_own_arguments(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 0, 0);
    start_waits(&all, 2, 2, (party){.rounds = 100, .timeout_ms = SOON});
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_int_equal(the->action_runs, 100);
    assert_int_equal(the->action_sees_wrong, 0);
    assert_indices_are_complete(4, 100);
    close_court();
}

static void the_action_runs_in_whichever_process_comes_last(void **state)
{
    (void)state;
    open_court_with_action(2, 0, 0);
    team all;
    start_waits(&all, 1, 0, once);
    assert_true(await_waiting(the->barrier, 1));
    party last = once;
    last.place = place;
    last.who = 1;
    mproc_process *process = start_process(take_part, &last, sizeof last);
    long long pid = mproc_process_pid(process);
    assert_int_equal(exit_code_of(process), 0);
    join_team(&all);
    assert_int_equal(the->err[0], MPROC_OK);
    assert_int_equal(the->err[1], MPROC_OK);
    assert_int_equal(the->index[1][0], 1);
    assert_int_equal(the->action_pid, pid);
    close_court();
}

static void nobody_goes_on_before_the_action_is_done(void **state)
{
    (void)state;
    team all;
    unsigned count;
    open_court_with_action(4, 0, 1);
    start_waits(&all, 2, 2, once);
    assert_true(await_value(&the->stage, 1));
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, &count), MPROC_OK);
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(the->err[i], UNTOUCHED);
    the->go = 1;
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    close_court();
}

static void an_action_that_fails_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 3, 0);
    for (int i = 1; i <= 2; i++) {
        start_waits(&all, 2, 2, once);
        join_team(&all);
        assert_team_got(&all, MPROC_EBROKEN);
        assert_int_equal(the->index[0][0], UNTOUCHED);
        assert_true(mproc_barrier_is_broken(the->barrier));
        assert_int_equal(the->action_runs, i);
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    }
    close_court();
}

static void an_abort_while_the_action_runs_breaks_that_pass(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 0, 1);
    start_waits(&all, 2, 2, once);
    assert_true(await_value(&the->stage, 1));
    assert_int_equal(mproc_barrier_abort(the->barrier), MPROC_OK);
    the->go = 1;
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(4);
    close_court();
}

/* ---- breaking ---- */

static void abort_breaks_waiters_and_stays(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    start_waiters(&all);
    assert_false(mproc_barrier_is_broken(the->barrier));
    assert_int_equal(mproc_barrier_abort(the->barrier), MPROC_OK);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    for (int i = 0; i < 3; i++) {
        unsigned count = UNTOUCHED;
        assert_true(mproc_barrier_is_broken(the->barrier));
        assert_int_equal(mproc_barrier_wait(the->barrier, MPROC_FOREVER, &count), MPROC_EBROKEN);
        assert_int_equal(mproc_barrier_wait(the->barrier, 0, NULL), MPROC_EBROKEN);
        assert_int_equal(count, UNTOUCHED);
        assert_int_equal(mproc_barrier_n_waiting(the->barrier, &count), MPROC_OK);
        assert_int_equal(count, 0);
        assert_int_equal(mproc_barrier_abort(the->barrier), MPROC_OK);
    }
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(5);
    close_court();
}

static void reset_frees_waiters_as_broken_and_then_it_works(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    for (int i = 0; i < 2; i++) {
        start_waiters(&all);
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
        join_team(&all);
        assert_team_got(&all, MPROC_EBROKEN);
        assert_it_works(5);
    }
    close_court();
}

static void many_resets_at_once_are_no_pass(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    start_waiters(&all);
    for (int i = 0; i < 64; i++)
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_it_works(5);
    close_court();
}

/* Between two passes of the second barrier. */
static int pass_and_meet(void *args, size_t size)
{
    const party *me = args;
    court *here = place_of(args, size);
    mproc_err err = here ? MPROC_OK : MPROC_EINVAL;
    for (int i = 0; i < me->rounds && !err; i++) {
        err = mproc_barrier_wait(here->barrier, SOON, NULL);
        if (!err)
            err = mproc_barrier_wait(here->second, SOON, NULL);
    }
    return -err;
}

static void a_reset_right_after_a_pass_does_not_break_that_pass(void **state)
{
    (void)state;
    open_court(2, NULL);
    assert_int_equal(mproc_barrier_create(&the->second, 2, NULL), MPROC_OK);
    party other = {.place = place, .rounds = 300};
    mproc_process *process = start_process(pass_and_meet, &other, sizeof other);
    for (int i = 0; i < other.rounds; i++) {
        assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
        assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
        assert_int_equal(mproc_barrier_wait(the->second, SOON, NULL), MPROC_OK);
    }
    assert_int_equal(exit_code_of(process), 0);
    assert_int_equal(mproc_barrier_destroy(the->second), MPROC_OK);
    close_court();
}

static void one_time_out_breaks_it_for_all(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_wait(the->barrier, 20, NULL), MPROC_ETIMEDOUT);
    assert_true(mproc_barrier_is_broken(the->barrier));
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(6);
    close_court();
}

static void a_wait_that_may_not_wait_breaks_it_unless_it_is_the_last(void **state)
{
    (void)state;
    team all;
    unsigned index = UNTOUCHED;
    open_court(5, NULL);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_wait(the->barrier, 0, &index), MPROC_OK);
    assert_int_equal(index, 4);
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
    assert_int_equal(mproc_barrier_wait(the->barrier, 0, NULL), MPROC_ETIMEDOUT);
    assert_true(mproc_barrier_is_broken(the->barrier));
    close_court();
}

static void the_time_out_of_the_barrier_is_that_of_waits_without_one(void **state)
{
    (void)state;
    open_court(2, &(mproc_barrier_options){.timeout_ms = 20});
    assert_int_equal(mproc_barrier_wait(the->barrier, MPROC_FOREVER, NULL), MPROC_ETIMEDOUT);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    team all;
    start_waits(&all, 0, 1, once);
    assert_true(await_value(&the->err[0], MPROC_ETIMEDOUT));
    join_team(&all);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    start_waits(&all, 1, 0, (party){.rounds = 1, .timeout_ms = SOON});
    assert_true(await_waiting(the->barrier, 1));
    host_nap(60); /* longer than the barrier's own: that must not matter */
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    join_team(&all);
    assert_int_equal(the->err[0], MPROC_OK);
    close_court();
}

/* ---- ends of processes ---- */

/* Passes once and stays. */
static int pass_and_stay(void *args, size_t size)
{
    court *here = place_of(args, size);
    if (!here || mproc_barrier_wait(here->barrier, SOON, NULL))
        return 1;
    here->stage = 1;
    host_wait_forever();
    return 0;
}

static mproc_process *start_member(mproc_target part)
{
    return start_party(part, (party){.place = place, .who = 7, .rounds = 1, .timeout_ms = -1});
}

static void a_member_killed_while_it_waits_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    mproc_process *victim = start_member(take_part);
    assert_true(await_waiting(the->barrier, 1));
    start_waits(&all, 2, 2, once);
    assert_true(await_waiting(the->barrier, 5));
    mproc_process_kill(victim);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_true(mproc_barrier_is_broken(the->barrier));
    end_process(victim);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(6);
    close_court();
}

/* A process that has passed together with this one, and computes. */
static mproc_process *start_computing(void)
{
    open_court(2, NULL);
    mproc_process *other = start_member(pass_and_stay);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    assert_true(await_value(&the->stage, 1));
    return other;
}

static void a_member_killed_between_two_passes_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    mproc_process *victim = start_computing();
    start_waits(&all, 0, 1, once);
    assert_true(await_waiting(the->barrier, 1));
    mproc_process_kill(victim);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    end_process(victim);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_EBROKEN);
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    assert_it_works(2);
    close_court();
}

static void a_reset_forgets_its_members(void **state)
{
    (void)state;
    mproc_process *other = start_computing();
    assert_int_equal(mproc_barrier_reset(the->barrier), MPROC_OK);
    end_process(other);
    assert_false(mproc_barrier_is_broken(the->barrier));
    assert_it_works(2);
    close_court();
}

static int act_for_ever(void *args, size_t size)
{
    court *here = size == sizeof place ? mproc_memory_data(*(mproc_memory *)args) : NULL;
    if (!here)
        return 1;
    here->stage = 1;
    host_wait_forever();
    return 0;
}

static void open_court_of_eternal_action(unsigned parties)
{
    open_court(1, NULL);
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    assert_int_equal(mproc_barrier_create(&the->barrier, parties,
                                          &(mproc_barrier_options){.action = act_for_ever,
                                                                   .args = &place,
                                                                   .args_size = sizeof place}),
                     MPROC_OK);
}

static void a_member_killed_while_it_runs_the_action_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court_of_eternal_action(5);
    start_waiters(&all);
    mproc_process *victim = start_member(take_part);
    assert_true(await_value(&the->stage, 1));
    mproc_process_kill(victim);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    end_process(victim);
    close_court();
}

static void a_time_out_counts_while_the_action_runs(void **state)
{
    (void)state;
    team all;
    open_court_of_eternal_action(3);
    start_waits(&all, 0, 1, once);
    assert_true(await_waiting(the->barrier, 1));
    party hurried = {.place = place, .who = 6, .rounds = 1, .timeout_ms = 200};
    mproc_process *other = start_process(take_part, &hurried, sizeof hurried);
    assert_true(await_waiting(the->barrier, 2));
    mproc_process *victim = start_member(take_part);
    assert_true(await_value(&the->err[6], MPROC_ETIMEDOUT));
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(exit_code_of(other), 0);
    end_process(victim);
    close_court();
}

static void a_member_that_returns_breaks_nothing(void **state)
{
    (void)state;
    open_court(2, NULL);
    mproc_process *other = start_member(take_part);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    assert_int_equal(exit_code_of(other), 0);
    assert_false(mproc_barrier_is_broken(the->barrier));
    assert_it_works(2);
    close_court();
}

/* ThreadSanitizer takes the first thread of a forked child for one of its parent's. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define METHOD_FOR_THREADS MPROC_SPAWN
#endif
#elif defined(__SANITIZE_THREAD__)
#define METHOD_FOR_THREADS MPROC_SPAWN
#endif
#ifndef METHOD_FOR_THREADS
#define METHOD_FOR_THREADS MPROC_START_DEFAULT
#endif

/* Returns as soon as a thread of it waits, and others do, too. */
static int return_beside_a_waiter(void *args, size_t size)
{
    static party mine;
    static host_thread thread;
    court *here = place_of(args, size);
    mine = here ? *(party *)args : mine;
    if (!here || !host_thread_start(&thread, take_part_as_thread, &mine))
        return 1;
    host_thread_leave(&thread);
    return await_waiting(here->barrier, 5) ? 0 : 2;
}

static void a_member_that_returns_while_a_thread_of_it_waits_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court(6, NULL);
    party it = {.place = place, .who = 7, .rounds = 1, .timeout_ms = MPROC_FOREVER};
    mproc_process *other = start_options((mproc_process_options){.target = return_beside_a_waiter,
                                                                 .args = &it,
                                                                 .args_size = sizeof it,
                                                                 .method = METHOD_FOR_THREADS});
    start_waits(&all, 2, 2, once);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    assert_int_equal(exit_code_of(other), 0);
    close_court();
}

static int pass_and_quit(void *args, size_t size)
{
    take_part(args, size);
    host_quit(0);
    return 0;
}

static void a_member_that_exits_without_returning_breaks_the_barrier(void **state)
{
    (void)state;
    team all;
    open_court(2, NULL);
    mproc_process *other = start_member(pass_and_quit);
    assert_int_equal(mproc_barrier_wait(the->barrier, SOON, NULL), MPROC_OK);
    start_waits(&all, 1, 0, once);
    assert_int_equal(exit_code_of(other), 0);
    join_team(&all);
    assert_team_got(&all, MPROC_EBROKEN);
    close_court();
}

#define MARK "MPROC_TEST_MARK"

/* A first process, whose end nobody watches: it passes together with its children and computes. */
static int be_first(int argc, char **argv)
{
    if (argc != 1)
        return 1;
    open_court(3, NULL);
    for (int i = 0; i < 2; i++) {
        party it = {.place = place, .who = i, .rounds = 2, .timeout_ms = MPROC_FOREVER};
        mproc_process *process;
        if (mproc_process_create(&process, &(mproc_process_options){.target = take_part,
                                                                    .args = &it,
                                                                    .args_size = sizeof it}) ||
            mproc_process_start(process))
            return 2;
        mproc_process_free(process);
    }
    if (mproc_barrier_wait(the->barrier, SOON, NULL) || !await_waiting(the->barrier, 2))
        return 3;
    const note answer = note_at(argv[0]);
    leave_number(&answer, host_count_marked(getenv(MARK)));
    host_wait_forever();
    return 0;
}

static bool await_end_of_all(const char *mark)
{
    const int64_t deadline = host_now() + SOON;
    while (host_count_marked(mark) != 0) {
        if (host_now() > deadline)
            return false;
        host_nap(10);
    }
    return true;
}

static void waiters_notice_the_death_of_the_first_process(void **state)
{
    (void)state;
    char mark[64];
    snprintf(mark, sizeof mark, "barrier-%lld", host_pid());
    if (host_is_windows || host_count_marked(mark) < 0)
        skip(); /* nobody can tell when they have ended */
    host_set_variable(MARK, mark);
    note answer = new_note("answer");
    const char *const arguments[] = {answer.path, NULL};
    host_program first = start_role("be_first", arguments, NULL);
    host_set_variable(MARK, NULL);
    assert_true(await_number(&answer) >= 3);
    host_kill(first.pid);
    int code;
    assert_true(host_wait(&first, SOON, &code));
    assert_true(await_end_of_all(mark));
}

/* ---- bad input ---- */

static void bad_options_are_refused_and_change_nothing(void **state)
{
    (void)state;
    mproc_barrier barrier = {UNTOUCHED};
    static int data;
    const mproc_barrier_options bad[] = {
        {.timeout_ms = -2},
        {.action = action, .args_size = 1},
        {.args = &data, .args_size = sizeof data},
    };
    assert_int_equal(mproc_barrier_create(NULL, 1, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_create(&barrier, 0, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_create(&barrier, MPROC_BARRIER_PARTIES_MAX + 1, NULL),
                     MPROC_EINVAL);
    assert_int_equal(mproc_barrier_create(&barrier, (unsigned)-1, NULL), MPROC_EINVAL);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(mproc_barrier_create(&barrier, 1, &bad[i]), MPROC_EINVAL);
    const mproc_barrier_options nowhere = {.action = (mproc_target)(uintptr_t)&data};
    assert_int_equal(mproc_barrier_create(&barrier, 1, &nowhere), MPROC_EIMAGE);
    const size_t huge[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)1 << 60};
    for (size_t i = 0; i < COUNT_OF(huge); i++) {
        const mproc_barrier_options large = {.action = action, .args = &data, .args_size = huge[i]};
        assert_int_equal(mproc_barrier_create(&barrier, 1, &large), MPROC_ENOMEM);
    }
    assert_int_equal(barrier.id, UNTOUCHED);
    open_court(MPROC_BARRIER_PARTIES_MAX, &(mproc_barrier_options){.timeout_ms = MPROC_FOREVER});
    assert_int_equal(mproc_barrier_wait(the->barrier, -2, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_n_waiting(the->barrier, NULL), MPROC_EINVAL);
    assert_int_equal(mproc_barrier_parties(the->barrier, NULL), MPROC_EINVAL);
    assert_false(mproc_barrier_is_broken(the->barrier));
    close_court();
}

static void assert_stale(mproc_barrier barrier)
{
    unsigned number = UNTOUCHED;
    assert_int_equal(mproc_barrier_wait(barrier, MPROC_FOREVER, &number), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_wait(barrier, 0, &number), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_abort(barrier), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_reset(barrier), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_n_waiting(barrier, &number), MPROC_ESTALE);
    assert_int_equal(mproc_barrier_parties(barrier, &number), MPROC_ESTALE);
    assert_false(mproc_barrier_is_broken(barrier));
    assert_int_equal(mproc_barrier_destroy(barrier), MPROC_ESTALE);
    assert_int_equal(number, UNTOUCHED);
}

static void what_is_no_barrier_is_stale(void **state)
{
    (void)state;
    mproc_lock lock;
    mproc_barrier barrier;
    assert_stale((mproc_barrier){0});
    assert_int_equal(mproc_lock_create(&lock), MPROC_OK);
    assert_stale((mproc_barrier){lock.id});
    assert_int_equal(mproc_lock_acquire(lock, 0), MPROC_OK);
    assert_int_equal(mproc_lock_destroy(lock), MPROC_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mproc_barrier_create(&barrier, 1, NULL), MPROC_OK);
        assert_int_equal(mproc_lock_acquire((mproc_lock){barrier.id}, 0), MPROC_ESTALE);
        assert_int_equal(mproc_barrier_wait(barrier, 0, NULL), MPROC_OK);
        assert_int_equal(mproc_barrier_destroy(barrier), MPROC_OK);
        assert_stale(barrier);
    }
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        const uint64_t random = next_random(&seed);
        assert_stale((mproc_barrier){random});
        assert_stale((mproc_barrier){(random << 32) | (random >> 44 & 15)});
    }
}

static void waiters_of_a_destroyed_barrier_find_it_stale(void **state)
{
    (void)state;
    team all;
    open_court(5, NULL);
    start_waiters(&all);
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    join_team(&all);
    assert_team_got(&all, MPROC_ESTALE);
    free_shared(place);
}

static void an_action_may_outlive_its_barrier(void **state)
{
    (void)state;
    team all;
    open_court_with_action(4, 0, 1);
    start_waits(&all, 2, 2, once);
    assert_true(await_value(&the->stage, 1));
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    the->go = 1;
    join_team(&all);
    assert_team_got(&all, MPROC_ESTALE);
    assert_int_equal(the->action_sees_wrong, 0);
    free_shared(place);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    static const role roles[] = {{"be_first", be_first}};
    int code;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_party_passes_at_once),
        cmocka_unit_test(every_index_is_given_once_and_exactly_one_party_gets_zero),
        cmocka_unit_test(a_thousand_passes_and_nobody_is_overtaken),
        cmocka_unit_test(more_users_than_parties_pass_in_groups),
        cmocka_unit_test(waiting_and_parties_are_told),
        cmocka_unit_test(the_action_runs_once_for_each_pass_with_its_own_arguments),
        cmocka_unit_test(the_action_runs_in_whichever_process_comes_last),
        cmocka_unit_test(nobody_goes_on_before_the_action_is_done),
        cmocka_unit_test(an_action_that_fails_breaks_the_barrier),
        cmocka_unit_test(an_abort_while_the_action_runs_breaks_that_pass),
        cmocka_unit_test(abort_breaks_waiters_and_stays),
        cmocka_unit_test(reset_frees_waiters_as_broken_and_then_it_works),
        cmocka_unit_test(many_resets_at_once_are_no_pass),
        cmocka_unit_test(a_reset_right_after_a_pass_does_not_break_that_pass),
        cmocka_unit_test(one_time_out_breaks_it_for_all),
        cmocka_unit_test(a_wait_that_may_not_wait_breaks_it_unless_it_is_the_last),
        cmocka_unit_test(the_time_out_of_the_barrier_is_that_of_waits_without_one),
        cmocka_unit_test(a_member_killed_while_it_waits_breaks_the_barrier),
        cmocka_unit_test(a_member_killed_between_two_passes_breaks_the_barrier),
        cmocka_unit_test(a_reset_forgets_its_members),
        cmocka_unit_test(a_member_killed_while_it_runs_the_action_breaks_the_barrier),
        cmocka_unit_test(a_time_out_counts_while_the_action_runs),
        cmocka_unit_test(a_member_that_returns_breaks_nothing),
        cmocka_unit_test(a_member_that_returns_while_a_thread_of_it_waits_breaks_the_barrier),
        cmocka_unit_test(a_member_that_exits_without_returning_breaks_the_barrier),
        cmocka_unit_test(waiters_notice_the_death_of_the_first_process),
        cmocka_unit_test(bad_options_are_refused_and_change_nothing),
        cmocka_unit_test(what_is_no_barrier_is_stale),
        cmocka_unit_test(waiters_of_a_destroyed_barrier_find_it_stale),
        cmocka_unit_test(an_action_may_outlive_its_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
