/* The same sum twice: one after the other, by two threads, and by two processes, with times. Threads
 * and processes reply through the same kind of queue.
 *
 * In Python: job(q): for i in range(1000000): res += i + i**2 + i**3; q.put(res), with
 * td.Thread(target=job) and mp.Process(target=job). There threads are no faster than one after the
 * other; here they are. */
#include "host.h"
#include "start.h"

#include <stdint.h>

#define TERMS UINT64_C(1000000)
#define BASE UINT64_C(1000000000000000000)

/* high * BASE + low: it has more than 64 bits. */
struct sum {
    uint64_t high;
    uint64_t low;
};

static void add(struct sum *sum, uint64_t high, uint64_t low)
{
    sum->low += low;
    sum->high += high + sum->low / BASE;
    sum->low %= BASE;
}

static struct sum compute(void)
{
    struct sum sum = {0, 0};
    for (uint64_t i = 0; i < TERMS; i++)
        add(&sum, 0, i + i * i + i * i * i);
    return sum;
}

static void print(const char *how, struct sum first, struct sum second, double since)
{
    add(&first, second.high, second.low);
    printf("%s: %llu%018llu in %.4f s\n", how, (unsigned long long)first.high,
           (unsigned long long)first.low, host_seconds() - since);
    fflush(stdout);
}

static struct sum get(mproc_queue queue)
{
    struct sum sum;
    must(mproc_queue_get(queue, &sum, sizeof sum, NULL, MPROC_FOREVER));
    return sum;
}

static void put(mproc_queue queue)
{
    const struct sum sum = compute();
    must(mproc_queue_put(queue, &sum, sizeof sum, MPROC_FOREVER));
}

static int process_job(void *args, size_t size)
{
    (void)size;
    put(*(mproc_queue *)args);
    return 0;
}

static void thread_job(void *argument)
{
    put(*(mproc_queue *)argument);
}

static void normal(void)
{
    double since = host_seconds();
    const struct sum first = compute(), second = compute();
    print("normal", first, second, since);
}

static void multithread(mproc_queue queue)
{
    double since = host_seconds();
    struct host_thread *threads[2];
    for (int i = 0; i < 2; i++) {
        threads[i] = host_thread_start(thread_job, &queue);
        must(threads[i] != NULL ? MPROC_OK : MPROC_EAGAIN);
    }
    for (int i = 0; i < 2; i++)
        host_thread_join(threads[i]);
    const struct sum first = get(queue), second = get(queue);
    print("multithread", first, second, since);
}

static void multicore(mproc_queue queue)
{
    double since = host_seconds();
    mproc_process *processes[2];
    for (int i = 0; i < 2; i++)
        processes[i] = start(process_job, &queue, sizeof queue);
    for (int i = 0; i < 2; i++)
        join(processes[i]);
    const struct sum first = get(queue), second = get(queue);
    print("multicore", first, second, since);
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_queue queue;
    must(mproc_queue_create(&queue, NULL));
    normal();
    multithread(queue);
    multicore(queue);
    must(mproc_queue_destroy(queue));
    return 0;
}
