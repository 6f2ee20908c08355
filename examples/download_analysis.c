/* One process downloads, as it were, another analyses what comes, until nothing has come for two
 * seconds.
 *
 * In Python: download(q): for i in range(10): q.put(i); sleep(1); analysis(q): while True: try: data
 * = q.get(timeout=2); except Empty: break; analysis_data.append(data); print(analysis_data). Here a
 * download takes less. */
#include "host.h"
#include "start.h"

#define ITEMS 10
#define DOWNLOAD_MS 50
#define TIMEOUT_MS 2000

static int download(void *args, size_t size)
{
    (void)size;
    const mproc_queue *queue = args;
    for (int i = 0; i < ITEMS; i++) {
        must(mproc_queue_put(*queue, &i, sizeof i, MPROC_FOREVER));
        host_sleep(DOWNLOAD_MS);
    }
    return 0;
}

static void print(const int *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%d", i == 0 ? "[" : ", ", data[i]);
    puts("]");
}

static int analyse(void *args, size_t size)
{
    (void)size;
    const mproc_queue *queue = args;
    int data[ITEMS];
    mproc_err err = MPROC_OK;
    for (size_t count = 0; err == MPROC_OK && count <= ITEMS;) {
        int value;
        err = mproc_queue_get(*queue, &value, sizeof value, NULL, TIMEOUT_MS);
        if (err == MPROC_OK) {
            data[count++] = value;
            print(data, count);
        }
    }
    puts(mproc_strerror(err));
    return err != MPROC_EEMPTY;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    mproc_queue queue;
    must(mproc_queue_create(&queue, NULL));
    mproc_process *downloader = start(download, &queue, sizeof queue);
    mproc_process *analyst = start(analyse, &queue, sizeof queue);
    join(downloader);
    join(analyst);
    must(mproc_queue_destroy(queue));
    return 0;
}
