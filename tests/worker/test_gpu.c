/* SPDX-License-Identifier: Apache-2.0
 * test_gpu.c - GPUs of machines that we do not have: libraries that answer as drivers do or break
 * as they do, found by real children; what is offered of it, and what a program is told. */
#include "../asytest.h"
#include "gpu.h"
#include "impl.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define A "GPU-aaaaaaaa-1111-2222-3333-444444444444"
#define B "GPU-bbbbbbbb-1111-2222-3333-444444444444"
#define MI210 "GPU-18f2ab3c5d6e7f80"

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* A machine of the fakes; PoCL and any real driver are out of the way. */
static bool find(const char *nvml, const char *opencl, const char *wanted, const char *visible,
                 int timeout_ms, struct asy__gpus *ret)
{
    struct asy__gpu_options options = { .wanted = wanted, .program = WORKER, .sys = SOURCE "/sys",
                                        .timeout_ms = timeout_ms };
    struct asy_error err = ASY_ERROR_INIT;

    set("LD_LIBRARY_PATH", FAKES);
    set("FAKE_NVML", nvml);
    set("FAKE_OPENCL", opencl);
    set("CUDA_VISIBLE_DEVICES", visible);
    return T_OK(asy__gpus_find(&options, ret, &err), &err);
}

/* "aaaaaaaa+ bbbbbbbb-": each device by 8 bytes of its name after the first '-', or by its address;
 * + for one that is offered. */
static const char *in_short(const struct asy__gpus *gpus, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < gpus->n && n < size; i++) {
        const char *id = gpus->list[i].id, *dash = strncmp(id, "pocl", 4) ? strchr(id, '-') : NULL;

        n += (size_t)snprintf(text + n, size - n, "%s%.*s%c", i ? " " : "", dash ? 8 : 12,
                              dash ? dash + 1 : id, gpus->list[i].offered ? '+' : '-');
    }
    return text;
}

