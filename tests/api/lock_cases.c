#include "lock_cases.h"

#include <stdlib.h>

mproc_memory place;
room *the;
static lock_kind tested;

/* ---- either kind ---- */

mproc_err lock_create(any_lock *lock, lock_kind kind)
{
    mproc_lock plain = {lock->id};
    mproc_rlock recursive = {lock->id};
    mproc_err err = kind == PLAIN ? mproc_lock_create(&plain) : mproc_rlock_create(&recursive);
    *lock = (any_lock){kind, kind == PLAIN ? plain.id : recursive.id};
    return err;
}

mproc_err lock_acquire(any_lock lock, int timeout_ms)
{
    return lock.kind == PLAIN ? mproc_lock_acquire((mproc_lock){lock.id}, timeout_ms)
                              : mproc_rlock_acquire((mproc_rlock){lock.id}, timeout_ms);
}

mproc_err lock_release(any_lock lock)
{
    return lock.kind == PLAIN ? mproc_lock_release((mproc_lock){lock.id})
                              : mproc_rlock_release((mproc_rlock){lock.id});
}

mproc_err lock_mark_consistent(any_lock lock)
{
    return lock.kind == PLAIN ? mproc_lock_mark_consistent((mproc_lock){lock.id})
                              : mproc_rlock_mark_consistent((mproc_rlock){lock.id});
}

mproc_err lock_destroy(any_lock lock)
{
    return lock.kind == PLAIN ? mproc_lock_destroy((mproc_lock){lock.id})
                              : mproc_rlock_destroy((mproc_rlock){lock.id});
}

void open_room(lock_kind kind)
{
    the = alloc_shared(&place, sizeof *the);
    assert_int_equal(lock_create(&the->lock, kind), MPROC_OK);
    for (int i = 0; i < MOST_PARTIES; i++)
        the->err[i] = UNTOUCHED;
}

void close_room(void)
{
    assert_int_equal(lock_destroy(the->lock), MPROC_OK);
    free_shared(place);
}

/* ---- parts ---- */

int take_and_release(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    here->calls++;
    mproc_err err = lock_acquire(here->lock, me->timeout_ms);
    here->err[me->who] = err;
    return !err || err == MPROC_EOWNERDEAD ? -lock_release(here->lock) : 0;
}

int take_and_keep(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    mproc_err err = lock_acquire(here->lock, me->timeout_ms);
    here->err[me->who] = err;
    here->inside = 1;
    return await_value(&here->go, 1) ? 0 : 2;
}

static const party patient = {.timeout_ms = MPROC_FOREVER};

static void start_users(team *all, mproc_target part, int threads, int processes, party like)
{
    like.place = place;
    start_team(all, part, threads, processes, like);
}

static void assert_all_got(const team *all, mproc_err err)
{
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(the->err[i], err);
}

void assert_free(void)
{
    team all;
    start_users(&all, take_and_release, 1, 1, (party){.timeout_ms = SOON});
    join_team(&all);
    assert_all_got(&all, MPROC_OK);
}

static mproc_process *start_keeper(mproc_target part)
{
    the->inside = the->go = 0;
    mproc_process *keeper =
        start_party(part, (party){.place = place, .who = MOST_PARTIES - 1, .timeout_ms = SOON});
    assert_true(await_value(&the->inside, 1));
    return keeper;
}

/* Two threads and two processes that are about to wait, or do. */
static void start_waiters(team *all)
{
    the->calls = 0;
    start_users(all, take_and_release, 2, 2, patient);
    assert_true(await_value(&the->calls, 4));
    host_nap(10); /* so that most of them sleep; it holds for the others as well */
}

/* ---- taking and releasing ---- */

static void what_nobody_holds_can_be_taken_and_not_released(void **state)
{
    (void)state;
    open_room(tested);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
        assert_int_equal(lock_mark_consistent(the->lock), MPROC_ENOTOWNER);
        assert_int_equal(lock_acquire(the->lock, i ? 0 : MPROC_FOREVER), MPROC_OK);
        assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    assert_free();
    close_room();
}

