/* SPDX-License-Identifier: Apache-2.0
 * `reproducible: strict` by each instruction set that this processor has: the same numbers in the
 * model file, bit for bit. (Single kernels are compared in tests/kernels.) */
#include "trainkit.h"
#include <asy/kernels.h>
#include <asy/training.h>
#include "isa.h"

#define STRICT "},\"resources\":{\"reproducible\":\"strict\""
#define TABLE "\"label\":-1" STRICT
#define TEXT "\"format\":\"text\"" STRICT

static const struct job {
    const char *name, *family, *file, *data, *params;
} jobs[] = {
    { "linear", "linear", KIT_DIGITS, TABLE, "\"optimizer\":\"sgd\",\"momentum\":0.9" },
    { "mlp", "mlp", KIT_DIGITS, TABLE,
      "\"hidden\":37,\"optimizer\":\"adam\",\"ema\":0.9,\"clip\":1" },
    { "mlp with norms", "mlp", KIT_DIGITS, TABLE, "\"hidden\":20,\"layers\":3,\"norm\":\"layer\","
      "\"dropout\":0.2,\"activation\":\"gelu\",\"optimizer\":\"lamb\",\"accumulate\":2" },
    { "mlp by lars", "mlp", KIT_DIGITS, TABLE,
      "\"hidden\":20,\"activation\":\"silu\",\"optimizer\":\"lars\"" },
    { "cnn", "cnn", KIT_DIGITS, TABLE, "\"filters\":5,\"activation\":\"leaky_relu\"" },
    { "residual cnn", "cnn", KIT_DIGITS, TABLE,
      "\"filters\":4,\"residual\":true,\"dropout\":0.25" },
    { "layers", "layers", KIT_DIGITS, TABLE,
      "\"layers\":[{\"image\":8},{\"conv\":6,\"pad\":1},{\"max_pool\":2},"
      "{\"conv\":6,\"groups\":3,\"act\":\"tanh\"},{\"dense\":19,\"act\":\"sigmoid\"}]" },
    { "shares", "layers", KIT_DIGITS, TABLE, "\"layers\":[{\"act\":\"softmax\"},{\"dense\":19,"
      "\"act\":\"softmax\"},{\"norm\":\"layer\"}]" },
    { "listed attention", "layers", KIT_DIGITS, TABLE, "\"layers\":[{\"tokens\":8},{\"dense\":24},"
      "{\"attention\":2,\"dropout\":0.2},{\"dense\":8}]" },
    { "gpt", "gpt", ASY_SOURCE_DIR "/LICENSE", TEXT, "\"d_model\":12,\"heads\":3,\"blocks\":1,"
      "\"context\":20,\"batch_size\":40,\"dropout\":0.1,\"attention_dropout\":0.2" },
    { "transformer", "transformer", KIT_DIGITS, TABLE,
      "\"d_model\":8,\"heads\":2,\"blocks\":1,\"tokens\":8,\"batch_size\":100" },
    { "gbdt", "gbdt", KIT_DIGITS, TABLE, "\"subsample\":0.7,\"colsample\":0.5,\"max_depth\":4" },
};

/* The model of a job by the present kernels, in dir under the name `to`. */
static bool train(const struct job *by, const char *dir, const char *to)
{
    struct asy_json *job = kit_family_job(by->family, by->file, by->data, "val_loss", "minimize", 3,
                                          by->params, "");
    static struct asy_train_result result;
    static const struct asy_train_callbacks nobody;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *self = NULL;
    bool ok = T_OK(asy_comm_self(&self, &err), &err) &&
              T_OK(asy_trainer_create(self, &trainer, &err), &err) &&
              T_OK(asy_trainer_run(trainer, job, dir, NULL, &nobody, &result, &err), &err) &&
              T_EQ(by->name, rename(result.model_path, to), 0);

    asy_trainer_destroy(trainer);
    asy_comm_destroy(self);
    asy_json_destroy(job);
    return ok;
}

/* What follows the description of a safetensors file, which names the kernels. */
static const char *numbers(const char *file, size_t n, size_t *ret_n)
{
    uint64_t header = 0;

    if (n > sizeof header)
        memcpy(&header, file, sizeof header);
    if (!T_TRUE(n > sizeof header && header < n - sizeof header))
        return NULL;
    *ret_n = n - sizeof header - header;
    return file + sizeof header + header;
}

static void same_numbers(const char *name, const char *a, const char *b)
{
    struct asy_error err = ASY_ERROR_INIT;
    const char *ours, *theirs;
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;

    if (T_OK(asy_read_file(a, 64u << 20, &x, &n, &err), &err) &&
        T_OK(asy_read_file(b, 64u << 20, &y, &m, &err), &err) && (ours = numbers(x, n, &n)) &&
        (theirs = numbers(y, m, &m)) && T_EQ(name, n, m))
        T_EQ(name, memcmp(ours, theirs, n), 0);
    free(x);
    free(y);
}

static void a_strict_model_is_the_same_by_each_set(void)
{
    static const char *const names[ASY__ISAS] = { "base", "avx2", "avx512" };
    char dir[] = "/tmp/test_isa.XXXXXX", widest[64], narrower[64];
    enum asy__isa best = asy__kernels_limit(ASY__ISAS - 1);

    if (!T_TRUE(mkdtemp(dir) != NULL))
        return;
    snprintf(widest, sizeof widest, "%s/widest", dir);
    snprintf(narrower, sizeof narrower, "%s/narrower", dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(jobs); i++) {
        asy__kernels_limit(best);
        if (!train(&jobs[i], dir, widest))
            continue;
        for (int isa = 0; isa < (int)best; isa++) {
            char name[64];

            snprintf(name, sizeof name, "%s by %s", jobs[i].name, names[isa]);
            T_EQ(name, asy__kernels_limit((enum asy__isa)isa), isa);
            T_TRUE(strstr(asy_kernels_name(), names[isa]) != NULL);
            if (train(&jobs[i], dir, narrower))
                same_numbers(name, widest, narrower);
        }
    }
    asy__kernels_limit(best);
    kit_rmdir(dir);
}

T_MAIN("isa", T_TEST(a_strict_model_is_the_same_by_each_set))
