/* The same work by two threads of OpenMP. openmp_none.c where the compiler has none. */
#ifndef OPENMP_H
#define OPENMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const bool openmp_exists;
/* How many items failed. */
size_t openmp_check(const int32_t *items, size_t count);
void openmp_square(const uint64_t *items, size_t count, uint64_t *results);

#endif
