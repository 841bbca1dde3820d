/* SPDX-License-Identifier: Apache-2.0
 * fake_nvrtc.c - the compiler, see fake_cuda.h: of a source it reads what kernels there are and
 * what they take, by lines that begin with KERNEL( (see device/source/dialect.h), and writes that
 * as PTX does. A source with the word "garbage" does not compile. */
#include "fake_cuda.h"
#include "cuda/toolkit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
    char *source, *made;
    size_t n;
    int is_text;
    const char *log;
};

FAKE_API const char *nvrtcGetErrorString(nvrtcResult error);
FAKE_API const char *nvrtcGetErrorString(nvrtcResult error)
{
    return error ? "NVRTC_ERROR_COMPILATION" : "NVRTC_SUCCESS";
}

FAKE_API nvrtcResult nvrtcVersion(int *major, int *minor);
FAKE_API nvrtcResult nvrtcVersion(int *major, int *minor)
{
    *major = 13;
    *minor = 0;
    return fake_enter(__func__);
}

static const int archs[] = { 75, 80, 86, 90 };

FAKE_API nvrtcResult nvrtcGetNumSupportedArchs(int *n);
FAKE_API nvrtcResult nvrtcGetNumSupportedArchs(int *n)
{
    *n = sizeof archs / sizeof archs[0];
    return fake_enter(__func__);
}

FAKE_API nvrtcResult nvrtcGetSupportedArchs(int *ret);
FAKE_API nvrtcResult nvrtcGetSupportedArchs(int *ret)
{
    memcpy(ret, archs, sizeof archs);
    return fake_enter(__func__);
}

FAKE_API nvrtcResult nvrtcCreateProgram(nvrtcProgram *ret, const char *source, const char *name,
                                        int n_headers, const char *const *headers,
                                        const char *const *include_names);
FAKE_API nvrtcResult nvrtcCreateProgram(nvrtcProgram *ret, const char *source, const char *name,
                                        int n_headers, const char *const *headers,
                                        const char *const *include_names)
{
    struct program *program = NULL;
    int gives = fake_enter(__func__);

    if (n_headers || headers || include_names || !name)
        fake_fault("a program with headers");
    if (gives)
        return gives;
    if (!(program = calloc(1, sizeof *program)) || !(program->source = strdup(source))) {
        free(program);
        return 1;
    }
    program->log = "";
    fake_cuda.programs++;
    memcpy(ret, &program, sizeof program);
    return 0;
}

FAKE_API nvrtcResult nvrtcDestroyProgram(nvrtcProgram *at);
FAKE_API nvrtcResult nvrtcDestroyProgram(nvrtcProgram *at)
{
    struct program *program = (struct program *)*at;

    free(program->source);
    free(program->made);
    free(program);
    *at = NULL;
    fake_cuda.programs--;
    return 0;
}

/* One parameter of a kernel, "GLOBAL const float *x". */
static void write_param(FILE *out, const char *text, size_t n, const char *kernel, int i)
{
    const char *type = memmem(text, n, "*", 1)      ? "u64 .ptr .align 1"
                       : memmem(text, n, "ulong", 5) ? "u64"
                       : memmem(text, n, "uint", 4)  ? "u32"
                       : memmem(text, n, "int", 3)   ? "u32"
                       : memmem(text, n, "float", 5) ? "f32"
                                                     : "b8";

    fprintf(out, "%s\t.param .%s %s_param_%d", i ? ",\n" : "", type, kernel, i);
}

/* "KERNEL(name, items)(parameters)". */
static void write_entry(FILE *out, const char *line)
{
    char name[64] = "";
    unsigned items = 0;
    const char *open, *close, *at;
    int i = 0;

    if (sscanf(line, "KERNEL(%63[a-z0-9_], %u", name, &items) != 2 ||
        !(open = strstr(line, ")(")) || !(close = strchr(open + 2, ')'))) {
        fake_fault("no kernel: %.60s", line);
        return;
    }
    fprintf(out, ".visible .entry %s(\n", name);
    for (at = open + 2; at < close; i++) {
        size_t n = strcspn(at, ",)");

        write_param(out, at, n, name, i);
        at += n + 1;
    }
    fprintf(out, "\n)\n.maxntid %u, 1, 1\n{\n}\n", items);
}

