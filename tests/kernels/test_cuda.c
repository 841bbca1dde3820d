/* SPDX-License-Identifier: Apache-2.0
 * test_cuda.c - the CUDA driver on a CUDA without a device (fake_cuda.h): what it says where
 * something is missing, that it calls what it should in order and gives back what it takes, and
 * that each call may fail. No kernel runs here. */
#include "../asytest.h"
#include "cuda/impl.h"
#include "fake_cuda.h"
#include "folder.h"
#include "nomem.h"
#include <sys/wait.h>
#include <unistd.h>

static const struct asy__driver *const cuda = &asy__driver_cuda;

/* In a process of its own: libraries are asked once. */
static void apart(const char *name, void (*run)(const void *arg), const void *arg)
{
    pid_t pid;
    int status = -1;

    fflush(NULL);
    if ((pid = fork()) == 0) {
        unsigned before = CU_get_number_of_failures();

        setenv("CUDA_CACHE_DISABLE", "1", 1);
        run(arg);
        T_STR(name, fake_cuda.fault, "");
        exit(CU_get_number_of_failures() > before);
    }
    waitpid(pid, &status, 0);
    T_EQ(name, status, 0);
}

static void nothing_is_left(const char *name)
{
    T_EQ(name, fake_cuda.contexts, 0);
    T_EQ(name, fake_cuda.streams, 0);
    T_EQ(name, fake_cuda.events, 0);
    T_EQ(name, fake_cuda.modules, 0);
    T_EQ(name, fake_cuda.programs, 0);
    T_EQ(name, fake_cuda.handles, 0);
    T_EQ(name, fake_cuda.allocations, 0);
    T_EQ(name, fake_cuda.pinned, 0);
}

static const char source[] = "KERNEL(add_two, 256)(GLOBAL float *y, ulong y_at, uint n,\n"
                             "                     float x, int sign)\n"
                             "KERNEL(small, 64)(GLOBAL const float *x)\n";

/* ---- what is missing ------------------------------------------------------------------------ */

struct machine {
    const char *name;
    struct fake_cuda fake; /* of 0: as usual */
    size_t index;
    int lists, want; /* lists: list() fails, too */
    const char *text;
    const char *visible;
};

static void set_machine(const struct fake_cuda *fake)
{
    struct fake_cuda usual = fake_cuda;

    fake_cuda = *fake;
    fake_cuda.version = fake->version ? fake->version : usual.version;
    fake_cuda.devices = fake->devices ? fake->devices : usual.devices;
    fake_cuda.capability = fake->capability ? fake->capability : usual.capability;
    fake_cuda.memory = fake->memory ? fake->memory : usual.memory;
}

static void is_refused(const void *arg)
{
    const struct machine *m = arg;
    struct asy__dev *dev = NULL;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    size_t n = 7;

    set_machine(&m->fake);
    if (m->visible)
        setenv("CUDA_VISIBLE_DEVICES", m->visible, 1);
    T_EQ(m->name, cuda->list(&info, 1, &n, &err), m->lists ? m->want : 0);
    T_EQ(m->name, n, m->lists ? 7 : 1);
    T_EQ(m->name, cuda->open(m->index, &dev, &info, &err), m->want);
    T_HAS(m->name, err.text, m->text);
    T_TRUE(dev == NULL);
    nothing_is_left(m->name);
}

