/* SPDX-License-Identifier: Apache-2.0
 * Tensor files from anywhere: what parses lies within the bytes; models, of trees too, and
 * checkpoints are taken whole or refused with a reason. A model that is taken can be applied, and
 * exported. */
#include <asy/export.h>
#include <asy/gbdt.h>
#include <asy/safetensors.h>
#include <asy/training.h>
#include <string.h>
#include "memory_file.h"
#include "state.h"

#define PARAMS 32 /* of the checkpoints in the corpus */

static void read_trees(const struct asy_safetensors *file)
{
    static const float x[ASY_GBDT_FEATURES_MAX];
    static float margins[ASY_GBDT_CLASSES_MAX];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_gbdt *model = NULL;

    if (asy_gbdt_read(file, &model, &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return;
    }
    asy_gbdt_predict(model, x, 1, margins);
    asy_gbdt_destroy(model);
}

static void walk(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_safetensors *file = NULL;
    uint64_t sum = 0;

    if (asy_safetensors_parse(data, size, &file, &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return;
    }
    for (size_t i = 0; i < asy_safetensors_len(file); i++) {
        const struct asy_tensor *t = asy_safetensors_at(file, i);
        const uint8_t *bytes = t->bytes;

        FUZZ_CHECK(t->n_dims <= ASY_SAFETENSORS_DIMS && asy_safetensors_find(file, t->name) == t);
        FUZZ_CHECK(t->size <= size &&
                   (!t->size || (bytes >= data && bytes + t->size <= data + size)));
        for (size_t k = 0; k < t->size; k++)
            sum += bytes[k];
    }
    FUZZ_CHECK(sum < UINT64_MAX);
    read_trees(file);
    asy_safetensors_destroy(file);
}

static void read_checkpoint(const char *path)
{
    static float params[PARAMS], m[PARAMS], v[PARAMS], best[PARAMS];
    struct asy__state state = { .n_params = PARAMS, .params = params, .m = m, .v = v,
                                .best = best };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__score partial[2];

    if (asy__checkpoint_read(path, "fuzz", &state, partial, 2, &err) < 0)
        FUZZ_CHECK(err.text[0]);
}

static void read_checkpoint_of_trees(const char *path)
{
    static const struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__state state = { .trees = NULL };
    struct asy__score partial[2];

    FUZZ_CHECK(asy_gbdt_create(&params, 2, &state.trees, &err) == 0);
    if (asy__checkpoint_read(path, "fuzz", &state, partial, 2, &err) < 0)
        FUZZ_CHECK(err.text[0]);
    asy_gbdt_destroy(state.trees);
}

static void read_model(const char *path)
{
    static const char rows[] = "1,2,red\n3,4,blue\n5,6,red\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf out;
    char table[64];
    int fd = memory_file(rows, sizeof rows - 1, table);

    asy_buf_init(&out, 1u << 20);
    if (asy_trainer_predict(path, table, 0, &out, &err) < 0)
        FUZZ_CHECK(err.text[0]);
    asy_buf_fini(&out);
    close(fd);
}

static void export_model(const char *path)
{
    for (int f = ASY_EXPORT_ONNX; f <= ASY_EXPORT_C; f++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf out;

        asy_buf_init(&out, 4u << 20);
        if (asy_export(path, (enum asy_export_format)f, "1", &out, &err) < 0)
            FUZZ_CHECK(err.text[0]);
        asy_buf_fini(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd;

    if (size > 1u << 16)
        return 0;
    walk(data, size);
    fd = memory_file(data, size, path);
    read_checkpoint(path);
    read_checkpoint_of_trees(path);
    read_model(path);
    export_model(path);
    close(fd);
    return 0;
}
