/* Asks for a line of the cache before it is needed; nothing where the compiler cannot. */
#ifndef MPROC_PREFETCH_H
#define MPROC_PREFETCH_H

#if defined(__GNUC__)
#define prefetch_to_read(address) __builtin_prefetch((address), 0)
#else
#define prefetch_to_read(address) ((void)(address))
#endif

/* For the oldest processor of its kind, compilers make a prefetch to read of one to write: then the
 * line comes, but stays the other's, too. Where this instruction is not known it does nothing. */
#if defined(__GNUC__) && defined(__x86_64__)
#define prefetch_to_write(address)                                                                 \
    __asm__ volatile("prefetchw %0" : : "m"(*(const volatile char *)(address)))
#elif defined(__GNUC__)
#define prefetch_to_write(address) __builtin_prefetch((address), 1)
#else
#define prefetch_to_write(address) ((void)(address))
#endif

#endif