static void what_is_missing_is_said(void)
{
    static const struct machine machines[] = {
        { "no driver", { .no_driver = 1 }, 0, 1, ASY_E_NOENT, "no driver of NVIDIA is installed" },
        { "no device", { .init_gives = 100 }, 0, 1, ASY_E_NOENT, "CUDA shows no device" },
        { "hidden", { .init_gives = 100 }, 0, 1, ASY_E_NOENT,
          "CUDA shows no device: CUDA_VISIBLE_DEVICES is '-1'", "-1" },
        { "another driver", { .init_gives = 803 }, 0, 1, ASY_E_GONE,
          "CUDA does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803): system has" },
        { "no name of it", { .init_gives = 999 }, 0, 1, ASY_E_GONE,
          "CUDA does not start: cuInit (999): no reason is given" },
        { "too old", { .version = 11000 }, 0, 1, ASY_E_UNSUPPORTED,
          "it serves 11.0, not 11.4" },
        { "another index", { .devices = 1 }, 5, 0, ASY_E_NOENT,
          "CUDA shows 1 device, none of number 5" },
        { "no compiler", { .no_nvrtc = 1 }, 0, 0, ASY_E_NOENT,
          "NVRTC is not installed: no 'libnvrtc.so.13'" },
        { "no compiler for 12", { .no_nvrtc = 1, .version = 12040 }, 0, 0, ASY_E_NOENT,
          "no 'libnvrtc.so.12' or older" },
        { "no compiler for a newer one", { .no_nvrtc = 1, .version = 14000 }, 0, 0, ASY_E_NOENT,
          "no 'libnvrtc.so.13' or older" },
        { "too little memory", { .memory = 1 << 20 }, 0, 0, ASY_E_NOMEM,
          "no memory for cuBLAS: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory" },
        { "none for cuBLAS itself", { .blas_gives = 3 }, 0, 0, ASY_E_NOMEM,
          "no memory for cuBLAS" },
        { "no context", { .fail = "cuDevicePrimaryCtxRetain", .fail_at = 1, .fail_with = 46 }, 0,
          0, ASY_E_GONE, "cannot be opened: an error without a name (46)" },
        { "no stream", { .fail = "cuStreamCreate", .fail_at = 1, .fail_with = 2 }, 0, 0,
          ASY_E_NOMEM, "cannot be opened: CUDA_ERROR_OUT_OF_MEMORY" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(machines); i++)
        apart(machines[i].name, is_refused, &machines[i]);
}

/* ---- what there is -------------------------------------------------------------------------- */

static struct asy__dev *open_device(const char *name, struct asy_device_info *ret_info)
{
    struct asy__dev *dev = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    int rc = cuda->open(0, &dev, ret_info, &err);

    return t__check(rc == 0, __LINE__, __FILE__, "%s: %s", name, err.text) ? dev : NULL;
}

static void lists_two(const void *arg)
{
    struct asy_device_info info[3];
    struct asy_error err = ASY_ERROR_INIT;
    size_t n = 0;

    (void)arg;
    fake_cuda.devices = 2;
    T_OK(cuda->list(info, 3, &n, &err), &err);
    T_EQ("devices", n, 2);
    T_STR("first", info[0].name, "NVIDIA FAKE0");
    T_STR("second", info[1].name, "NVIDIA FAKE1");
    T_STR("address", info[1].address, "0000:ca:00.0");
    T_STR("uuid", info[1].uuid, "GPU-bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb");
    T_STR("driver", info[0].driver, "CUDA 13.0");
    T_EQ("kind", info[0].kind, ASY_DEVICE_CUDA);
    T_EQ("memory", info[0].memory, (size_t)1 << 30);
    T_EQ("units", info[0].units, 132);
    T_EQ("cpu", info[0].is_cpu, 0);
    T_OK(cuda->list(info, 1, &n, &err), &err);
    T_EQ("no room for the second", n, 2);
    T_EQ("no context is made", fake_cuda.contexts, 0);
}

struct versions {
    const char *name;
    struct fake_cuda fake;
    const char *driver;
};

static void names_versions(const void *arg)
{
    const struct versions *v = arg;
    struct asy_device_info info;
    struct asy__dev *dev;

    set_machine(&v->fake);
    if ((dev = open_device(v->name, &info)))
        T_STR(v->name, info.driver, v->driver);
    cuda->close(dev);
    nothing_is_left(v->name);
}

static void devices_are_described(void)
{
    static const struct versions cases[] = {
        { "all", { 0 }, "CUDA 13.0, NVRTC 13.0, cuBLAS 13.1" },
        { "11", { .version = 11040 }, "CUDA 11.4, NVRTC 13.0, cuBLAS 11.3" },
        { "no cuBLAS", { .no_cublas = 1 }, "CUDA 13.0, NVRTC 13.0, no cuBLAS" },
        { "it does not start", { .blas_gives = 1 },
          "CUDA 13.0, NVRTC 13.0, no cuBLAS (it does not start: 1)" },
    };

    apart("two devices", lists_two, NULL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        apart(cases[i].name, names_versions, &cases[i]);
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Numbers that tell where they belong. */
static void fill(uint32_t *x, size_t n, uint32_t key)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (uint32_t)i * 2654435761u + key;
}

static size_t first_other(const uint32_t *x, size_t n, uint32_t key)
{
    size_t i = 0;

    while (i < n && x[i] == (uint32_t)i * 2654435761u + key)
        i++;
    return i;
}

/* More than is staged: what is written first is read by the device before its place is taken. */
static void writes_much(const void *arg)
{
    enum { N = 5000001 };
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("much", &info);
    struct asy__mem *mem = NULL;
    uint32_t *x = malloc(N * sizeof *x);

    (void)arg;
    if (!dev || !x || !T_OK(cuda->alloc(dev, N * sizeof *x, &mem, &err), &err))
        goto out;
    fill(x, N, 1);
    T_OK(cuda->write(dev, mem, 0, x, N * sizeof *x, &err), &err);
    memset(x, 0, N * sizeof *x); /* it was copied */
    T_OK(cuda->read(dev, mem, 0, x, N * sizeof *x, &err), &err);
    T_EQ("numbers", first_other(x, N, 1), N);
    cuda->free(dev, mem);
out:
    cuda->close(dev);
    free(x);
    nothing_is_left("much");
}

/* As a step does it: no write waits, and each keeps its content. */
static void writes_little_often(const void *arg)
{
    enum { PIECES = 3000, N = 64 };
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("little", &info);
    struct asy__mem *mem = NULL;
    uint32_t x[N], *all = calloc((size_t)PIECES * N, sizeof *all);
    size_t bytes = (size_t)PIECES * sizeof x;

    (void)arg;
    if (!dev || !all || !T_OK(cuda->alloc(dev, bytes, &mem, &err), &err))
        goto out;
    for (uint32_t i = 0; i < PIECES; i++) {
        fill(x, N, i);
        T_OK(cuda->write(dev, mem, i * sizeof x, x, sizeof x, &err), &err);
    }
    T_EQ("waits", fake_cuda.waits, 0);
    T_OK(cuda->read(dev, mem, 0, all, bytes, &err), &err);
    for (uint32_t i = 0; i < PIECES; i++)
        T_EQ("piece", first_other(all + (size_t)i * N, N, i), N);
    cuda->free(dev, mem);
out:
    cuda->close(dev);
    free(all);
    nothing_is_left("little");
}

static void clears(const void *arg)
{
    uint32_t x[8], want[8] = { 1, 0, 0, 1, 1, 1, 1, 1 };
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("clears", &info);
    struct asy__mem *mem = NULL, *none = NULL;

    (void)arg;
    if (!dev || !T_OK(cuda->alloc(dev, sizeof x, &mem, &err), &err))
        goto out;
    T_OK(cuda->read(dev, mem, 0, x, sizeof x, &err), &err);
    for (size_t i = 0; i < 8; i++) {
        T_EQ("new memory", x[i], 0);
        x[i] = 1;
    }
    T_OK(cuda->write(dev, mem, 0, x, sizeof x, &err), &err);
    T_OK(cuda->zero(dev, mem, 4, 8, &err), &err);
    T_OK(cuda->read(dev, mem, 0, x, sizeof x, &err), &err);
    T_EQ("a part of it", memcmp(x, want, sizeof x), 0);
    T_OK(cuda->alloc(dev, 0, &none, &err), &err);
    cuda->free(dev, none);
    none = NULL;
    T_EQ("too much", cuda->alloc(dev, (size_t)2 << 30, &none, &err), ASY_E_NOMEM);
    T_STR("too much", err.text,
          "no memory for 2147483648 bytes: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory");
    T_TRUE(none == NULL);
    T_OK(cuda->read(dev, mem, 0, x, sizeof x, &err), &err); /* it goes on */
    cuda->free(dev, mem);
out:
    cuda->close(dev);
    nothing_is_left("clears");
}

/* Each call goes to its own device, whichever was used before. */
static void takes_turns(const void *arg)
{
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev[2] = { 0 };
    struct asy__mem *mem[2] = { 0 };
    uint32_t x[2][8], got[8];

    (void)arg;
    fake_cuda.devices = 2;
    for (size_t i = 0; i < 2; i++) {
        fill(x[i], 8, (uint32_t)i);
        if (!T_OK(cuda->open(i, &dev[i], &info, &err), &err) ||
            !T_OK(cuda->alloc(dev[i], sizeof x[i], &mem[i], &err), &err))
            goto out;
    }
    for (size_t i = 0; i < 2; i++)
        T_OK(cuda->write(dev[i], mem[i], 0, x[i], sizeof x[i], &err), &err);
    for (size_t i = 0; i < 2; i++) {
        T_OK(cuda->read(dev[i], mem[i], 0, got, sizeof got, &err), &err);
        T_EQ("numbers", first_other(got, 8, (uint32_t)i), 8);
    }
out:
    for (size_t i = 0; i < 2; i++)
        if (mem[i])
            cuda->free(dev[i], mem[i]);
    cuda->close(dev[0]);
    cuda->close(dev[1]);
    nothing_is_left("turns");
}

static void memory_holds_what_is_written(void)
{
    apart("turns", takes_turns, NULL);
    apart("much", writes_much, NULL);
    apart("little", writes_little_often, NULL);
    apart("clears", clears, NULL);
}

/* ---- kernels -------------------------------------------------------------------------------- */

#define MEM(x) { ASY__ARG_MEM, { .mem = (x) } }
#define U64(x) { ASY__ARG_U64, { .u64 = (x) } }
#define U32(x) { ASY__ARG_U32, { .u32 = (x) } }
#define I32(x) { ASY__ARG_I32, { .i32 = (x) } }
#define F32(x) { ASY__ARG_F32, { .f32 = (x) } }

static void launches(const void *arg)
{
    const struct asy__grid grid = { { 3, 2, 1 }, 256 };
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("launches", &info);
    struct asy__kernel *kernel = NULL, *again = NULL, *none = NULL;
    struct asy__mem *mem = NULL;

    (void)arg;
    if (!dev || !T_OK(cuda->alloc(dev, 64, &mem, &err), &err) ||
        !T_OK(cuda->build(dev, source, &err), &err) ||
        !T_OK(cuda->kernel(dev, "add_two", &kernel, &err), &err))
        goto out;
    T_OK(cuda->launch(dev, kernel, &grid,
                      (struct asy__arg[]){ MEM(mem), U64(3), U32(7), F32(1.5f), I32(-1) }, 5, &err),
         &err);
    T_OK(cuda->launch(dev, kernel, &grid,
                      (struct asy__arg[]){ MEM(NULL), U64(3), U32(7), F32(1.5f), I32(-1) }, 5,
                      &err), &err);
    T_EQ("launches", fake_cuda.launches, 2);
    T_OK(cuda->kernel(dev, "add_two", &again, &err), &err);
    T_TRUE(again == kernel);
    T_EQ("unknown", cuda->kernel(dev, "add_three", &none, &err), ASY_E_NOENT);
    T_HAS("unknown", err.text, "no kernel 'add_three'");
out:
    if (dev)
        cuda->free(dev, mem);
    cuda->close(dev);
    nothing_is_left("launches");
}

/* The fake itself notices arguments that are not the kernel's. */
static void misuse_is_noticed(const void *arg)
{
    const struct asy__grid grid = { { 1, 1, 1 }, 64 };
    const char *want = arg;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device(want, &info);
    struct asy__kernel *kernel = NULL;
    struct asy__mem *mem = NULL;
    struct asy__arg args[2] = { U64(5), U64(5) };

    if (!dev || !T_OK(cuda->alloc(dev, 64, &mem, &err), &err) ||
        !T_OK(cuda->build(dev, source, &err), &err) ||
        !T_OK(cuda->kernel(dev, "small", &kernel, &err), &err))
        goto out;
    if (!strstr(want, "no memory"))
        args[0] = (struct asy__arg)MEM(mem);
    T_OK(cuda->launch(dev, kernel, &grid, args,
                      strstr(want, "it takes") ? 0 : strstr(want, "more") ? 2 : 1, &err), &err);
    T_HAS("fault", fake_cuda.fault, want);
    fake_cuda.fault[0] = '\0';
out:
    if (dev)
        cuda->free(dev, mem);
    cuda->close(dev);
}

static void is_refused_by_size(const void *arg)
{
    static const struct {
        const char *name;
        struct asy__grid grid;
        const char *text;
    } cases[] = {
        { "x", { { (size_t)1 << 31, 1, 1 }, 64 }, "2147483648 x 1 x 1 groups are more than CUDA" },
        { "y", { { 1, 65536, 1 }, 64 }, "1 x 65536 x 1 groups are more than CUDA takes" },
        { "z", { { 1, 1, 65536 }, 64 }, "1 x 1 x 65536 groups are more than CUDA takes" },
        { "items", { { 1, 1, 1 }, 65 }, "groups of 65 items, not above 64 as compiled" },
    };
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("size", &info);
    struct asy__kernel *kernel = NULL;
    struct asy__arg none = MEM(NULL);

    (void)arg;
    if (!dev || !T_OK(cuda->build(dev, source, &err), &err) ||
        !T_OK(cuda->kernel(dev, "small", &kernel, &err), &err))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        T_EQ(cases[i].name, cuda->launch(dev, kernel, &cases[i].grid, &none, 1, &err),
             ASY_E_TOOBIG);
        T_HAS(cases[i].name, err.text, cases[i].text);
    }
    T_EQ("launches", fake_cuda.launches, 0);
out:
    cuda->close(dev);
}

struct build {
    const char *name;
    struct fake_cuda fake;
    const char *source;
    int want;
    const char *text;
};

static void builds(const void *arg)
{
    const struct build *b = arg;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev;

    set_machine(&b->fake);
    if ((dev = open_device(b->name, &info))) {
        T_EQ(b->name, cuda->build(dev, b->source, &err), b->want);
        T_HAS(b->name, err.text, b->text);
    }
    cuda->close(dev);
    nothing_is_left(b->name);
}

/* The fake compiler knows 7.5, 8.0, 8.6 and 9.0, and checks which it is asked for. */
static void kernels_are_compiled_for_the_device(void)
{
    static const struct build cases[] = {
        { "known", { .capability = 80 }, source, 0, "" },
        { "between", { .capability = 89 }, source, 0, "" },
        { "newer", { .capability = 120 }, source, 0, "" },
        { "older", { .capability = 61 }, source, ASY_E_UNSUPPORTED,
          "NVRTC 13.0 compiles for devices of compute capability 7.5 and newer, this one has 6.1" },
        { "an error", { 0 }, "garbage", ASY_E_FORMAT,
          "kernels do not compile: kernels.cu(7): error: identifier \"garbage\" is undefined" },
        { "no log", { .fail = "nvrtcGetProgramLog", .fail_at = 1, .fail_with = 5 }, "garbage",
          ASY_E_FORMAT, "kernels do not compile: NVRTC_ERROR_COMPILATION" },
        { "nothing to load", { 0 }, "", ASY_E_UNSUPPORTED, "cannot load kernels of NVRTC 13.0" },
        { "no translator", { .capability = 89, .fail = "cuModuleLoadData", .fail_at = 1,
                             .fail_with = 221 }, source, ASY_E_UNSUPPORTED, "(221)" },
    };
    static const char *const faults[] = { "'small' has 0 arguments, it takes 1",
                                          "'small' has more arguments",
                                          "argument 0 of 'small' is 0x5, no memory" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        apart(cases[i].name, builds, &cases[i]);
    apart("launches", launches, NULL);
    apart("sizes", is_refused_by_size, NULL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(faults); i++)
        apart(faults[i], misuse_is_noticed, faults[i]);
}

/* ---- kernels that are kept ------------------------------------------------------------------ */

/* Returns how often the compiler was called, or -1. */
static int build_again(int capability, const char *text)
{
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev;
    struct asy__kernel *kernel = NULL;
    int before = fake_cuda.compiled, ok;

    fake_cuda.capability = capability;
    if (!(dev = open_device("kept", &info)))
        return -1;
    ok = T_OK(cuda->build(dev, text, &err), &err) &&
         T_OK(cuda->kernel(dev, "small", &kernel, &err), &err);
    cuda->close(dev);
    return ok ? fake_cuda.compiled - before : -1;
}

static void keeps_kernels(const void *arg)
{
    static const char other[] = "KERNEL(small, 32)(GLOBAL const float *x)\n";
    static const struct {
        const char *name, *command;
    } damages[] = {
        { "cut", "cd $XDG_CACHE_HOME/assay/cuda && truncate -s -1 *" },
        { "empty", "cd $XDG_CACHE_HOME/assay/cuda && truncate -s 0 *" },
        { "changed", "cd $XDG_CACHE_HOME/assay/cuda && printf x | "
                     "dd of=$(echo *) bs=1 seek=40 conv=notrunc 2>/dev/null" },
        { "others may write", "cd $XDG_CACHE_HOME/assay/cuda && chmod 0620 *" },
        { "a link", "cd $XDG_CACHE_HOME/assay/cuda && f=$(echo *) && mv $f ../file && "
                    "ln -s ../file $f" },
    };
    struct t_folder folder;

    (void)arg;
    if (!t_folder_make(&folder))
        return;
    unsetenv("CUDA_CACHE_DISABLE");
    setenv("XDG_CACHE_HOME", folder.path, 1);
    T_EQ("first", build_again(90, source), 1);
    T_EQ("second", build_again(90, source), 0);
    T_EQ("another device", build_again(80, source), 1);
    T_EQ("a newer device", build_again(89, source), 1); /* a text */
    T_EQ("the same, again", build_again(89, source), 0);
    T_EQ("another source", build_again(90, other), 1);
    T_EQ("the first, again", build_again(90, source), 0);
    setenv("CUDA_CACHE_DISABLE", "1", 1);
    T_EQ("disabled", build_again(90, source), 1);
    unsetenv("CUDA_CACHE_DISABLE");
    for (size_t i = 0; i < ASY_ARRAY_LEN(damages); i++) {
        T_EQ("empty cache", system("rm -r $XDG_CACHE_HOME/assay"), 0);
        T_EQ(damages[i].name, build_again(90, source), 1);
        T_EQ(damages[i].name, system(damages[i].command), 0);
        T_EQ(damages[i].name, build_again(90, source), 1);
        T_EQ(damages[i].name, build_again(90, source), 0); /* it was mended */
    }
    t_folder_drop(&folder);
}

static void nowhere_to_keep_them(const void *arg)
{
    const char *const *place = arg;

    unsetenv("CUDA_CACHE_DISABLE");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    if (*place)
        setenv("HOME", *place, 1);
    T_EQ("first", build_again(90, source), 1);
    T_EQ("second", build_again(90, source), 1);
}

static void kernels_are_kept_on_disk(void)
{
    static const char *const places[] = { NULL, "", "relative", "/dev/null" };

    apart("kept", keeps_kernels, NULL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(places); i++)
        apart("nowhere", nowhere_to_keep_them, &places[i]);
}

/* ---- products ------------------------------------------------------------------------------- */

enum { M = 3, N = 5, K = 4, LDA = 7, LDB = 8, LDC = 6, A_AT = 2, B_AT = 3, C_AT = 1,
       ROOM = 3 + 8 * 8 };

static void fill_three(float *a, float *b, float *c)
{
    for (uint32_t i = 0; i < ROOM; i++) { /* without any symmetry */
        a[i] = (float)(i * 2654435761u >> 29) - 3.0f;
        b[i] = (float)(i * 2246822519u >> 29) - 4.0f;
        c[i] = (float)(i * 3266489917u >> 29);
    }
}

/* Whole numbers: sums are exact. */
static void multiply(const float *a, const float *b, float *c, const struct asy__product *p)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            float sum = p->adds ? c[p->c_at + i * p->ldc + j] : 0.0f;

            for (size_t k = 0; k < p->k; k++)
                sum += a[p->a_at + (p->t_a ? k * p->lda + i : i * p->lda + k)] *
                       b[p->b_at + (p->t_b ? j * p->ldb + k : k * p->ldb + j)];
            c[p->c_at + i * p->ldc + j] = sum;
        }
}

