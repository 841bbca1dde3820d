/* SPDX-License-Identifier: Apache-2.0
 * Devices that fail: one that is gone at any call of its driver, one without memory at any array,
 * a host without memory, a system without OpenCL. */
#include "device_mlp.h"
#include "device_leaks.h"
#include "failing_driver.h"
#include "frame.h"
#include "nomem.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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

    if ((rc = asy__device_open(&failing_driver, 0, &device, err)))
        return rc;
    if ((rc = asy_device_net_create(device, &mlp_desc, &net, err)) == 0)
        rc = train(net, &mlp, err);
    if (rc == ASY_E_GONE) { /* from then on the driver is left alone */
        long before = failing.calls;

        T_TRUE(asy_device_is_gone(device));
        T_HAS("names", err->text, failing.info.name);
        T_HAS("names", err->text, "fell off the bus");
        if (net)
            T_EQ("once gone", asy_device_net_read(net, ASY_ARRAY_PARAMS, &x, 1, NULL), ASY_E_GONE);
        T_EQ("calls", failing.calls, before);
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
        failing_tell(n, FAILING_NEVER);
        rc = whole_life(&err);
        T_EQ("arrays", failing.arrays, 0);
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
        failing_tell(FAILING_NEVER, n);
        rc = whole_life(&err);
        T_EQ("arrays", failing.arrays, 0);
        if (rc)
            T_HAS("text", err.text, "no room for an array");
    }
    T_OK(rc, &err);
    T_TRUE(n > 20);
    mlp_fini(&mlp);
}

static void a_host_without_memory_is_said(void)
{
    failing_tell(FAILING_NEVER, FAILING_NEVER);
    if (mlp_init(&mlp))
        T_TRUE(t_nomem_each("network", whole_life) > 10);
    T_EQ("arrays", failing.arrays, 0);
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

    failing_tell(FAILING_NEVER, FAILING_NEVER);
    if (!mlp_init(&mlp) || !T_OK(asy__device_open(&failing_driver, 0, &device, &err), &err) ||
        !T_OK(asy_device_net_create(device, &mlp_desc, &net, &err), &err) ||
        !T_OK(asy_device_net_write(net, ASY_ARRAY_PARAMS, mlp.params, MLP_PARAMS, &err), &err) ||
        !T_OK(asy_device_net_hold(net, MLP_ROWS, mlp.x, mlp.label, NULL, &err), &err) ||
        !T_OK(asy_device_net_pick(net, 1, &row, &err), &err) ||
        !T_OK(asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, 1, want, &err), &err))
        goto out;
    for (long n = 0; n < 3; n++) {
        failing_tell(FAILING_NEVER, n);
        T_EQ("hold", asy_device_net_hold(net, 5, mlp.x, mlp.label, NULL, &err), ASY_E_NOMEM);
    }
    failing_tell(FAILING_NEVER, FAILING_NEVER);
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

static void the_driver_is_closed(void)
{
    T_EQ("arrays", failing.arrays, 0);
    failing_close();
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
        T_TEST(the_driver_is_closed),
    };

    return argc > 2 ? child(argv[1], argv[2]) : t__main("device-fail", tests, ASY_ARRAY_LEN(tests));
}
