#include "boost.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <exception>
#include <string>
#include <unistd.h>

using boost::interprocess::create_only;
using boost::interprocess::message_queue;

static message_queue *queue;

const bool boost_exists = true;

/* Its name goes at once: who shares the queue inherits it. */
bool boost_open(size_t items, size_t size)
try {
    const std::string name = "bench_queue_" + std::to_string(getpid());
    queue = new message_queue(create_only, name.c_str(), items, size);
    return message_queue::remove(name.c_str());
} catch (const std::exception &) {
    return false;
}

bool boost_put(const void *data, size_t size)
try {
    queue->send(data, size, 0);
    return true;
} catch (const std::exception &) {
    return false;
}

bool boost_get(void *data, size_t capacity)
try {
    message_queue::size_type size;
    unsigned priority;
    queue->receive(data, capacity, size, priority);
    return size == capacity;
} catch (const std::exception &) {
    return false;
}
