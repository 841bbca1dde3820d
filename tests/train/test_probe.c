/* SPDX-License-Identifier: Apache-2.0
 * What a trainer says of devices, on a CUDA without a device (fake_cuda.h): whether there is
 * nothing, or what there is does not work, and how far a device that fails has come. */
#include <asytest.h>
#include <unistd.h>
#include <asy/json.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "kernels/fake_cuda.h"
#include "probe.h"

#define ANSWER_MAX 4096

/* In a process of its own: libraries are asked once. NULL: it failed. */
static struct asy_json *probe(const struct fake_cuda *fake, char *shared)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    pid_t pid;
    int status = -1;

    shared[0] = '\0';
    fflush(NULL);
    if ((pid = fork()) == 0) {
        struct asy_jsonw w;
        struct asy_buf buf;

        fake_cuda.no_driver = fake->no_driver;
        fake_cuda.init_gives = fake->init_gives;
        fake_cuda.no_nvrtc = fake->no_nvrtc;
        fake_cuda.fail = fake->fail;
        fake_cuda.fail_at = fake->fail_at;
        fake_cuda.fail_with = fake->fail_with;
        asy_buf_init(&buf, ANSWER_MAX - 1);
        asy_jsonw_init(&w, &buf, 0);
        if (asy__probe_device("cuda", &w, &err) == 0 && buf.rc == 0)
            memcpy(shared, buf.data, buf.len + 1);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    T_EQ("status", status, 0);
    return T_OK(asy_json_parse(shared, strlen(shared), &root, &err), &err) ? root : NULL;
}

static void devices_say_how_far_they_came(void)
{
    static const struct {
        const char *name;
        struct fake_cuda fake;
        int fails;
        const char *why, *code; /* code NULL: no device */
        int opened;
    } cases[] = {
        { "nothing installed", { .no_driver = 1 }, 0, "no driver of NVIDIA is installed", NULL, 0 },
        { "no device", { .init_gives = 100 }, 0, "CUDA shows no device", NULL, 0 },
        { "a driver that fails", { .init_gives = 803 }, 1, "CUDA does not start", NULL, 0 },
        { "no compiler", { .no_nvrtc = 1 }, 0, "", "no-entry", 0 },
        { "in use", { .fail = "cuDevicePrimaryCtxRetain", .fail_at = 1, .fail_with = 46 }, 0, "",
          "gone", 0 },
        { "fails later", { .fail = "cuLaunchKernel", .fail_at = 1, .fail_with = 700 }, 0, "",
          "gone", 1 },
        { "computes nothing", { .no_driver = 0 }, 0, "", "corrupt", 1 },
    };
    char *shared = mmap(NULL, ANSWER_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);

    if (!T_TRUE(shared != MAP_FAILED))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *root = probe(&cases[i].fake, shared);
        const struct asy_json *devices = asy_json_get(root, "devices"), *device;

        T_EQ(cases[i].name, asy_json_bool(asy_json_get(root, "fails"), -1), cases[i].fails);
        T_HAS(cases[i].name, asy_json_str(asy_json_get(root, "why"), "-"), cases[i].why);
        T_EQ(cases[i].name, asy_json_len(devices) > 0, cases[i].code != NULL);
        if (cases[i].code && (device = asy_json_at(devices, 0))) {
            T_STR(cases[i].name, asy_json_str(asy_json_get(device, "code"), "-"), cases[i].code);
            T_EQ(cases[i].name, asy_json_bool(asy_json_get(device, "opened"), -1),
                 cases[i].opened);
        }
        asy_json_destroy(root);
    }
    munmap(shared, ANSWER_MAX);
}

T_MAIN("probe", T_TEST(devices_say_how_far_they_came))
