#include "shared_memory.h"

#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../family/family.h"
#include "../family/gate.h"
#include "../hash.h"
#include "../os.h"

struct mproc_shared_memory {
    os_segment segment;
    int64_t creator; /* its pid; 0: it was opened */
};

static char *append_hex(char *to, uint64_t number, int digits)
{
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[number >> shift & 0xf];
    *to = '\0';
    return to;
}

/* ---- names ---- */

/* What the system is asked for when somebody asks for `wanted`. */
static mproc_err system_name(const char *wanted, char name[OS_SEGMENT_NAME])
{
    static const char prefix[] = "mproc_";
    if (*wanted == '/' && !os_segment_allows(wanted))
        wanted++;
    if (!*wanted || !os_segment_allows(wanted))
        return MPROC_EINVAL;
    size_t length = strlen(wanted);
    if (length <= os_segment_longest) {
        memcpy(name, wanted, length + 1);
        return MPROC_OK;
    }
    uint64_t hash = hash_text(wanted, HASH_SEED);
    memcpy(name, prefix, sizeof prefix);
    append_hex(append_hex(name + sizeof prefix - 1, hash, 16), hash_text(wanted, hash), 8);
    return MPROC_OK;
}

static mproc_err random_name(char name[OS_SEGMENT_NAME])
{
    uint32_t number;
    mproc_err err = os_random(&number, sizeof number);
    if (err)
        return err;
    size_t length = strlen(os_segment_prefix);
    memcpy(name, os_segment_prefix, length);
    append_hex(name + length, number, 8);
    return MPROC_OK;
}

/* ---- this process ---- */

/* A fork in the middle would keep what is locked meanwhile. Outside a family mproc forks nothing.
 * So nothing in here waits for another process: see patiently. */
static bool enter(void)
{
    bool member = family_is_member();
    if (member) {
        slot_note_use(family.self, SLOT_USES_SEGMENTS);
        gate_enter();
    }
    return member;
}

static void leave(bool member)
{
    if (member)
        gate_leave();
}

/* A look at every segment that lives is not due at each of them: as many are made without as were
 * found the last time. */
static void sweep_now_and_then(void)
{
    static _Atomic size_t rest;
    size_t left = atomic_load(&rest);
    if (left == 0)
        atomic_store(&rest, os_segment_sweep());
    else
        atomic_compare_exchange_strong(&rest, &left, left - 1);
}

void shared_memory_sweep(slot_id dead)
{
    if (slot_has_used(dead, SLOT_USES_SEGMENTS))
        os_segment_sweep();
}

/* ---- others at the same segment ---- */

int64_t shared_memory_patience = INT64_C(5000000000);

/* One attempt at something. */
typedef struct attempt {
    mproc_err (*make)(struct attempt *a);
    os_segment *segment;
    const char *name;
    size_t size;
    bool last;
} attempt;

/* Another program may be in the midst of a change, and be stopped there. Between two attempts the
 * gate is open, so no fork waits for that program. */
static mproc_err patiently(attempt *a, int64_t patience)
{
    const int64_t longest = 10000000, deadline = os_now() + patience;
    for (int64_t nap = 50000;; nap = nap < longest ? 2 * nap : nap) {
        bool member = enter();
        mproc_err err = a->make(a);
        leave(member);
        if (err != MPROC_ETIMEDOUT || a->last)
            return err;
        const int64_t until = os_now() + nap;
        os_wait_ready(NULL, 0, until < deadline ? until : deadline);
        a->last = os_now() >= deadline;
    }
}

/* ---- the calls ---- */

static mproc_err create(os_segment *segment, const char *wanted, size_t size)
{
    char name[OS_SEGMENT_NAME];
    mproc_err err;
    if (wanted) {
        err = system_name(wanted, name);
        return err ? err : os_segment_create(segment, name, size);
    }
    do {
        err = random_name(name);
        if (!err)
            err = os_segment_create(segment, name, size);
    } while (err == MPROC_EEXIST);
    return err;
}

static mproc_err try_to_create(attempt *a)
{
    return create(a->segment, a->name, a->size);
}

mproc_err mproc_shared_memory_create(mproc_shared_memory **memory, const char *name, size_t size)
{
    if (!memory || size == 0)
        return MPROC_EINVAL;
    mproc_shared_memory *made = calloc(1, sizeof *made);
    if (!made)
        return MPROC_ENOMEM;
    bool member = enter();
    sweep_now_and_then();
    leave(member);
    attempt one = {.make = try_to_create, .segment = &made->segment, .name = name, .size = size};
    mproc_err err = patiently(&one, shared_memory_patience);
    if (err) {
        free(made);
        return err;
    }
    made->creator = os_getpid();
    *memory = made;
    return MPROC_OK;
}

static mproc_err try_to_settle(attempt *a)
{
    return os_segment_settle(a->name);
}

static mproc_err try_to_open(attempt *a)
{
    return os_segment_open(a->segment, a->name, a->size);
}

/* A segment that cannot be settled, since another process is at it, is opened as it is: from then
 * on it is in use, and nobody removes it. */
static mproc_err settle_and_open(attempt *a)
{
    const int64_t moment = 100000000;
    attempt before = {.make = try_to_settle, .name = a->name};
    patiently(&before, moment < shared_memory_patience ? moment : shared_memory_patience);
    return patiently(a, shared_memory_patience);
}

mproc_err mproc_shared_memory_open(mproc_shared_memory **memory, const char *name, size_t least)
{
    char known[OS_SEGMENT_NAME];
    if (!memory || !name)
        return MPROC_EINVAL;
    mproc_err err = system_name(name, known);
    if (err)
        return err;
    mproc_shared_memory *opened = calloc(1, sizeof *opened);
    if (!opened)
        return MPROC_ENOMEM;
    attempt one = {.make = try_to_open, .segment = &opened->segment, .name = known, .size = least};
    if ((err = settle_and_open(&one))) {
        free(opened);
        return err;
    }
    *memory = opened;
    return MPROC_OK;
}

void *mproc_shared_memory_data(const mproc_shared_memory *memory)
{
    return memory ? memory->segment.base : NULL;
}

size_t mproc_shared_memory_size(const mproc_shared_memory *memory)
{
    return memory ? (size_t)memory->segment.size : 0;
}

const char *mproc_shared_memory_name(const mproc_shared_memory *memory)
{
    return memory ? memory->segment.name : NULL;
}

static mproc_err try_to_unlink(attempt *a)
{
    return os_segment_unlink(a->segment);
}

mproc_err mproc_shared_memory_unlink(mproc_shared_memory *memory)
{
    if (!memory)
        return MPROC_EINVAL;
    attempt one = {.make = try_to_unlink, .segment = &memory->segment};
    return patiently(&one, shared_memory_patience);
}

static mproc_err try_to_keep(attempt *a)
{
    return os_segment_keep(a->segment, a->last);
}

mproc_err mproc_shared_memory_close(mproc_shared_memory *memory)
{
    if (!memory)
        return MPROC_OK;
    attempt one = {.make = try_to_keep, .segment = &memory->segment};
    if (memory->creator == os_getpid())
        patiently(&one, shared_memory_patience);
    bool member = enter();
    os_segment_close(&memory->segment);
    leave(member);
    free(memory);
    return MPROC_OK;
}
