#include "boost.h"

const bool boost_exists = false;

bool boost_open(size_t items, size_t size)
{
    (void)items;
    (void)size;
    return false;
}

bool boost_put(const void *data, size_t size)
{
    (void)data;
    (void)size;
    return false;
}

bool boost_get(void *data, size_t capacity)
{
    (void)data;
    (void)capacity;
    return false;
}