static void who_does_not_get_it_times_out(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    start_users(&all, take_and_release, 2, 2, (party){.timeout_ms = 0});
    join_team(&all);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    const int64_t before = host_now();
    start_users(&all, take_and_release, 2, 2, (party){.timeout_ms = 50});
    join_team(&all);
    assert_true(host_now() - before >= 50);
    assert_all_got(&all, MPROC_ETIMEDOUT);
    assert_int_equal(lock_acquire(the->lock, -2), MPROC_EINVAL);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_free();
    close_room();
}

static void a_release_lets_all_waiters_in_one_after_the_other(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        start_waiters(&all);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
        join_team(&all);
        assert_all_got(&all, MPROC_OK);
    }
    close_room();
}

static int increment(void *args, size_t size)
{
    const party *me = args;
    room *here = place_of(args, size);
    if (!here)
        return 1;
    for (int i = 0; i < me->rounds; i++) {
        if (lock_acquire(here->lock, MPROC_FOREVER))
            return 2;
        here->together += here->inside++ != 0;
        here->counter++;
        here->inside--;
        if (lock_release(here->lock))
            return 3;
    }
    return 0;
}

static void assert_nothing_was_lost(int parties, int rounds)
{
    assert_int_equal(the->together, 0);
    assert_int_equal(the->counter, parties * rounds);
}

static void threads_and_processes_exclude_one_another(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    start_users(&all, increment, 4, 4, (party){.rounds = 5000});
    join_team(&all);
    assert_nothing_was_lost(8, 5000);
    close_room();
}

static void sixty_four_processes_lose_no_increment(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    start_users(&all, increment, 0, 64, (party){.rounds = 1000});
    join_team(&all);
    assert_nothing_was_lost(64, 1000);
    close_room();
}

typedef struct parcel {
    mproc_memory place;
    any_lock lock;
} parcel;

static int use_handle(void *args, size_t size)
{
    const parcel *it = args;
    room *here = size == sizeof *it ? mproc_memory_data(it->place) : NULL;
    if (!here || here->lock.id != it->lock.id)
        return 1;
    if (lock_acquire(it->lock, 0) != MPROC_ETIMEDOUT)
        return 2;
    here->calls = 1;
    return lock_acquire(it->lock, MPROC_FOREVER) ? 3 : -lock_release(here->lock);
}

static void a_handle_travels_in_arguments_and_in_shared_memory(void **state)
{
    (void)state;
    open_room(tested);
    const parcel it = {place, the->lock};
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    mproc_process *process = start_process(use_handle, &it, sizeof it);
    assert_true(await_value(&the->calls, 1));
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(exit_code_of(process), 0);
    close_room();
}

static void keep_for_ever(void *args)
{
    const party *me = args;
    the->err[me->who] = lock_acquire(the->lock, 0);
}

static void a_thread_that_ends_with_it_keeps_it(void **state)
{
    (void)state;
    party it = {.who = 0};
    host_thread thread;
    open_room(tested);
    assert_true(host_thread_start(&thread, keep_for_ever, &it));
    host_thread_join(&thread);
    assert_int_equal(the->err[0], MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 150), MPROC_ETIMEDOUT);
    close_room();
}

/* ---- dead holders ---- */

/* Exactly one waiter after the other is warned, until somebody has put it right. */
static void assert_all_are_warned(team *waiting)
{
    join_team(waiting);
    assert_all_got(waiting, MPROC_EOWNERDEAD);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_EOWNERDEAD);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    assert_int_equal(lock_mark_consistent(the->lock), MPROC_ENOTOWNER);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_EOWNERDEAD);
    assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    assert_free();
}