static void compile(struct program *program)
{
    FILE *out = open_memstream(&program->made, &program->n);

    if (!out)
        return;
    for (const char *line = program->source; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, "KERNEL(", 7))
            write_entry(out, line);
    }
    fclose(out);
}

FAKE_API nvrtcResult nvrtcCompileProgram(nvrtcProgram at, int n_options,
                                         const char *const *options);
FAKE_API nvrtcResult nvrtcCompileProgram(nvrtcProgram at, int n_options,
                                         const char *const *options)
{
    struct program *program = (struct program *)at;
    int arch = 0, known = 0, defined = 0, unfused = 0, gives = fake_enter(__func__);

    if (gives)
        return gives;
    for (int i = 0; i < n_options; i++) {
        program->is_text |= sscanf(options[i], "--gpu-architecture=compute_%d", &arch) == 1;
        ASY_IGNORE(sscanf(options[i], "--gpu-architecture=sm_%d", &arch)); /* the other form */
        defined |= !strcmp(options[i], "-DASY_CUDA");
        unfused |= !strcmp(options[i], "--fmad=false");
    }
    for (size_t i = 0; i < sizeof archs / sizeof archs[0]; i++)
        known |= archs[i] == arch;
    if (!known || !defined || !unfused)
        fake_fault("options of the compiler: architecture %d", arch);
    if (strstr(program->source, "garbage")) {
        program->log = "kernels.cu(3): warning #1: a matter of taste\n"
                       "kernels.cu(7): error: identifier \"garbage\" is undefined\n\n"
                       "1 error detected in the compilation of \"kernels.cu\".\n";
        return 6;
    }
    fake_cuda.compiled++;
    compile(program);
    return program->made ? 0 : 1;
}

FAKE_API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram at, size_t *ret);
FAKE_API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram at, size_t *ret)
{
    *ret = strlen(((struct program *)at)->log) + 1;
    return fake_enter(__func__);
}

FAKE_API nvrtcResult nvrtcGetProgramLog(nvrtcProgram at, char *text);
FAKE_API nvrtcResult nvrtcGetProgramLog(nvrtcProgram at, char *text)
{
    const char *log = ((struct program *)at)->log;

    memcpy(text, log, strlen(log) + 1);
    return fake_enter(__func__);
}

static int give_size(nvrtcProgram at, int is_text, size_t *ret)
{
    const struct program *program = (const struct program *)at;

    if (program->is_text != is_text)
        fake_fault("asking for a CUBIN of a text, or the other way round");
    *ret = program->n + 1;
    return 0;
}

static int give(nvrtcProgram at, char *ret)
{
    const struct program *program = (const struct program *)at;

    memcpy(ret, program->made, program->n + 1);
    return 0;
}

FAKE_API nvrtcResult nvrtcGetPTXSize(nvrtcProgram at, size_t *ret);
FAKE_API nvrtcResult nvrtcGetPTXSize(nvrtcProgram at, size_t *ret)
{
    return give_size(at, 1, ret);
}

FAKE_API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram at, size_t *ret);
FAKE_API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram at, size_t *ret)
{
    return give_size(at, 0, ret);
}

FAKE_API nvrtcResult nvrtcGetPTX(nvrtcProgram at, char *ret);
FAKE_API nvrtcResult nvrtcGetPTX(nvrtcProgram at, char *ret)
{
    return give(at, ret);
}

FAKE_API nvrtcResult nvrtcGetCUBIN(nvrtcProgram at, char *ret);
FAKE_API nvrtcResult nvrtcGetCUBIN(nvrtcProgram at, char *ret)
{
    return give(at, ret);
}
