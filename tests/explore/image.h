/* What a process, or a thread, has of its own: the static data of the explored library, and its
 * thread-local variables. There is one place for each in this program; the engine puts the image of
 * the player that is to run there. */
#ifndef MPROC_TESTS_EXPLORE_IMAGE_H
#define MPROC_TESTS_EXPLORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

enum { IMAGES = 7 };

void images_open(void);
/* The present content becomes what process and thread `i` begin with. */
void image_define(int i);
/* All are defined. From now on only those pages are swapped in which they differ, or that somebody has
 * written to: the first store to another one is noticed. */
void images_protect(void);
/* By the handler of SIGSEGV: such a store. False: it was something else. */
bool image_catch(void *address);
void images_reset(void); /* all are as they were defined, and number `home` is in place */
/* The images of this process and of this thread are in place from now on. */
void image_enter(int process, int thread);
size_t image_size(void);
/* The static data, which threads share. */
void image_static(char **begin, size_t *size);

#endif
