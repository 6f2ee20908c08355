/* A map without a pool: a process and a pipe for each item. Each child sends its result and ends;
 * the parent receives all of them, in the items' order.
 *
 * In Python: spawn(f): def fun(pipe, x): pipe.send(f(x)); pipe.close(); partmap(f, X): a Pipe() and
 * a Process(target=spawn(f), args=(c, x)) for each x; start all, join all, recv from all. There the
 * target is a closure over f; here f travels as data would: by its place in a table. */
#include "start.h"

struct text {
    char bytes[32];
};

typedef struct text (*function)(const char *x);

static struct text greet(const char *x)
{
    struct text result;
    snprintf(result.bytes, sizeof result.bytes, "('hello,', '%s')", x);
    return result;
}

static struct text measure(const char *x)
{
    struct text result;
    snprintf(result.bytes, sizeof result.bytes, "('%s', %zu)", x, strlen(x));
    return result;
}

enum { GREET, MEASURE };
static const function functions[] = {[GREET] = greet, [MEASURE] = measure};

struct part {
    mproc_connection result;
    int function;
    struct text x;
};

static int compute(void *args, size_t size)
{
    (void)size;
    const struct part *part = args;
    struct text result = functions[part->function](part->x.bytes);
    must(mproc_connection_send(part->result, &result, sizeof result, MPROC_FOREVER));
    must(mproc_connection_close(part->result));
    return 0;
}

enum { ITEMS = 2 };

static void partmap(int f, const char *const items[ITEMS], struct text results[ITEMS])
{
    mproc_connection ends[ITEMS];
    mproc_process *processes[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        struct part part = {.function = f};
        snprintf(part.x.bytes, sizeof part.x.bytes, "%s", items[i]);
        must(mproc_pipe(&ends[i], &part.result, MPROC_DUPLEX));
        processes[i] = start_with_end(compute, &part, sizeof part, part.result);
    }
    for (int i = 0; i < ITEMS; i++)
        join(processes[i]);
    for (int i = 0; i < ITEMS; i++) {
        must(mproc_connection_recv(ends[i], &results[i], sizeof results[i], NULL, MPROC_FOREVER));
        must(mproc_connection_close(ends[i]));
    }
}

static void print(const struct text results[ITEMS])
{
    printf("[");
    for (int i = 0; i < ITEMS; i++)
        printf("%s%s", i ? ", " : "", results[i].bytes);
    puts("]");
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    static const char *const items[ITEMS] = {"kel", "smile"};
    struct text results[ITEMS];
    partmap(GREET, items, results);
    print(results);
    partmap(MEASURE, items, results);
    print(results);
    return 0;
}
