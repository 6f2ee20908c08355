/* What a pool's function sees: its task, and the worker that runs it. */
#ifndef MPROC_TASK_H
#define MPROC_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include <mproc/process.h>

MPROC_BEGIN

typedef struct mproc_task mproc_task;

/* What a worker runs for each item: any function of the program or of a library that it has loaded.
 * **Returns** 0; or a failure code of the program's own: then the task fails with MPROC_ETASK, and
 * the code stands in mproc_task_error. */
typedef int (*mproc_function)(mproc_task *task);

#define MPROC_MESSAGE_SIZE 240

/* Why an item failed. */
typedef struct mproc_task_error {
    size_t index; /* of the item; of a single task 0 */
    /* MPROC_ETASK: the function said so; MPROC_ECRASHED: its worker ended; MPROC_ETIMEDOUT: it ran
     * for too long; MPROC_ECANCELED; MPROC_EMSGSIZE: the reply did not fit; MPROC_EIMAGE: the worker
     * does not have the function; MPROC_EBROKEN: the pool broke; MPROC_ENOMEM. */
    mproc_err err;
    int code;                 /* what the function returned; 0 when it did not return */
    long long pid;            /* of the worker; 0: none had begun it */
    mproc_exit_status status; /* of the worker, with MPROC_ECRASHED */
    /* Of mproc_task_fail, or made by mproc; UTF-8, cut at a character; may be empty. With
     * MPROC_ECRASHED also the last message that the worker had given to mproc_log. */
    char message[MPROC_MESSAGE_SIZE];
} mproc_task_error;

/* ---- the task: on the thread that runs the function, until it returns ---- */

/* The item, aligned for any type; an item of mproc_pool_map stands in its array, which may lie in
 * shared memory. `size` receives its bytes, and may be NULL. Read only; lives until the function
 * returns. */
MPROC_API const void *mproc_task_input(const mproc_task *task, size_t *size);

/* The item's index; of a single task 0. */
MPROC_API size_t mproc_task_index(const mproc_task *task);

/* Copies a reply, also from within the task's own reply buffer; a second one replaces the first. It
 * counts when the function returns 0.
 * **Returns** 0, or non-zero with the task failed (MPROC_EMSGSIZE: larger than the map's
 * result_size; MPROC_ENOMEM): `return mproc_task_reply(...)`. In a map without results it does
 * nothing. */
MPROC_API int mproc_task_reply(mproc_task *task, const void *data, size_t size);

/* Room for a reply of this size, aligned for any type when replies are of any size, to be written
 * in place: no copy. Counts as the reply when the function returns 0.
 * **Returns** NULL with the task failed, as mproc_task_reply. */
MPROC_API void *mproc_task_reply_buffer(mproc_task *task, size_t size);

/* Fails the task with a message in printf's format, cut to MPROC_MESSAGE_SIZE.
 * **Returns** -1: `return mproc_task_fail(task, "cannot open %s", path)`. */
MPROC_API int mproc_task_fail(mproc_task *task, const char *format, ...) MPROC_PRINTF(2, 3);

/* Whether the function had better return: its time is over (mproc_task_options.timeout_ms) or
 * somebody has canceled it; its worker is killed after grace_ms. What it replies then is not
 * delivered any more. One load: fit for inner
 * loops. **Threads**: any thread of the worker, while the function runs. */
MPROC_API bool mproc_task_canceled(const mproc_task *task);

/* ---- the worker: in its process, also outside of a task (in the initializer, for example) ---- */

/* Which of its pool's workers this process is, from 0 on; one that replaces another has the same
 * number. **Returns** -1 outside of workers. **Threads**: safe. */
MPROC_API int mproc_worker_index(void);

/* A pointer of the program's own that lives as long as the worker: a data base connection, say.
 *
 * destroy  is called with it at the clean end of the worker, or when another is set; may be NULL. A
 *          worker that is killed, also by mproc_pool_terminate, or by mproc_pool_free before its
 *          work is done and joined, does not call it.
 *
 * **Returns** MPROC_OK; MPROC_ESTATE: this process is no worker.
 * **Threads**: not safe; for the initializer and the tasks. */
MPROC_API mproc_err mproc_worker_set_state(void *state, void (*destroy)(void *state));

/* What was set last; NULL: nothing, or no worker. **Threads**: as mproc_worker_set_state. */
MPROC_API void *mproc_worker_state(void);

MPROC_END

#endif
