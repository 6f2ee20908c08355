/* Asks for a line of the cache before it is needed; nothing where the compiler cannot. */
#ifndef MPROC_PREFETCH_H
#define MPROC_PREFETCH_H

#if defined(__GNUC__)
#define prefetch_to_read(address) __builtin_prefetch((address), 0)
#define prefetch_to_write(address) __builtin_prefetch((address), 1)
#else
#define prefetch_to_read(address) ((void)(address))
#define prefetch_to_write(address) ((void)(address))
#endif

#endif
