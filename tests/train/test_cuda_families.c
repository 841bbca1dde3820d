/* SPDX-License-Identifier: Apache-2.0
 * test_cuda_families.c - networks of every family on a CUDA without a device (fake_cuda.h), their
 * kernels compiled by NVIDIA's compiler: each launch has the arguments that the compiled kernel
 * takes, and a gradient waits for nothing. What the kernels compute is tested on OpenCL.
 * LAUNCHES_REPORT=1 in the environment shows how many there are.
 *
 * Exit status 77: there is no NVRTC, nothing was tested. */
#include "cuda/toolkit.h"
#include "familykit.h"
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

/* The fake reads PTX alone, which is what a device newer than the compiler gets. */
int main(void)
{
    static const struct t_test tests[] = { T_TEST(networks_launch_what_kernels_take) };
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
