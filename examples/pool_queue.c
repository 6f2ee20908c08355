/* Ten tasks put what they have found into a queue, from which another process stores it.
 *
 * In Python: q = Manager().Queue(); Process(target=insert_data, args=(q,)).start(); po = Pool(3);
 * for i in range(1, 11): po.apply_async(spider, (q, i)). Here no manager is needed: a queue is a
 * value, which tasks can be given. */
#include "start.h"

#include <string.h>

struct page {
    mproc_queue found;
    int number;
};

static int visit(mproc_task *task)
{
    const struct page *page = mproc_task_input(task, NULL);
    char text[32];
    snprintf(text, sizeof text, "page %d", page->number);
    mproc_err err = mproc_queue_put(page->found, text, strlen(text) + 1, MPROC_FOREVER);
    return err == MPROC_OK ? 0 : mproc_task_fail(task, "%s", mproc_strerror(err));
}

static int store(void *args, size_t size)
{
    (void)size;
    const mproc_queue *found = args;
    char text[32];
    int count = 0;
    mproc_err err;
    while ((err = mproc_queue_get(*found, text, sizeof text, NULL, MPROC_FOREVER)) == MPROC_OK) {
        printf("stored: %s\n", text);
        count++;
    }
    printf("%d stored, %s\n", count, mproc_strerror(err));
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);
    use_method(argc, argv);

    struct page page;
    must(mproc_queue_create(&page.found, NULL));
    mproc_process *storing = start(store, &page.found, sizeof page.found);
    mproc_pool *pool;
    must(mproc_pool_create(&pool, &(mproc_pool_options){.workers = 3}));
    for (page.number = 1; page.number <= 10; page.number++)
        must(mproc_pool_apply_async(pool, visit, &page, sizeof page, NULL, NULL));
    must(mproc_pool_close(pool));
    must(mproc_pool_join(pool, MPROC_FOREVER));
    mproc_pool_free(pool);
    must(mproc_queue_close(page.found)); /* what is in it is still read */
    join(storing);
    must(mproc_queue_destroy(page.found));
    return 0;
}
