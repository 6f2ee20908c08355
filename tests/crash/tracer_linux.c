#include "tracer.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "family/arena.h"

enum { THREADS = 8, WINDOW = 64, SYSCALL_STOP = SIGTRAP | 0x80, ENDED = -1 };

typedef struct tracee {
    pid_t pid;
    uint32_t point, count;
    bool each_step, armed, ended;
    int marks;
    pid_t other[THREADS];          /* its other threads */
    unsigned long long last_store; /* where in the code... */
    uint32_t repeated;             /* ...and how often in a row */
    pid_t child;                   /* the last one that it has had */
} tracee;

typedef struct stop {
    pid_t tid;
    int signal; /* SYSCALL_STOP at a system call */
    int event;  /* PTRACE_EVENT_..., ENDED */
} stop;

static tracee stopped; /* the one that was brought last */

/* In the list of its threads, 0 being a free place; THREADS: there is none. */
static size_t place_of(const tracee *t, pid_t tid)
{
    size_t i = 0;
    while (i < THREADS && t->other[i] != tid)
        i++;
    return i;
}

static void remember(tracee *t, pid_t tid)
{
    size_t i = place_of(t, 0);
    if (tid != t->pid && place_of(t, tid) == THREADS && i < THREADS)
        t->other[i] = tid;
}

/* ---- the traced one ---- */

void tracer_enter(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    tracer_mark();
}

/* To this thread alone: another one could take what is sent to the process. */
void tracer_mark(void)
{
    raise(SIGSTOP);
}

void tracer_pin(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* A sanitizer's own work in between would be traced, too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

bool tracer_can(void)
{
    if (SANITIZED)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? 1 : 0);
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* ---- stops ---- */

/* Something that this harness relies on is not so. */
static void give_up(const char *what)
{
    fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
    abort();
}

static void tick(int signal)
{
    (void)signal;
}

static void reap(pid_t tid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)tid, &info, WEXITED | __WALL) && errno == EINTR) {
    }
}

/* Somebody else may have reaped what this one waits for, and then nothing is ever reported. */
static void begin_ticking(void)
{
    const struct sigaction action = {.sa_handler = tick};
    const struct itimerval often = {{0, 100000}, {0, 100000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void end_ticking(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
}

static bool has_vanished(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL) &&
           errno == ECHILD;
}

/* Ends are left to be seen by others, for they are the library's; but those of traced threads are
 * nobody else's. */
static stop await_stop(tracee *t, idtype_t type, pid_t tid)
{
    for (;;) {
        siginfo_t info;
        memset(&info, 0, sizeof info);
        if (waitid(type, (id_t)tid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL)) {
            if (errno != EINTR && errno != ECHILD)
                give_up("wait");
            if (errno == ECHILD || has_vanished(t->pid))
                return (stop){tid, 0, ENDED};
            continue;
        }
        if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED)
            return (stop){info.si_pid, info.si_status & 0xff, info.si_status >> 8};
        if (info.si_pid == t->pid)
            return (stop){info.si_pid, 0, ENDED};
        size_t i = place_of(t, info.si_pid);
        reap(info.si_pid); /* a thread, or an orphan */
        if (i < THREADS)
            t->other[i] = 0;
    }
}

static void resume(int how, pid_t tid, int with)
{
    if (ptrace(how, tid, NULL, (void *)(intptr_t)with) && errno != ESRCH)
        give_up("resume");
}

/* One instruction, or up to the next trap, whatever signals come in between. */
static void run_to_trap(int how, pid_t tid)
{
    for (;;) {
        resume(how, tid, 0);
        stop at = await_stop(&stopped, P_PID, tid);
        if (at.signal == SIGTRAP && !at.event)
            return;
        if (at.signal == SIGSEGV || at.signal == SIGBUS || at.signal == SIGILL)
            give_up("it crashes");
    }
}

static struct user_regs_struct registers_of(pid_t tid)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, tid, NULL, &registers))
        give_up("registers");
    return registers;
}

static void set_registers(pid_t tid, const struct user_regs_struct *registers)
{
    if (ptrace(PTRACE_SETREGS, tid, NULL, registers))
        give_up("registers");
}

/* ---- the arena's protection ---- */