static void machines_show_what_may_be_used(void)
{
    static const struct {
        const char *name, *nvml, *opencl, *wanted, *visible, *got;
        const char *notes[2], *why; /* why: part of the last device's note */
        const char *cuda;           /* NULL: no device, whatever the others show */
    } cases[] = {
        { "no GPU", "none", "none", "auto", NULL, "", { "", "" }, NULL },
        { "both interfaces", "two", "cards", "auto", NULL, "aaaaaaaa+ bbbbbbbb+", { "", "" }, "" },
        { "NVML alone", "two", "none", "auto", NULL, "aaaaaaaa+ bbbbbbbb+", { "", "" }, "" },
        { "OpenCL alone", "none", "cards", "auto", NULL, "bbbbbbbb+ aaaaaaaa+", { "", "" }, "" },
        { "one the kernel denies", "one-denied", "none", "auto", NULL, "bbbbbbbb+", { "", "" },
          "" },
        { "MIG", "mig", "none", "auto", NULL, "aaaaaaaa- c7384736+ a28ad590+ bbbbbbbb+", { "", "" },
          "" },
        { "prohibited", "prohibited", "none", "auto", NULL, "aaaaaaaa- bbbbbbbb+", { "", "" }, "" },
        { "the driver fails", "fails", "none", "auto", NULL, "",
          { "NVML does not start: Driver Not Loaded", "" }, NULL },
        { "OpenCL fails", "two", "fails", "auto", NULL, "aaaaaaaa+ bbbbbbbb+",
          { "", "clGetPlatformIDs gives -5" }, "" },
        { "a driver crashes, the other goes on", "crashes", "cards", "auto", NULL,
          "bbbbbbbb+ aaaaaaaa+", { "signal 6", "" }, "" },
        { "hidden by UUID", "two", "none", "auto", B, "aaaaaaaa- bbbbbbbb+", { "", "" }, "" },
        { "hidden by the beginning of one", "two", "none", "auto", "GPU-bbbb",
          "aaaaaaaa- bbbbbbbb+", { "", "" }, "" },
        { "all hidden", "two", "none", "auto", "", "aaaaaaaa- bbbbbbbb-", { "", "" },
          "CUDA_VISIBLE_DEVICES of the worker leaves it out" },
        { "all hidden by -1", "two", "none", "auto", "-1", "aaaaaaaa- bbbbbbbb-", { "", "" },
          "leaves it out" },
        { "a number that nobody explains", "two", "none", "auto", "0", "aaaaaaaa- bbbbbbbb-",
          { "", "" }, "leaves it out" },
        { "a number that OpenCL explains", "two", "cards", "auto", "0", "aaaaaaaa- bbbbbbbb+",
          { "", "" }, "" },
        { "a number that CUDA explains", "two", "none", "auto", "1", "aaaaaaaa+ bbbbbbbb-",
          { "", "" }, "leaves it out", "cards" },
        { "CUDA alone", "none", "none", "auto", NULL, "bbbbbbbb+ aaaaaaaa+", { "", "" }, "",
          "cards" },
        { "CUDA fails", "two", "none", "auto", NULL, "aaaaaaaa+ bbbbbbbb+", { "", "" }, "",
          "fails" },
        { "all three", "two", "cards", "auto", NULL, "aaaaaaaa+ bbbbbbbb+", { "", "" }, "",
          "cards" },
        { "CUDA shows one instance", "mig", "none", "auto", NULL,
          "aaaaaaaa- c7384736+ a28ad590+ bbbbbbbb+", { "", "" }, "", "mig" },
        { "a number for an instance", "mig", "none", "auto", "0",
          "aaaaaaaa- c7384736+ a28ad590- bbbbbbbb-", { "", "" }, "leaves it out", "mig" },
        { "an instance without NVML", "none", "none", "auto", NULL, "c7384736+", { "", "" }, "",
          "mig" },
        { "numbers for all there are", "two", "none", "auto", "1,0", "aaaaaaaa+ bbbbbbbb+",
          { "", "" }, "" },
        { "a number, renumbered by a cgroup", "one-denied", "none", "auto", "2", "bbbbbbbb+",
          { "", "" }, "" },
        { "an instance by UUID", "mig", "none", "auto",
          "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d", "aaaaaaaa- c7384736- a28ad590+ bbbbbbbb-",
          { "", "" }, "leaves it out" },
        { "none wanted", "two", "cards", "none", NULL, "", { "", "" }, NULL },
        { "left alone", "two", "cards", "unmanaged", NULL, "", { "", "" }, NULL },
        { "one wanted by address", "two", "none", "ca:00.0", NULL, "aaaaaaaa- bbbbbbbb+",
          { "", "" }, "" },
        { "one wanted by UUID", "two", "none", " " A " ,", NULL, "aaaaaaaa+ bbbbbbbb-",
          { "", "" }, "worker_gpus does not name it" },
        { "other makers", "none", "makers", "auto", NULL,
          "18f2ab3c+ 0000:2d:00.0- 0001:4d:00.0+ 0000:3a:00.0+ - -", { "", "" },
          "tells neither a UUID nor a PCI address" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__gpus gpus;
        char text[400];

        set("FAKE_CUDA", cases[i].cuda);
        if (!find(cases[i].nvml, cases[i].opencl, cases[i].wanted, cases[i].visible, 60000, &gpus))
            continue;
        T_STR(cases[i].name, in_short(&gpus, text, sizeof text), cases[i].got);
        for (size_t k = 0; k < 2; k++)
            T_HAS(cases[i].name, gpus.note[2 * k], cases[i].notes[k]);
        T_HAS(cases[i].name, gpus.note[1], cases[i].cuda && !strcmp(cases[i].cuda, "fails")
                                               ? "cuInit gives 800" : "");
        if (cases[i].why && gpus.n > 0)
            T_HAS(cases[i].name, gpus.list[gpus.n - 1].note, cases[i].why);
        asy__gpus_fini(&gpus);
    }
    set("FAKE_CUDA", NULL);
}

static void a_device_is_described_once(void)
{
    struct asy__gpus gpus;

    if (find("exclusive", "cards", "auto", NULL, 60000, &gpus)) {
        struct asy__gpu *gpu = asy__gpus_get(&gpus, "0000:17:00.0");

        if (T_TRUE(gpu != NULL)) {
            T_STR("id", gpu->id, A);
            T_EQ("seen by both", gpu->by, ASY__GPU_BY_NVML | ASY__GPU_BY_OPENCL);
            T_STR("name", gpu->name, "NVIDIA A100-SXM4-40GB");
            T_STR("mode", gpu->mode, "exclusive");
            T_STR("driver", gpu->driver, "535.104.05");
            T_EQ("memory", gpu->memory, 42949672960u);
        }
        T_TRUE(asy__gpus_get(&gpus, "17:00.0") == gpu);
        T_TRUE(asy__gpus_get(&gpus, A) == gpu);
        T_TRUE(asy__gpus_get(&gpus, "") == NULL);
        asy__gpus_fini(&gpus);
    }
    if (find("none", "makers", "auto", NULL, 60000, &gpus)) {
        struct asy__gpu *gpu = asy__gpus_get(&gpus, "2c:00.0");

        if (T_TRUE(gpu != NULL)) {
            T_STR("ROCm's name", gpu->id, MI210);
            T_STR("the board's name", gpu->name, "AMD Instinct MI210");
        }
        T_STR("blanks are cut", gpus.list[5].name, "A board with a chip");
        asy__gpus_fini(&gpus);
    }
}

/* The limit is all that is waited for. */
static void a_driver_that_hangs_is_left(void)
{
    struct asy__gpus gpus;

    if (find("hangs", "hangs", "auto", NULL, 300, &gpus)) {
        T_EQ("nothing is found", gpus.n, 0);
        T_HAS("and NVML", gpus.note[0], "its driver did not answer within 0.3 s");
        T_HAS("and OpenCL", gpus.note[2], "its driver did not answer within 0.3 s");
        asy__gpus_fini(&gpus);
    }
}

/* An agent that has trials may take what it got, and never waits for what it killed. */
static void nothing_is_left_to_wait_for(void)
{
    struct asy__gpu_options options = { .wanted = "auto", .program = WORKER,
                                        .sys = SOURCE "/sys", .timeout_ms = 300 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__gpu_search *search = NULL;
    pid_t pids[ASY__GPU_INTERFACES];
    struct asy__gpus gpus;

    set("LD_LIBRARY_PATH", FAKES);
    set("FAKE_NVML", "hangs");
    set("FAKE_OPENCL", "hangs");
    set("CUDA_VISIBLE_DEVICES", NULL);
    if (!T_OK(asy__gpu_search_begin(&options, &search, &err), &err))
        return;
    while (!asy__gpu_search_wait(search, 0))
        poll(NULL, 0, 1);
    T_EQ("processes", asy__gpu_search_pids(search, pids), 0);
    if (T_OK(asy__gpu_search_end(search, &gpus, &err), &err)) {
        T_STR("in words", gpus.note[0], "its driver did not answer within 0.3 s");
        asy__gpus_fini(&gpus);
    }
}

/* Its time is over before anybody looks at what it has said. */
static void an_answer_that_is_there_is_taken_however_late(void)
{
    struct asy__gpu_options options = { .wanted = "auto", .program = WORKER,
                                        .sys = SOURCE "/sys", .timeout_ms = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__gpu_search *search = NULL;
    pid_t pids[ASY__GPU_INTERFACES];
    struct asy__gpus gpus;
    char text[400];
    siginfo_t info;
    size_t n;

    set("LD_LIBRARY_PATH", FAKES);
    set("FAKE_NVML", "two");
    set("FAKE_OPENCL", "cards");
    set("CUDA_VISIBLE_DEVICES", NULL);
    if (!T_OK(asy__gpu_search_begin(&options, &search, &err), &err))
        return;
    T_EQ("asked", n = asy__gpu_search_pids(search, pids), ASY__GPU_INTERFACES);
    for (size_t i = 0; i < n; i++)
        T_EQ("ended", waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
    T_EQ("all is there", asy__gpu_search_wait(search, 0), 1);
    if (T_OK(asy__gpu_search_end(search, &gpus, &err), &err)) {
        T_STR("devices", in_short(&gpus, text, sizeof text), "aaaaaaaa+ bbbbbbbb+");
        T_STR("NVML", gpus.note[0], "");
        asy__gpus_fini(&gpus);
    }
}

static void a_bad_wish_is_refused(void)
{
    static const struct { const char *name, *wanted; int rc; } cases[] = {
        { "auto", "auto", 0 }, { "any", "any", 0 }, { "none", "none", 0 },
        { "unmanaged", "unmanaged", 0 }, { "ids", A ", 17:00.0,pocl-0", 0 },
        { "nothing", "", ASY_E_INVAL }, { "commas", " , ", ASY_E_INVAL },
        { "a number", "0", ASY_E_INVAL }, { "a slip", "al", ASY_E_INVAL },
        { "a number among ids", A ",1", ASY_E_INVAL },
    };
    struct asy__gpus gpus;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        T_EQ(cases[i].name, asy__gpus_wanted_check(cases[i].wanted, &err), cases[i].rc);
    }
    if (find("two", "none", "all", NULL, 60000, &gpus)) {
        T_HAS("in words", gpus.wanted_note, "not 'all'; none is offered");
        T_EQ("then none is", asy__gpus_offered(&gpus), 0);
        asy__gpus_fini(&gpus);
    }
    if (find("two", "none", A ",GPU-cccccccc", NULL, 60000, &gpus)) {
        T_HAS("one that is not here", gpus.wanted_note, "'GPU-cccccccc', which this node does not");
        asy__gpus_fini(&gpus);
    }
}

/* A topology in hwloc's own form: two sockets of two cores with a GPU each, and one near both. */
static void devices_are_near_their_cores(void)
{
    static const char *const addresses[] = { "0000:17:00.0", "0000:ca:00.0", "0000:01:00.0",
                                             "0000:99:00.0", "" };
    static const uint32_t want[] = { 1, 2, 0, 0, 0 };
    struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_node *node = NULL;
    uint32_t groups[ASY_ARRAY_LEN(addresses)];

    options.xml = SOURCE "/topologies/two-sockets-gpus.xml";
    if (!T_OK(asy_node_create(&options, &node, &err), &err))
        return;
    T_EQ("cores", node->n_cores, 4);
    if (T_OK(asy_node_pci_groups(&options, node, addresses, ASY_ARRAY_LEN(addresses), groups, &err),
             &err))
        for (size_t i = 0; i < ASY_ARRAY_LEN(addresses); i++)
            T_EQ(addresses[i], groups[i], want[i]);
    asy_node_destroy(node);
}

/* ---- what a program is told ------------------------------------------------------------------ */

static const char *value_of(const struct asy__words *env, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = env->n; i > 0; i--)
        if (!strncmp(env->text[i - 1], name, len) && env->text[i - 1][len] == '=')
            return env->text[i - 1] + len + 1;
    return "(not set)";
}

struct told {
    const char *name, *value;
};

static void check_told(const char *name, const struct asy__gpus *gpus, const char *const *ids,
                       size_t n, uint32_t share, uint32_t ranks, const struct told *told)
{
    uint32_t shares[8] = { share, share, share, share, share, share, share, share };
    struct asy__words env = { 0 };
    char what[160];

    asy__gpu_env(gpus, ids, shares, n, ranks, &env);
    T_EQ(name, env.rc, 0);
    for (size_t i = 0; told[i].name; i++) {
        snprintf(what, sizeof what, "%s: %s", name, told[i].name);
        T_STR(what, value_of(&env, told[i].name), told[i].value);
    }
    asy__words_fini(&env);
}

static void programs_see_their_own_nvidia_devices(void)
{
    static const struct {
        const char *name;
        const char *ids[4];
        size_t n;
        uint32_t share, ranks;
        struct told told[8];
    } cases[] = {
        { "none", { NULL }, 0, 0, 1,
          { { "CUDA_VISIBLE_DEVICES", "" }, { "ROCR_VISIBLE_DEVICES", "" },
            { "HIP_VISIBLE_DEVICES", "-1" }, { "ASSAY_GPUS", "" }, { "ASSAY_GPU_SHARE", "0" },
            { "ZE_AFFINITY_MASK", "(not set)" }, { "POCL_DEVICES", "(not set)" } } },
        { "one", { B }, 1, 10000, 1,
          { { "CUDA_VISIBLE_DEVICES", B }, { "ASSAY_GPUS", B }, { "ASSAY_GPU_SHARE", "1" },
            { "ASSAY_RANK_GPUS", "(not set)" } } },
        { "two in their order", { B, A }, 2, 10000, 1,
          { { "CUDA_VISIBLE_DEVICES", B "," A } } },
        { "a quarter", { A }, 1, 2500, 1,
          { { "CUDA_VISIBLE_DEVICES", A }, { "ASSAY_GPU_SHARE", "0.25" } } },
        { "ranks that share", { A, A, B }, 3, 5000, 3,
          { { "CUDA_VISIBLE_DEVICES", A "," B }, { "ASSAY_RANK_GPUS", "0;0;1" },
            { "ASSAY_GPU_SHARE", "0.5" } } },
        { "ranks with one each", { B, A }, 2, 10000, 2, { { "ASSAY_RANK_GPUS", "0;1" } } },
    };
    struct asy__gpus gpus;

    if (!find("two", "cards", "auto", NULL, 60000, &gpus))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        check_told(cases[i].name, &gpus, cases[i].ids, cases[i].n, cases[i].share, cases[i].ranks,
                   cases[i].told);
    gpus.unmanaged = 1;
    check_told("left alone", &gpus, NULL, 0, 0, 1,
               (struct told[]){ { "CUDA_VISIBLE_DEVICES", "(not set)" },
                                { "ASSAY_GPUS", "(not set)" }, { NULL, NULL } });
    asy__gpus_fini(&gpus);
}

static void programs_see_their_own_devices_of_others(void)
{
    static const char flex140[] = "0000:3a:00.0", flex170[] = "0001:4d:00.0", mi210[] = MI210;
    struct asy__gpus gpus;

    if (!find("none", "makers", "auto", NULL, 60000, &gpus))
        return;
    check_told("AMD", &gpus, (const char *[]){ mi210 }, 1, 10000, 1,
               (struct told[]){ { "ROCR_VISIBLE_DEVICES", MI210 }, { "HIP_VISIBLE_DEVICES", "0" },
                                { "GPU_DEVICE_ORDINAL", "0" },
                                { "CUDA_VISIBLE_DEVICES", "0" }, /* HIP reads it too */
                                { "ZE_AFFINITY_MASK", "256" }, { NULL, NULL } });
    check_told("Intel", &gpus, (const char *[]){ flex170 }, 1, 10000, 1,
               (struct told[]){ { "ZE_AFFINITY_MASK", "1" }, { "CUDA_VISIBLE_DEVICES", "" },
                                { "ZE_ENABLE_PCI_ID_DEVICE_ORDER", "1" },
                                { "ROCR_VISIBLE_DEVICES", "" }, { NULL, NULL } });
    check_told("Intel by address", &gpus, (const char *[]){ flex140 }, 1, 10000, 1,
               (struct told[]){ { "ZE_AFFINITY_MASK", "0" }, { NULL, NULL } });
    asy__gpus_fini(&gpus);
    set("ZE_AFFINITY_MASK", "0");
    if (find("none", "makers", "auto", NULL, 60000, &gpus)) {
        struct asy__gpu *gpu = asy__gpus_get(&gpus, "0000:3a:00.0");

        T_HAS("counted anew", gpu ? gpu->note : "not found", "ZE_AFFINITY_MASK is set");
        asy__gpus_fini(&gpus);
    }
    set("ZE_AFFINITY_MASK", NULL);
}

T_MAIN("gpu", T_TEST(machines_show_what_may_be_used), T_TEST(a_device_is_described_once),
       T_TEST(a_driver_that_hangs_is_left), T_TEST(nothing_is_left_to_wait_for),
       T_TEST(an_answer_that_is_there_is_taken_however_late),
       T_TEST(a_bad_wish_is_refused),
       T_TEST(devices_are_near_their_cores), T_TEST(programs_see_their_own_nvidia_devices),
       T_TEST(programs_see_their_own_devices_of_others))
