/* The trivial work, in a translation unit of its own, so that nobody can optimise a call away. */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

int work_check(const int32_t *item); /* 0: it is what it should be */
uint64_t work_square(const uint64_t *item);
void work_turn(uint32_t turns); /* takes its time, by the processor alone */

#endif
