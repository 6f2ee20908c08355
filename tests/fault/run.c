/* One run: the scenario with a fault, then once more without, then a look at what is left. */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/host.h"
#include "family/family.h"
#include "family/heap.h"
#include "family/object.h"

enum { SETTLED = 5000, STABLE = 30 }; /* milliseconds */

static bool violated;
static bool first_pass;
static bool once_is_enough; /* the call at hand need not succeed when it is repeated */

void violate(const char *format, ...)
{
    char what[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    bool in_child = mproc_process_parent() != NULL;
    fprintf(stderr, "VIOLATED%s: %s\n",
            in_child     ? " in a child"
            : first_pass ? ""
                         : " in the second pass",
            what);
    violated = true;
    if (in_child)
        _Exit(VIOLATED);
}

/* ---- results ---- */

static const void *receiver;
static size_t receiver_size;
static unsigned char receiver_before[256];

void receive(const void *result, size_t size)
{
    receiver = size <= sizeof receiver_before ? result : NULL;
    receiver_size = size;
    if (receiver)
        memcpy(receiver_before, result, size);
}

static bool is_excused(void)
{
    if (mproc_process_parent())
        return fault_has_struck() || faults_reach_children();
    return first_pass && (fault_has_struck() || faults_reach_children());
}

bool judge(const char *call, mproc_err err, uint32_t documented)
{
    const void *result = receiver;
    const bool broken = err == MPROC_EBROKEN || err == MPROC_EPROTO;
    once_is_enough = documented & FOR_GOOD || (broken && !(BROKEN_FOR_GOOD & ~documented));
    if (!err) {
        receiver = NULL;
        return true;
    }
    if (result && memcmp(result, receiver_before, receiver_size) != 0)
        violate("%s failed and wrote its result", call);
    if (!is_excused())
        violate("%s: %s, without a fault", call, mproc_strerror(err));
    else if (!(documented >> -(int)err & 1))
        violate("%s: %s, which is not documented", call, mproc_strerror(err));
    if (!must_succeed_now())
        receiver = NULL;
    return false;
}

bool must_succeed_now(void)
{
    return fault_is_over() && !once_is_enough;
}

bool judge_again(const char *call, mproc_err err)
{
    receiver = NULL;
    if (err)
        violate("%s, repeated: %s", call, mproc_strerror(err));
    return !err;
}

/* ---- children ---- */

static bool is_end_of_faulty_child(const mproc_exit_status *status)
{
    return first_pass && faults_reach_children() &&
           (status->kind == MPROC_EXIT_REFUSED ||
            (status->kind == MPROC_EXIT_EXITED &&
             (status->code == 255 || status->code == GAVE_UP)));
}

bool ends_with(mproc_process *process, int code)
{
    mproc_exit_status status = {.kind = MPROC_EXIT_RUNNING};
    bool ended = false;
    for (int tries = 0; !ended && tries < 10000; tries++)
        ended = TRY(ERR(EINTR), mproc_process_join(process, SOON));
    if (!HOLDS(ended) || !TRY(0, mproc_process_exit_status(process, &status)))
        return false;
    mproc_process_free(process);
    bool as_told = status.kind == MPROC_EXIT_EXITED && status.code == code;
    if (!as_told && !is_end_of_faulty_child(&status))
        violate("a child ended with kind %d, code %lld, error %d instead of %d", (int)status.kind,
                (long long)status.code, (int)status.err, code);
    return as_told;
}

int return_number(void *args, size_t size)
{
    return size == sizeof(int) ? *(int *)args : VIOLATED;
}

/* What a scenario that could not go on has left. */
static void end_children(void)
{
    mproc_process *children[64];
    size_t count = 0;
    mproc_err err = mproc_active_children(children, 64, &count);
    if (err || count > 64)
        violate("mproc_active_children: %s, %zu", mproc_strerror(err), count);
    for (size_t i = 0; i < count; i++) {
        mproc_err killed = mproc_process_kill(children[i]);
        mproc_err joined = mproc_process_join(children[i], SOON);
        if (killed || joined)
            violate("a child cannot be ended: %d, %d", (int)killed, (int)joined);
        mproc_process_free(children[i]);
    }
}

/* ---- what is left ---- */

enum { HANDLES, HEAP, BLOCKS, SLOTS, OBJECTS, KINDS };
static const char *const kinds[KINDS] = {"handles", "bytes of the heap", "blocks of malloc",
                                         "slots", "shared objects"};
typedef struct state {
    long long of[KINDS];
} state;

static bool count_slot(slot_id id, slot *s, void *count)
{
    (void)id;
    (void)s;
    ++*(long long *)count;
    return true;
}

static state look(void)
{
    state now = {.of = {[HANDLES] = (long long)host_open_handles(),
                        [HEAP] = (long long)heap_used(),
                        [BLOCKS] = blocks_in_use(),
                        [OBJECTS] = object_count()}};
    slot_each(count_slot, &now.of[SLOTS]);
    return now;
}

static bool same(const state *one, const state *other)
{
    return !memcmp(one->of, other->of, sizeof one->of);
}

/* Threads and children that were told to end take their time. NULL: until nothing changes. */
static state settle(const state *wanted)
{
    const int64_t end = host_now() + pace_limit(SETTLED);
    int64_t since = host_now();
    state now = look(), before = now;
    while (host_now() < end && !(wanted ? same(&now, wanted) : host_now() > since + STABLE)) {
        host_nap(1);
        now = look();
        if (!same(&now, &before))
            since = host_now();
        before = now;
    }
    return now;
}

static void compare(const state *wanted, const state *left)
{
    for (int i = 0; i < KINDS; i++) {
        if (left->of[i] != wanted->of[i])
            violate("%lld %s instead of %lld", left->of[i], kinds[i], wanted->of[i]);
    }
}

static void tell_starts(void)
{
    fprintf(stderr, "starts: %u\n", processes_started());
}

int run_scenario(int argc, char **argv)
{
    const scenario *chosen = argc >= 6 ? find_scenario(argv[0]) : NULL;
    fault_plan plan = {0};
    if (!chosen)
        return VIOLATED;
    plan.in_children = atoi(argv[1]);
    plan.forever = atoi(argv[2]);
    plan.at = (unsigned)atoi(argv[3]);
    plan.variant = (unsigned)atoi(argv[4]);
    plan.can_deny = chosen->can_deny;
    snprintf(plan.token, sizeof plan.token, "%s", argv[5]);

    if (chosen->interruptible &&
        mproc_init(&(mproc_options){.method = mproc_get_start_method(), .interruptible = true}))
        return VIOLATED;
    first_pass = true;
    faults_begin(&plan);
    chosen->play();
    if (chosen->to_the_end) {
        tell_starts();
        return violated ? VIOLATED : 0;
    }
    faults_end();
    end_children();
    first_pass = false;
    chosen->play();
    end_children();

    state wanted;
    const bool known = argc == 6 + KINDS;
    for (int i = 0; known && i < KINDS; i++)
        wanted.of[i] = atoll(argv[6 + i]);
    state left = settle(known ? &wanted : NULL);
    if (known)
        compare(&wanted, &left);
    fputs("left:", stderr);
    for (int i = 0; i < KINDS; i++)
        fprintf(stderr, " %lld", left.of[i]);
    fputs("\n", stderr);
    tell_starts();
    return violated ? VIOLATED : 0;
}
