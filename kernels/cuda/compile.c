/* SPDX-License-Identifier: Apache-2.0
 * compile.c - see compile.h. */
#include "compile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARCHS = 256 };

int asy__target_of(const struct asy__nvrtc *nvrtc, int capability, struct asy__target *ret_target,
                   struct asy_error *err)
{
    int archs[MAX_ARCHS], n = 0, best = 0, lowest = 0;

    if (nvrtc->nvrtcGetNumSupportedArchs(&n) || n < 1 || n > MAX_ARCHS ||
        nvrtc->nvrtcGetSupportedArchs(archs))
        return asy_fail(err, ASY_E_UNSUPPORTED, "NVRTC %d.%d does not say what it compiles for",
                        nvrtc->major, nvrtc->minor);
    for (int i = 0; i < n; i++) {
        if (archs[i] <= capability && archs[i] > best)
            best = archs[i];
        if (lowest == 0 || archs[i] < lowest)
            lowest = archs[i];
    }
    if (best == 0)
        return asy_fail(err, ASY_E_UNSUPPORTED,
                        "NVRTC %d.%d compiles for devices of compute capability %d.%d and newer, "
                        "this one has %d.%d: an older toolkit may do",
                        nvrtc->major, nvrtc->minor, lowest / 10, lowest % 10, capability / 10,
                        capability % 10);
    *ret_target = (struct asy__target){ .arch = best, .is_text = best != capability };
    return 0;
}

/* Puts the first line that tells of an error into err. */
static int fail_by_log(const struct asy__nvrtc *nvrtc, nvrtcProgram program, nvrtcResult why,
                       struct asy_error *err)
{
    size_t n = 0;
    char *log = NULL, *line;
    int rc;

    if (nvrtc->nvrtcGetProgramLogSize(program, &n) == 0 && n > 1)
        log = calloc(1, n + 1);
    if (!log || nvrtc->nvrtcGetProgramLog(program, log)) {
        rc = asy_fail(err, ASY_E_FORMAT, "kernels do not compile: %s",
                      nvrtc->nvrtcGetErrorString(why));
        goto out;
    }
    line = strstr(log, "error");
    while (line && line > log && line[-1] != '\n')
        line--;
    if (!line)
        line = log;
    line[strcspn(line, "\n")] = '\0';
    rc = asy_fail(err, ASY_E_FORMAT, "kernels do not compile: %s", line);
out:
    free(log);
    return rc;
}

static int take_image(const struct asy__nvrtc *nvrtc, nvrtcProgram program, int is_text,
                      char **ret_image, size_t *ret_n, struct asy_error *err)
{
    nvrtcResult (*size)(nvrtcProgram, size_t *) =
        is_text ? nvrtc->nvrtcGetPTXSize : nvrtc->nvrtcGetCUBINSize;
    nvrtcResult (*get)(nvrtcProgram, char *) = is_text ? nvrtc->nvrtcGetPTX : nvrtc->nvrtcGetCUBIN;
    size_t n = 0;
    char *image;

    if (size(program, &n) || n == 0)
        return asy_fail(err, ASY_E_FORMAT, "NVRTC compiles kernels to nothing");
    if (!(image = malloc(n)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu bytes of compiled kernels", n);
    if (get(program, image)) {
        free(image);
        return asy_fail(err, ASY_E_FORMAT, "NVRTC does not give what it compiled");
    }
    *ret_image = image;
    *ret_n = n;
    return 0;
}

int asy__compile(const struct asy__nvrtc *nvrtc, struct asy__target target, const char *source,
                 char **ret_image, size_t *ret_n, struct asy_error *err)
{
    char arch[48];
    const char *options[] = { arch, "-DASY_CUDA", "--fmad=false" };
    nvrtcProgram program = NULL;
    nvrtcResult made;
    int rc;

    snprintf(arch, sizeof arch, "--gpu-architecture=%s_%d", target.is_text ? "compute" : "sm",
             target.arch);
    made = nvrtc->nvrtcCreateProgram(&program, source, "kernels.cu", 0, NULL, NULL);
    if (made)
        return asy_fail(err, ASY_E_NOMEM, "NVRTC takes no source: %s",
                        nvrtc->nvrtcGetErrorString(made));
    made = nvrtc->nvrtcCompileProgram(program, ASY_ARRAY_LEN(options), options);
    if (made)
        rc = fail_by_log(nvrtc, program, made, err);
    else
        rc = take_image(nvrtc, program, target.is_text, ret_image, ret_n, err);
    nvrtc->nvrtcDestroyProgram(&program);
    return rc;
}
