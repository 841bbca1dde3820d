/* SPDX-License-Identifier: Apache-2.0
 * Devices that fail: one that is gone at any call of its driver, one without memory at any array,
 * a host without memory, a system without OpenCL. The driver of OpenCL stands behind one that
 * fails when it is told to, and counts arrays. */
#include "device_mlp.h"
#include "device_leaks.h"
#include "frame.h"
#include "nomem.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER (-1)
static struct {
    long calls, gone_at;   /* of the driver */
    long allocs, nomem_at; /* of arrays */
    long arrays;           /* that are there */
} told;
static struct asy__dev *real; /* opened once: what is built stays built */
static struct asy_device_info real_info;
static int is_built;

static int fault(struct asy_error *err)
{
    if (told.calls++ == told.gone_at)
        return asy_fail(err, ASY_E_GONE, "it fell off the bus");
    return 0;
}

static int open_it(size_t index, struct asy__dev **ret_dev, struct asy_device_info *ret_info,
                   struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && !real)
        rc = asy__driver_opencl.open(index, &real, &real_info, err);
    if (rc)
        return rc;
    *ret_dev = real;
    *ret_info = real_info;
    return 0;
}

static void close_it(struct asy__dev *dev)
{
    T_TRUE(dev == real);
}

static int build_it(struct asy__dev *dev, const char *source, struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && !is_built)
        rc = asy__driver_opencl.build(dev, source, err);
    is_built |= rc == 0;
    return rc;
}

static int kernel_of(struct asy__dev *dev, const char *name, struct asy__kernel **ret_kernel,
                     struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.kernel(dev, name, ret_kernel, err);
}

static int alloc(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                 struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && told.allocs++ == told.nomem_at)
        rc = asy_fail(err, ASY_E_NOMEM, "no room for an array of %zu bytes", bytes);
    if (!rc)
        rc = asy__driver_opencl.alloc(dev, bytes, ret_mem, err);
    told.arrays += rc == 0;
    return rc;
}

static void free_it(struct asy__dev *dev, struct asy__mem *mem)
{
    told.arrays--;
    asy__driver_opencl.free(dev, mem);
}

static int write_it(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                    size_t bytes, struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.write(dev, mem, at, data, bytes, err);
}

static int read_it(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                   struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.read(dev, mem, at, data, bytes, err);
}

static int zero(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.zero(dev, mem, at, bytes, err);
}

static int launch(struct asy__dev *dev, struct asy__kernel *kernel, const struct asy__grid *grid,
                  const struct asy__arg *args, size_t n_args, struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.launch(dev, kernel, grid, args, n_args, err);
}

static const struct asy__driver driver = {
    .kind = ASY_DEVICE_OPENCL, .open = open_it, .close = close_it, .build = build_it,
    .kernel = kernel_of, .alloc = alloc, .free = free_it, .write = write_it, .read = read_it,
    .zero = zero, .launch = launch,
};

static void tell(long gone_at, long nomem_at)
{
    told.calls = told.allocs = 0;
    told.gone_at = gone_at;
    told.nomem_at = nomem_at;
}

/* A step, and what is read after it. */
static int train(struct asy_device_net *net, const struct mlp *mlp, struct asy_error *err)
{
    struct asy_device_update update = { .rule = ASY_RULE_LAMB, .step = 1, .clip = 1,
                                        .adam = { 1e-3, 0.9, 0.999, 1e-8, 0 }, .mean_rate = 0.5 };
    struct asy_op_step step = { .rows = MLP_BATCH, .scale = 1 };
    uint32_t row[MLP_BATCH] = { 0 };
    double sums[ASY_SUMS];
    float out[MLP_BATCH * MLP_OUT], scores[MLP_BATCH * 2];
    uint32_t judged[2 * MLP_BATCH];
    size_t rows;
    int rc;

    if ((rc = asy_device_net_write(net, ASY_ARRAY_PARAMS, mlp->params, MLP_PARAMS, err)) ||
        (rc = asy_device_net_hold(net, MLP_ROWS, mlp->x, mlp->label, NULL, err)) ||
        (rc = asy_device_net_pick(net, MLP_BATCH, row, err)) ||
        (rc = asy_device_net_gradient(net, 0, &step, err)) ||
        (rc = asy_device_net_gradient(net, 1, &step, err)) ||
        (rc = asy_device_net_update(net, &update, err)) ||
        (rc = asy_device_net_sums(net, 1, sums, err)) ||
        (rc = asy_device_net_outputs(net, ASY_ARRAY_MEAN, &mlp_loss, MLP_BATCH, out, err)) ||
        (rc = asy_device_net_judge(net, MLP_BATCH, err)))
        return rc;
    return asy_device_net_judged(net, judged, scores, &rows, err);
}

static struct mlp mlp;

static int whole_life(struct asy_error *err)
{
    struct asy_device_net *net = NULL;
    struct asy_device *device = NULL;
    float x;
    int rc;

    if ((rc = asy__device_open(&driver, 0, &device, err)))
        return rc;
    if ((rc = asy_device_net_create(device, &mlp_desc, &net, err)) == 0)
        rc = train(net, &mlp, err);
    if (rc == ASY_E_GONE) { /* from then on the driver is left alone */
        long before = told.calls;

        T_TRUE(asy_device_is_gone(device));
        T_HAS("names", err->text, real_info.name);
        T_HAS("names", err->text, "fell off the bus");
        if (net)
            T_EQ("once gone", asy_device_net_read(net, ASY_ARRAY_PARAMS, &x, 1, NULL), ASY_E_GONE);
        T_EQ("calls", told.calls, before);
    }
    asy_device_net_destroy(net);
    asy_device_close(device);
    return rc;
}

