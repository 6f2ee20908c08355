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

/* A fork in the middle would keep what is locked meanwhile. Outside a family mproc forks nothing. */
static bool enter(void)
{
    bool member = family_is_member();
    if (member) {
        slot_use_segments(family.self);
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
    if (slot_has_segments(dead))
        os_segment_sweep();
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

mproc_err mproc_shared_memory_create(mproc_shared_memory **memory, const char *name, size_t size)
{
    if (!memory || size == 0)
        return MPROC_EINVAL;
    mproc_shared_memory *made = calloc(1, sizeof *made);
    if (!made)
        return MPROC_ENOMEM;
    bool member = enter();
    sweep_now_and_then();
    mproc_err err = create(&made->segment, name, size);
    leave(member);
    if (err) {
        free(made);
        return err;
    }
    made->creator = os_getpid();
    *memory = made;
    return MPROC_OK;
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
    bool member = enter();
    err = os_segment_open(&opened->segment, known, least);
    leave(member);
    if (err) {
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

mproc_err mproc_shared_memory_unlink(mproc_shared_memory *memory)
{
    if (!memory)
        return MPROC_EINVAL;
    bool member = enter();
    mproc_err err = os_segment_unlink(&memory->segment);
    leave(member);
    return err;
}

mproc_err mproc_shared_memory_close(mproc_shared_memory *memory)
{
    if (!memory)
        return MPROC_OK;
    bool member = enter();
    if (memory->creator == os_getpid())
        os_segment_keep(&memory->segment);
    os_segment_close(&memory->segment);
    leave(member);
    free(memory);
    return MPROC_OK;
}
