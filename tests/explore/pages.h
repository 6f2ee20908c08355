/* The arena's pages as they were when the play had been set up. They cannot be written to; the first
 * store to one is noticed, and from then on that page is restored before each schedule. */
#ifndef MPROC_TESTS_EXPLORE_PAGES_H
#define MPROC_TESTS_EXPLORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

void pages_open(unsigned char *begin, size_t size);
/* By the handler of SIGSEGV: a first store. False: it was something else. */
bool pages_catch(void *address);
void pages_restore(void);

#endif
