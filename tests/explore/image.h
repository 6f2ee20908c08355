/* What a process, or a thread, has of its own: the static data of the explored library, and its
 * thread-local variables. There is one place for each in this program; whoever is to run has his
 * image put there. */
#ifndef MPROC_TESTS_EXPLORE_IMAGE_H
#define MPROC_TESTS_EXPLORE_IMAGE_H

#include <stddef.h>

enum { IMAGES = 7 };

/* The present content becomes what process and thread `i` begin with. */
void images_open(void);
void image_define(int i);
void images_reset(void); /* all are as they were defined, and number `home` is in place */
/* The images of this process and of this thread are in place from now on. */
void image_enter(int process, int thread);
size_t image_size(void);
/* The static data, which threads share. */
void image_static(char **begin, size_t *size);

#endif
