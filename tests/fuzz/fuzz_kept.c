/* SPDX-License-Identifier: Apache-2.0
 * What a training has left, and what came to its files since: checkpoints of folds, those of
 * plug-ins and a plug-in's model, with damages that the bytes tell of. They are gone on from, or
 * refused with a reason; without a damage they are taken.
 *
 * Real trainings leave them, as the target starts, so that no corpus goes stale. The first byte
 * chooses one, and whether the lengths of headers are to fit; then each damage is a file, what is
 * done to it, where, and how many bytes follow. */
#include <asy/comm.h>
#include <asy/durable.h>
#include <asy/json.h>
#include <asy/training.h>
#include <string.h>
#include "memory_file.h"

#define FILES 5 /* most of a checkpoint: of two folds, of all rows, of the whole, and metrics */
#define GROWTH 4096

enum { OVERWRITE, INSERT, REMOVE, CUT, DAMAGES };

struct file {
    char name[32];
    char *bytes;   /* as it was left */
    size_t n;
    int has_header; /* of so many bytes as its first 8 say */
};
static struct leftover {
    const char *run, *split;
    uint64_t pause; /* after so many batches; 0: a model */
    struct asy_json *job;
    struct file files[FILES];
    size_t n_files;
} leftovers[] = {
    { .run = "\"model\":\"linear\"", .split = "\"folds\":2", .pause = 12 },
    { .run = "\"model\":\"gbdt\"", .split = "\"folds\":2", .pause = 4 },
    { .run = "\"plugin\":\"" PLUGIN_SO "\"", .split = "\"folds\":2", .pause = 10 },
    { .run = "\"plugin\":\"" PLUGIN_SO "\"", .split = "\"validation\":0.4", .pause = 2 },
    { .run = "\"plugin\":\"" PLUGIN_SO "\"", .split = "\"validation\":0.4" },
};

static struct asy_trainer *trainer;
static uint64_t steps, pause_at;
static char dir[] = "/tmp/asy-fuzz-XXXXXX", kept[64];

/* ---- what is left ---------------------------------------------------------------------------- */

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)step, (void)loss;
    if (++steps == pause_at)
        asy_trainer_request(trainer, ASY_TRAIN_PAUSE);
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    ASY_IGNORE(asy_durable_remove(kept, NULL));
    return rename(path, kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .step = on_step,
                                                      .checkpoint = on_checkpoint };

static struct asy_json *job_of(const struct leftover *l, const char *table)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *job = NULL;
    struct asy_buf text;

    asy_buf_init(&text, 4096);
    asy_buf_addf(&text, "{\"study\":{\"name\":\"fuzz\",\"run\":{%s,\"fixed\":{},\"length\":"
                 "{\"unit\":\"epochs\",\"max\":3}},\"data\":{\"file\":\"%s\",\"label\":-1,"
                 "\"split\":{%s}},\"objective\":[{\"metric\":\"val_loss\",\"goal\":\"minimize\"}]},"
                 "\"params\":{%s},\"seed\":7,\"checkpoint_s\":1e9}", l->run, table, l->split,
                 strstr(l->run, "gbdt") ? "" : "\"batch_size\":4");
    FUZZ_CHECK(asy_json_parse(text.data, text.len, &job, &err) == 0);
    asy_buf_fini(&text);
    return job;
}

/* A file in what was kept, or, without a name, that itself. */
static void path_of(const char *name, char path[128])
{
    snprintf(path, 128, "%.63s%s%.31s", kept, *name ? "/" : "", name);
}

static void take_file(struct leftover *l, const char *name)
{
    struct file *file = &l->files[l->n_files++];
    struct asy_error err = ASY_ERROR_INIT;
    char path[128];

    FUZZ_CHECK(l->n_files <= FILES);
    path_of(name, path);
    snprintf(file->name, sizeof file->name, "%s", name);
    FUZZ_CHECK(asy_read_file(path, 1u << 16, &file->bytes, &file->n, &err) == 0);
    file->has_header = strcmp(name, "epoch.json") != 0;
}