static void a_device_that_is_gone_is_said_at_any_call(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    long n;
    int rc = ASY_E_GONE;

    if (!mlp_init(&mlp))
        return;
    for (n = 0; rc == ASY_E_GONE && n < 1000; n++) {
        tell(n, NEVER);
        rc = whole_life(&err);
        T_EQ("arrays", told.arrays, 0);
    }
    T_OK(rc, &err);
    T_TRUE(n > 80); /* calls: there were some */
    mlp_fini(&mlp);
}

static void a_device_without_memory_is_said_at_any_array(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    long n;
    int rc = ASY_E_NOMEM;

    if (!mlp_init(&mlp))
        return;
    for (n = 0; rc == ASY_E_NOMEM && n < 1000; n++) {
        tell(NEVER, n);
        rc = whole_life(&err);
        T_EQ("arrays", told.arrays, 0);
        if (rc)
            T_HAS("text", err.text, "no room for an array");
    }
    T_OK(rc, &err);
    T_TRUE(n > 20);
    mlp_fini(&mlp);
}

static void a_host_without_memory_is_said(void)
{
    tell(NEVER, NEVER);
    if (mlp_init(&mlp))
        T_TRUE(t_nomem_each("network", whole_life) > 10);
    T_EQ("arrays", told.arrays, 0);
    mlp_fini(&mlp);
}

/* What was held stays, where new rows find no room. */
static void rows_without_room_change_nothing(void)
{
    float got[MLP_OUT], want[MLP_OUT];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device_net *net = NULL;
    struct asy_device *device = NULL;
    uint32_t row = MLP_ROWS - 1;

    tell(NEVER, NEVER);
    if (!mlp_init(&mlp) || !T_OK(asy__device_open(&driver, 0, &device, &err), &err) ||
        !T_OK(asy_device_net_create(device, &mlp_desc, &net, &err), &err) ||
        !T_OK(asy_device_net_write(net, ASY_ARRAY_PARAMS, mlp.params, MLP_PARAMS, &err), &err) ||
        !T_OK(asy_device_net_hold(net, MLP_ROWS, mlp.x, mlp.label, NULL, &err), &err) ||
        !T_OK(asy_device_net_pick(net, 1, &row, &err), &err) ||
        !T_OK(asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, 1, want, &err), &err))
        goto out;
    for (long n = 0; n < 3; n++) {
        tell(NEVER, n);
        T_EQ("hold", asy_device_net_hold(net, 5, mlp.x, mlp.label, NULL, &err), ASY_E_NOMEM);
    }
    tell(NEVER, NEVER);
    T_OK(asy_device_net_pick(net, 1, &row, &err), &err);
    T_OK(asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, 1, got, &err), &err);
    T_EQ("outputs", memcmp(got, want, sizeof got), 0);
    row = MLP_ROWS;
    T_EQ("beyond", asy_device_net_pick(net, 1, &row, &err), ASY_E_INVAL);
out:
    asy_device_net_destroy(net);
    asy_device_close(device);
    mlp_fini(&mlp);
}

static void close_real(void)
{
    T_EQ("arrays", told.arrays, 0);
    if (real)
        asy__driver_opencl.close(real);
}

/* In a child with a library, or drivers, of its own: its exit code says whether the error has this
 * code and the words. */
static int child(const char *code, const char *words)
{
    struct asy_error err = ASY_ERROR_INIT;
    size_t n;
    int rc = asy_device_list(ASY_DEVICE_OPENCL, NULL, 0, &n, &err);

    int ok = !strcmp(asy_code_name(rc), code) && strstr(err.text, words);

    if (!ok)
        fprintf(stderr, "%d: '%s', not %s: '%s'\n", rc, err.text, code, words);
    return !ok;
}

static void what_is_missing_is_named(void)
{
    static const struct {
        const char *name, *set, *to;
        enum asy_code code;
        const char *words;
    } cases[] = {
        { "no driver", "OCL_ICD_VENDORS", "/nonexistent", ASY_E_NOENT,
          "libOpenCL.so.1 knows no driver" },
        { "no functions", "LD_LIBRARY_PATH", FAKES, ASY_E_UNSUPPORTED,
          "libOpenCL.so.1 has no clCreate" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
            setenv(cases[i].set, cases[i].to, 1);
            execl("/proc/self/exe", "test", asy_code_name(cases[i].code), cases[i].words,
                  (char *)NULL);
            _exit(127);
        }
        if (T_TRUE(pid > 0))
            waitpid(pid, &status, 0);
        T_EQ(cases[i].name, status, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = {
        T_TEST(what_is_missing_is_named),
        T_TEST(a_device_that_is_gone_is_said_at_any_call),
        T_TEST(a_device_without_memory_is_said_at_any_array),
        T_TEST(a_host_without_memory_is_said),
        T_TEST(rows_without_room_change_nothing),
        T_TEST(close_real),
    };

    return argc > 2 ? child(argv[1], argv[2]) : t__main("device-fail", tests, ASY_ARRAY_LEN(tests));
}
