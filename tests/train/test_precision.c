/* SPDX-License-Identifier: Apache-2.0
 * Trainings by other products than our own of single precision. precision: bf16: that they learn as
 * well, that what is rounded are the products of dense layers in training and nothing else, and
 * that all promises but strict ones hold. OpenBLAS: that it is used, and told of. */
#include "jobkit.h"
#include <asy/rng.h>
#include "net/families.h"
#include "state.h"

static uint64_t pause_at; /* step; 0: never */
static double train_loss;
static char kept[160];

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)loss;
    if (step == pause_at)
        asy_trainer_request(trainer, ASY_TRAIN_PAUSE);
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    (void)arg, (void)step;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(metrics[i].name, "train_loss"))
            train_loss = metrics[i].value;
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    return kept[0] && rename(path, kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .step = on_step, .report = on_report,
                                                      .checkpoint = on_checkpoint };

static bool set_up(struct bench *b)
{
    pause_at = 0;
    kept[0] = '\0';
    return bench_open(b);
}

static int train(struct bench *b, const struct asy_json *job, const char *resume)
{
    return asy_trainer_run(trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
}

struct job {
    const char *family, *file, *data, *params;
    int epochs;
};
static const struct job mlp = { "mlp", KIT_DIGITS, "", "\"hidden\":64,\"lr\":0.002", 8 };
static const struct job jobs[] = {
    { "mlp", KIT_DIGITS, "", "\"hidden\":64,\"lr\":0.002", 8 },
    { "cnn", KIT_DIGITS, "", "\"filters\":8,\"hidden\":32,\"lr\":0.002", 4 },
    { "gpt", ASY_SOURCE_DIR "/README.md", "\"format\":\"text\"",
      "\"d_model\":32,\"heads\":2,\"context\":32,\"batch_size\":16,\"lr\":0.003,\"tied\":true", 4 },
    { "transformer", KIT_DIGITS, "", "\"d_model\":16,\"tokens\":8,\"heads\":2,\"lr\":0.003", 4 },
};

static struct asy_json *job_of(const struct job *job, const char *precision, const char *rest)
{
    char params[300];

    snprintf(params, sizeof params, "%s,\"precision\":\"%s\"", job->params, precision);
    return kit_family_job(job->family, job->file, job->data, "val_loss", "minimize", job->epochs,
                          params, rest);
}

static int run(struct bench *b, const struct job *job, const char *precision)
{
    struct asy_json *node = job_of(job, precision, "");
    int rc = train(b, node, NULL);

    asy_json_destroy(node);
    return rc;
}

/* After some hundreds of updates, with the same first weights and batches. */
static void a_loss_is_within_one_percent(void)
{
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(jobs); i++) {
            double plain, plain_train;

            if (!T_OK(run(&b, &jobs[i], "fp32"), &b.err))
                break;
            plain = b.result.objective;
            plain_train = train_loss;
            if (!T_OK(run(&b, &jobs[i], "bf16"), &b.err))
                break;
            T_NEAR(jobs[i].family, train_loss, plain_train, 0.01 * plain_train);
            T_NEAR(jobs[i].family, b.result.objective, plain, 0.01 * plain);
            T_TRUE(train_loss != plain_train);
        }
    tear_down(&b);
}

static int flagged(const struct asy__program *program, enum asy_op_kind kind, int *ret_all)
{
    int n = 0;

    *ret_all = 0;
    for (size_t i = 0; i < program->n; i++) {
        n += program->ops[i].kind == kind && (program->ops[i].flags & ASY_OP_BF16);
        *ret_all += program->ops[i].kind == kind;
    }
    return n;
}

static void training_alone_is_rounded_and_there_dense_layers(void)
{
    static const enum asy_op_kind kinds[] = {
        ASY_OP_DENSE, ASY_OP_DENSE_DX, ASY_OP_DENSE_DW, ASY_OP_CONV, ASY_OP_CONV_DW,
        ASY_OP_ATTENTION,
    };
    static const struct asy__layer_desc layers[] = {
        { .kind = ASY__IMAGE, .image = { 4, 4, 1 } },
        { .kind = ASY__CONV, .width = 6, .kernel = 3 },
        { .kind = ASY__TOKENS, .width = 4 },
        { .kind = ASY__DENSE, .width = 12 },
        { .kind = ASY__ATTENTION, .heads = 2 },
        { .kind = ASY__FLATTEN },
        { .kind = ASY__DENSE, .width = 3 },
    };

    for (int bf16 = 0; bf16 < 2; bf16++) {
        struct asy__net_options options = { .features = { 1, 1, 16 },
                                            .loss = { .kind = ASY_OP_SOFTMAX_LOSS },
                                            .train_rows = 4, .eval_rows = 4, .bf16 = bf16 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__net *net = NULL;
        int all;

        if (T_OK(asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &net, &err), &err))
            for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
                int n = flagged(&net->train, kinds[k], &all);

                T_TRUE(all > 0);
                T_EQ("rounded", n, bf16 && k < 3 ? all : 0);
                T_EQ("in evaluation", flagged(&net->eval, kinds[k], &all), 0);
            }
        asy__net_destroy(net);
    }
}

