/* What these programs need of the operating system beyond C11, with UTF-8 names everywhere. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdio.h>

/* The program's arguments, argv[0] too, ended by NULL. NULL: no memory. They live until
 * the program ends. */
char **host_arguments(int *argc, char **argv);

/* fopen; NULL with errno. */
FILE *host_fopen(const char *path, const char *mode);

/* From now on standard output is written byte for byte, and a terminal takes it as UTF-8. */
void host_plain_output(void);

/* Since some moment in the past, never going back. */
double host_seconds(void);

void host_sleep(int milliseconds);

/* NULL: there can be none. Each is joined once. */
struct host_thread *host_thread_start(void (*run)(void *argument), void *argument);
void host_thread_join(struct host_thread *thread);

#endif
