/* SPDX-License-Identifier: Apache-2.0
 * doctor_devices.c - the check of what models could be trained on beside the cpu. The trainer
 * looks, in a process for each kind: a driver may hang or crash. What a driver keeps of kernels
 * that it has compiled stays in its cache. */
#include "doctor.h"
#include <string.h>
#include "format.h"

#define LOOK_MS 120000 /* an OpenCL that compiles for the first time takes its time */

static int is_code(const struct asy_json *device, int code)
{
    return !strcmp(asy_json_str(asy_json_get(device, "code"), ""), asy_code_name(code));
}

/* What is lacking, or in another's hands, is no fault of the device or its driver. */
static void say_unusable(const char *kind, const char *name, const char *why,
                         const struct asy_json *device, struct asy__finding *finding)
{
    if (is_code(device, ASY_E_NOENT) || is_code(device, ASY_E_UNSUPPORTED)) {
        asy__warn(finding, "%s: %s cannot be used: %s", kind, name, why);
        asy__remedy(finding, "install what it lacks, in a version that serves it, or train without "
                             "it (resources.device: cpu)");
    } else if (is_code(device, ASY_E_NOMEM) ||
               !asy_json_bool(asy_json_get(device, "opened"), 1)) {
        asy__warn(finding, "%s: %s cannot be had now: %s", kind, name, why);
        asy__remedy(finding, "see who uses it ('nvidia-smi' names the processes) and try again, or "
                             "train without it (resources.device: cpu)");
    } else {
        asy__broken(finding, "%s: %s: %s", kind, name, why);
        asy__remedy(finding, "train without it (resources.device: cpu), and renew its driver");
    }
}

static void say_device(const char *kind, const struct asy_json *device,
                       struct asy__finding *finding)
{
    const char *selftest = asy_json_str(asy_json_get(device, "selftest"), "?");
    struct asy_buf name = { 0 };

    asy_buf_init(&name, 4096);
    asy__fmt_clean(&name, asy_json_str(asy_json_get(device, "name"), "?"));
    if (!strcmp(selftest, "ok"))
        asy__ok(finding, "%s: %s%s", kind, name.data,
                asy_json_bool(asy_json_get(device, "cpu"), 0) ? " (this machine's cores)" : "");
    else
        say_unusable(kind, name.data, selftest, device, finding);
    asy_buf_fini(&name);
}

static void look(const char *program, const char *kind, struct asy__finding *finding)
{
    const char *const args[] = { "--probe-device", kind, NULL };
    struct asy_error err = ASY_ERROR_INIT;
    const struct asy_json *devices;
    const char *why;
    struct asy_json *root = NULL;

    if (asy__program_json(program, args, LOOK_MS, &root, &err) < 0) {
        asy__warn(finding, "%s: %s", kind, err.text);
        asy__remedy(finding, "see what '%s --probe-device %s' says", program, kind);
        return;
    }
    devices = asy_json_get(root, "devices");
    for (size_t i = 0; i < asy_json_len(devices); i++)
        say_device(kind, asy_json_at(devices, i), finding);
    why = asy_json_str(asy_json_get(root, "why"), "");
    if (asy_json_bool(asy_json_get(root, "fails"), 0)) {
        asy__warn(finding, "%s", why);
        asy__remedy(finding, "mend or renew the driver of %s ('%s' shows whether it works); until "
                             "then train without it (resources.device: cpu)", kind,
                    !strcmp(kind, "cuda") ? "nvidia-smi" : "clinfo");
    } else if (!asy_json_len(devices) && *why) {
        asy__ok(finding, "%s", why);
    } else if (!asy_json_len(devices)) {
        asy__ok(finding, "%s: no device", kind);
    }
    asy_json_destroy(root);
}

void asy__check_devices(const struct asy__machine *machine, struct asy__finding *finding)
{
    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        const struct asy__program *program = &machine->programs[i];

        if (strcmp(program->name, "assay-trainer") != 0)
            continue;
        if (!program->about) {
            asy__warn(finding, "not checked: %s", program->why.text);
            asy__remedy(finding, "mend what 'programs' and 'libraries' say first");
            return;
        }
        look(program->path, "cuda", finding);
        look(program->path, "opencl", finding);
    }
}