enum { ROWS = 21, WIDE = 40, OUTS = 3, WORK = 40000 };
static float memory[ASY_OP_ROOM + WORK] __attribute__((aligned(64)));

/* A step by the plain twins: the same numbers rounded, summed in another order. Rounding what such
 * sums differ in may fall to the other side: an eighth bit of a number here and there. */
static void the_plain_twins_round_as_well(void)
{
    static const struct asy__layer_desc layers[] = {
        { .kind = ASY__DENSE, .width = 50, .act = ASY_ACT_TANH },
        { .kind = ASY__DENSE, .width = 30, .act = ASY_ACT_TANH },
        { .kind = ASY__DENSE, .width = OUTS },
    };
    struct asy__net_options options = { .features = { 1, 1, WIDE },
                                        .loss = { .kind = ASY_OP_SOFTMAX_LOSS },
                                        .train_rows = ROWS, .eval_rows = 1, .bf16 = 1 };
    static float params[8192], grads[3][8192], x[ROWS * WIDE];
    struct asy_error err = ASY_ERROR_INIT;
    int32_t label[ROWS];
    struct asy_rng rng;

    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ROWS * WIDE; i++)
        x[i] = (float)asy_rng_normal(&rng);
    for (size_t i = 0; i < ROWS; i++)
        label[i] = (int32_t)asy_rng_below(&rng, OUTS);
    for (int way = 0; way < 3; way++) { /* by the unit or its stand-in, plainly, unrounded */
        struct asy__batch batch = { ROWS, 0, x, label, NULL, 1.0f / ROWS, 0, 0 };
        struct asy__score score = { 0 };
        struct asy__learner learner;
        struct asy__net *net = NULL;

        options.bf16 = way < 2;
        if (!T_OK(asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &net, &err), &err))
            return;
        if (T_TRUE(asy__net_room(net) <= ASY_ARRAY_LEN(memory))) {
            asy__net_bind(net, memory);
            asy__net_init(net, 5, params, NULL);
            learner = asy__net_learner(net, params, NULL);
            net->cpu.plain = way == 1;
            ASY_IGNORE(learner.type->gradient(&learner, &batch, grads[way], &score, NULL));
        }
        asy__net_destroy(net);
    }
    for (size_t i = 0; i < 50 * WIDE; i++) {
        T_NEAR("a gradient", (double)grads[0][i], (double)grads[1][i], 2e-4);
        T_NEAR("unrounded", (double)grads[0][i], (double)grads[2][i], 1e-2);
    }
    T_TRUE(memcmp(grads[0], grads[2], 50 * WIDE * sizeof(float)) != 0);
}

static void an_interrupted_training_ends_with_the_same_bits(void)
{
    struct asy_json *job = job_of(&mlp, "bf16", ""), *plain = job_of(&mlp, "fp32", "");
    char straight[160];
    struct bench b;

    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
        snprintf(straight, sizeof straight, "%s/straight", b.dir);
        T_EQ("kept", rename(b.result.model_path, straight), 0);
        snprintf(kept, sizeof kept, "%s/kept", b.dir);
        pause_at = 31;
        T_OK(train(&b, job, NULL), &b.err);
        T_EQ("paused", b.result.outcome, ASY_TRAIN_PAUSED);
        pause_at = 0;
        T_TRUE(train(&b, plain, kept) < 0); /* another trial */
        T_OK(train(&b, job, kept), &b.err);
        kit_same("model", b.result.model_path, straight);
    }
    asy_json_destroy(job);
    asy_json_destroy(plain);
    tear_down(&b);
}

/* Validated, evaluated and exported in single precision: one number. */
static void what_is_reported_is_what_the_stored_model_does(void)
{
    struct asy_json *job = job_of(&mlp, "bf16", ""), *root = NULL;
    struct asy_buf json;
    struct bench b;

    asy_buf_init(&json, 1u << 16);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err) &&
        T_OK(asy_trainer_evaluate(job, b.result.model_path, "validation", &json, &b.err),
             &b.err) &&
        T_OK(asy_json_parse(json.data, json.len, &root, &b.err), &b.err))
        T_NEAR("val_loss", asy_json_f64(asy_json_get(root, "val_loss"), NAN), b.result.objective,
               1e-12);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy_json_destroy(job);
    tear_down(&b);
}