static void multiplies(const void *arg)
{
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("products", &info);
    struct asy__mem *mems[3] = { 0 };
    float x[3][ROOM], got[ROOM];

    (void)arg;
    for (int i = 0; dev && i < 3; i++)
        if (!T_OK(cuda->alloc(dev, sizeof x[i], &mems[i], &err), &err))
            goto out;
    for (int form = 0; dev && form < 8; form++) {
        struct asy__product p = { M, N, K, form & 1, form >> 1 & 1, form >> 2, mems[0], mems[1],
                                  mems[2], A_AT, B_AT, C_AT, LDA, LDB, LDC };
        int done = 0;

        fill_three(x[0], x[1], x[2]);
        for (int i = 0; i < 3; i++)
            T_OK(cuda->write(dev, mems[i], 0, x[i], sizeof x[i], &err), &err);
        T_OK(cuda->product(dev, &p, &done, &err), &err);
        T_EQ("done", done, 1);
        T_OK(cuda->read(dev, mems[2], 0, got, sizeof got, &err), &err);
        multiply(x[0], x[1], x[2], &p);
        for (int i = 0; i < ROOM; i++)
            T_EQ("product", got[i], x[2][i]);
    }
out:
    for (int i = 0; dev && i < 3; i++)
        cuda->free(dev, mems[i]);
    cuda->close(dev);
    nothing_is_left("products");
}

