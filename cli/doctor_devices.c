/* SPDX-License-Identifier: Apache-2.0
 * doctor_devices.c - the check of what networks could be trained on beside the cpu. The trainer
 * looks, in a process for each kind: a driver may hang or crash. What a driver keeps of kernels
 * that it has compiled stays in its cache. */
#include "doctor.h"
#include <string.h>
#include "format.h"

#define LOOK_MS 120000 /* an OpenCL that compiles for the first time takes its time */

static void say_device(const char *kind, const struct asy_json *device,
                       struct asy__finding *finding)
{
    const char *selftest = asy_json_str(asy_json_get(device, "selftest"), "?");
    struct asy_buf name = { 0 };

    asy_buf_init(&name, 4096);
    asy__fmt_clean(&name, asy_json_str(asy_json_get(device, "name"), "?"));
    if (!strcmp(selftest, "ok")) {
        asy__ok(finding, "%s: %s%s", kind, name.data,
                asy_json_bool(asy_json_get(device, "cpu"), 0) ? " (this machine's cores)" : "");
    } else {
        asy__broken(finding, "%s: %s: %s", kind, name.data, selftest);
        asy__remedy(finding, "train without it (resources.device: cpu), and renew its driver");
    }
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
    if (!asy_json_len(devices) && *why)
        asy__ok(finding, "%s", why);
    else if (!asy_json_len(devices))
        asy__ok(finding, "%s: no device", kind);
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