/* params: of the model, as constants. */
static void expect_strict_refused(const char *params, const char *why)
{
    static const char head[] =
        "{\"study\":{\"name\":\"test\",\"run\":{\"model\":\"mlp\",\"fixed\":{";
    static const char tail[] =
        "},\"length\":{\"unit\":\"epochs\",\"max\":1}},\"data\":{\"file\":\"" KIT_DIGITS "\"},"
        "\"resources\":{\"reproducible\":\"strict\"},\"objective\":[{\"metric\":\"val_loss\","
        "\"goal\":\"minimize\",\"take\":\"best\"}]},\"params\":{},\"seed\":7,\"number\":3}";
    struct asy_json *job = NULL;
    struct asy_buf text;
    struct bench b;

    asy_buf_init(&text, 1u << 16);
    asy_buf_addf(&text, "%s%s%s", head, params, tail);
    if (set_up(&b) && T_OK(asy_json_parse(text.data, text.len, &job, &b.err), &b.err)) {
        T_EQ("refused", train(&b, job, NULL), ASY_E_INVAL);
        T_HAS("why", b.err.text, why);
    }
    asy_json_destroy(job);
    asy_buf_fini(&text);
    tear_down(&b);
}

static void strict_bits_are_refused(void)
{
    expect_strict_refused("\"precision\":\"bf16\"",
                          "precision: bf16 does not; precision: fp32 does");
    asy_kernels_set_products(ASY_PRODUCTS_BLAS);
    expect_strict_refused("", "OpenBLAS does not; the setting train_blas: own does");
    asy_kernels_set_products(ASY_PRODUCTS_OWN);
}

/* ---- OpenBLAS -------------------------------------------------------------------------------- */

static void openblas_trains_as_well_and_is_told(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct bench b;
    char *text = NULL;
    size_t n = 0;
    double own;

    if (set_up(&b) && T_OK(run(&b, &mlp, "fp32"), &b.err)) {
        own = train_loss;
        asy_kernels_set_products(ASY_PRODUCTS_BLAS);
        if (T_OK(run(&b, &mlp, "fp32"), &b.err)) { /* some hundred updates of rounded sums */
            T_NEAR("loss", train_loss, own, 1e-3 * own);
            if (T_OK(asy_read_file(b.result.model_path, 1u << 24, &text, &n, &err), &err))
                T_TRUE(memmem(text, n, ", gemm openblas, ", 17) != NULL);
        }
        free(text);
    }
    asy_kernels_set_products(ASY_PRODUCTS_OWN);
    tear_down(&b);
}

/* ---- updates --------------------------------------------------------------------------------- */

/* A norm that is never reached asks for the whole gradient before anything is updated: whatever
 * else might be done sooner, the products are the same. Few wide layers, so that a rank of two
 * cores divides them. */
static void the_way_of_updating_changes_no_product(void)
{
    static const struct {
        const char *name, *precision, *data;
        enum asy_products by;
    } ways[] = {
        { "fp32", "fp32", "", ASY_PRODUCTS_OWN },
        { "bf16", "bf16", "", ASY_PRODUCTS_OWN },
        { "openblas", "fp32", "", ASY_PRODUCTS_BLAS },
        { "two cores", "fp32", "\"label\":-1},\"resources\":{\"cores\":2", ASY_PRODUCTS_OWN },
        { "two cores, bf16", "bf16", "\"label\":-1},\"resources\":{\"cores\":2",
          ASY_PRODUCTS_OWN },
    };
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(ways); i++) {
            struct job job = { "mlp", KIT_DIGITS, ways[i].data,
                               "\"hidden\":256,\"batch_size\":512,\"lr\":0.01", 3 };
            double straight;

            asy_kernels_set_products(ways[i].by);
            if (!T_OK(run(&b, &job, ways[i].precision), &b.err))
                continue;
            straight = train_loss;
            job.params = "\"hidden\":256,\"batch_size\":512,\"lr\":0.01,\"clip\":1e30";
            if (T_OK(run(&b, &job, ways[i].precision), &b.err))
                T_NEAR(ways[i].name, train_loss, straight, 0);
        }
    asy_kernels_set_products(ASY_PRODUCTS_OWN);
    tear_down(&b);
}

T_MAIN("precision", T_TEST(a_loss_is_within_one_percent),
       T_TEST(training_alone_is_rounded_and_there_dense_layers),
       T_TEST(the_plain_twins_round_as_well),
       T_TEST(an_interrupted_training_ends_with_the_same_bits),
       T_TEST(what_is_reported_is_what_the_stored_model_does), T_TEST(strict_bits_are_refused),
       T_TEST(the_way_of_updating_changes_no_product),
       T_TEST(openblas_trains_as_well_and_is_told))
