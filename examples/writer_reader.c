/* One process writes into a queue, another reads from it for ever, until its parent terminates it.
 *
 * In Python: write(q): for i in ["A", "B", "C", "D"]: q.put(i); time.sleep(1); read(q): while True:
 * print(q.get(True)); pw.join(); pr.terminate(). There it is the sleep that lets the reader have
 * read the last one by then; here the parent waits for that. */
#include "host.h"
#include "start.h"

static long long pid(void)
{
    return mproc_process_pid(mproc_process_current());
}

static int write_all(void *args, size_t size)
{
    (void)size;
    const mproc_queue *queue = args;
    printf("writer %lld starts\n", pid());
    fflush(stdout);
    for (const char *value = "ABCD"; *value != '\0'; value++) {
        must(mproc_queue_put(*queue, value, 1, MPROC_FOREVER));
        host_sleep(50);
    }
    printf("writer %lld ends\n", pid());
    return 0;
}

static int read_for_ever(void *args, size_t size)
{
    (void)size;
    const mproc_queue *queue = args;
    printf("reader %lld starts\n", pid());
    fflush(stdout);
    mproc_err err = MPROC_OK;
    while (err == MPROC_OK) {
        char value;
        must(mproc_queue_get(*queue, &value, sizeof value, NULL, MPROC_FOREVER));
        printf("%c\n", value);
        fflush(stdout);
        err = mproc_queue_task_done(*queue);
    }
    printf("reader %lld ends\n", pid()); /* it never comes to this */
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_queue queue;
    must(mproc_queue_create(&queue, NULL));
    mproc_process *writer = start(write_all, &queue, sizeof queue);
    mproc_process *reader = start(read_for_ever, &queue, sizeof queue);
    join(writer);
    must(mproc_queue_join(queue, MPROC_FOREVER));
    must(mproc_process_terminate(reader));
    join(reader);
    must(mproc_queue_destroy(queue));
    puts("parent ends");
    return 0;
}
