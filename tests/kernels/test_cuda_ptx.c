/* SPDX-License-Identifier: Apache-2.0
 * test_cuda_ptx.c - every kernel of device/source through NVIDIA's compiler: to PTX and to machine
 * code of several architectures, as far as NVRTC is installed; no device is needed. Where ptxas is
 * installed, too, no kernel may keep in memory what has no room in registers; PTXAS_REPORT=1 in the
 * environment shows how many each takes.
 *
 * Exit status 77: there is no NVRTC, nothing was tested. */
#include "../asytest.h"
#include "cuda/compile.h"
#include "kernel_list.h"
#include <unistd.h>
#include <asy/parse.h>

enum {
    ANY_MAJOR = 99,
    MAX_SPILL = 32, /* bytes of a thread: a few around loops, not in them */
};

static const struct asy__nvrtc *nvrtc;

static char *compile(int arch, int is_text, size_t *ret_n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__target target = { arch, is_text };
    char *image = NULL;
    int rc = asy__compile(nvrtc, target, asy__kernel_source, &image, ret_n, &err);

    t__check(rc == 0, __LINE__, __FILE__, "%s_%d: %s", is_text ? "compute" : "sm", arch, err.text);
    return image;
}

/* At the beginning of a text; 0: there is none. */
static uint64_t number(const char *text)
{
    uint64_t n = 0;

    return asy_parse_u64(text, strspn(text, "0123456789"), &n, NULL) == 0 ? n : 0;
}

/* The list and the text have the same kernels, with the same sizes of groups. */
static void check_entries(const char *ptx)
{
    size_t n = 0;

    for (const char *at = ptx; (at = strstr(at, ".entry ")); at++)
        n++;
    T_EQ("kernels of the text", n, ASY__KERNELS);
    for (size_t i = 0; i < ASY__KERNELS; i++) {
        const char *name = asy__kernel_list[i].name, *at, *bound;
        char entry[100];

        snprintf(entry, sizeof entry, ".entry %s(", name);
        at = strstr(ptx, entry);
        bound = at ? strstr(at, ".maxntid ") : NULL;
        if (t__check(at != NULL, __LINE__, __FILE__, "no kernel '%s'", name))
            T_EQ(name, number(bound ? bound + 9 : ""), asy__kernel_list[i].items);
    }
}

/* Doubles, which not every device of OpenCL has, are in kernels of trees alone, and so are atomics,
 * which are of whole numbers there. In the text of a kernel a line has one instruction. */
static void check_kernel(const char *name, const char *from, const char *end)
{
    int is_tree = strncmp(name, "tree_", 5) == 0;

    for (const char *line = from, *stop; line < end; line = stop + 1) {
        size_t len = strcspn(line, "\n");
        int doubles = memmem(line, len, ".f64", 4) != NULL;
        int atomic = memmem(line, len, "\tatom.", 6) || memmem(line, len, "\tred.", 5);

        stop = line + len;
        if ((doubles || atomic) && !is_tree)
            t__check(false, __LINE__, __FILE__, "%s: %.*s", name, (int)len, line);
        if (atomic && (doubles || memmem(line, len, ".f32", 4)))
            t__check(false, __LINE__, __FILE__, "%s: %.*s", name, (int)len, line);
    }
}

static void check_kernels(const char *ptx)
{
    for (const char *at = ptx, *end; (at = strstr(at, ".entry ")); at = end) {
        char name[100];

        at += strlen(".entry ");
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "("), at);
        end = strstr(at, ".entry ");
        end = end ? end : ptx + strlen(ptx);
        check_kernel(name, at, end);
    }
}

static void kernels_compile_to_ptx(void)
{
    size_t n = 0;
    char *ptx = compile(80, 1, &n);

    if (ptx) {
        T_EQ("its end", ptx[n - 1], 0);
        T_HAS("PTX", ptx, ".target sm_80");
        check_entries(ptx);
        check_kernels(ptx);
    }
    free(ptx);
}

/* Machine code has a section for each kernel. */
static void check_sections(int arch)
{
    size_t n = 0;
    char *image = compile(arch, 0, &n);

    for (size_t i = 0; image && i < ASY__KERNELS; i++) {
        char section[100];
        int length = snprintf(section, sizeof section, ".text.%s", asy__kernel_list[i].name);

        t__check(memmem(image, n, section, (size_t)length + 1) != NULL, __LINE__, __FILE__,
                 "sm_%d has no kernel '%s'", arch, asy__kernel_list[i].name);
    }
    free(image);
}