static void who_waits_for_a_killed_holder_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    for (int i = 0; i < 5; i++) {
        mproc_process *holder = start_keeper(take_and_keep);
        start_waiters(&all);
        end_process(holder);
        assert_all_are_warned(&all);
    }
    close_room();
}

static void a_lock_whose_holder_has_been_killed_before_is_taken_with_a_warning(void **state)
{
    (void)state;
    team none = {.part = NULL};
    open_room(tested);
    end_process(start_keeper(take_and_keep));
    assert_all_are_warned(&none);
    close_room();
}

static int take_and_crash(void *args, size_t size)
{
    room *here = place_of(args, size);
    if (!here || lock_acquire(here->lock, 0))
        return 1;
    here->inside = 1;
    if (!await_value(&here->go, 1))
        return 2;
    host_crash();
    return 3;
}

static void who_waits_for_a_crashed_holder_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    mproc_process *holder = start_keeper(take_and_crash);
    start_waiters(&all);
    the->go = 1;
    assert_all_are_warned(&all);
    assert_int_not_equal(exit_status_of(holder).kind, MPROC_EXIT_EXITED);
    close_room();
}

static void who_waits_for_a_holder_that_returns_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    mproc_process *holder = start_keeper(take_and_keep);
    start_waiters(&all);
    the->go = 1;
    assert_all_are_warned(&all);
    assert_int_equal(exit_code_of(holder), 0);
    close_room();
}

static int take_and_quit(void *args, size_t size)
{
    int code = take_and_keep(args, size);
    host_quit(code);
    return code;
}

static void who_waits_for_a_holder_that_exits_gets_it_and_is_warned(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    mproc_process *holder = start_keeper(take_and_quit);
    start_waiters(&all);
    the->go = 1;
    assert_all_are_warned(&all);
    assert_int_equal(exit_code_of(holder), 0);
    close_room();
}

static void a_killed_waiter_takes_nothing_with_it(void **state)
{
    (void)state;
    team all;
    mproc_process *victim[4];
    open_room(tested);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        the->calls = 0;
        for (size_t j = 0; j < COUNT_OF(victim); j++)
            victim[j] = start_party(take_and_release,
                                    (party){.place = place, .who = 60, .timeout_ms = SOON});
        assert_true(await_value(&the->calls, COUNT_OF(victim)));
        start_waiters(&all);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
        for (size_t j = 0; j < COUNT_OF(victim); j++)
            end_process(victim[j]);
        join_team(&all);
        mproc_err err = lock_acquire(the->lock, SOON);
        assert_true(!err || err == MPROC_EOWNERDEAD); /* killed while it held it */
        assert_int_equal(lock_mark_consistent(the->lock), MPROC_OK);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    close_room();
}

/* ---- a family whose first process is dead ---- */

#define MARK "MPROC_TEST_MARK"

/* Starts a holder and two who will wait, and tells the holder's pid. */
static int be_first(int argc, char **argv)
{
    static const mproc_target parts[] = {take_and_keep, take_and_release, take_and_release};
    mproc_process *process[COUNT_OF(parts)];
    if (argc < 2)
        return 1;
    open_room(atoi(argv[1]) ? RECURSIVE : PLAIN);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        process[i] = start_party(parts[i], (party){.place = place, .timeout_ms = MPROC_FOREVER});
        if (!i && !await_value(&the->inside, 1))
            return 2;
    }
    if (!await_value(&the->calls, 2))
        return 3;
    host_nap(argc > 2 ? atoi(argv[2]) : 0);
    const note answer = note_at(argv[0]);
    leave_number(&answer, mproc_process_pid(process[0]));
    host_wait_forever();
    return 0;
}

