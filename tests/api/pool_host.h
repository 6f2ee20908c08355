/* What the pool's tests need of the operating system beyond C11. */
#ifndef POOL_HOST_H
#define POOL_HOST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct host_thread host_thread;
host_thread *host_thread_start(void (*run)(void *), void *argument); /* NULL: no thread */
void host_thread_join(host_thread *thread);

void host_sleep(int milliseconds);
double host_seconds(void); /* monotonic */

long long host_pid(void);
void host_kill(long long pid);  /* as hard as the system can, without mproc's knowing */
bool host_has_signals(void);    /* else a crash is a status, and nobody can be paused */
void host_pause(long long pid); /* stopped in whatever it is doing */
void host_resume(long long pid);

/* A crash of this process or of a child leaves no file, shows no dialog, and is not CMocka's. */
void host_crash_plainly(void);

/* What `run` returned in a child that was forked behind mproc's back; -1: there is no fork. */
int host_raw_fork(int (*run)(void));

/* A file name that nobody uses; the caller removes the file. */
bool host_temporary(char *path, size_t size);
bool host_append(const char *path, const void *data, size_t size); /* whole or not at all */

#endif
