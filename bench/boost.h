/* The same stream through Boost.Interprocess, where that was found: boost.cpp, boost_none.c. One
 * queue, which children of raw_fork share. */
#ifndef BENCH_BOOST_H
#define BENCH_BOOST_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const bool boost_exists;
bool boost_open(size_t items, size_t size);
bool boost_put(const void *data, size_t size);
bool boost_get(void *data, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
