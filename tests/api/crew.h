/* Several who do the same, as processes and as threads of this one. */
#ifndef MPROC_TESTS_API_CREW_H
#define MPROC_TESTS_API_CREW_H

#include "support.h"

enum { CREW_MOST = 16, CREW_ARGS = 256 };

typedef enum crew_kind { CREW_PROCESSES, CREW_THREADS, CREW_MIXED, CREW_KINDS } crew_kind;

typedef struct crew_member {
    mproc_process *process; /* NULL: a thread */
    host_thread thread;
    mproc_target target;
    _Alignas(16) unsigned char args[CREW_ARGS];
    size_t size;
    int code;
} crew_member;

typedef struct crew {
    crew_kind kind;
    size_t count;
    crew_member members[CREW_MOST];
} crew;

/* They assert. A thread's argument is a copy, too; of a mixed crew every other one is a process. */
void crew_add(crew *them, mproc_target target, const void *args, size_t size);
void crew_kill(crew *them, size_t index); /* a process; only crew_join looks at it afterwards */
/* Waits until all have ended, and expects that each has returned 0 who was not killed. */
void crew_join(crew *them);

#endif
