/* A child puts a million characters into a queue, and is joined before anybody reads them.
 *
 * In Python this is a dead lock: f(q): q.put('X' * 1000000); p.start(); p.join(); obj = q.get(). The
 * child waits there until its feeder thread has written into a pipe what nobody reads. Here what was
 * put is in the queue, and stays although its sender has ended. */
#include "start.h"

#define CHARACTERS 1000000

static int put(void *args, size_t size)
{
    (void)size;
    const mproc_queue *queue = args;
    char *text = malloc(CHARACTERS);
    if (text == NULL)
        return EXIT_FAILURE;
    memset(text, 'X', CHARACTERS);
    must(mproc_queue_put(*queue, text, CHARACTERS, MPROC_FOREVER));
    free(text);
    return 0;
}

static size_t count(const char *text, size_t size, char wanted)
{
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        found += text[i] == wanted;
    return found;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_queue queue;
    must(mproc_queue_create(&queue, NULL));
    join(start(put, &queue, sizeof queue));
    puts("joined");

    mproc_loan text; /* as it lies there, without a copy */
    must(mproc_queue_get_loan(queue, &text, MPROC_FOREVER));
    printf("%zu characters, %zu of them X\n", text.size, count(text.data, text.size, 'X'));
    mproc_loan_release(&text);
    must(mproc_queue_destroy(queue));
    return 0;
}
