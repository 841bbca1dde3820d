/* SPDX-License-Identifier: Apache-2.0
 * test_cuda_families.c - networks of every family, and trees, on a CUDA without a device
 * (fake_cuda.h), their kernels compiled by NVIDIA's compiler: each launch has the arguments that
 * the compiled kernel takes, a gradient waits for nothing, and a round of trees twice. What the
 * kernels compute is tested on OpenCL.
 * LAUNCHES_REPORT=1 in the environment shows how many there are.
 *
 * Exit status 77: there is no NVRTC, nothing was tested. */
#include "cuda/toolkit.h"
#include "familykit.h"
#include <asy/device_trees.h>
#include "kernels/fake_cuda.h"

static bool launches(const struct example *e, struct pair *p)
{
    struct asy_op_step how = { ROWS, FIRST, 1.0f / ROWS, SEED, 3 };
    float *got = floats(ROWS * asy__shape_size(p->net->outputs));
    struct asy_error err = ASY_ERROR_INIT;
    int waits = fake_cuda.waits, before = fake_cuda.launches + fake_cuda.products;
    double sums[ASY_SUMS];
    bool ok = T_TRUE(got != NULL) && T_OK(take_rows(p, &err), &err) &&
              T_OK(asy_device_net_gradient(p->there, 0, &how, &err), &err) &&
              T_EQ(e->name, fake_cuda.waits, waits);

    if (ok && getenv("LAUNCHES_REPORT"))
        printf("\n%s: %d launches", e->name, fake_cuda.launches + fake_cuda.products - before);
    ok = ok && T_OK(asy_device_net_sums(p->there, 1, sums, &err), &err) &&
         T_EQ(e->name, sums[ASY_SUM_ROWS], (double)(ROWS * p->labels)) &&
         T_OK(asy_device_net_outputs(p->there, ASY_ARRAY_PARAMS, NULL, ROWS, got, &err), &err) &&
         T_STR(e->name, fake_cuda.fault, "");
    free(got);
    return ok;
}

static void networks_launch_what_kernels_take(void)
{
    on_device(ASY_DEVICE_CUDA, launches);
    T_TRUE(fake_cuda.launches > 0);
    T_EQ("memory", fake_cuda.allocations + fake_cuda.pinned + fake_cuda.contexts, 0);
}

/* ---- trees ----------------------------------------------------------------------------------- */

#define TREE_ROWS 600
#define TREE_FEATURES 11
#define TREE_DEPTH 4
#define TREE_OUTPUTS 3

/* Another rank, that has nothing. */
static int join(void *arg, int64_t *x, size_t n, struct asy_error *err)
{
    (void)x;
    (void)n;
    (void)err;
    ++*(int *)arg;
    return 0;
}

static void grow(struct asy_device *device, struct asy_device_trees_desc desc, int waits)
{
    static struct asy_device_tree_node nodes[TREE_OUTPUTS * (2 << TREE_DEPTH)];
    static float margins[TREE_ROWS * TREE_OUTPUTS];
    uint8_t use[TREE_OUTPUTS * TREE_FEATURES];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_trees *trees = NULL;
    int before;

    memset(use, 1, sizeof use);
    if (T_OK(asy_device_trees_create(device, &desc, &trees, &err), &err) &&
        T_OK(asy_device_trees_write(trees, margins, &err), &err)) {
        before = fake_cuda.waits;
        T_OK(asy_device_trees_round(trees, 5, use, nodes, margins, &err), &err);
        T_EQ("waits", fake_cuda.waits - before, waits);
    }
    T_STR("trees", fake_cuda.fault, "");
    asy_device_trees_destroy(trees);
}

static void trees_launch_what_kernels_take(void)
{
    static const uint64_t words[2 * TREE_ROWS];
    static const float numbers[TREE_ROWS];
    uint32_t at[TREE_FEATURES + 1];
    int joins = 0, launches = fake_cuda.launches;
    struct asy_device_trees_desc desc = {
        .loss = ASY_DEVICE_TREES_SOFTMAX, .outputs = TREE_OUTPUTS, .max_depth = TREE_DEPTH,
        .rows = TREE_ROWS, .features = TREE_FEATURES, .words = words, .at = at, .label = numbers,
        .weight = numbers, .learning_rate = 0.1, .l2 = 1, .subsample = 0.5, .join_arg = &joins,
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;

    for (uint32_t f = 0; f <= TREE_FEATURES; f++)
        at[f] = f * 5;
    if (T_OK(asy_device_open(ASY_DEVICE_CUDA, 0, &device, &err), &err)) {
        grow(device, desc, 2); /* trees, margins */
        T_TRUE(fake_cuda.launches - launches >= TREE_OUTPUTS * TREE_DEPTH);
        desc.join = join;
        grow(device, desc, TREE_OUTPUTS * (1 + TREE_DEPTH) + 2); /* exponents, levels; these */
        T_EQ("joins", joins, TREE_OUTPUTS * (1 + TREE_DEPTH) + 1);
    }
    asy_device_close(device);
    T_EQ("memory", fake_cuda.allocations + fake_cuda.pinned + fake_cuda.contexts, 0);
}

/* The fake reads PTX alone, which is what a device newer than the compiler gets. */
int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(networks_launch_what_kernels_take),
        T_TEST(trees_launch_what_kernels_take),
    };
    const struct asy__nvrtc *nvrtc;
    struct asy_error err = ASY_ERROR_INIT;

    setenv("CUDA_CACHE_DISABLE", "1", 1);
    fake_cuda.real_nvrtc = 1;
    fake_cuda.capability = 999;
    if (asy__nvrtc_get(13, &nvrtc, &err)) {
        printf("skipped: %s\n", err.text);
        return 77;
    }
    return t__main("cuda-families", tests, ASY_ARRAY_LEN(tests));
}
