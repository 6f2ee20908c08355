#include "queue_support.h"

mproc_queue new_queue(size_t max_items)
{
    mproc_queue queue;
    assert_int_equal(mproc_queue_create(&queue, &(mproc_queue_options){.max_items = max_items}),
                     MPROC_OK);
    return queue;
}

void put_number(mproc_queue queue, uint32_t number)
{
    assert_int_equal(mproc_queue_put(queue, &number, sizeof number, SOON), MPROC_OK);
}

uint32_t get_number(mproc_queue queue)
{
    uint32_t number;
    size_t size;
    assert_int_equal(mproc_queue_get(queue, &number, sizeof number, &size, SOON), MPROC_OK);
    assert_int_equal(size, sizeof number);
    return number;
}
