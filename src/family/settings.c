#include "settings.h"

#include <stdlib.h>

#include "family.h"
#include "gate.h"

#define MIB (UINT64_C(1) << 20)
#define ARENA_DEFAULT (UINT64_C(64) << 30)

static uint64_t arena_size, arena_limit;

/* Bytes, or a number with K, M or G; 0: not set, or no number. */
static uint64_t from_environment(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    uint64_t value = strtoull(text, &end, 10), unit = 1;
    switch (*end) {
    case 'K':
        unit = UINT64_C(1) << 10;
        break;
    case 'M':
        unit = MIB;
        break;
    case 'G':
        unit = UINT64_C(1) << 30;
        break;
    default:
        break;
    }
    return value > UINT64_MAX / unit ? 0 : value * unit;
}

uint64_t settings_arena_size(void)
{
    uint64_t chosen = arena_size ? arena_size : from_environment("MPROC_ARENA_SIZE");
    return chosen ? chosen : ARENA_DEFAULT;
}

uint64_t settings_arena_limit(void)
{
    uint64_t chosen = arena_limit ? arena_limit : from_environment("MPROC_ARENA_LIMIT");
    return chosen ? chosen : os_memory_limit() / 2;
}

mproc_err settings_trace_path(char *path, size_t size)
{
    mproc_err err = os_variable("MPROC_TRACE", path, size);
    return !err && !*path ? MPROC_ENOENT : err;
}

static mproc_err check_method(mproc_start_method method)
{
    if (method < MPROC_START_DEFAULT || method > MPROC_FORKSERVER)
        return MPROC_EINVAL;
    return method == MPROC_START_DEFAULT || os_can_start(method) ? MPROC_OK : MPROC_ENOSYS;
}

mproc_err mproc_init(const mproc_options *options)
{
    static const mproc_options defaults;
    if (!options)
        options = &defaults;
    mproc_err err = check_method(options->method);
    if (err)
        return err;
    if ((options->arena_size && options->arena_size < MIB) ||
        (options->arena_limit && options->arena_limit < MIB))
        return MPROC_EINVAL;
    if (family_is_founded())
        return MPROC_ESTATE;
    arena_size = options->arena_size;
    arena_limit = options->arena_limit;
    family.method = options->method;
    family.interruptible = options->interruptible;
    os_set_interruptible(options->interruptible);
    return MPROC_OK;
}

mproc_err mproc_set_start_method(mproc_start_method method)
{
    mproc_err err = check_method(method);
    if (!err)
        family.method = method;
    return err;
}

mproc_start_method mproc_get_start_method(void)
{
    mproc_start_method chosen = (mproc_start_method)family.method;
    return chosen == MPROC_START_DEFAULT ? os_default_method() : chosen;
}

int mproc_cpu_count(void)
{
    uint64_t wanted = from_environment("MPROC_CPU_COUNT");
    const bool member = family_is_member();
    if (member)
        gate_enter(); /* it reads files: a fork meanwhile would keep their locks */
    int usable = os_cpu_count();
    if (member)
        gate_leave();
    return wanted && wanted < (uint64_t)usable ? (int)wanted : usable;
}