static void leaves_products(const void *arg)
{
    const struct fake_cuda *fake = arg;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev;
    struct asy__product p = { .m = 1, .n = 1, .k = 1, .lda = (size_t)1 << 32, .ldb = 1, .ldc = 1 };
    int done = 7;

    set_machine(fake);
    if ((dev = open_device("left", &info))) {
        T_OK(cuda->product(dev, &p, &done, &err), &err);
        T_EQ("done", done, 0);
    }
    cuda->close(dev);
    nothing_is_left("left");
}

static void products_are_those_of_row_major_matrices(void)
{
    static const struct fake_cuda usual, none = { .no_cublas = 1 };

    apart("all forms", multiplies, NULL);
    apart("too large for its numbers", leaves_products, &usual);
    apart("no cuBLAS", leaves_products, &none);
}

/* ---- failing -------------------------------------------------------------------------------- */

/* One of everything. Returns the first failure; *ret_at: which call it was. */
static int work(struct asy__dev *dev, const char **ret_at, struct asy_error *err)
{
    const struct asy__grid grid = { { 1, 1, 1 }, 64 };
    struct asy__kernel *kernel = NULL;
    struct asy__mem *mem = NULL;
    float x[4] = { 0 };
    int rc, done = 0;

    if ((*ret_at = "build", rc = cuda->build(dev, source, err)) ||
        (*ret_at = "kernel", rc = cuda->kernel(dev, "small", &kernel, err)) ||
        (*ret_at = "alloc", rc = cuda->alloc(dev, sizeof x, &mem, err)))
        return rc;
    if ((*ret_at = "write", rc = cuda->write(dev, mem, 0, x, sizeof x, err)) ||
        (*ret_at = "zero", rc = cuda->zero(dev, mem, 0, 4, err)) ||
        (*ret_at = "launch",
         rc = cuda->launch(dev, kernel, &grid, &(struct asy__arg)MEM(mem), 1, err)) ||
        (*ret_at = "product",
         rc = cuda->product(dev, &(struct asy__product){ .m = 1, .n = 1, .k = 1, .a = mem, .b = mem,
                                                         .c = mem, .c_at = 2, .lda = 1, .ldb = 1,
                                                         .ldc = 1 }, &done, err)) ||
        (*ret_at = "read", rc = cuda->read(dev, mem, 0, x, sizeof x, err)))
        goto out;
    *ret_at = "nothing";
out:
    cuda->free(dev, mem);
    return rc;
}

