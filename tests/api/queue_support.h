/* What the tests of queues share. These assert. */
#ifndef MPROC_TESTS_API_QUEUE_SUPPORT_H
#define MPROC_TESTS_API_QUEUE_SUPPORT_H

#include "support.h"

mproc_queue new_queue(size_t max_items); /* 0: as many as there is memory for */
void put_number(mproc_queue queue, uint32_t number);
uint32_t get_number(mproc_queue queue);

#endif
