/* SPDX-License-Identifier: Apache-2.0
 * doctor_gpus.c - the check of the GPUs that a worker of this home would offer here. It asks the
 * worker, which asks the drivers in processes of their own (docs/guide/gpus.md). */
#include "doctor.h"
#include "format.h"

static const char *word(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

static void put_device(const struct asy_json *gpu, struct asy_buf *out)
{
    int64_t memory = asy_json_i64(asy_json_get(gpu, "memory"), 0);

    asy_buf_adds(out, word(gpu, "id"));
    asy_buf_adds(out, *word(gpu, "id") ? " (" : "a device (");
    asy__fmt_clean(out, word(gpu, "name"));
    if (memory > 0) {
        asy_buf_adds(out, ", ");
        asy__fmt_bytes(out, (uint64_t)memory);
    }
    asy_buf_addc(out, ')');
}

/* Those that are offered, or those that are not and why. Returns how many. */
static size_t put_devices(const struct asy_json *list, int offered, struct asy_buf *out)
{
    const struct asy_json *gpu;
    size_t n = 0;

    for (size_t i = 0; (gpu = asy_json_at(list, i)); i++) {
        if (asy_json_bool(asy_json_get(gpu, "offered"), 0) != offered)
            continue;
        asy_buf_adds(out, n++ ? ", " : "");
        put_device(gpu, out);
        if (!offered)
            asy_buf_addf(out, ": %s", word(gpu, "note"));
    }
    return n;
}

static void say_devices(const struct asy_json *list, struct asy__finding *finding)
{
    struct asy_buf yes = { 0 }, no = { 0 };
    size_t n, n_not;

    asy_buf_init(&yes, 64u << 10);
    asy_buf_init(&no, 64u << 10);
    n = put_devices(list, 1, &yes);
    n_not = put_devices(list, 0, &no);
    asy__ok(finding, "%s%s%s", n ? yes.data : "none for trials", n_not ? "; not offered: " : "",
            n_not ? no.data : "");
    asy_buf_fini(&yes);
    asy_buf_fini(&no);
}

void asy__check_gpus(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    const struct asy_json *hardware = asy_json_get(root, "hardware");
    const char *nvml = word(hardware, "nvml"), *opencl = word(hardware, "opencl");
    const char *cuda = word(hardware, "cuda");
    const char *wanted = word(hardware, "gpus_wanted");

    if (!root)
        return;
    say_devices(asy_json_get(hardware, "gpus"), finding);
    if (*nvml)
        asy__warn(finding, "NVML: %s", nvml);
    if (*cuda)
        asy__warn(finding, "CUDA: %s", cuda);
    if (*nvml || *cuda)
        asy__remedy(finding, "see whether nvidia-smi works; without it, reload the driver or ask "
                             "whoever runs this machine");
    if (*opencl) {
        asy__warn(finding, "OpenCL: %s", opencl);
        asy__remedy(finding, "see whether clinfo works; the drivers are listed in "
                             "/etc/OpenCL/vendors");
    }
    if (*nvml || *cuda || *opencl)
        asy__remedy(finding, "worker_gpus: none in config.yaml keeps workers from asking");
    if (*wanted) {
        asy__warn(finding, "%s", wanted);
        asy__remedy(finding, "correct worker_gpus in %s/config.yaml", machine->home);
    }
}