struct failure {
    const char *function; /* of CUDA */
    int at;               /* its call, from 1 on */
    const char *call;     /* of ours, which fails by it */
};

static void fails_once(const void *arg)
{
    const struct failure *f = arg;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device(f->function, &info);
    const char *at = "";

    fake_cuda.fail = f->function;
    fake_cuda.fail_at = f->at;
    fake_cuda.fail_with = 2;
    if (dev) {
        T_EQ(f->function, work(dev, &at, &err), ASY_E_NOMEM);
        T_STR(f->function, at, f->call);
        T_HAS(f->function, err.text, "CUDA_ERROR_OUT_OF_MEMORY (2): out of memory");
        T_EQ("it goes on", work(dev, &at, &err), 0);
    }
    cuda->close(dev);
    nothing_is_left(f->function);
}

/* From a fault of the device on nothing works, closing included; what is the host's is freed (the
 * leak sanitizer looks), and the context given back. */
static void is_gone(const void *arg)
{
    const struct failure *f = arg;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device(f->function, &info);
    const char *at = "";

    fake_cuda.fail = f->function;
    fake_cuda.fail_at = f->at;
    fake_cuda.fail_with = 700;
    if (dev) {
        T_EQ(f->function, work(dev, &at, &err), ASY_E_GONE);
        T_STR(f->function, at, f->call);
        T_HAS(f->function, err.text, "CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access");
    }
    cuda->close(dev);
    T_EQ(f->function, fake_cuda.contexts, 0);
}

