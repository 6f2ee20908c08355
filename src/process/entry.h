/* From a parent to what it spawned: the record in the arena and the guard's private argument. */
#ifndef MPROC_PROCESS_ENTRY_H
#define MPROC_PROCESS_ENTRY_H

#include "handover.h"
#include "process.h"

typedef enum { ENTRY_CHILD, ENTRY_SERVER } entry_kind;

/* The first handles of what was spawned; then come a server's channel, or a child's holdings. */
enum { ENTRY_ARENA, ENTRY_LIFELINE, ENTRY_OTHERS };

/* What a child that is no copy of its parent must be told. Its block belongs to the child. */
mproc_err entry_record(const mproc_process *process, const handover *given, slot_id slot);
/* Spawns this executable as that. `line`: this process's; `mortal`: the child ends with it. Behind
 * the first two of the child's handles come those. */
mproc_err entry_spawn(os_process *child, entry_kind kind, slot_id slot, const os_lifeline *line,
                      bool mortal, const os_handle *handles, size_t count);

/* In what was spawned: the other end of entry_spawn's text. False: nobody here wrote it. */
bool entry_parse(const os_entry *entry, entry_kind *kind, slot_id *id, uint64_t *arena_bytes);

/* What a record told. The pointers point into the arena. */
typedef struct entry_task {
    mproc_target target;
    void *args;
    size_t args_size;
    const struct entry_gift *gifts;
    size_t gift_count;
    bool deaf; /* it will ignore Ctrl-C by itself */
} entry_task;

/* In a child: reads its record and takes over what its parent chose. MPROC_EIMAGE: the target is
 * not to be found. */
mproc_err entry_read(entry_task *task);
/* In a child: holds what it was given, whose handles are these. Takes them over. MPROC_EINVAL: they
 * are not as many as the record says. */
mproc_err entry_receive(const entry_task *task, const os_handle *handles, size_t count);
/* At a clean end. */
void entry_free_record(void);

#endif
