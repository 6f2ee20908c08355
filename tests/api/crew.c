#include "crew.h"

enum { KILLED = -1 };

static void run(void *argument)
{
    crew_member *member = argument;
    member->code = member->target(member->args, member->size);
}

void crew_add(crew *them, mproc_target target, const void *args, size_t size)
{
    assert_true(them->count < CREW_MOST && size <= CREW_ARGS);
    bool threads = them->kind == CREW_THREADS || (them->kind == CREW_MIXED && them->count % 2);
    crew_member *member = &them->members[them->count++];
    *member = (crew_member){.target = target, .size = size, .code = 0};
    memcpy(member->args, args, size);
    if (threads)
        assert_true(host_thread_start(&member->thread, run, member));
    else
        member->process = start_process(target, args, size);
}

void crew_kill(crew *them, size_t index)
{
    crew_member *member = &them->members[index];
    assert_non_null(member->process);
    member->code = KILLED;
    assert_int_equal(mproc_process_kill(member->process), MPROC_OK);
}

static int join(crew_member *member)
{
    if (!member->process) {
        host_thread_join(&member->thread);
        return member->code;
    }
    bool killed = member->code == KILLED;
    int code = exit_code_of(member->process);
    return killed ? 0 : code;
}

void crew_join(crew *them)
{
    int wrong = 0;
    for (size_t i = 0; i < them->count; i++) {
        int code = join(&them->members[i]);
        if (code)
            print_error("member %d: %d\n", (int)i, code);
        wrong += code != 0;
    }
    them->count = 0;
    assert_int_equal(wrong, 0);
}
