/* SPDX-License-Identifier: Apache-2.0
 * Convolutional networks as jobs: what a row of data is as an image, learning, resuming to the bit,
 * and the loss of each step beside PyTorch's. */
#include "trainkit.h"
#include <asy/kernels.h>
#include <asy/training.h>
#include "net/families.h"
#include "learn/score.h"

#define IMAGES ASY_SOURCE_DIR "/examples/data/digits-images-idx3-ubyte.gz"
#define LABELS ASY_SOURCE_DIR "/examples/data/digits-labels-idx1-ubyte.gz"

static char kept[160]; /* the newest checkpoint moves here */

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    return rename(path, kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .checkpoint = on_checkpoint };

struct bench {
    struct asy_comm *comm;
    struct asy_trainer *trainer;
    char dir[64];
    struct asy_train_result result;
    struct asy_error err;
};

static bool set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    if (!T_TRUE(kit_dir(b->dir) != NULL) || !T_OK(asy_comm_self(&b->comm, &b->err), &b->err) ||
        !T_OK(asy_trainer_create(b->comm, &b->trainer, &b->err), &b->err))
        return false;
    snprintf(kept, sizeof kept, "%s/kept", b->dir);
    return true;
}

static void tear_down(struct bench *b)
{
    asy_trainer_destroy(b->trainer);
    asy_comm_destroy(b->comm);
    if (b->dir[0])
        kit_rmdir(b->dir);
}

static int train(struct bench *b, const struct asy_json *job, const char *resume)
{
    return asy_trainer_run(b->trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
}

/* Both from the rows of a table, 8 x 8 pixels each, and from an array of images; what a stored
 * model gives is what training saw. */
static void digits_are_learnt(void)
{
    static const struct {
        const char *file, *data, *params;
        double floor;
    } cases[] = {
        { IMAGES, ",\"labels\":\"" LABELS "\"", "\"filters\":8,\"lr\":0.005", 0.97 },
        { KIT_DIGITS, "", "\"filters\":8,\"padding\":\"valid\",\"hidden\":0,\"lr\":0.01", 0.93 },
        { KIT_DIGITS, "", "\"filters\":6,\"pool\":\"mean\",\"activation\":\"gelu\",\"lr\":0.01",
          0.95 },
        { KIT_DIGITS, "", "\"filters\":6,\"blocks\":1,\"pool\":\"none\",\"dropout\":0.2,"
          "\"lr\":0.005", 0.95 },
        { KIT_DIGITS, "", "\"filters\":8,\"residual\":true,\"lr\":0.01", 0.92 },
        { KIT_DIGITS, "", "\"filters\":8,\"augment_shift\":1,\"lr\":0.01", 0.8 },
        { KIT_DIGITS, "", "\"filters\":8,\"norm\":\"batch\",\"lr\":0.005", 0.95 },
        { KIT_DIGITS, "", "\"filters\":6,\"norm\":\"layer\",\"lr\":0.005", 0.9 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job, *root = NULL;
        struct asy_buf json;
        char data[300];
        struct bench b;

        snprintf(data, sizeof data, "\"scale\":\"minmax\"%s", cases[i].data);
        job = kit_family_job("cnn", cases[i].file, data, "val_accuracy", "maximize", 8,
                             cases[i].params, "");
        asy_buf_init(&json, 1u << 16);
        if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err) &&
            T_OK(asy_trainer_evaluate(job, b.result.model_path, "validation", &json, &b.err),
                 &b.err) &&
            T_OK(asy_json_parse(json.data, json.len, &root, &b.err), &b.err)) {
            t__check(b.result.objective > cases[i].floor, __LINE__, __FILE__, "%s: %g",
                     cases[i].params, b.result.objective);
            T_NEAR(cases[i].params, asy_json_f64(asy_json_get(root, "val_accuracy"), 0),
                   b.result.objective, 0);
        }
        asy_json_destroy(root);
        asy_buf_fini(&json);
        asy_json_destroy(job);
        tear_down(&b);
    }
}

