/* Counts the lines and characters of all texts below a folder in a pool of processes.
 *
 * Ends with 0; 1: something could not be read, the rest was counted; 2: nothing was counted. */
#include "count_options.h"
#include "host.h"
#include "text.h"
#include "walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <mproc/mproc.h>

enum { COUNTED = 0, SOME_UNREADABLE = 1, NOT_COUNTED = 2 };

#define BLOCK_SIZE 65536
#define MOST_ERRORS 65536 /* of further files, the kind of error is known but not its words */

struct counts {
    uint64_t lines;
    uint64_t characters;
};

static int count_file(mproc_task *task)
{
    static unsigned char block[BLOCK_SIZE];
    FILE *file = host_fopen(mproc_task_input(task, NULL), "rb");
    if (file == NULL)
        return mproc_task_fail(task, "%s", strerror(errno));
    setvbuf(file, NULL, _IONBF, 0);
    struct text text = {0};
    size_t size;
    errno = 0;
    while ((size = fread(block, 1, sizeof block, file)) > 0)
        text_add(&text, block, size);
    int error = ferror(file) != 0 ? errno : 0;
    fclose(file);
    if (error != 0)
        return mproc_task_fail(task, "%s", strerror(error));
    struct counts counts = {.lines = text.lines, .characters = text.characters};
    return mproc_task_reply(task, &counts, sizeof counts);
}

static void complain(void *failed, const char *path, const char *reason)
{
    *(bool *)failed = true;
    fprintf(stderr, "count: %s: %s\n", path, reason);
}

struct job {
    const struct count_options *options;
    struct walk_files files;
    mproc_results *results;
    mproc_task_error *errors;
    size_t error_capacity;
    bool failed; /* something was unreadable */
};

static mproc_err map_files(struct job *job, mproc_bytes *items)
{
    for (size_t i = 0; i < job->files.count; i++)
        items[i] =
            (mproc_bytes){.data = job->files.paths[i], .size = strlen(job->files.paths[i]) + 1};
    mproc_pool *pool;
    mproc_err err = mproc_pool_create(&pool, &(mproc_pool_options){.workers = job->options->workers,
                                                                   .method = job->options->method});
    if (err != MPROC_OK)
        return err;
    mproc_progress_bar *bar = NULL; /* without one it counts as well */
    mproc_progress_bar_create(&bar, &(mproc_progress_bar_options){.unit = "files"});
    err = mproc_pool_map_bytes(pool, count_file, items, job->files.count, &job->results,
                               &(mproc_map_options){.errors = job->errors,
                                                    .error_capacity = job->error_capacity,
                                                    .progress = mproc_progress_bar_show,
                                                    .progress_context = bar});
    mproc_progress_bar_free(bar);
    mproc_pool_close(pool);
    mproc_pool_join(pool, MPROC_FOREVER);
    mproc_pool_free(pool);
    return job->results != NULL ? MPROC_OK : err;
}

static mproc_err count_files(struct job *job)
{
    mproc_bytes *items = calloc(job->files.count + 1, sizeof *items);
    job->error_capacity = job->files.count < MOST_ERRORS ? job->files.count : MOST_ERRORS;
    job->errors = calloc(job->error_capacity + 1, sizeof *job->errors);
    mproc_err err = MPROC_ENOMEM;
    if (items != NULL && job->errors != NULL)
        err = map_files(job, items);
    free(items);
    return err;
}

/* Failures lie in the order of their indices, so one pass sees both. */
static bool print_counts(struct job *job, FILE *output)
{
    struct counts total = {0};
    size_t counted = 0, failures = 0;
    for (size_t i = 0; i < job->files.count; i++) {
        const void *reply = NULL;
        mproc_err err = mproc_results_get(job->results, i, &reply, NULL);
        if (err != MPROC_OK) {
            bool kept = failures < job->error_capacity;
            complain(&job->failed, job->files.paths[i],
                     kept ? job->errors[failures].message : mproc_strerror(err));
            failures++;
            continue;
        }
        const struct counts *counts = reply;
        fprintf(output, "%s lines: %" PRIu64 " characters: %" PRIu64 "\n", job->files.paths[i],
                counts->lines, counts->characters);
        total.lines += counts->lines;
        total.characters += counts->characters;
        counted++;
    }
    fprintf(output, "total: %zu files, %" PRIu64 " lines, %" PRIu64 " characters\n", counted,
            total.lines, total.characters);
    return fflush(output) == 0 && ferror(output) == 0;
}

static int finish(struct job *job)
{
    const char *name = job->options->output;
    FILE *output = name != NULL ? host_fopen(name, "ab") : stdout;
    bool written = output != NULL && print_counts(job, output);
    if (!written)
        fprintf(stderr, "count: %s: %s\n", name != NULL ? name : "standard output",
                strerror(errno));
    if (output != NULL && output != stdout)
        fclose(output);
    if (!written)
        return NOT_COUNTED;
    return job->failed ? SOME_UNREADABLE : COUNTED;
}

static int run(const struct count_options *options)
{
    struct job job = {.options = options};
    struct walk find = {.endings = options->endings,
                        .ending_count = options->ending_count,
                        .unreadable = complain,
                        .context = &job.failed};
    mproc_err err = MPROC_ENOMEM;
    int code = NOT_COUNTED;
    if (walk(&find, options->folder, &job.files))
        err = count_files(&job);
    if (err == MPROC_OK)
        code = finish(&job);
    else
        fprintf(stderr, "count: cannot count: %s\n", mproc_strerror(err));
    mproc_results_free(job.results);
    free(job.errors);
    walk_files_free(&job.files);
    return code;
}

int main(int argc, char **argv)
{
    mproc_main_guard(argc, argv);

    char **arguments = host_arguments(&argc, argv);
    if (arguments == NULL) {
        fprintf(stderr, "count: %s\n", mproc_strerror(MPROC_ENOMEM));
        return NOT_COUNTED;
    }
    struct count_options options;
    if (!count_options_parse(&options, arguments)) {
        count_usage(stderr);
        return NOT_COUNTED;
    }
    host_plain_output();
    if (options.folder == NULL) {
        count_usage(stdout);
        return COUNTED;
    }
    return run(&options);
}
