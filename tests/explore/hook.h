/* Stands in front of each source that is explored (-include): every atomic access to the arena
 * calls explore_point before it, so that the engine can let another player run there.
 *
 * All accesses are sequentially consistent here: the engine tries orders of whole accesses, not
 * what a weaker memory model would allow besides. */
#ifndef MPROC_TESTS_EXPLORE_HOOK_H
#define MPROC_TESTS_EXPLORE_HOOK_H

#include <stdatomic.h>
#include <stdlib.h>

#include "point.h"

static inline int explore_sees(const volatile void *word)
{
    return (uintptr_t)word - explore_arena.begin < explore_arena.size ||
           (uintptr_t)word - explore_common.begin < explore_common.size;
}

#define EXPLORE_POINT(word, writes)                                                                \
    (explore_sees(word) ? explore_point(word, writes, __FILE__, __LINE__) : (void)0)
#define EXPLORE_VALUE(word) __typeof__((void)0, *(word))

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit

/* The arguments are evaluated before the point: they may be points themselves. */
#define atomic_load(word)                                                                          \
    __extension__({                                                                                \
        __auto_type at_ = (word);                                                                  \
        EXPLORE_VALUE(at_) now_;                                                                   \
        EXPLORE_POINT(at_, 0);                                                                     \
        __atomic_load(at_, &now_, __ATOMIC_SEQ_CST);                                               \
        now_;                                                                                      \
    })
#define atomic_store(word, value)                                                                  \
    __extension__({                                                                                \
        __auto_type at_ = (word);                                                                  \
        EXPLORE_VALUE(at_) to_ = (value);                                                          \
        EXPLORE_POINT(at_, 1);                                                                     \
        __atomic_store(at_, &to_, __ATOMIC_SEQ_CST);                                               \
    })
#define atomic_exchange(word, value)                                                               \
    __extension__({                                                                                \
        __auto_type at_ = (word);                                                                  \
        EXPLORE_VALUE(at_) to_ = (value), was_;                                                    \
        EXPLORE_POINT(at_, 1);                                                                     \
        __atomic_exchange(at_, &to_, &was_, __ATOMIC_SEQ_CST);                                     \
        was_;                                                                                      \
    })
#define atomic_compare_exchange_strong(word, expected, value)                                      \
    __extension__({                                                                                \
        __auto_type at_ = (word);                                                                  \
        EXPLORE_VALUE(at_) to_ = (value);                                                          \
        EXPLORE_POINT(at_, 1);                                                                     \
        __atomic_compare_exchange(at_, (expected), &to_, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);   \
    })
#define EXPLORE_FETCH(what, word, value)                                                           \
    __extension__({                                                                                \
        __auto_type at_ = (word);                                                                  \
        EXPLORE_VALUE(at_) by_ = (value);                                                          \
        EXPLORE_POINT(at_, 1);                                                                     \
        __atomic_fetch_##what(at_, by_, __ATOMIC_SEQ_CST);                                         \
    })
#define atomic_fetch_add(word, value) EXPLORE_FETCH(add, word, value)
#define atomic_fetch_sub(word, value) EXPLORE_FETCH(sub, word, value)
#define atomic_fetch_or(word, value) EXPLORE_FETCH(or, word, value)
#define atomic_fetch_and(word, value) EXPLORE_FETCH(and, word, value)

#define atomic_load_explicit(word, order) atomic_load(word)
#define atomic_store_explicit(word, value, order) atomic_store(word, value)
#define atomic_exchange_explicit(word, value, order) atomic_exchange(word, value)
#define atomic_compare_exchange_weak(word, expected, value)                                        \
    atomic_compare_exchange_strong(word, expected, value)
#define atomic_compare_exchange_strong_explicit(word, expected, value, done, failed)               \
    atomic_compare_exchange_strong(word, expected, value)
#define atomic_compare_exchange_weak_explicit(word, expected, value, done, failed)                 \
    atomic_compare_exchange_strong(word, expected, value)
#define atomic_fetch_add_explicit(word, value, order) atomic_fetch_add(word, value)
#define atomic_fetch_sub_explicit(word, value, order) atomic_fetch_sub(word, value)
#define atomic_fetch_or_explicit(word, value, order) atomic_fetch_or(word, value)
#define atomic_fetch_and_explicit(word, value, order) atomic_fetch_and(word, value)

#define malloc(size) explore_allocate(1, size)
#define calloc(count, size) explore_allocate(count, size)
#define free(block) explore_release(block)

#endif
