/* A child puts [42, None, 'hello'] into a queue, and its parent gets it: as a struct, and as text.
 *
 * In Python: f(q): q.put([42, None, 'hello']); q = Queue(); Process(target=f, args=(q,)).start();
 * print(q.get()) */
#include "start.h"

struct list {
    int number;
    const void *nothing; /* pointers mean something only in the process that has made them */
    char text[8];
};

static int put(void *args, size_t size)
{
    (void)size;
    const mproc_queue *queue = args;
    const struct list list = {.number = 42, .nothing = NULL, .text = "hello"};
    static const char text[] = "[42, None, 'hello']";
    must(mproc_queue_put(*queue, &list, sizeof list, MPROC_FOREVER));
    must(mproc_queue_put(*queue, text, sizeof text, MPROC_FOREVER));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_queue queue;
    must(mproc_queue_create(&queue, NULL));
    mproc_process *process = start(put, &queue, sizeof queue);

    struct list list;
    must(mproc_queue_get(queue, &list, sizeof list, NULL, MPROC_FOREVER));
    printf("[%d, %s, '%s']\n", list.number, list.nothing == NULL ? "None" : "?", list.text);
    char text[32];
    must(mproc_queue_get(queue, text, sizeof text, NULL, MPROC_FOREVER));
    puts(text);

    join(process);
    must(mproc_queue_destroy(queue));
    return 0;
}
