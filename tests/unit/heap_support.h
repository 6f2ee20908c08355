/* What the tests of the heap share. These assert: not for other threads. */
#ifndef MPROC_TESTS_UNIT_HEAP_SUPPORT_H
#define MPROC_TESTS_UNIT_HEAP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "family/family.h"
#include "family/heap.h"
#include "family_support.h"

slot_id somebody(void); /* a member that does nothing; end it with sweep_and_free */
void sweep_and_free(slot_id member);
arena_ref alloc(size_t size, slot_id owner);
uint64_t rounded(size_t size); /* what a block of that size takes */
/* Allocates until nothing is left; how many there were. */
size_t fill(size_t size, slot_id owner);

#endif
