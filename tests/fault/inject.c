/* What can fail, and how. The linker's --wrap leads each call of `foo` to `__wrap_foo` here, which
 * returns an error without calling `__real_foo`: to the seam's contract an error means that nothing
 * has changed. The names are listed once more in CMakeLists.txt. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/host.h"
#include "error.h"

#define WRAPPED(name) __wrap_##name
#define WRAP(name) WRAPPED(name)
#define REALLY(name) __real_##name
#define REAL(name) REALLY(name)

#define VARIABLE "MPROC_TEST_FAULT"
enum { NATIVE_ERROR = 4711 };

static fault_plan plan;
static int64_t first_process; /* 0: no faults */
static _Atomic bool ready, over;
static _Atomic int64_t counting; /* the process whose calls are counted */
static _Atomic unsigned calls;
static _Atomic bool struck;
static _Atomic bool interruptible;
enum { WAKE_UPS = 200 };
static _Atomic unsigned wake_ups; /* for no reason */
static _Thread_local bool inside; /* what the harness itself calls is no matter of it */

/* ---- the plan ---- */

/* A spawned child finds it in its environment. */
static void find_plan(void)
{
    const char *text = getenv(VARIABLE);
    int forever, can_deny, used = 0;
    long long pid;
    if (text && sscanf(text, "%lld %d %u %u %d %n", &pid, &forever, &plan.at, &plan.variant,
                       &can_deny, &used) == 5) {
        plan.in_children = true;
        plan.forever = forever;
        plan.can_deny = can_deny;
        snprintf(plan.token, sizeof plan.token, "%s", text + used);
        first_process = pid;
    }
    ready = true;
}

void faults_begin(const fault_plan *chosen)
{
    char text[500];
    inside = true;
    plan = *chosen;
    first_process = os_getpid();
    counting = first_process;
    calls = wake_ups = 0;
    struck = over = false;
    ready = true;
    snprintf(text, sizeof text, "%lld %d %u %u %d %s", (long long)first_process, plan.forever,
             plan.at, plan.variant, plan.can_deny, plan.token);
    host_set_variable(VARIABLE, plan.in_children ? text : NULL);
    inside = false;
}

void faults_end(void)
{
    inside = true;
    over = true;
    remove(plan.token);
    host_set_variable(VARIABLE, NULL);
    inside = false;
}

bool faults_strike_here(void)
{
    return first_process && !over && plan.in_children == (os_getpid() != first_process);
}

bool fault_has_struck(void)
{
    return struck;
}

bool fault_is_over(void)
{
    return struck && !plan.forever && !over;
}

bool faults_reach_children(void)
{
    return first_process && plan.in_children && !over;
}

/* ---- striking ---- */

static bool has_token(void)
{
    FILE *file = plan.forever ? fopen(plan.token, "r") : NULL;
    if (file)
        fclose(file);
    return plan.forever ? file != NULL : remove(plan.token) == 0;
}

/* A plan without a fault lists the calls: for the Nth a byte that tells what it called. */
static void list_call(const char *function, unsigned number)
{
    char path[sizeof plan.token + sizeof CALLS_ENDING];
    unsigned byte = 0;
    for (const char *at = function; *at; at++)
        byte = byte * 31 + (unsigned char)*at;
    inside = true;
    snprintf(path, sizeof path, "%s%s", plan.token, CALLS_ENDING);
    FILE *file = fopen(path, "r+b");
    if (file) {
        fseek(file, (long)number - 1, SEEK_SET);
        fputc((int)(byte % 255) + 1, file);
        fclose(file);
    }
    inside = false;
}

/* Whether this call is to fail. A forked child counts its own calls. */
static bool is_due(const char *function)
{
    int64_t self = os_getpid();
    if (counting != self) {
        calls = wake_ups = 0;
        struck = false;
        counting = self;
    }
    unsigned number = ++calls;
    if (plan.at == 0)
        list_call(function, number);
    return plan.at && (number == plan.at || (plan.forever && number > plan.at));
}

static bool strike(const char *function, const char *how)
{
    inside = true;
    bool strikes = has_token();
    if (strikes && !struck)
        fprintf(stderr, "fault: %s %s\n", function, how);
    struck |= strikes;
    inside = false;
    return strikes;
}

static bool is_possible(mproc_err err)
{
    return (err != MPROC_EINTR || interruptible) && (err != MPROC_EACCES || plan.can_deny);
}

