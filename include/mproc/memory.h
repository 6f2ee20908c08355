/* Memory that all processes of the family share, named by a value. */
#ifndef MPROC_MEMORY_H
#define MPROC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* A block of shared memory. A value: copied into arguments, messages and shared memory it means the
 * same block in every process of the family, under every start method. {0} is none. */
typedef struct mproc_memory {
    uint64_t id;
} mproc_memory;

/* Allocates a block. It belongs to the family: it outlives the process that made it, and is there
 * until somebody frees it or the family's last process has ended.
 *
 * memory  receives the handle. It may lie in shared memory itself: a process that is killed in here
 *         has left a handle that is valid, or one that is MPROC_ESTALE and has cost nothing.
 * size    bytes, at least 1. The block is aligned to 64 bytes, a larger one than that to 128. Its
 *         content is undefined: zeroes, or what somebody has left there.
 *
 * **Returns** MPROC_OK: all of it can be written to, however full the machine is later;
 * MPROC_EINVAL: NULL, or a size of 0; MPROC_ENOMEM: no memory, the family has reached the limit of
 * its shared memory (mproc_options.arena_limit), or has allocated as many blocks as handles can tell
 * apart (of each 64 KiB of that limit 68,000,000,000, fewer above 16 GiB: 2^54 in all); MPROC_ESTATE: after a raw fork, or this process
 * is ending; MPROC_EGUARD: a child that got past the guard; of the family's first object also
 * MPROC_EAGAIN and MPROC_EOS.
 * **Ownership**: the family's, until mproc_memory_free.
 * **Threads**: safe, also among processes.
 * **Platform**: from 1 MiB on, what is freed goes back to the operating system; on Windows it is
 * kept for the family.
 * *Like* `multiprocessing.heap.BufferWrapper(size)`, what `RawArray` is made of. */
MPROC_API mproc_err mproc_memory_alloc(mproc_memory *memory, size_t size);

/* Frees a block, whoever has allocated it. Pointers to its bytes are no longer valid, in any
 * process; its handles are MPROC_ESTALE for ever, for no later block has the same.
 *
 * **Returns** MPROC_OK; MPROC_ESTALE: freed already, or never allocated: any value at all may be
 * passed; MPROC_ESTATE, MPROC_EGUARD, MPROC_EAGAIN, MPROC_ENOMEM and MPROC_EOS as
 * mproc_memory_alloc.
 * **Threads**: safe, also among processes: of several who free the same block one gets MPROC_OK.
 * *Like* the end of the last reference to a `BufferWrapper`. */
MPROC_API mproc_err mproc_memory_free(mproc_memory memory);

/* The bytes of a block. Each process sees them at an address of its own: pass the handle on, not
 * the pointer.
 *
 * **Returns** the first byte; NULL for a handle that is stale or forged, and in a process whose
 * mproc calls fail (see mproc_memory_alloc).
 * **Ownership**: the block's; valid until mproc_memory_free.
 * **Threads**: safe. Whoever shares the bytes sees to it who may write when.
 * *Like* `BufferWrapper.create_memoryview()`. */
MPROC_API void *mproc_memory_data(mproc_memory memory);

/* How many bytes may be used: at least as many as were asked for.
 *
 * size  receives the number.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: NULL; MPROC_ESTALE; MPROC_ESTATE, MPROC_EGUARD, MPROC_EAGAIN,
 * MPROC_ENOMEM and MPROC_EOS as mproc_memory_alloc.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_memory_size(mproc_memory memory, size_t *size);

MPROC_END

#endif
