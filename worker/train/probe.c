/* SPDX-License-Identifier: Apache-2.0
 * probe.c - see probe.h. */
#include "probe.h"
#include <string.h>
#include <asy/device.h>
#include <asy/kernels.h>
#include <asy/version.h>

int asy__probe_node(const char *word, struct asy_jsonw *w, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    double gflops = 0, bandwidth = 0;
    char mpi[256];
    int wrong, rc;

    (void)word;
    asy_kernels_init();
    wrong = asy_kernels_selftest(&why);
    if ((rc = asy_kernels_speed(&gflops, &bandwidth, err)) < 0)
        return rc;
    asy_comm_mpi_version(mpi, sizeof mpi);
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "version", asy_version_number());
    asy_jsonw_str(w, "kernels", asy_kernels_name());
    asy_jsonw_str(w, "selftest", wrong ? why.text : "ok");
    asy_jsonw_f64(w, "gflops", gflops);
    asy_jsonw_f64(w, "bandwidth_gb_s", bandwidth);
    asy_jsonw_str(w, "mpi", mpi);
    asy_jsonw_close(w, '}');
    return 0;
}

/* ---- devices --------------------------------------------------------------------------------- */

static void write_device(enum asy_device_kind kind, size_t index,
                         const struct asy_device_info *info, struct asy_jsonw *w)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;
    int rc = asy_device_open(kind, index, &device, &err), opened = rc == 0;

    if (opened)
        rc = asy_device_selftest(device, &err);
    asy_device_close(device);
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", info->name);
    asy_jsonw_str(w, "driver", info->driver);
    asy_jsonw_str(w, "address", info->address);
    asy_jsonw_u64(w, "memory", info->memory);
    asy_jsonw_bool(w, "cpu", info->is_cpu);
    asy_jsonw_str(w, "selftest", rc == 0 ? "ok" : err.text);
    asy_jsonw_str(w, "code", asy_code_name(rc));
    asy_jsonw_bool(w, "opened", opened);
    asy_jsonw_close(w, '}');
}

#define DEVICES_MAX 64

int asy__probe_device(const char *word, struct asy_jsonw *w, struct asy_error *err)
{
    struct asy_device_info info[DEVICES_MAX];
    enum asy_device_kind kind = !strcmp(word, "cuda") ? ASY_DEVICE_CUDA : ASY_DEVICE_OPENCL;
    struct asy_error why = ASY_ERROR_INIT;
    size_t n = 0;
    int rc;

    (void)err;
    asy_kernels_init();
    if ((rc = asy_device_list(kind, info, DEVICES_MAX, &n, &why)) < 0)
        n = 0;
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "why", why.text); /* there are none */
    asy_jsonw_bool(w, "fails", rc < 0 && rc != ASY_E_NOENT);
    asy_jsonw_open(w, "devices", '[');
    for (size_t i = 0; i < n && i < DEVICES_MAX; i++)
        write_device(kind, i, &info[i], w);
    asy_jsonw_close(w, ']');
    asy_jsonw_close(w, '}');
    return 0;
}

/* ---- gangs ----------------------------------------------------------------------------------- */

#define PROBE_LEN 300000 /* floats: several pieces between nodes, pages inside one */

int asy__probe_gang(struct asy_comm *comm, struct asy_error *err)
{
    int n = asy_comm_size(comm), rc;
    float want = (float)(n * (n + 1)) / 2, tail = 0;
    struct asy_comm_memory memory;
    struct asy_comm_sum sum = { 0 };

    if ((rc = asy_comm_share(comm, (size_t)n, PROBE_LEN, 0, &memory, err)) < 0)
        return rc;
    for (size_t i = 0; i < PROBE_LEN; i++)
        memory.own[i] = (float)(asy_comm_rank(comm) + 1);
    rc = asy_comm_reduce(comm, PROBE_LEN - 1, 1, &tail, &sum, err);
    for (size_t i = sum.from; rc == 0 && i < sum.to; i++)
        if (sum.x[i] != want || tail != want)
            rc = asy_fail(err, ASY_E_CORRUPT, "the sum of %d ranks is %g, not %g", n,
                          (double)(sum.x[i] != want ? sum.x[i] : tail), (double)want);
    return rc;
}
