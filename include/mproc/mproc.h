/* mproc: what Python's multiprocessing gives, for C. This header includes all the others. */
#ifndef MPROC_H
#define MPROC_H

#define MPROC_VERSION_MAJOR 0
#define MPROC_VERSION_MINOR 1
#define MPROC_VERSION_PATCH 0

#include <mproc/array.h>
#include <mproc/barrier.h>
#include <mproc/condition.h>
#include <mproc/connection.h>
#include <mproc/error.h>
#include <mproc/event.h>
#include <mproc/iterator.h>
#include <mproc/lock.h>
#include <mproc/log.h>
#include <mproc/memory.h>
#include <mproc/pool.h>
#include <mproc/process.h>
#include <mproc/progress_bar.h>
#include <mproc/queue.h>
#include <mproc/result.h>
#include <mproc/rlock.h>
#include <mproc/semaphore.h>
#include <mproc/shared_memory.h>
#include <mproc/string.h>
#include <mproc/task.h>
#include <mproc/value.h>
#include <mproc/wait.h>

#endif