static void leave(struct leftover *l)
{
    static const char *const names[FILES] = { "epoch.json", "epoch.safetensors",
                                              "training-1.safetensors", "training-2.safetensors",
                                              "training-3.safetensors" };
    struct asy_train_result result;
    struct asy_error err = ASY_ERROR_INIT;
    int folds = strstr(l->split, "folds") != NULL;

    steps = 0;
    pause_at = l->pause;
    if (asy_trainer_run(trainer, l->job, dir, NULL, &callbacks, &result, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        FUZZ_CHECK(0);
    }
    FUZZ_CHECK(result.outcome == (l->pause ? ASY_TRAIN_PAUSED : ASY_TRAIN_COMPLETE));
    if (!l->pause)
        FUZZ_CHECK(rename(result.model_path, kept) == 0);
    for (size_t i = 0; i < (folds ? FILES : 1u); i++)
        take_file(l, folds ? names[i] : "");
    FUZZ_CHECK(asy_durable_remove(kept, &err) == 0);
}

static void clean_up(void)
{
    ASY_IGNORE(asy_durable_remove(dir, NULL)); /* what is left is in /tmp */
    for (size_t i = 0; i < ASY_ARRAY_LEN(leftovers); i++) {
        for (size_t k = 0; k < leftovers[i].n_files; k++)
            free(leftovers[i].files[k].bytes);
        asy_json_destroy(leftovers[i].job);
    }
    asy_trainer_destroy(trainer);
}

static void set_up(void)
{
    static const char rows[] = "0,1,a\n1,0,b\n2,1,a\n3,0,b\n4,1,a\n5,0,b\n6,1,a\n7,0,b\n8,1,a\n"
                               "9,0,b\n0,2,a\n1,2,b\n2,2,a\n3,2,b\n4,2,a\n5,2,b\n6,3,a\n7,3,b\n"
                               "8,3,a\n9,3,b\n";
    struct asy_error err = ASY_ERROR_INIT;
    static struct asy_comm *comm;
    char table[64];

    FUZZ_CHECK(mkdtemp(dir) != NULL && atexit(clean_up) == 0);
    snprintf(kept, sizeof kept, "%s/kept", dir);
    FUZZ_CHECK(asy_comm_self(&comm, &err) == 0 && asy_trainer_create(comm, &trainer, &err) == 0);
    memory_file(rows, sizeof rows - 1, table); /* stays open */
    for (size_t i = 0; i < ASY_ARRAY_LEN(leftovers); i++) {
        leftovers[i].job = job_of(&leftovers[i], table);
        leave(&leftovers[i]);
    }
}

/* ---- damages --------------------------------------------------------------------------------- */

struct bytes {
    const uint8_t *at, *end;
};

static uint8_t next(struct bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

static uint64_t length_of(const struct file *file)
{
    uint64_t n = 0;

    for (size_t i = 8; i-- > 0 && file->n >= 8;)
        n = n << 8 | (uint8_t)file->bytes[i];
    return n;
}

static void set_length(struct file *file, uint64_t n)
{
    for (size_t i = 0; i < 8 && file->n >= 8; i++)
        file->bytes[i] = (char)(n >> 8 * i);
}

static void damage(struct file *file, struct bytes *b, int fits)
{
    uint8_t what = next(b) % DAMAGES, low = next(b), high = next(b);
    size_t at = (size_t)(high << 8 | low) % (file->n + 1), len = next(b), rest = file->n - at;
    uint64_t header = length_of(file);
    int within = fits && file->has_header && at >= 8 && at < 8 + header;

    if (what == CUT) {
        file->n = at;
    } else if (what == REMOVE) {
        len = len < rest ? len : rest;
        memmove(file->bytes + at, file->bytes + at + len, rest - len);
        file->n -= len;
        if (within)
            set_length(file, header > len ? header - len : 0);
    } else {
        len = len < (size_t)(b->end - b->at) ? len : (size_t)(b->end - b->at);
        if (what == INSERT) {
            memmove(file->bytes + at + len, file->bytes + at, rest);
            file->n += len;
        }
        len = what == OVERWRITE && len > rest ? rest : len;
        memcpy(file->bytes + at, b->at, len);
        b->at += len;
        if (what == INSERT && within)
            set_length(file, header + len);
    }
}

static void put_files(const struct leftover *l, const struct file *files)
{
    struct asy_error err = ASY_ERROR_INIT;

    FUZZ_CHECK(asy_durable_remove(kept, &err) == 0);
    if (*l->files[0].name)
        FUZZ_CHECK(mkdir(kept, 0700) == 0);
    for (size_t i = 0; i < l->n_files; i++) {
        char path[128];
        FILE *f;

        path_of(files[i].name, path);
        FUZZ_CHECK((f = fopen(path, "wb")) != NULL);
        FUZZ_CHECK(fwrite(files[i].bytes, 1, files[i].n, f) == files[i].n && fclose(f) == 0);
    }
}

static int go_on(const struct leftover *l, struct asy_error *err)
{
    struct asy_train_result result;
    int rc;

    pause_at = 0;
    rc = asy_trainer_run(trainer, l->job, dir, kept, &callbacks, &result, err);
    FUZZ_CHECK(rc < 0 || result.outcome > 0);
    if (rc == 0 && result.outcome == ASY_TRAIN_COMPLETE)
        FUZZ_CHECK(unlink(result.model_path) == 0);
    return rc;
}

static int score(const struct leftover *l, struct asy_error *err)
{
    struct asy_buf out;
    int rc;

    asy_buf_init(&out, 1u << 16);
    rc = asy_trainer_evaluate(l->job, kept, "validation", &out, err);
    FUZZ_CHECK(rc < 0 || out.len > 0);
    asy_buf_fini(&out);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = { data, data + size };
    struct asy_error err = ASY_ERROR_INIT;
    uint8_t which = next(&b);
    struct file files[FILES];
    const struct leftover *l;
    int rc;

    if (!trainer)
        set_up();
    if (size > GROWTH)
        return 0;
    l = &leftovers[which % 128 % ASY_ARRAY_LEN(leftovers)];
    memcpy(files, l->files, sizeof files);
    for (size_t i = 0; i < l->n_files; i++) {
        FUZZ_CHECK((files[i].bytes = malloc(files[i].n + GROWTH)) != NULL);
        memcpy(files[i].bytes, l->files[i].bytes, files[i].n);
    }
    while (b.at < b.end)
        damage(&files[next(&b) % l->n_files], &b, which < 128);
    put_files(l, files);
    rc = l->pause ? go_on(l, &err) : score(l, &err);
    if (rc < 0)
        FUZZ_CHECK(err.text[0] && size > 1);
    for (size_t i = 0; i < l->n_files; i++)
        free(files[i].bytes);
    return 0;
}
