/* SPDX-License-Identifier: Apache-2.0
 * Scoring where outputs are made (PoCL's OpenCL), beside scoring here of the outputs that are read
 * from there: the same metrics, without a round trip a batch.
 *
 * Tolerances: losses are sums of single-precision terms by other polynomials, some 1e-7 each, 1e-5
 * is left; counts are the same, but where two shares of a row differ by rounding alone, so one row
 * in a thousand may be told otherwise, and so may pairs of them in an area. */
#include "trainkit.h"
#include "kernels/device_leaks.h"
#include <math.h>
#include <stdlib.h>
#include <asy/rng.h>
#include "data/tokens.h"
#include "learn/loss.h"
#include "learn/score.h"
#include "net/families.h"
#include "on_device.h"

#define CLOSE 1e-5
#define SELDOM 1e-3

static struct asy_device *device;
static struct asy_comm *comm;

static const struct example {
    const char *name, *family, *file, *data, *params; /* file NULL: of write_rows() */
    int area;
    uint64_t reads; /* there: sums, what rows were taken for, scores */
    const char *kind; /* of write_rows() */
} examples[] = {
    { "classes", "mlp", KIT_DIGITS, "\"label\":-1", "\"hidden\":24", 0, 2, "" },
    { "classes with an area", "mlp", KIT_DIGITS, "\"label\":-1", "\"hidden\":24", 1, 3, "" },
    { "smoothing, which does not count", "mlp", KIT_DIGITS, "\"label\":-1",
      "\"hidden\":24,\"label_smoothing\":0.2", 0, 2, "" },
    { "two classes", "linear", NULL, "\"label\":-1", "", 1, 3, "ab" },
    { "two classes by one output", "mlp", NULL, "\"label\":-1",
      "\"hidden\":9,\"loss\":\"binary\"", 1, 3, "ab" },
    { "more classes than are kept at once", "linear", NULL, "\"label\":-1", "", 1, 7, "many" },
    { "numbers", "mlp", NULL, "\"label\":-1,\"task\":\"regression\"", "\"hidden\":9", 0, 1,
      "numbers" },
    { "numbers, huber", "linear", NULL, "\"label\":-1,\"task\":\"regression\"",
      "\"loss\":\"huber\",\"delta\":0.5", 0, 1, "numbers" },
    { "tokens", "gpt", ASY_SOURCE_DIR "/examples/data/harbour.txt", "\"format\":\"text\"",
      "\"context\":4,\"d_model\":16,\"heads\":2,\"blocks\":1", 0, 1, "" },
};

#define WIDE 3000 /* classes: of so many, five passes of rows are kept */

static bool write_rows(const char *path, const char *kind)
{
    FILE *file = fopen(path, "w");

    if (!T_TRUE(file != NULL))
        return false;
    for (unsigned row = 0; row < 2 * WIDE; row++) {
        unsigned hash = row * 2654435761u >> 8;

        fprintf(file, "%u,%u,", hash % 101, hash % 37);
        if (!strcmp(kind, "ab"))
            fprintf(file, "%c\n", "ab"[hash % 5 > 2]);
        else if (!strcmp(kind, "many"))
            fprintf(file, "k%u\n", row % WIDE);
        else
            fprintf(file, "%u.5\n", hash % 11);
    }
    return T_EQ("write", fclose(file), 0);
}

/* A network with data, here and there. */
struct setup {
    struct asy_json *spec_text, *params_text;
    struct asy__data data;
    struct asy__hyper hyper;
    struct asy__net *net;
    struct asy__tally *tally;
    struct asy__on_device *on;
    float *params, *buffers, *room;
    struct asy__learner learner; /* there */
};

static float *floats(size_t n)
{
    void *x = NULL;

    return posix_memalign(&x, 64, (n + 16) * sizeof(float)) ? NULL
                                                            : memset(x, 0, n * sizeof(float));
}

static int read_data(const struct example *e, const char *path, struct setup *s,
                     struct asy_error *err)
{
    char data[600], params[200];
    size_t n = (size_t)snprintf(data, sizeof data, "{\"file\":\"%s\",%s,\"split\":"
                                "{\"validation\":0.5}}", path, e->data);
    size_t m = (size_t)snprintf(params, sizeof params, "{%s}", e->params);
    struct asy__data_spec spec;
    int rc;

    if ((rc = asy_json_parse(data, n, &s->spec_text, err)) < 0 ||
        (rc = asy_json_parse(params, m, &s->params_text, err)) < 0 ||
        (rc = asy__data_spec_read(s->spec_text, &spec, err)) < 0 ||
        (rc = asy__data_load(&spec, NULL, 1, &s->data, err)) < 0)
        return rc;
    asy__hyper_defaults((enum asy__family)asy__family_find(e->family), &s->hyper);
    if ((rc = asy__hyper_read(s->params_text, &s->hyper, err)) < 0 || !s->data.tokens)
        return rc;
    return asy__tokens_window(&s->data, (size_t)s->hyper.context, err);
}

/* Weights so large that outputs differ. */
static bool make_weights(struct setup *s)
{
    struct asy_rng rng;

    s->params = floats(s->net->n_params);
    s->buffers = floats(s->net->n_buffers);
    s->room = floats(asy__net_room(s->net));
    if (!T_TRUE(s->params && s->buffers && s->room))
        return false;
    asy__net_bind(s->net, s->room);
    asy__net_init(s->net, 7, s->params, s->buffers);
    asy_rng_init(&rng, 7, 1, ASY_RNG_SIM);
    for (size_t t = 0; t < s->net->n_tensors; t++)
        for (size_t i = 0; i < s->net->tensors[t].n && !s->net->tensors[t].is_buffer; i++)
            s->params[s->net->tensors[t].at + i] += 0.3f * (float)asy_rng_normal(&rng);
    return true;
}

