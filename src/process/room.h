/* Memory for process objects. */
#ifndef MPROC_PROCESS_ROOM_H
#define MPROC_PROCESS_ROOM_H

#include <stddef.h>

#include "../names.h"

void *room_take(size_t size); /* aligned as malloc does it; NULL: there is no memory */
void room_return(void *block);

#endif
