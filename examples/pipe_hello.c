/* A child sends a greeting over a pipe. A second receive finds the end of the pipe: the child was
 * the only one that held its other end, and has ended.
 *
 * In Python: fun(pipe, x): pipe.send('hello,' + x); receiver, sender = Pipe();
 * Process(target=fun, args=(sender, 'kel')).start(); print(receiver.recv()); proc.join();
 * print(receiver.recv()). There the second one waits for ever, for the parent itself still holds
 * the other end. */
#include "start.h"

struct greeting {
    mproc_connection sender;
    char name[16];
};

static int greet(void *args, size_t size)
{
    (void)size;
    const struct greeting *greeting = args;
    char text[32];
    int length = snprintf(text, sizeof text, "hello,%s", greeting->name);
    must(mproc_connection_send(greeting->sender, text, (size_t)length, MPROC_FOREVER));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_connection receiver;
    struct greeting greeting = {.name = "kel"};
    must(mproc_pipe(&receiver, &greeting.sender, MPROC_DUPLEX));
    mproc_process *process = start_with_end(greet, &greeting, sizeof greeting, greeting.sender);

    char text[32];
    size_t length;
    must(mproc_connection_recv(receiver, text, sizeof text, &length, MPROC_FOREVER));
    printf("%.*s\n", (int)length, text);
    join(process);
    if (mproc_connection_recv(receiver, text, sizeof text, &length, MPROC_FOREVER) == MPROC_EEOF)
        puts("the end");
    must(mproc_connection_close(receiver));
    return 0;
}
