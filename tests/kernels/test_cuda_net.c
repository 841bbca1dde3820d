/* SPDX-License-Identifier: Apache-2.0
 * test_cuda_net.c - a network that trains on a CUDA without a device (fake_cuda.h), its kernels
 * compiled by NVIDIA's compiler: each launch has the arguments that the compiled kernel takes, a
 * step waits for nothing, and all memory comes back. What the kernels would compute is tested on
 * OpenCL, by the same text.
 *
 * Exit status 77: there is no NVRTC, nothing was tested. */
#include "cuda/toolkit.h"
#include "device_mlp.h"
#include "fake_cuda.h"
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 3

static const struct asy_device_update updates[] = {
    { .rule = ASY_RULE_SGD, .sgd = { 0.1f, 0.9f, 0, 1 }, .clip = 1, .mean_rate = 0.1 },
    { .rule = ASY_RULE_ADAMW, .adam = { 1e-3, 0.9, 0.999, 1e-8, 0.1 } },
    { .rule = ASY_RULE_ADAM_L2, .adam = { 1e-3, 0.9, 0.999, 1e-8, 0.1 }, .clip = 1 },
    { .rule = ASY_RULE_LAMB, .adam = { 1e-3, 0.9, 0.999, 1e-8, 0.1 }, .clip = 1 },
    { .rule = ASY_RULE_LARS, .sgd = { 0.1f, 0.9f, 0, 0 }, .trust = 1e-3 },
};

static bool step(struct asy_device_net *net, struct asy_device_update update, uint64_t number)
{
    struct asy_op_step how = { .rows = MLP_BATCH, .scale = 1.0f / MLP_BATCH };
    struct asy_error err = ASY_ERROR_INIT;
    uint32_t row[MLP_BATCH];

    update.step = number;
    mlp_batch(number, row);
    return T_OK(asy_device_net_pick(net, MLP_BATCH, row, &err), &err) &&
           T_OK(asy_device_net_gradient(net, number % 2 == 0, &how, &err), &err) &&
           T_OK(asy_device_net_update(net, &update, &err), &err);
}

static bool train(struct asy_device_net *net)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(updates); i++)
        for (uint64_t s = 1; s <= STEPS; s++)
            if (!step(net, updates[i], s))
                return false;
    return true;
}

static bool evaluate(struct asy_device_net *net)
{
    float outputs[MLP_BATCH * MLP_OUT];
    struct asy_error err = ASY_ERROR_INIT;
    float scores[MLP_BATCH * 2];
    uint32_t judged[MLP_BATCH * 2];
    double sums[ASY_SUMS];
    size_t rows = 0;

    return T_OK(asy_device_net_outputs(net, ASY_ARRAY_MEAN, &mlp_loss, MLP_BATCH, outputs, &err),
                &err) &&
           T_OK(asy_device_net_judge(net, MLP_BATCH, &err), &err) &&
           T_OK(asy_device_net_judged(net, judged, scores, &rows, &err), &err) &&
           T_EQ("judged", rows, MLP_BATCH) &&
           T_OK(asy_device_net_sums(net, 0, sums, &err), &err);
}

static void run_net(struct asy_device *device, const struct mlp *mlp)
{
    struct asy_device_net *net = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    int waits;

    if (!T_OK(asy_device_net_create(device, &mlp_desc, &net, &err), &err))
        return;
    if (T_OK(asy_device_net_write(net, ASY_ARRAY_PARAMS, mlp->params, MLP_PARAMS, &err), &err) &&
        T_OK(asy_device_net_hold(net, MLP_ROWS, mlp->x, mlp->label, NULL, &err), &err)) {
        waits = fake_cuda.waits;
        train(net);
        T_EQ("steps wait", fake_cuda.waits, waits);
        T_EQ("steps read", asy_device_traffic(device).reads, 0);
        printf("%d launches, %d products of %zu steps ...", fake_cuda.launches,
               fake_cuda.products, STEPS * ASY_ARRAY_LEN(updates));
        evaluate(net);
    }
    asy_device_net_destroy(net);
}

/* The fake reads PTX alone, which is what a device newer than the compiler gets. */
static void run_device(int no_cublas)
{
    struct asy_device *device = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct mlp mlp = { 0 };

    setenv("CUDA_CACHE_DISABLE", "1", 1);
    fake_cuda.real_nvrtc = 1;
    fake_cuda.capability = 999;
    fake_cuda.no_cublas = no_cublas;
    if (mlp_init(&mlp) && T_OK(asy_device_open(ASY_DEVICE_CUDA, 0, &device, &err), &err))
        run_net(device, &mlp);
    asy_device_close(device);
    mlp_fini(&mlp);
    T_STR("misuse", fake_cuda.fault, "");
    T_TRUE(fake_cuda.launches > 0);
    T_EQ("products", fake_cuda.products > 0, !no_cublas);
    T_EQ("memory", fake_cuda.allocations + fake_cuda.pinned + fake_cuda.contexts, 0);
}

/* In a process of its own: libraries are asked once. */
static void apart(const char *name, int no_cublas)
{
    pid_t pid;
    int status = -1;

    fflush(NULL);
    if ((pid = fork()) == 0) {
        unsigned before = CU_get_number_of_failures();

        run_device(no_cublas);
        exit(CU_get_number_of_failures() > before);
    }
    waitpid(pid, &status, 0);
    T_EQ(name, status, 0);
}

static void launches_are_what_kernels_take(void)
{
    apart("with cuBLAS", 0);
    apart("with products of our own", 1);
}

/* In a child, as it stays loaded. */
static int has_nvrtc(void)
{
    const struct asy__nvrtc *nvrtc;
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        fake_cuda.real_nvrtc = 1;
        _exit(asy__nvrtc_get(13, &nvrtc, NULL) != 0);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(void)
{
    static const struct t_test tests[] = { T_TEST(launches_are_what_kernels_take) };

    if (!has_nvrtc()) {
        printf("skipped: there is no NVRTC\n");
        return 77;
    }
    return t__main("cuda-net", tests, ASY_ARRAY_LEN(tests));
}
