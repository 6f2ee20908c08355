/* The calling thread's last error number of the operating system. */
#ifndef MPROC_SRC_ERROR_H
#define MPROC_SRC_ERROR_H

#include <mproc/error.h>

#include "names.h"

void error_remember(int native);

#endif
