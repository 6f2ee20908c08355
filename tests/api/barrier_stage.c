#include "barrier_stage.h"

mproc_memory place;
court *the;

void open_court(unsigned parties, const mproc_barrier_options *options)
{
    the = alloc_shared(&place, sizeof *the);
    for (int i = 0; i < MOST; i++)
        the->err[i] = UNTOUCHED;
    assert_int_equal(mproc_barrier_create(&the->barrier, parties, options), MPROC_OK);
}

void close_court(void)
{
    assert_int_equal(mproc_barrier_destroy(the->barrier), MPROC_OK);
    free_shared(place);
}

bool await_waiting(mproc_barrier barrier, unsigned wanted)
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

int take_part(void *args, size_t size)
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

void start_waits(team *all, int threads, int processes, party like)
{
    like.place = place;
    start_team(all, take_part, threads, processes, like);
}

void assert_team_got(const team *all, mproc_err err)
{
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(the->err[i], err);
}

const party once = {.rounds = 1, .timeout_ms = MPROC_FOREVER};

void start_waiters(team *all)
{
    start_waits(all, 2, 2, once);
    assert_true(await_waiting(the->barrier, 4));
}

void assert_it_works(int parties)
{
    team all;
    for (int i = 0; i < MOST; i++)
        the->err[i] = UNTOUCHED;
    assert_false(mproc_barrier_is_broken(the->barrier));
    start_waits(&all, 2, parties - 2, once);
    join_team(&all);
    assert_team_got(&all, MPROC_OK);
}

/* ---- the action ---- */

typedef struct brief {
    mproc_memory place;
    int number, returns, wait_for;
    unsigned char rest[101];
} brief;

int action(void *args, size_t size)
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

void open_court_with_action(unsigned parties, int returns, int wait_for)
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