/* It dies when its children have waited for `nap`; at last nobody is left. */
static void kill_first_and_holder_after(const char *nap)
{
    char mark[64];
    snprintf(mark, sizeof mark, "lock-%d-%lld", (int)tested, host_pid());
    if (host_is_windows || host_count_marked(mark) < 0)
        skip(); /* nobody can tell when they have ended */
    host_set_variable(MARK, mark);
    note answer = new_note("answer");
    const char *const arguments[] = {answer.path, tested == PLAIN ? "0" : "1", nap, NULL};
    host_program first = start_role("be_first", arguments, NULL);
    host_set_variable(MARK, NULL);
    const long long holder = await_number(&answer);
    assert_true(holder > 0);
    host_kill(first.pid);
    int code;
    assert_true(host_wait(&first, SOON, &code));
    host_kill(holder);
    const int64_t deadline = host_now() + SOON;
    while (host_count_marked(mark) != 0) {
        assert_true(host_now() < deadline);
        host_nap(10);
    }
}

static void waiters_prove_a_death_themselves_when_nobody_else_can(void **state)
{
    (void)state;
    kill_first_and_holder_after("0");
}

static void waiters_notice_that_nobody_watches_any_more(void **state)
{
    (void)state;
    kill_first_and_holder_after("300");
}

/* ---- bad input ---- */

static void assert_stale(any_lock lock)
{
    assert_int_equal(lock_acquire(lock, 0), MPROC_ESTALE);
    assert_int_equal(lock_acquire(lock, MPROC_FOREVER), MPROC_ESTALE);
    assert_int_equal(lock_release(lock), MPROC_ESTALE);
    assert_int_equal(lock_mark_consistent(lock), MPROC_ESTALE);
    assert_int_equal(lock_destroy(lock), MPROC_ESTALE);
}

static void null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mproc_lock_create(NULL), MPROC_EINVAL);
    assert_int_equal(mproc_rlock_create(NULL), MPROC_EINVAL);
}

static void a_destroyed_lock_stays_stale_when_its_place_is_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        any_lock lock = {0};
        assert_int_equal(lock_create(&lock, tested), MPROC_OK);
        if (i % 2)
            assert_int_equal(lock_acquire(lock, 0), MPROC_OK);
        assert_int_equal(lock_destroy(lock), MPROC_OK);
        assert_stale(lock);
    }
}

static void another_type_of_handle_is_stale(void **state)
{
    (void)state;
    any_lock lock = {0};
    mproc_semaphore semaphore;
    mproc_event event;
    open_room(tested);
    assert_int_equal(lock_create(&lock, tested == PLAIN ? RECURSIVE : PLAIN), MPROC_OK);
    assert_int_equal(mproc_semaphore_create(&semaphore, 1, 0), MPROC_OK);
    assert_int_equal(mproc_event_create(&event), MPROC_OK);
    assert_stale((any_lock){tested, lock.id});
    assert_stale((any_lock){tested, semaphore.id});
    assert_stale((any_lock){tested, event.id});
    assert_stale((any_lock){tested, place.id});
    assert_stale((any_lock){tested, 0});
    assert_int_equal(lock_destroy(lock), MPROC_OK);
    assert_int_equal(mproc_semaphore_destroy(semaphore), MPROC_OK);
    assert_int_equal(mproc_event_destroy(event), MPROC_OK);
    close_room();
}

static void a_million_forged_handles_are_stale(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    int wrong = 0;
    open_room(tested);
    for (int i = 0; i < 1000000; i++) {
        any_lock lock = {tested, next_random(&seed)};
        if (i % 2) /* one that names a place */
            lock.id = (lock.id & ~(uint64_t)UINT32_MAX) | (lock.id & 63);
        if (lock.id == the->lock.id)
            continue;
        wrong += lock_acquire(lock, 0) != MPROC_ESTALE || lock_release(lock) != MPROC_ESTALE ||
                 lock_destroy(lock) != MPROC_ESTALE;
    }
    assert_int_equal(wrong, 0);
    assert_free();
    close_room();
}

static void who_waits_for_a_destroyed_lock_finds_it_stale(void **state)
{
    (void)state;
    team all;
    open_room(tested);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    start_waiters(&all);
    assert_int_equal(lock_destroy(the->lock), MPROC_OK);
    join_team(&all);
    assert_all_got(&all, MPROC_ESTALE);
    free_shared(place);
}

