#include "sync_support.h"

void *alloc_shared(mproc_memory *memory, size_t size)
{
    assert_int_equal(mproc_memory_alloc(memory, size), MPROC_OK);
    return memset(mproc_memory_data(*memory), 0, size);
}

void free_shared(mproc_memory memory)
{
    assert_int_equal(mproc_memory_free(memory), MPROC_OK);
}

bool await_at_least(const _Atomic int *value, int wanted)
{
    const int64_t deadline = host_now() + SOON;
    while (*value < wanted) {
        if (host_now() > deadline)
            return false;
        host_nap(1);
    }
    return true;
}

bool await_value(const _Atomic int *value, int wanted)
{
    const int64_t deadline = host_now() + SOON;
    while (*value != wanted) {
        if (host_now() > deadline)
            return false;
        host_nap(1);
    }
    return true;
}

void *place_of(const void *args, size_t size)
{
    return size == sizeof(party) ? mproc_memory_data(((const party *)args)->place) : NULL;
}

/* Of its team: found by the party's place in it. */
static void take_part(void *args)
{
    party *me = args;
    team *all = (team *)(void *)((unsigned char *)(me - me->who) - offsetof(team, parties));
    all->code[me->who] = all->part(me, sizeof *me);
}

void start_team(team *all, mproc_target part, int threads, int processes, party like)
{
    *all = (team){.part = part, .threads = threads, .processes = processes};
    like.of = threads + processes;
    assert_true(like.of <= MOST_PARTIES);
    for (int i = 0; i < like.of; i++) {
        like.who = i;
        all->parties[i] = like;
        if (i < threads)
            assert_true(host_thread_start(&all->thread[i], take_part, &all->parties[i]));
        else
            all->process[i] = start_party(part, like);
    }
}

void join_team(team *all)
{
    for (int i = 0; i < all->threads; i++)
        host_thread_join(&all->thread[i]);
    for (int i = all->threads; i < all->threads + all->processes; i++)
        all->code[i] = exit_code_of(all->process[i]);
    for (int i = 0; i < all->threads + all->processes; i++)
        assert_int_equal(all->code[i], 0);
}

mproc_process *start_party(mproc_target part, party like)
{
    return start_process(part, &like, sizeof like);
}

bool is_successor(uint64_t id, uint64_t former)
{
    return id != former && (uint32_t)id == (uint32_t)former;
}

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