/* `errors`: MPROC_OK among them is a wake-up for no reason. */
static bool fails(const char *function, const mproc_err *errors, size_t count, mproc_err *err)
{
    mproc_err possible[8];
    size_t kinds = 0;
    if (!ready)
        find_plan();
    if (inside || !faults_strike_here())
        return false;
    for (size_t i = 0; i < count; i++) {
        if (is_possible(errors[i]))
            possible[kinds++] = errors[i];
    }
    if (!kinds || !is_due(function))
        return false;
    *err = possible[plan.variant % kinds];
    if (!strike(function, *err ? mproc_strerror(*err) : "wakes for no reason"))
        return false;
    if (*err && *err != MPROC_EINTR)
        error_remember(NATIVE_ERROR);
    return true;
}

/* ---- the seam ---- */

/* Processes that this one has started. */
static _Atomic unsigned starts;

unsigned processes_started(void)
{
    return starts;
}

static mproc_err count_start(mproc_err err)
{
    starts += !err;
    return err;
}

/* `told`: a function that is told of the result, or nothing. */
#define FALLIBLE_TOLD(told, name, parameters, arguments, ...)                                      \
    mproc_err REAL(name) parameters;                                                               \
    mproc_err WRAP(name) parameters;                                                               \
    mproc_err WRAP(name) parameters                                                                \
    {                                                                                              \
        static const mproc_err errors[] = {__VA_ARGS__};                                           \
        mproc_err err;                                                                             \
        if (fails(#name, errors, sizeof errors / sizeof *errors, &err))                            \
            return err;                                                                            \
        return told(REAL(name) arguments);                                                         \
    }
#define FALLIBLE(...) FALLIBLE_TOLD(, __VA_ARGS__)
#define STARTING(...) FALLIBLE_TOLD(count_start, __VA_ARGS__)

FALLIBLE(os_random, (void *bytes, size_t size), (bytes, size), MPROC_EOS)
FALLIBLE(os_thread_start, (os_handle * thread, void (*run)(void *), void *argument),
         (thread, run, argument), MPROC_EAGAIN, MPROC_ENOMEM)
FALLIBLE(os_shared_create, (os_shared * shared, uint64_t size, uint64_t least),
         (shared, size, least), MPROC_ENOMEM, MPROC_EAGAIN, MPROC_EOS)
FALLIBLE(os_shared_open, (os_shared * shared, os_handle object, uint64_t size),
         (shared, object, size), MPROC_ENOMEM, MPROC_EOS)
FALLIBLE(os_shared_commit, (const os_shared *shared, uint64_t offset, uint64_t size),
         (shared, offset, size), MPROC_ENOMEM)
FALLIBLE(os_signal_init, (os_signal * signal, const unsigned char nonce[16], uint32_t index),
         (signal, nonce, index), MPROC_ENOMEM, MPROC_EAGAIN)
FALLIBLE(os_code_from, (os_function function, os_code *code), (function, code), MPROC_EIMAGE)
FALLIBLE(os_code_find, (const os_code *code, os_function *function), (code, function), MPROC_EIMAGE)
STARTING(os_fork, (os_process * child, bool *in_child), (child, in_child), MPROC_EAGAIN,
         MPROC_ENOMEM)
STARTING(os_spawn,
         (os_process * child, const char *text, const os_handle *handles, size_t handle_count,
          const struct os_lifeline *mortal),
         (child, text, handles, handle_count, mortal), MPROC_EAGAIN, MPROC_ENOMEM, MPROC_ENOENT,
         MPROC_EOS)
FALLIBLE(os_process_wait, (os_process * process, int64_t deadline), (process, deadline),
         MPROC_EINTR)
FALLIBLE(os_process_signal, (os_process * process, bool hard), (process, hard), MPROC_EACCES)
FALLIBLE(os_process_sentinel, (os_process * process, os_handle *sentinel), (process, sentinel),
         MPROC_EAGAIN)
FALLIBLE(os_lifeline_create, (os_lifeline * line), (line), MPROC_EAGAIN)
FALLIBLE(os_lifeline_arm, (os_handle watch), (watch), MPROC_EAGAIN, MPROC_ENOMEM)
FALLIBLE(os_lifeline_find, (int64_t parent, os_handle *watch), (parent, watch), MPROC_EAGAIN)
FALLIBLE(os_lifeline_wait, (os_handle watch, int64_t deadline), (watch, deadline), MPROC_EINTR)
FALLIBLE(os_watcher_create,
         (os_watcher * *watcher, void (*ended)(void *context, uint64_t key), void *context),
         (watcher, ended, context), MPROC_EAGAIN, MPROC_ENOMEM)
FALLIBLE(os_watcher_add, (os_watcher * watcher, os_process *process, uint64_t key),
         (watcher, process, key), MPROC_EAGAIN, MPROC_ENOMEM)
FALLIBLE(os_forkserver_channel, (os_handle ends[2]), (ends), MPROC_EAGAIN)
STARTING(os_forkserver_request,
         (os_handle server, uint64_t word, const os_handle *handles, size_t handle_count,
          os_process *child),
         (server, word, handles, handle_count, child), MPROC_EBROKEN, MPROC_EAGAIN, MPROC_ENOMEM)

FALLIBLE(os_segment_create, (os_segment * segment, const char *name, uint64_t size),
         (segment, name, size), MPROC_ENOMEM, MPROC_EAGAIN, MPROC_EEXIST, MPROC_ENOENT, MPROC_EOS)
FALLIBLE(os_segment_open, (os_segment * segment, const char *name, uint64_t least),
         (segment, name, least), MPROC_ENOMEM, MPROC_EAGAIN, MPROC_EOS)
FALLIBLE(os_segment_unlink, (const os_segment *segment), (segment), MPROC_EAGAIN, MPROC_EOS)

FALLIBLE(os_variable, (const char *name, char *value, size_t size), (name, value, size),
         MPROC_ERANGE, MPROC_EOS)
FALLIBLE(os_file_create, (const char *path, os_handle *file, char *absolute, size_t size),
         (path, file, absolute, size), MPROC_EACCES, MPROC_ENOENT, MPROC_EAGAIN, MPROC_EINVAL)
FALLIBLE(os_file_open, (const char *absolute, os_handle *file), (absolute, file), MPROC_ENOENT,
         MPROC_EAGAIN)
FALLIBLE(os_file_write, (os_handle file, uint64_t at, const void *bytes, size_t size),
         (file, at, bytes, size), MPROC_ENOMEM, MPROC_EOS)
FALLIBLE(os_file_truncate, (os_handle file, uint64_t size), (file, size), MPROC_EOS)

FALLIBLE(os_channel_pair, (os_handle ends[2], bool duplex), (ends, duplex), MPROC_EAGAIN,
         MPROC_ENOMEM, MPROC_EOS)
FALLIBLE(os_channel_open, (os_channel * channel, os_handle handle), (channel, handle), MPROC_ENOMEM,
         MPROC_EOS)
FALLIBLE(os_channel_read,
         (os_channel * channel, void *bytes, size_t size, size_t *got, os_handle *passed,
          int64_t deadline),
         (channel, bytes, size, got, passed, deadline), MPROC_EAGAIN, MPROC_ENOMEM, MPROC_EINTR,
         MPROC_EOS)
FALLIBLE(os_wait_ready, (os_wait_item * items, size_t count, int64_t deadline),
         (items, count, deadline), MPROC_ENOMEM, MPROC_EINTR)
FALLIBLE(os_handle_offer, (os_handle handle, uint64_t *word), (handle, word), MPROC_EAGAIN,
         MPROC_ENOMEM, MPROC_EOS)

mproc_err REAL(os_channel_write)(os_channel *channel, const os_part parts[2], os_handle attached,
                                 size_t *done, int64_t deadline);
mproc_err WRAP(os_channel_write)(os_channel *channel, const os_part parts[2], os_handle attached,
                                 size_t *done, int64_t deadline);
mproc_err WRAP(os_channel_write)(os_channel *channel, const os_part parts[2], os_handle attached,
                                 size_t *done, int64_t deadline)
{
    static const mproc_err errors[] = {MPROC_ENOMEM, MPROC_EINTR, MPROC_EOS};
    mproc_err err;
    *done = 0;
    return fails("os_channel_write", errors, 3, &err)
               ? err
               : REAL(os_channel_write)(channel, parts, attached, done, deadline);
}

/* What was attached is taken over even so; where nothing can be, the offer stays. */
mproc_err REAL(os_handle_accept)(int64_t pid, uint64_t born, uint64_t word, os_handle attached,
                                 os_handle *handle);
mproc_err WRAP(os_handle_accept)(int64_t pid, uint64_t born, uint64_t word, os_handle attached,
                                 os_handle *handle);
mproc_err WRAP(os_handle_accept)(int64_t pid, uint64_t born, uint64_t word, os_handle attached,
                                 os_handle *handle)
{
    static const mproc_err attached_error = MPROC_EBROKEN, error = MPROC_EAGAIN;
    mproc_err err;
    if (!fails("os_handle_accept", os_can_attach ? &attached_error : &error, 1, &err))
        return REAL(os_handle_accept)(pid, born, word, attached, handle);
    os_handle_close(attached);
    return err;
}

/* Waits that may end for no reason, but neither beyond their deadline nor without end. */
static bool wakes(const char *function, int64_t deadline, mproc_err *err)
{
    static const mproc_err ends[] = {MPROC_OK, MPROC_EINTR};
    return os_now() < deadline && wake_ups < WAKE_UPS && fails(function, ends, 2, err) &&
           (*err || ++wake_ups);
}

#define WAKEFUL(name, parameters, arguments)                                                       \
    mproc_err REAL(name) parameters;                                                               \
    mproc_err WRAP(name) parameters;                                                               \
    mproc_err WRAP(name) parameters                                                                \
    {                                                                                              \
        mproc_err err;                                                                             \
        return wakes(#name, deadline, &err) ? err : REAL(name) arguments;                          \
    }

WAKEFUL(os_futex_wait, (_Atomic uint32_t *word, uint32_t expected, int64_t deadline),
        (word, expected, deadline))
WAKEFUL(os_signal_wait, (os_signal * signal, int64_t deadline), (signal, deadline))

bool REAL(os_shared_decommit)(const os_shared *shared, uint64_t offset, uint64_t size);
bool WRAP(os_shared_decommit)(const os_shared *shared, uint64_t offset, uint64_t size);
bool WRAP(os_shared_decommit)(const os_shared *shared, uint64_t offset, uint64_t size)
{
    static const mproc_err refused = MPROC_ENOSYS;
    mproc_err err;
    return !fails("os_shared_decommit", &refused, 1, &err) &&
           REAL(os_shared_decommit)(shared, offset, size);
}

/* Cannot fail, but says what can. */
void REAL(os_set_interruptible)(bool on);
void WRAP(os_set_interruptible)(bool on);
void WRAP(os_set_interruptible)(bool on)
{
    interruptible = on;
    REAL(os_set_interruptible)(on);
}

/* ---- memory ---- */

#ifndef FAULT_WRAPS_MALLOC

long long blocks_in_use(void)
{
    return 0;
}

#else

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void REAL(free)(void *block);
void *WRAP(malloc)(size_t size);
void *WRAP(calloc)(size_t count, size_t size);
void *WRAP(realloc)(void *block, size_t size);
void WRAP(free)(void *block);

static bool is_full(const char *function)
{
    static const mproc_err none = MPROC_ENOMEM;
    mproc_err err;
    return fails(function, &none, 1, &err);
}

/* The C library gives blocks of its own, which are freed like others: so each block is known. */
enum { KNOWN = 4096 };
static _Atomic uintptr_t known[KNOWN];

static bool replace(uintptr_t near_to, uintptr_t from, uintptr_t to)
{
    for (size_t i = 0; i < KNOWN; i++) {
        uintptr_t expected = from;
        if (atomic_compare_exchange_strong(&known[(near_to / 16 + i) % KNOWN], &expected, to))
            return true;
    }
    return false;
}

static void *remember(void *block)
{
    if (FAULT_COUNTS_BLOCKS && block && !inside)
        replace((uintptr_t)block, 0, (uintptr_t)block);
    return block;
}

static void forget(const void *block)
{
    if (FAULT_COUNTS_BLOCKS && block)
        replace((uintptr_t)block, (uintptr_t)block, 0);
}

long long blocks_in_use(void)
{
    long long count = 0;
    for (size_t i = 0; i < KNOWN; i++)
        count += known[i] != 0;
    return count;
}

void *WRAP(malloc)(size_t size)
{
    return is_full("malloc") ? NULL : remember(REAL(malloc)(size));
}

void *WRAP(calloc)(size_t count, size_t size)
{
    return is_full("calloc") ? NULL : remember(REAL(calloc)(count, size));
}

void *WRAP(realloc)(void *block, size_t size)
{
    if (is_full("realloc"))
        return NULL;
    forget(block); /* before somebody else is given it */
    void *moved = REAL(realloc)(block, size);
    remember(moved ? moved : block);
    return moved;
}

void WRAP(free)(void *block)
{
    forget(block);
    REAL(free)(block);
}

#endif
