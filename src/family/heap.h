/* The family's heap. Each block belongs to one process, by a tag in its state word, and is swept
 * with it; or it is linked to something that outlives processes, by a tag that names it.
 *
 * A block is claimed and tagged by one CAS on a word outside of the block, given to another
 * process by one CAS, and freed by one CAS; so a process killed in between holds it or does not.
 * Nothing is counted and no list is linked: free blocks are found by their words. */
#ifndef MPROC_FAMILY_HEAP_H
#define MPROC_FAMILY_HEAP_H

#include "slot.h"

#define HEAP_BLOCK_WORDS 8192     /* bytes of ARENA_BLOCKS for each span */
#define HEAP_ALIGNMENT 64         /* of every block... */
#define HEAP_LARGER_ALIGNMENT 128 /* ...and of those that are larger than that */

/* Tags have HEAP_TAG_BITS. Those with HEAP_TAG_MEMORY are numbers of blocks that name themselves
 * (heap_alloc_numbered), those without it objects. */
#define HEAP_TAG_BITS 37
#define HEAP_TAG_MEMORY (UINT64_C(1) << 36)

/* Its content is undefined. MPROC_ENOMEM; MPROC_EINVAL: size 0; MPROC_ESTATE: the owner has swept
 * itself. */
mproc_err heap_alloc(size_t size, slot_id owner, arena_ref *ref);
/* With a number that no other block at that place has ever had or will have. MPROC_ENOMEM also when no
 * place has any left. */
mproc_err heap_alloc_numbered(size_t size, slot_id owner, arena_ref *ref, uint64_t *number);
/* Place and number in one word that is not 0; back: any word at all is safe, *tag is 0 if that is
 * none. */
uint64_t heap_id(arena_ref ref, uint64_t number);
arena_ref heap_ref_of(uint64_t id, uint64_t *tag);
/* Another process's from now on, whose slot this one still holds, so that its sweep is still to
 * come. */
void heap_give(arena_ref ref, slot_id from, slot_id to);
/* Owned by no process any more, but by what `tag` names: not 0, and within HEAP_TAG_BITS. The
 * commit store of whatever the block is made for: the rest of it must be in place before. Again
 * does no harm. */
void heap_link(arena_ref ref, slot_id from, uint64_t tag);
/* Frees it if it is linked to exactly that, else false; again does no harm, and neither does any
 * ref at all. Who is late must not meet another block with the same ref and tag: where that may
 * happen, each use needs a tag of its own. */
bool heap_free_linked(arena_ref ref, uint64_t tag, slot_id self);
/* The other way round: a process's again. False: it was not linked to that. */
bool heap_unlink(arena_ref ref, uint64_t tag, slot_id to);
/* Calls `visit` for every block that is linked to that. */
void heap_each_linked(uint64_t tag, void (*visit)(arena_ref ref, void *context), void *context);
bool heap_is_linked(arena_ref ref, uint64_t tag);       /* any ref at all is safe */
uint64_t heap_linked_size(arena_ref ref, uint64_t tag); /* its usable bytes; 0: it is not */
uint64_t heap_owned_size(arena_ref ref, slot_id owner); /* likewise of one that a process owns */
/* Of a block that a process owns; 0 does nothing. `self` does the work: its sweep finishes it
 * should `self` be killed meanwhile. */
void heap_free(arena_ref ref, slot_id self);
/* Frees all that a dead process held, not what is linked, and finishes what it had begun. A process
 * that sweeps itself gets nothing more. */
void heap_sweep(slot_id dead, slot_id self);
/* Whether this process may have blocks to sweep at its clean end. */
bool heap_was_used_by(slot_id self);
uint64_t heap_used(void); /* bytes in blocks, rounded as they are allocated */

/* For the arena: where the spans begin in this process's view. */
void heap_begin_at(arena_ref first);

#endif