static void resumed_training_ends_with_the_same_bits(void)
{
    static const char *const params[] = {
        "\"filters\":6,\"dropout\":0.3",
        "\"filters\":4,\"residual\":true,\"optimizer\":\"sgd\"",
        "\"filters\":4,\"residual\":true,\"norm\":\"batch\"",
        "\"filters\":4,\"augment_crop\":2,\"augment_flip\":true,\"augment_shift\":1",
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(params); i++) {
        struct asy_json *whole = kit_family_job("cnn", KIT_DIGITS, "", "val_loss", "minimize", 3,
                                                params[i], "");
        struct asy_json *part = kit_family_job("cnn", KIT_DIGITS, "", "val_loss", "minimize", 3,
                                               params[i], "\"until\":2");
        char straight[160];
        struct bench b;

        if (set_up(&b) && T_OK(train(&b, whole, NULL), &b.err)) {
            snprintf(straight, sizeof straight, "%s/straight", b.dir);
            T_EQ("keep", rename(b.result.model_path, straight), 0);
            if (T_OK(train(&b, part, NULL), &b.err) && T_OK(train(&b, whole, kept), &b.err))
                kit_same(params[i], b.result.model_path, straight);
        }
        asy_json_destroy(whole);
        asy_json_destroy(part);
        tear_down(&b);
    }
}