/* Destroys it, and makes others until one lies in its place. */
static void replace_lock(void)
{
    const any_lock former = the->lock;
    assert_int_equal(lock_destroy(former), MPROC_OK);
    for (int tries = 0; tries < 1 << 20; tries++) {
        assert_int_equal(lock_create(&the->lock, tested), MPROC_OK);
        if (is_successor(the->lock.id, former.id))
            return;
        assert_int_equal(lock_destroy(the->lock), MPROC_OK);
    }
    fail();
}

/* With a handle of its own, as fast as it can, until that is stale. */
static int hammer(void *args, size_t size)
{
    room *here = place_of(args, size);
    if (!here)
        return 1;
    const any_lock lock = here->lock;
    here->inside = 1;
    for (;;) {
        mproc_err err = lock_acquire(lock, 0);
        if (!err)
            err = lock_release(lock);
        if (err)
            return err == MPROC_ESTALE ? 0 : 2;
    }
}

static void who_was_stopped_across_a_destruction_does_not_touch_the_next_lock(void **state)
{
    (void)state;
    uint64_t seed = 4101842887655102017u;
    open_room(tested);
    for (int i = 0; i < 100; i++) {
        mproc_process *other = start_keeper(hammer);
        const long long pid = mproc_process_pid(other);
        for (uint64_t spins = next_random(&seed) % 20000; spins > 0; spins--)
            atomic_signal_fence(memory_order_seq_cst);
        if (!host_pause(pid))
            host_nap(0); /* it runs on: that must not matter, either */
        replace_lock();
        host_continue(pid);
        assert_int_equal(exit_code_of(other), 0);
        assert_int_equal(lock_release(the->lock), MPROC_ENOTOWNER);
        assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
        assert_int_equal(lock_release(the->lock), MPROC_OK);
    }
    close_room();
}

static void a_sleeper_that_was_stopped_across_a_destruction_finds_it_stale(void **state)
{
    (void)state;
    open_room(tested);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    mproc_process *other =
        start_party(take_and_release, (party){.place = place, .timeout_ms = MPROC_FOREVER});
    assert_true(await_value(&the->calls, 1));
    host_nap(10);
    const long long pid = mproc_process_pid(other);
    host_pause(pid);
    replace_lock();
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    host_continue(pid);
    assert_int_equal(exit_code_of(other), 0);
    assert_int_equal(the->err[0], MPROC_ESTALE);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    close_room();
}

static int use_in_raw_fork(void)
{
    any_lock lock = {0};
    return lock_create(&lock, tested) != MPROC_ESTATE               ? 1
           : lock_acquire(the->lock, 0) != MPROC_ESTATE             ? 2
           : lock_acquire(the->lock, MPROC_FOREVER) != MPROC_ESTATE ? 3
           : lock_release(the->lock) != MPROC_ESTATE                ? 4
           : lock_mark_consistent(the->lock) != MPROC_ESTATE        ? 5
           : lock_destroy(the->lock) != MPROC_ESTATE                ? 6
                                                                    : 0;
}

static void a_child_of_the_programs_own_fork_may_not_use_it(void **state)
{
    (void)state;
    open_room(tested);
    int code = host_raw_fork(use_in_raw_fork);
    if (code >= 0)
        assert_int_equal(code, 0);
    assert_int_equal(lock_acquire(the->lock, 0), MPROC_OK);
    code = host_raw_fork(use_in_raw_fork);
    if (code >= 0)
        assert_int_equal(code, 0);
    assert_int_equal(lock_release(the->lock), MPROC_OK);
    close_room();
}