extern const char tracer_call_here[];
__asm__(".text\n"
        ".globl tracer_call_here\n"
        "tracer_call_here:\n"
        "    syscall\n"
        "    int3\n");

/* The traced thread calls mprotect; code and arena lie where they do here, for it is a fork. */
static void protect(pid_t tid, int rights)
{
    const struct user_regs_struct before = registers_of(tid);
    struct user_regs_struct call = before;
    call.rip = (uintptr_t)tracer_call_here;
    call.orig_rax = (unsigned long long)-1;
    call.rax = SYS_mprotect;
    call.rdi = (uintptr_t)arena_base();
    call.rsi = arena_extent();
    call.rdx = (unsigned)rights;
    set_registers(tid, &call);
    run_to_trap(PTRACE_CONT, tid);
    if (registers_of(tid).rax)
        give_up("mprotect");
    set_registers(tid, &before);
}

/* A long store of one instruction would be hundreds of steps. */
static void finish_repetition(pid_t tid)
{
    const unsigned long long at = registers_of(tid).rip;
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, tid, (void *)at, NULL);
    if (errno)
        give_up("code");
    const unsigned length = (code >> 8 & 0xf0) == 0x40 ? 3 : 2;
    if ((code & 0xff) != 0xf3 && (code & 0xff) != 0xf2)
        return;
    const unsigned long long next = at + length;
    errno = 0;
    code = ptrace(PTRACE_PEEKTEXT, tid, (void *)next, NULL);
    if (errno || ptrace(PTRACE_POKETEXT, tid, (void *)next, (void *)((code & ~0xffL) | 0xcc)))
        give_up("code");
    run_to_trap(PTRACE_CONT, tid);
    ptrace(PTRACE_POKETEXT, tid, (void *)next, (void *)code);
    struct user_regs_struct registers = registers_of(tid);
    registers.rip = next;
    set_registers(tid, &registers);
}

static size_t window_at(const unsigned char *address)
{
    const size_t page = 4096, rest = page - (uintptr_t)address % page;
    return rest < WINDOW ? rest : WINDOW;
}

/* ---- kill points ---- */

static bool is_reached(tracee *t)
{
    return t->count++ == t->point;
}

/* Of a loop that fills a table: the first rounds, and then ever fewer. */
static bool is_one_of_many(tracee *t, unsigned long long at)
{
    t->repeated = at == t->last_store ? t->repeated + 1 : 0;
    t->last_store = at;
    return t->repeated > 4 && (t->repeated & (t->repeated - 1));
}

/* The thread has stopped before a store. True: killed behind it, or in the middle. */
static bool let_store(tracee *t, pid_t tid, const unsigned char *address)
{
    unsigned char before[WINDOW];
    const size_t size = window_at(address);
    memcpy(before, address, size);
    const unsigned long long at = registers_of(tid).rip;
    protect(tid, PROT_READ | PROT_WRITE);
    run_to_trap(PTRACE_SINGLESTEP, tid);
    bool changed = memcmp(before, address, size) != 0;
    if (changed && !is_one_of_many(t, at) && is_reached(t))
        return true;
    if (registers_of(tid).rip == at)
        finish_repetition(tid);
    protect(tid, PROT_READ);
    return false;
}

/* What shares nothing with anybody. */
static bool is_private(unsigned long long call)
{
    const unsigned long long asks = 451; /* cachestat */
    const unsigned long long calls[] = {
        SYS_rt_sigprocmask, SYS_getpid, SYS_gettid,        SYS_sched_yield, SYS_mprotect, SYS_mmap,
        SYS_munmap,         SYS_brk,    SYS_clock_gettime, SYS_fstat,       SYS_madvise,  asks};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (calls[i] == call)
            return true;
    }
    return false;
}

static bool is_mark(const tracee *t, const stop *at)
{
    return at->tid == t->pid && at->signal == SIGSTOP && !at->event;
}

static const unsigned char *store_address(const stop *at)
{
    siginfo_t info;
    if (at->signal != SIGSEGV || at->event || ptrace(PTRACE_GETSIGINFO, at->tid, NULL, &info))
        return NULL;
    return arena_contains(info.si_addr, 1) ? info.si_addr : NULL;
}