static void kernels_compile_to_machine_code(void)
{
    int archs[256], n = 0, low = 0, high = 0;

    if (!T_EQ("archs", nvrtc->nvrtcGetNumSupportedArchs(&n), 0) || !T_TRUE(n > 0 && n <= 256) ||
        !T_EQ("archs", nvrtc->nvrtcGetSupportedArchs(archs), 0))
        return;
    for (int i = 0; i < n; i++) {
        low = low == 0 || archs[i] < low ? archs[i] : low;
        high = archs[i] > high ? archs[i] : high;
    }
    printf("sm_%d, sm_90, sm_%d by NVRTC %d.%d ...", low, high, nvrtc->major, nvrtc->minor);
    check_sections(low);
    check_sections(90);
    check_sections(high);
}

static void what_is_wrong_is_said(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__target target = { 80, 1 };
    char *image = NULL;
    size_t n = 0;

    T_EQ("wrong", asy__compile(nvrtc, target, "__global__ void f(int *x)\n{ *x = y; }\n", &image,
                               &n, &err), ASY_E_FORMAT);
    T_STR("wrong", err.text, "kernels do not compile: kernels.cu(2): error: identifier \"y\" is "
                             "undefined");
    T_TRUE(image == NULL);
    T_OK(asy__compile(nvrtc, target, "#if !ASY_CUDA\n#error it is not defined\n#endif\n", &image,
                      &n, &err), &err);
    free(image);
}

static void targets_suit_devices(void)
{
    static const struct {
        const char *name;
        int capability, arch, is_text;
    } cases[] = {
        { "A100", 80, 80, 0 }, { "H100", 90, 90, 0 }, { "one to come", 999, 0, 1 },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__target target;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        if (!T_OK(asy__target_of(nvrtc, cases[i].capability, &target, &err), &err))
            continue;
        T_EQ(cases[i].name, target.is_text, cases[i].is_text);
        if (cases[i].arch)
            T_EQ(cases[i].name, target.arch, cases[i].arch);
    }
    T_EQ("Kepler", asy__target_of(nvrtc, 35, &target, &err), ASY_E_UNSUPPORTED);
}

/* ---- registers ------------------------------------------------------------------------------ */

/* A line of "ptxas -v" for a kernel: 'N bytes stack frame, N bytes spill stores, ...'. */
static void check_spills(const char *kernel, const char *line)
{
    unsigned frame = 0, stores = 0, loads = 0;

    if (sscanf(line, " %u bytes stack frame, %u bytes spill stores, %u bytes spill loads", &frame,
               &stores, &loads) == 3)
        t__check(stores + loads <= MAX_SPILL, __LINE__, __FILE__,
                 "'%s' spills %u bytes of registers", kernel, stores + loads);
}

static size_t read_report(FILE *report)
{
    char line[400], kernel[100] = "";
    size_t n = 0;

    while (fgets(line, sizeof line, report)) {
        char *used = strstr(line, "Used ");

        if (sscanf(line, "ptxas info : Function properties for %99s", kernel) == 1)
            continue;
        check_spills(kernel, line);
        if (used) {
            n++;
            if (getenv("PTXAS_REPORT"))
                printf("\n%s: %s", kernel, used);
        }
    }
    return n;
}

/* Of the toolkit that NVRTC is of: the system's, else that of CUDA_HOME. */
static const char *assembler(void)
{
    static const char *const programs[] = { "/usr/local/cuda/bin/ptxas", "/usr/bin/ptxas" };
    static char path[200];
    const char *home = getenv("CUDA_HOME");

    for (size_t i = 0; i < ASY_ARRAY_LEN(programs); i++)
        if (access(programs[i], X_OK) == 0)
            return programs[i];
    snprintf(path, sizeof path, "%s/bin/ptxas", home ? home : "");
    return path;
}

static void registers_suffice(void)
{
    const char *program = assembler();
    char path[] = "/tmp/test_cuda_ptx.XXXXXX", command[300];
    size_t n = 0;
    char *ptx = NULL;
    FILE *report = NULL;
    int fd = -1;

    if (access(program, X_OK)) {
        printf("skipped: there is no ptxas ...");
        return;
    }
    if (!(ptx = compile(80, 1, &n)) || !T_TRUE((fd = mkstemp(path)) >= 0))
        goto out;
    T_EQ("written", write(fd, ptx, n - 1), n - 1);
    snprintf(command, sizeof command, "%s -v -arch=sm_80 %s -o /dev/null 2>&1", program, path);
    if (T_TRUE((report = popen(command, "r")) != NULL)) {
        T_EQ("kernels of the report", read_report(report), ASY__KERNELS);
        T_EQ("ptxas", pclose(report), 0);
    }
out:
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    free(ptx);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(kernels_compile_to_ptx), T_TEST(kernels_compile_to_machine_code),
        T_TEST(what_is_wrong_is_said),  T_TEST(targets_suit_devices),
        T_TEST(registers_suffice),
    };
    struct asy_error err = ASY_ERROR_INIT;

    if (asy__nvrtc_get(ANY_MAJOR, &nvrtc, &err)) {
        printf("skipped: %s\n", err.text);
        return 77;
    }
    return t__main("cuda-ptx", tests, ASY_ARRAY_LEN(tests));
}