static int make_tally(const struct example *e, struct setup *s, struct asy_error *err)
{
    size_t rows = s->data.start[ASY__TEST] - s->data.start[ASY__VALIDATION];

    if (!s->data.schema.classification || s->data.tokens)
        return 0;
    return asy__tally_create(s->data.schema.classes.n, rows, 0, rows, e->area, &s->tally, err);
}

static bool set_up(const struct example *e, const char *path, struct setup *s)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_OK(read_data(e, path, s, &err), &err) ||
        !T_OK(asy__family_net(&s->hyper, &s->data.schema, 32, 256, &s->net, &err), &err) ||
        !T_OK(make_tally(e, s, &err), &err) || !make_weights(s))
        return false;
    s->learner = asy__net_learner(s->net, s->params, s->buffers);
    if (!T_OK(asy__on_device_create(device, &(struct asy__on_device_options){
                  .net = s->net, .labels = asy__data_labels(&s->data), .tally = s->tally },
                  &s->on, &err), &err))
        return false;
    s->learner = asy__on_device_learner(s->on, &s->learner);
    return true;
}

static void set_down(struct setup *s)
{
    asy__on_device_destroy(s->on);
    asy__tally_destroy(s->tally);
    asy__net_destroy(s->net);
    asy__data_fini(&s->data);
    asy_json_destroy(s->spec_text);
    asy_json_destroy(s->params_text);
    free(s->params);
    free(s->buffers);
    free(s->room);
}

static bool score(struct setup *s, const struct asy__learner *learner, struct asy__score *ret,
                  struct asy__tally_result *ret_counts, uint64_t *ret_reads)
{
    struct asy__score room;
    struct asy__scoring scoring = {
        .learner = learner, .data = &s->data, .comm = comm, .shards = 1, .room = &room,
        .tally = s->tally, .loss = asy__loss_scored(&s->hyper, &s->data.schema),
    };
    uint64_t before = asy_device_traffic(device).reads;
    struct asy_error err = ASY_ERROR_INIT;
    bool ok = T_OK(asy__score_part(&scoring, ASY__VALIDATION, ret, ret_counts, &err), &err);

    *ret_reads = asy_device_traffic(device).reads - before;
    return ok;
}

static void compare(const struct example *e, const struct asy__score *got,
                    const struct asy__score *want)
{
    double n = want->rows;

    T_EQ(e->name, got->rows, want->rows);
    T_NEAR(e->name, got->loss / n, want->loss / n, CLOSE * (1 + want->loss / n));
    T_NEAR(e->name, got->correct / n, want->correct / n, SELDOM);
    T_NEAR(e->name, got->absolute / n, want->absolute / n, CLOSE * (1 + want->absolute / n));
    T_NEAR(e->name, got->squared / n, want->squared / n, CLOSE * (1 + want->squared / n));
    T_NEAR(e->name, got->target, want->target, CLOSE * n);
    T_NEAR(e->name, got->target_squared, want->target_squared, CLOSE * n);
}

static void compare_counts(const struct example *e, const struct asy__tally_result *got,
                           const struct asy__tally_result *want)
{
    T_TRUE(want->top[3] > 0);
    T_NEAR(e->name, got->f1, want->f1, SELDOM);
    for (size_t t = 0; t < ASY__TOPS; t++)
        T_NEAR(e->name, got->top[t], want->top[t], SELDOM);
    if (e->area)
        T_NEAR(e->name, got->area, want->area, SELDOM);
}

static void what_is_scored_there_is_what_would_be_here(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64] = "", path[128];

    asy_kernels_init();
    if (!T_OK(asy_comm_self(&comm, &err), &err) ||
        !T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err) ||
        !T_TRUE(kit_dir(dir) != NULL))
        goto out;
    snprintf(path, sizeof path, "%s/rows.csv", dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(examples); i++) {
        const struct example *e = &examples[i];
        struct setup s = { .net = NULL };
        struct asy__tally_result counts = { 0 }, counts_here = { 0 };
        struct asy__score there, here;
        uint64_t reads = 0, reads_here = 0;

        if ((e->file || write_rows(path, e->kind)) && set_up(e, e->file ? e->file : path, &s)) {
            struct asy__learner_type by_outputs = { .outputs = s.learner.type->outputs };
            struct asy__learner other = s.learner;

            other.type = &by_outputs;
            if (score(&s, &s.learner, &there, &counts, &reads) &&
                score(&s, &other, &here, &counts_here, &reads_here)) {
                compare(e, &there, &here);
                if (s.tally)
                    compare_counts(e, &counts, &counts_here);
                T_EQ(e->name, reads, e->reads);
                T_TRUE(reads_here > reads);
            }
        }
        set_down(&s);
    }
out:
    if (*dir)
        kit_rmdir(dir);
    asy_device_close(device);
    asy_comm_destroy(comm);
}

int main(void)
{
    static const struct t_test tests[] = { T_TEST(what_is_scored_there_is_what_would_be_here) };

    return t__main("device score", tests, ASY_ARRAY_LEN(tests));
}
