/* The family's shared memory: one sparse mapping, inherited by every child, addressed by offset.
 *
 *   nothing | spans ... | small blocks | waiters | vacancies | hints | objects | numbers | states |
 *   signals | places | journals | slots | header
 *
 * The tables are as large as they may ever get and are committed in steps, as they are used. */
#ifndef MPROC_FAMILY_ARENA_H
#define MPROC_FAMILY_ARENA_H

#include "../os.h"

#define ARENA_SPAN UINT64_C(65536) /* the unit of commitment, and of the heap */

typedef uint64_t arena_ref; /* an offset; 0 is nothing */

/* Tables that grow by whole spans; ARENA_BLOCKS is used here and there. */
typedef enum arena_table {
    ARENA_SLOTS,
    ARENA_JOURNALS,
    ARENA_PLACES,
    ARENA_SIGNALS,
    ARENA_STATES,
    ARENA_NUMBERS,
    ARENA_OBJECTS,
    ARENA_HINTS,
    ARENA_VACANCIES,
    ARENA_WAITERS,
    ARENA_BLOCKS,
    ARENA_TABLES
} arena_table;

/* Makes a new one of about `size` bytes, of which at most `limit` will ever be committed. */
mproc_err arena_create(uint64_t size, uint64_t limit);
/* Maps the parent's. Takes the handle over. MPROC_EINVAL: that is no arena of this library's
 * version. */
mproc_err arena_open(os_handle shared, uint64_t size);

void arena_close(void); /* of a family that could not be founded */

unsigned char *arena_base(void);
uint64_t arena_capacity(void);          /* bytes of it that may be used */
os_handle arena_handle(void);           /* a spawned child inherits it... */
uint64_t arena_extent(void);            /* ...and is told its size */
const unsigned char *arena_nonce(void); /* 16 random bytes, the same in the whole family */
void *arena_at(arena_ref ref); /* unchecked: only for what this process wrote or has checked */
arena_ref arena_offset(const void *address);
bool arena_contains(const void *address, size_t size);

/* Commits [offset, offset + size), rounded to whole spans. MPROC_ENOMEM also when that lies
 * beyond the capacity. */
mproc_err arena_commit(arena_ref offset, uint64_t size);

/* Gives whole spans back to the system; true: they are zero after the next commit. */
bool arena_decommit(arena_ref offset, uint64_t size);
bool arena_is_committed(arena_ref offset, uint64_t size); /* as os_shared_is_committed */

/* One entry of a table; NULL when the table has not grown so far. */
void *arena_entry(arena_table table, uint32_t index);

/* A table's first entry after making sure that its first `count` entries can be used. *used: how
 * many can be used at present, always a multiple of what fits into a span. NULL: no memory. */
void *arena_use_table(arena_table table, uint32_t count, uint32_t *used);

/* Whether the family shares an object: then the end of each process matters to others. */
bool arena_has_objects(void);
void arena_note_objects(void);

/* A table's first entry, whether or not it can be used already. */
void *arena_table_begin(arena_table table);

/* Makes one entry usable, wherever it lies. False: no memory. */
bool arena_use_entry(arena_table table, uint32_t index);

/* Words of the whole family, 0 at first: counters, and where trace_file.c has its board. */
typedef enum arena_count {
    ARENA_HIGH,
    ARENA_EPOCHS,
    ARENA_HOLDINGS,
    ARENA_TRACE,
    ARENA_COUNTERS
} arena_count;
_Atomic uint64_t *arena_counter(arena_count which);

#endif
