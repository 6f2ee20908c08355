/* What tests of inner parts share, here and in ../crash. */
#ifndef MPROC_TESTS_UNIT_FAMILY_SUPPORT_H
#define MPROC_TESTS_UNIT_FAMILY_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

int found_family(void **state); /* for cmocka_run_group_tests */

bool is_soak(void); /* MPROC_SOAK: the long form */

uint32_t next_random(uint32_t *seed); /* 16 bits */

#endif