/* As many as there is room for, twice. */
static int fill_arena(int argc, char **argv)
{
    enum { MOST = 1 << 20 };
    static any_lock all[MOST];
    const lock_kind kind = argc == 1 && atoi(argv[0]) ? RECURSIVE : PLAIN;
    int counts[2];
    for (int round = 0; round < 2; round++) {
        int count = 0;
        mproc_err err = MPROC_OK;
        while (count < MOST && !(err = lock_create(&all[count], kind)))
            count++;
        if (count < 1000 || err != MPROC_ENOMEM)
            return 1;
        for (int i = 0; i < count; i += 7) {
            if (lock_destroy(all[i]) || lock_create(&all[i], kind))
                return 2;
        }
        if (lock_acquire(all[count - 1], 0) || lock_release(all[count - 1]))
            return 3;
        for (int i = 0; i < count; i++) {
            if (lock_destroy(all[i]))
                return 4;
        }
        counts[round] = count;
    }
    return counts[0] != counts[1] ? 5 : 0;
}

static void a_full_arena_is_an_error_and_works_again_after_destructions(void **state)
{
    (void)state;
    host_set_variable("MPROC_ARENA_SIZE", "16M");
    const run_result *ran = run_role("fill_arena", tested == PLAIN ? "0" : "1", NULL);
    host_set_variable("MPROC_ARENA_SIZE", NULL);
    assert_int_equal(ran->code, 0);
}

/* ---- all ---- */

int lock_main(int argc, char **argv, lock_kind kind, const struct CMUnitTest *own, size_t count)
{
    static const role roles[] = {{"be_first", be_first}, {"fill_arena", fill_arena}};
    static const struct CMUnitTest common[] = {
        cmocka_unit_test(what_nobody_holds_can_be_taken_and_not_released),
        cmocka_unit_test(who_does_not_get_it_times_out),
        cmocka_unit_test(a_release_lets_all_waiters_in_one_after_the_other),
        cmocka_unit_test(threads_and_processes_exclude_one_another),
        cmocka_unit_test(sixty_four_processes_lose_no_increment),
        cmocka_unit_test(a_handle_travels_in_arguments_and_in_shared_memory),
        cmocka_unit_test(a_thread_that_ends_with_it_keeps_it),
        cmocka_unit_test(who_waits_for_a_killed_holder_gets_it_and_is_warned),
        cmocka_unit_test(a_lock_whose_holder_has_been_killed_before_is_taken_with_a_warning),
        cmocka_unit_test(who_waits_for_a_crashed_holder_gets_it_and_is_warned),
        cmocka_unit_test(who_waits_for_a_holder_that_returns_gets_it_and_is_warned),
        cmocka_unit_test(who_waits_for_a_holder_that_exits_gets_it_and_is_warned),
        cmocka_unit_test(a_killed_waiter_takes_nothing_with_it),
        cmocka_unit_test(waiters_prove_a_death_themselves_when_nobody_else_can),
        cmocka_unit_test(waiters_notice_that_nobody_watches_any_more),
        cmocka_unit_test(null_is_refused),
        cmocka_unit_test(a_destroyed_lock_stays_stale_when_its_place_is_used_again),
        cmocka_unit_test(another_type_of_handle_is_stale),
        cmocka_unit_test(a_million_forged_handles_are_stale),
        cmocka_unit_test(who_waits_for_a_destroyed_lock_finds_it_stale),
        cmocka_unit_test(who_was_stopped_across_a_destruction_does_not_touch_the_next_lock),
        cmocka_unit_test(a_sleeper_that_was_stopped_across_a_destruction_finds_it_stale),
        cmocka_unit_test(a_child_of_the_programs_own_fork_may_not_use_it),
        cmocka_unit_test(a_full_arena_is_an_error_and_works_again_after_destructions),
    };
    int code;
    tested = kind;
    if (play_role(argc, argv, roles, COUNT_OF(roles), &code))
        return code;
    int failed = _cmocka_run_group_tests("common", common, COUNT_OF(common), NULL, NULL);
    return failed + _cmocka_run_group_tests("own", own, count, NULL, NULL);
}