/* Its statistics are of a whole batch; strict training and pieces have parts of one. */
static void parts_refuse_what_needs_the_whole_batch(void)
{
    static const struct { const char *data, *params, *want; } cases[] = {
        { "\"label\":-1},\"resources\":{\"reproducible\":\"strict\"", "\"norm\":\"batch\"",
          "resources.reproducible: strict computes parts of a batch one by one" },
        { "", "\"norm\":\"batch\",\"accumulate\":2",
          "accumulate computes parts of a batch one by one" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job = kit_family_job("cnn", KIT_DIGITS, cases[i].data, "val_loss",
                                              "minimize", 3, cases[i].params, "");
        struct bench b;

        if (set_up(&b)) {
            T_EQ(cases[i].params, train(&b, job, NULL), ASY_E_INVAL);
            T_HAS(cases[i].params, b.err.text, cases[i].want);
            T_HAS(cases[i].params, b.err.text,
                  "batch normalisation needs it whole; norm: layer does not");
        }
        asy_json_destroy(job);
        tear_down(&b);
    }
}

/* What a row is: by the parameters, else by the array, else a square. */
static void rows_are_images(void)
{
    static const struct {
        const char *name;
        size_t n, image[3];
        int64_t height, width, channels;
        size_t want[3];
        const char *says;
    } cases[] = {
        { "a square", 64, { 0 }, 0, 0, 0, { 8, 8, 1 }, NULL },
        { "an array", 60, { 5, 4, 3 }, 0, 0, 0, { 5, 4, 3 }, NULL },
        { "a height", 192, { 0 }, 8, 0, 3, { 8, 8, 3 }, NULL },
        { "all", 60, { 5, 4, 3 }, 10, 2, 3, { 10, 2, 3 }, NULL },
        { "no square", 60, { 0 }, 0, 0, 0, { 0 }, "rows of 60 features are no images of 7 x 7 x 1; "
          "image_height, image_width and image_channels say what they are" },
        { "columns left out", 59, { 5, 4, 3 }, 0, 0, 0, { 0 }, "no images of 5 x 4 x 3" },
        { "channels first", 96, { 3, 4, 8 }, 0, 0, 0, { 0 }, "channels first" },
        { "other sizes", 60, { 0 }, 6, 9, 0, { 0 }, "no images of 6 x 9 x 1" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__schema schema = { .n_features = cases[i].n, .target_factor = 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__net *net = NULL;
        struct asy__hyper hyper;
        int rc;

        memcpy(schema.image, cases[i].image, sizeof schema.image);
        asy__hyper_defaults(ASY__CNN, &hyper);
        hyper.image_height = cases[i].height;
        hyper.image_width = cases[i].width;
        hyper.image_channels = cases[i].channels;
        rc = asy__family_net(&hyper, &schema, 1, 1, &net, &err);
        if (cases[i].says) {
            T_EQ(cases[i].name, rc, ASY_E_INVAL);
            T_HAS(cases[i].name, err.text, cases[i].says);
        } else if (T_OK(rc, &err)) {
            T_EQ(cases[i].name, net->features.height, cases[i].want[0]);
            T_EQ(cases[i].name, net->features.width, cases[i].want[1]);
            T_EQ(cases[i].name, net->features.channels, cases[i].want[2]);
        }
        asy__net_destroy(net);
    }
}

static void what_is_no_image_is_not_augmented(void)
{
    static const struct {
        const char *name, *family, *params, *says;
    } cases[] = {
        { "an image", "cnn", "{\"augment_crop\":7,\"augment_shift\":7,\"augment_flip\":true}",
          NULL },
        { "nothing left", "cnn", "{\"augment_crop\":8}",
          "augment_crop: of images of 8 x 8 pixels 8 would leave none" },
        { "the same", "cnn", "{\"augment_shift\":9}",
          "augment_shift: of images of 8 x 8 pixels 9 would leave none" },
        { "a vector", "layers", "{\"augment_flip\":true,\"layers\":[{\"dense\":4}]}",
          "augment_crop, augment_shift and augment_flip are for images" },
        { "a listed image", "layers", "{\"augment_flip\":true,\"layers\":[{\"image\":4},"
          "{\"conv\":2}]}", NULL },
        { "a line", "layers", "{\"augment_shift\":1,\"layers\":[{\"image\":1},{\"conv\":2,"
          "\"kernel\":1}]}", "augment_crop, augment_shift and augment_flip are for images" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__schema schema = { .n_features = 64, .target_factor = 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *root = NULL;
        struct asy__net *net = NULL;
        struct asy__hyper hyper;
        int rc = -1;

        asy__hyper_defaults((enum asy__family)asy__family_find(cases[i].family), &hyper);
        if (T_OK(asy_json_parse(cases[i].params, strlen(cases[i].params), &root, &err), &err) &&
            T_OK(asy__hyper_read(root, &hyper, &err), &err))
            rc = asy__family_net(&hyper, &schema, 1, 1, &net, &err);
        T_EQ(cases[i].name, rc, cases[i].says ? ASY_E_INVAL : 0);
        if (cases[i].says)
            T_HAS(cases[i].name, err.text, cases[i].says);
        asy__net_destroy(net);
        asy_json_destroy(root);
    }
}

/* Batch normalisation would take it away again; the tensor stays, as stored models have it. */
static void no_bias_is_learnt_before_batch_norm(void)
{
    static const struct {
        const char *name, *layers;
        int learnt; /* tensors */
    } cases[] = {
        { "a dense layer", "[{\"flatten\":true},{\"dense\":5},{\"norm\":\"batch\"}]", 1 + 2 },
        { "one with an activation", "[{\"flatten\":true},{\"dense\":5,\"act\":\"relu\"},"
          "{\"norm\":\"batch\"}]", 2 + 2 },
        { "batch norm", "[{\"image\":8},{\"conv\":2},{\"norm\":\"batch\"}]", 1 + 2 },
        { "an activation between", "[{\"image\":8},{\"conv\":2,\"act\":\"relu\"},"
          "{\"norm\":\"batch\"}]", 2 + 2 },
        { "layer norm", "[{\"image\":8},{\"conv\":2},{\"norm\":\"layer\"}]", 2 + 2 },
        { "one who goes around", "[{\"image\":8},{\"conv\":2,\"name\":\"c\"},{\"norm\":\"batch\"},"
          "{\"add\":\"c\"}]", 2 + 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__schema schema = { .n_features = 64, .target_factor = 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *root = NULL;
        struct asy__net *net = NULL;
        struct asy__hyper hyper;
        int learnt = 0;

        asy__hyper_defaults(ASY__LAYERS, &hyper);
        if (T_OK(asy_json_parse(cases[i].layers, strlen(cases[i].layers), &root, &err), &err)) {
            hyper.list = root;
            if (T_OK(asy__family_net(&hyper, &schema, 1, 1, &net, &err), &err)) {
                for (size_t t = 0; t < net->n_tensors; t++)
                    learnt += !net->tensors[t].is_buffer;
                T_EQ(cases[i].name, learnt, cases[i].learnt + 2); /* and the outputs' layer */
                T_TRUE(!strcmp(net->tensors[1].name, "layers.1.bias"));
            }
        }
        asy__net_destroy(net);
        asy_json_destroy(root);
    }
}

static bool outputs_of(const struct asy__net *net, struct asy__learner *learner, const float *x,
                       float *ret)
{
    struct asy_error err = ASY_ERROR_INIT;
    float *out;

    if (!T_OK(learner->type->outputs(learner, x, 1, &out, &err), &err))
        return false;
    memcpy(ret, out, net->outputs.channels * sizeof *ret);
    return true;
}

/* Those of earlier builds have one: shifted by as much as the running mean it changes nothing. */
static void a_bias_that_a_model_has_counts(void)
{
    static const struct asy__layer_desc layers[] = {
        { .kind = ASY__CONV, .width = 2, .kernel = 3 }, { .kind = ASY__BATCH_NORM },
        { .kind = ASY__GLOBAL_MEAN }, { .kind = ASY__DENSE, .width = 3 },
    };
    static float memory[ASY_OP_ROOM + 32768] __attribute__((aligned(64)));
    const struct asy__net_options options = { .features = { 5, 5, 1 }, .eval_rows = 1,
                                              .loss = { .kind = ASY_OP_SOFTMAX_LOSS } };
    float params[256] = { 0 }, buffers[256] = { 0 }, x[25], plain[3], shifted[3], other[3];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;
    struct asy__learner learner;

    for (size_t i = 0; i < ASY_ARRAY_LEN(x); i++)
        x[i] = (float)(i % 7) - 3;
    if (T_OK(asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &net, &err), &err) &&
        T_TRUE(net->n_params <= 256 && net->n_buffers <= 256 &&
               asy__net_room(net) <= ASY_ARRAY_LEN(memory))) {
        float *bias = buffers + net->tensors[1].at, *mean = buffers + net->tensors[4].at;

        asy__net_bind(net, memory);
        asy__net_init(net, 3, params, buffers);
        learner = asy__net_learner(net, params, buffers);
        if (T_TRUE(!strcmp(net->tensors[4].name, "layers.1.running_mean")) &&
            outputs_of(net, &learner, x, plain)) {
            bias[0] = 0.5f;
            T_TRUE(outputs_of(net, &learner, x, other));
            mean[0] = 0.5f;
            T_TRUE(outputs_of(net, &learner, x, shifted));
            for (size_t i = 0; i < 3; i++) { /* some roundings of numbers of about 10 */
                T_NEAR("shifted", (double)shifted[i], (double)plain[i], 1e-5);
                T_TRUE(fabsf(other[i] - plain[i]) > 1e-3f);
            }
        }
    }
    asy__net_destroy(net);
}

/* The network of the figures, and one that is a small ResNet. */
static void layers_are_those_asked_for(void)
{
    struct asy__schema schema = { .n_features = 784, .classification = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;
    struct asy__hyper hyper;

    schema.classes.n = 10;
    asy__hyper_defaults(ASY__CNN, &hyper);
    hyper.kernel = 5;
    hyper.padding = ASY__PADDING_VALID;
    if (T_OK(asy__family_net(&hyper, &schema, 1, 1, &net, &err), &err)) {
        size_t weights = 0;

        for (size_t i = 0; i < net->n_tensors; i++)
            weights += net->tensors[i].n;
        T_EQ("16c5-p-32c5-p-128-10", weights,
             16 * 25 + 16 + 32 * 400 + 32 + 512 * 128 + 128 + 1290);
        T_EQ("layers", net->n_layers, 5);
    }
    asy__net_destroy(net);
    net = NULL;
    hyper.residual = 1;
    hyper.kernel = 3;
    hyper.hidden = 0;
    if (T_OK(asy__family_net(&hyper, &schema, 1, 1, &net, &err), &err))
        T_EQ("a block, and one with a way around", net->n_layers, 1 + 4 + 5 + 2);
    asy__net_destroy(net);
    net = NULL;
    hyper.kernel = 4;
    T_EQ("even", asy__family_net(&hyper, &schema, 1, 1, &net, &err), ASY_E_INVAL);
    T_HAS("even", err.text, "a kernel of 4 is not possible in residual blocks");
}

T_MAIN("cnn", T_TEST(digits_are_learnt), T_TEST(resumed_training_ends_with_the_same_bits),
       T_TEST(parts_refuse_what_needs_the_whole_batch), T_TEST(rows_are_images),
       T_TEST(what_is_no_image_is_not_augmented),
       T_TEST(no_bias_is_learnt_before_batch_norm),
       T_TEST(a_bias_that_a_model_has_counts),
       T_TEST(layers_are_those_asked_for))
