/* Several stacks in one thread, of which one runs at a time. */
#ifndef MPROC_TESTS_EXPLORE_COROUTINE_H
#define MPROC_TESTS_EXPLORE_COROUTINE_H

enum { COROUTINES = 7, COROUTINE_MAIN = COROUTINES - 1 }; /* the last one is the program's own */

/* Number i, which must not be the one that runs, begins anew when it is switched to. `run` does not
 * return. */
void coroutine_begin(int i, void (*run)(void));
void coroutine_switch(int from, int to);

#endif