static void each_call_may_fail(void)
{
    static const struct failure failures[] = {
        { "cuModuleLoadData", 1, "build" },      { "cuModuleGetFunction", 1, "kernel" },
        { "cuFuncGetAttribute", 1, "kernel" },   { "cuMemAlloc_v2", 2, "alloc" },
        { "cuMemsetD8Async", 1, "alloc" },       { "cuEventCreate", 1, "write" },
        { "cuEventCreate", 8, "write" },         { "cuMemHostAlloc", 1, "write" },
        { "cuMemcpyHtoDAsync_v2", 1, "write" },  { "cuMemsetD8Async", 2, "zero" },
        { "cuLaunchKernel", 1, "launch" },       { "cuMemcpyDtoHAsync_v2", 1, "read" },
        { "cuStreamSynchronize", 1, "read" },    { "cuCtxSetCurrent", 2, "build" },
        { "cuCtxSetCurrent", 5, "write" },       { "cuCtxSetCurrent", 8, "product" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(failures); i++) {
        apart(failures[i].function, fails_once, &failures[i]);
        apart(failures[i].function, is_gone, &failures[i]);
    }
}

static void fails_by_blas(const void *arg)
{
    const int *gives = arg;
    struct asy_device_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__dev *dev = open_device("cuBLAS", &info);
    const char *at = "";

    fake_cuda.fail = "cublasSgemm_v2";
    fake_cuda.fail_at = 1;
    fake_cuda.fail_with = *gives;
    if (dev) {
        T_EQ("cuBLAS", work(dev, &at, &err), *gives == 3 ? ASY_E_NOMEM : ASY_E_GONE);
        T_STR("cuBLAS", at, "product");
        T_STR("cuBLAS", err.text, *gives == 3 ? "no memory for a product"
                                              : "a product fails: cuBLAS gives 13");
    }
    cuda->close(dev);
    nothing_is_left("cuBLAS");
}

static void products_may_fail(void)
{
    static const int gives[] = { 3, 13 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(gives); i++)
        apart("cuBLAS", fails_by_blas, &gives[i]);
}

static int use(struct asy_error *err)
{
    struct asy__dev *dev = NULL;
    struct asy_device_info info;
    const char *at;
    int rc = cuda->open(0, &dev, &info, err);

    if (rc == 0) {
        rc = work(dev, &at, err);
        cuda->close(dev);
    }
    nothing_is_left("an allocation");
    return rc;
}

static void uses_with_failing_allocations(const void *arg)
{
    (void)arg;
    T_TRUE(t_nomem_each("a device", use) >= 5); /* device, memory, module, kernel, image */
}

static void each_allocation_may_fail(void)
{
    apart("allocations", uses_with_failing_allocations, NULL);
}

T_MAIN("cuda", T_TEST(what_is_missing_is_said), T_TEST(devices_are_described),
       T_TEST(memory_holds_what_is_written), T_TEST(kernels_are_compiled_for_the_device),
       T_TEST(kernels_are_kept_on_disk),
       T_TEST(products_are_those_of_row_major_matrices), T_TEST(each_call_may_fail),
       T_TEST(products_may_fail), T_TEST(each_allocation_may_fail))