static bool is_own_stop(const stop *at)
{
    return at->event || at->signal == SIGSTOP || at->signal == SIGTRAP ||
           at->signal == SYSCALL_STOP;
}

/* True: it is to be killed now. A store has been made when this returns. */
static bool handle(tracee *t, stop *at)
{
    const unsigned char *address = store_address(at);
    if (t->armed && !t->each_step && address) {
        at->signal = SIGTRAP;
        return let_store(t, at->tid, address);
    }
    if (at->signal == SYSCALL_STOP)
        return t->armed && !is_private(registers_of(at->tid).orig_rax) && is_reached(t);
    if (at->signal == SIGTRAP && !at->event)
        return t->armed && t->each_step && at->tid == t->pid && is_reached(t);
    return false;
}

/* A mark of the traced one: the first lets it run, between the second and the third it is
 * watched. */
static bool pass_mark(tracee *t)
{
    const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK; /* its threads' as well */
    switch (t->marks++) {
    case 0:
        if (ptrace(PTRACE_SETOPTIONS, t->pid, NULL, options))
            give_up("options");
        return false;
    case 1:
        t->armed = true;
        if (is_reached(t))
            return true;
        if (!t->each_step)
            protect(t->pid, PROT_READ);
        return false;
    default:
        return true;
    }
}

/* Its children are not traced, and their arena is as it should be. */
static void let_child_go(tracee *t, pid_t child)
{
    if (child == t->child)
        return;
    t->child = child;
    if (t->armed && !t->each_step)
        protect(child, PROT_READ | PROT_WRITE);
    if (ptrace(PTRACE_DETACH, child, NULL, NULL))
        give_up("detach");
}

/* A new thread is known before anything else can happen, for it has to be reaped. */
static void note_event(tracee *t, const stop *at)
{
    unsigned long made = 0;
    ptrace(PTRACE_GETEVENTMSG, at->tid, NULL, &made);
    if (at->event == PTRACE_EVENT_CLONE) {
        remember(t, (pid_t)made);
    } else if ((pid_t)made != t->child) {
        await_stop(t, P_PID, (pid_t)made);
        let_child_go(t, (pid_t)made);
    }
}

/* True: the stop was that of a child, which goes on. */
static bool is_of_child(tracee *t, const stop *at)
{
    if (at->event > 0) {
        note_event(t, at);
        return false;
    }
    if (at->signal != SIGSTOP || at->event || at->tid == t->pid ||
        !syscall(SYS_tgkill, t->pid, at->tid, 0))
        return false;
    let_child_go(t, at->tid);
    return true;
}

static void go_on(const tracee *t, const stop *at)
{
    int how = PTRACE_CONT;
    if (t->armed)
        how = !t->each_step ? PTRACE_SYSCALL : at->tid == t->pid ? PTRACE_SINGLESTEP : PTRACE_CONT;
    resume(how, at->tid, is_own_stop(at) ? 0 : at->signal);
}

static bool run_to_point(tracee *t)
{
    for (;;) {
        stop at = await_stop(t, t->marks ? P_ALL : P_PID, t->marks ? 0 : t->pid);
        if (at.event == ENDED) {
            t->ended = true;
            return t->armed;
        }
        if (is_of_child(t, &at))
            continue;
        remember(t, at.tid);
        if (is_mark(t, &at) ? pass_mark(t) : handle(t, &at))
            return true;
        go_on(t, &at);
    }
}

void tracer_let_go(long long pid)
{
    let_child_go(&stopped, (pid_t)pid);
}

bool tracer_bring(long long pid, uint32_t point, bool each_step)
{
    stopped = (tracee){.pid = (pid_t)pid, .point = point, .each_step = each_step};
    begin_ticking();
    bool brought = run_to_point(&stopped);
    end_ticking();
    return brought;
}

uint32_t tracer_count(void)
{
    return stopped.count;
}

void tracer_kill(void)
{
    if (stopped.ended)
        return;
    kill(stopped.pid, SIGKILL);
    /* As long as one of them is a zombie, the process has not ended. */
    for (size_t i = 0; i < THREADS; i++) {
        if (stopped.other[i])
            reap(stopped.other[i]);
    }
}
