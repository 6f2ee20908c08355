/* One process object: a child of this process, the process itself, or its parent. */
#ifndef MPROC_PROCESS_PROCESS_H
#define MPROC_PROCESS_PROCESS_H

#include "../family/family.h"

enum { PROCESS_IDENTITY = 48 };

/* ADOPTED: a descendant whose parent has died; no program sees that object. */
typedef enum { PROCESS_CHILD, PROCESS_SELF, PROCESS_PARENT, PROCESS_ADOPTED } process_role;
typedef enum { PROCESS_NEW, PROCESS_STARTING, PROCESS_STARTED } process_phase;

/* For a worker: a child whose end the pool must know, and which ignores Ctrl-C. */
typedef struct process_hooks {
    /* Has been proved dead, but is not swept yet: the moment to take over blocks of its. Without a
     * lock, on any thread, as others may do it for other processes at the same time. */
    void (*inherit)(void *context, mproc_process *process);
    /* Has ended and has been swept. Without a lock, on the monitor's thread. */
    void (*ended)(void *context, mproc_process *process);
} process_hooks;

/* As small as it can be: a parent of many children has many of them, and every fork copies their
 * pages' entries. */
struct mproc_process {
    _Atomic unsigned references;
    process_role role;
    slot_id owner; /* the process whose object this is */

    mproc_target target;
    size_t args_size;
    mproc_start_method method;
    bool daemon;
    const uint64_t *given; /* ids of what it is to hold; behind the args */
    size_t given_count;
    const char *name;           /* behind those, or for ever */
    uint64_t number;            /* the how manieth child of its parent */
    const process_hooks *hooks; /* or NULL */
    void *hooks_context;

    /* Of the children's lock. */
    _Atomic int phase; /* process_phase; STARTED once `os` is set */
    slot_id slot;
    slot_id estate; /* of an orphan that ends with its dead parent: whose sweep waits for it */
    os_process os;
    unsigned server;  /* which incarnation of the forkserver made it */
    unsigned waiting; /* threads inside os_process_wait: the pid must stay theirs */
    bool asked;       /* by terminate or kill */
    bool proved;      /* it has ended and `status` is final: a thread sweeps its slot */
    bool ended;       /* that is done */
    bool reaped;
    bool watched; /* by the monitor */
    mproc_exit_status status;
    mproc_process *next, *previous;

    _Alignas(16) unsigned char args[];
};

/* Lets go of a reference, as mproc_process_free does. */
void process_release(mproc_process *process);
/* As mproc_process_create. `hooks` live for ever, or are NULL; with them the start starts the
 * monitor, too. */
mproc_err process_create(mproc_process **process, const mproc_process_options *options,
                         const process_hooks *hooks, void *context);
void process_retain(mproc_process *process);

/* "1:2" is the second child of the first child of the first process. */
typedef struct process_identity {
    char text[PROCESS_IDENTITY];
} process_identity;
process_identity process_identity_of(const mproc_process *child);
/* In a new child: who it is; its own numbering begins. */
void process_begin(const process_identity *identity);

#endif
