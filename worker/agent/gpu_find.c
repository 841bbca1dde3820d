/* SPDX-License-Identifier: Apache-2.0
 * gpu_find.c - asking the interfaces, each in a child of its own and all at once, and making one
 * list of their answers.
 *
 * A child that does not answer in time is killed, and left if it does not end then: one that a
 * broken driver keeps in the kernel cannot die, and waiting for it would hang the agent as well.
 * Nor does the agent wait for a slow one: it looks again from time to time. */
#include "gpu.h"
#include "impl.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/proc.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)
#define REAP_MS 1000
#define PIECE 4096
#define ID_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/"

static const struct {
    const char *name;
    void (*ask)(struct asy_jsonw *w);
} interfaces[ASY__GPU_INTERFACES] = {
    { "nvml", asy__gpu_ask_nvml },
    { "cuda", asy__gpu_ask_cuda },
    { "opencl", asy__gpu_ask_opencl },
};

int asy_agent_probe_gpus(const char *interface, struct asy_error *err)
{
    struct asy_buf out;
    struct asy_jsonw w;
    size_t i = 0;

    while (i < ASY_ARRAY_LEN(interfaces) && strcmp(interface, interfaces[i].name) != 0)
        i++;
    if (i == ASY_ARRAY_LEN(interfaces))
        return asy_fail(err, ASY_E_INVAL, "GPUs are asked for through nvml, cuda or opencl, not "
                        "'%.40s'", interface);
    asy_buf_init(&out, ANSWER_MAX);
    asy_jsonw_init(&w, &out, 0);
    asy_jsonw_open(&w, NULL, '{');
    interfaces[i].ask(&w);
    asy_jsonw_close(&w, '}');
    if (out.rc == 0)
        puts(out.data);
    fflush(stdout);
    asy_buf_fini(&out);
    return 0;
}

/* ---- the children ---------------------------------------------------------------------------- */

struct child {
    const char *interface;
    struct asy_proc proc;
    int from;                      /* -1: its answer has ended */
    struct asy_buf answer;
    int status;                    /* of an end of its own */
    int late;                      /* it was killed without an answer */
    char note[200];
};
struct asy__gpu_search {
    struct asy__gpu_options options;
    struct child children[ASY__GPU_INTERFACES];
    enum { ASKING, ENDING, KILLED } phase;
    int64_t by_ms;                 /* when that is over */
    char folder[4096];             /* for what drivers leave; "": none could be made */
};

static int start(struct child *child, const struct asy__gpu_options *options,
                 const struct asy__words *env, struct asy_error *err)
{
    const char *argv[] = { options->program, "--probe-gpus", child->interface, NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    int fds[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC), rc;

    if (null < 0 || pipe2(fds, O_CLOEXEC) < 0) {
        if (null >= 0)
            close(null);
        return asy_fail(err, ASY_E_IO, "cannot make a pipe");
    }
    spec.argv = argv;
    spec.env_drop = asy__env_drop;
    spec.env_set = (const char *const *)env->text;
    spec.stdout_fd = fds[1];
    spec.stderr_fd = null; /* what a driver says there is for nobody */
    spec.new_session = 1;
    spec.death_signal = SIGKILL;
    rc = asy_proc_start(&spec, &child->proc, err);
    close(fds[1]);
    close(null);
    if (rc < 0)
        close(fds[0]);
    else
        child->from = fds[0];
    return rc;
}

static void hang_up(struct child *child)
{
    if (child->from >= 0)
        close(child->from);
    child->from = -1;
}

static void take(struct child *child)
{
    char *room = asy_buf_room(&child->answer, PIECE);
    ssize_t n = room ? read(child->from, room, PIECE) : -1;

    if (n > 0)
        asy_buf_grew(&child->answer, (size_t)n);
    else
        hang_up(child);
}

/* What says that it has come further: its answer, then its end. -1: it has ended. */
static int awaited(const struct child *child)
{
    return child->from >= 0 ? child->from : child->proc.pid > 0 ? child->proc.pidfd : -1;
}

static void go_on(struct asy__gpu_search *search, struct child *child)
{
    int *ret_status = search->phase == KILLED ? NULL : &child->status;

    if (child->from >= 0)
        take(child);
    else if (asy_proc_wait(&child->proc, 0, ret_status, NULL) != ASY_E_TIMEOUT)
        asy_proc_close(&child->proc);
}

static void kill_all(struct asy__gpu_search *search)
{
    for (size_t i = 0; i < ASY__GPU_INTERFACES; i++) {
        struct child *child = &search->children[i];

        child->late = child->from >= 0;
        hang_up(child);
        ASY_IGNORE(asy_proc_signal(&child->proc, SIGKILL)); /* it may have ended */
    }
    search->phase = KILLED;
    search->by_ms = asy_clock_ms() + REAP_MS;
}

/* Returns for how many it is waited. */
static size_t list_awaited(struct asy__gpu_search *search, struct pollfd *ready)
{
    size_t n = 0, n_answers = 0;

    for (size_t i = 0; i < ASY__GPU_INTERFACES; i++) {
        ready[i] = (struct pollfd){ awaited(&search->children[i]), POLLIN, 0 };
        n += ready[i].fd >= 0;
        n_answers += search->children[i].from >= 0;
    }
    if (search->phase == ASKING && n_answers == 0) { /* all is said */
        search->phase = ENDING;
        if (search->by_ms > asy_clock_ms() + REAP_MS)
            search->by_ms = asy_clock_ms() + REAP_MS;
    }
    return n;
}

/* Time is judged only where nothing has come: whoever was stopped takes first what there is. */
int asy__gpu_search_wait(struct asy__gpu_search *search, int timeout_ms)
{
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : asy_clock_ms() + timeout_ms;

    for (;;) {
        struct pollfd ready[ASY__GPU_INTERFACES];
        size_t n_awaited = list_awaited(search, ready);
        int64_t now_ms = asy_clock_ms();
        int64_t left_ms = (until_ms < search->by_ms ? until_ms : search->by_ms) - now_ms;
        int n;

        if (n_awaited == 0)
            return 1;
        n = poll(ready, ASY__GPU_INTERFACES, left_ms > 0 ? (int)left_ms : 0);
        for (size_t i = 0; n > 0 && i < ASY__GPU_INTERFACES; i++)
            if (ready[i].revents)
                go_on(search, &search->children[i]);
        if (n == 0 && now_ms >= search->by_ms) {
            if (search->phase == KILLED)
                return 1;
            kill_all(search);
        } else if (n == 0 && now_ms >= until_ms) {
            return 0;
        }
    }
}

/* What came of it, in words; the answer stays where there is one. */
static void judge(struct child *child, int timeout_ms)
{
    char text[64];

    if (child->late)
        snprintf(child->note, sizeof child->note, "its driver did not answer within %g s%s",
                 timeout_ms / 1000.0, child->proc.pid > 0 ? ", and cannot be killed" : "");
    else if (child->status != 0)
        snprintf(child->note, sizeof child->note, "its driver ended the process that asked it: %s",
                 asy_proc_status_text(child->status, text));
}

/* The variables by which Intel's devices are counted are made what they are for programs. HIP's
 * variable hides devices from OpenCL under another name. PoCL writes to its cache when it is only
 * asked, and leaves that there. */
static void child_env(const char *folder, struct asy__words *env)
{
    const char *hip = getenv("HIP_VISIBLE_DEVICES");

    asy__words_add(env, "ZE_ENABLE_PCI_ID_DEVICE_ORDER=1");
    asy__words_add(env, "ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE");
    if (*folder)
        asy__words_addf(env, "POCL_CACHE_DIR=%s", folder);
    if (hip && !getenv("GPU_DEVICE_ORDINAL"))
        asy__words_addf(env, "GPU_DEVICE_ORDINAL=%s", hip);
}

static void take_answer(struct asy__gpus *gpus, struct child *child, unsigned by)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;

    if (child->note[0])
        return;
    if (asy_json_parse(child->answer.data, child->answer.len, &root, &err) < 0) {
        snprintf(child->note, sizeof child->note, "its answer is not JSON: %.150s", err.text);
        return;
    }
    snprintf(child->note, sizeof child->note, "%s", asy_json_str(asy_json_get(root, "error"), ""));
    asy__gpus_add(gpus, root, by);
    asy_json_destroy(root);
}

/* A folder for what drivers leave; "": none could be made. */
static void make_folder(char *ret_path, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(ret_path, size, "%s/assay-gpu-XXXXXX", tmp && *tmp ? tmp : "/tmp");

    if (n < 0 || (size_t)n >= size || !mkdtemp(ret_path))
        ret_path[0] = '\0';
}

static void ask_all(struct asy__gpu_search *search)
{
    struct asy__words env = { 0 };

    make_folder(search->folder, sizeof search->folder);
    child_env(search->folder, &env);
    for (size_t i = 0; i < ASY__GPU_INTERFACES; i++) {
        struct child *child = &search->children[i];
        struct asy_error err = ASY_ERROR_INIT;

        if (asy__words_check(&env, &err) < 0 || start(child, &search->options, &env, &err) < 0)
            snprintf(child->note, sizeof child->note, "%.190s", err.text);
    }
    asy__words_fini(&env);
}

static void take_answers(struct asy__gpu_search *search, struct asy__gpus *gpus)
{
    for (size_t i = 0; i < ASY__GPU_INTERFACES; i++) {
        struct child *child = &search->children[i];

        if (!child->interface)
            continue; /* not asked */
        judge(child, search->options.timeout_ms);
        take_answer(gpus, child, 1u << i);
        memcpy(gpus->note[i], child->note, sizeof child->note);
    }
}

/* ---- one list -------------------------------------------------------------------------------- */

static void copy(char *to, size_t size, const struct asy_json *from, const char *key)
{
    const char *text = asy_json_str(asy_json_get(from, key), "");

    if (*text && !*to)
        snprintf(to, size, "%s", text);
}

static enum asy__gpu_maker maker_of(const char *word)
{
    static const char *const names[] = { "other", "nvidia", "amd", "intel", "pocl" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (!strcmp(names[i], word))
            return (enum asy__gpu_maker)i;
    return ASY__GPU_OTHER;
}

void asy__gpu_uuid(const uint8_t *bytes, const char *prefix, char *text)
{
    static const uint8_t groups[] = { 4, 2, 2, 2, 6 };
    size_t n = (size_t)snprintf(text, ASY__GPU_ID, "%s", prefix), at = 0;

    for (size_t g = 0; g < ASY_ARRAY_LEN(groups); g++) {
        n += (size_t)snprintf(text + n, ASY__GPU_ID - n, "-");
        for (size_t i = 0; i < groups[g]; i++)
            n += (size_t)snprintf(text + n, ASY__GPU_ID - n, "%02x", bytes[at++]);
    }
}

/* The device that is already listed. By UUID first: an instance comes with its card's address. */
static struct asy__gpu *same(const struct asy__gpus *gpus, const char *uuid, const char *pci)
{
    for (size_t i = 0; *uuid && i < gpus->n; i++)
        if (!strcmp(gpus->list[i].uuid, uuid))
            return &gpus->list[i];
    for (size_t i = 0; *pci && i < gpus->n; i++)
        if (!strcmp(gpus->list[i].pci, pci))
            return &gpus->list[i];
    return NULL;
}

static void add_one(struct asy__gpus *gpus, const struct asy_json *from, unsigned by)
{
    const char *uuid = asy_json_str(asy_json_get(from, "uuid"), "");
    const char *pci = asy_json_str(asy_json_get(from, "pci"), "");
    struct asy__gpu *gpu = same(gpus, uuid, pci);
    int64_t memory = asy_json_i64(asy_json_get(from, "memory"), 0);

    if (!gpu && gpus->n == ASY__GPUS_MAX)
        return;
    if (!gpu) {
        gpu = &gpus->list[gpus->n++];
        gpu->maker = maker_of(asy_json_str(asy_json_get(from, "maker"), ""));
    }
    copy(gpu->uuid, sizeof gpu->uuid, from, "uuid");
    copy(gpu->pci, sizeof gpu->pci, from, "pci");
    copy(gpu->parent, sizeof gpu->parent, from, "parent");
    copy(gpu->name, sizeof gpu->name, from, "name");
    copy(gpu->driver, sizeof gpu->driver, from, "driver");
    copy(gpu->mode, sizeof gpu->mode, from, "mode");
    if (!gpu->memory && memory > 0)
        gpu->memory = (uint64_t)memory;
    gpu->cpu |= asy_json_bool(asy_json_get(from, "cpu"), 0);
    gpu->split |= asy_json_bool(asy_json_get(from, "split"), 0);
    gpu->by |= by;
}

void asy__gpus_add(struct asy__gpus *gpus, const struct asy_json *answer, unsigned by)
{
    const struct asy_json *list = asy_json_get(answer, "devices"), *device;

    for (size_t i = 0; (device = asy_json_at(list, i)); i++)
        add_one(gpus, device, by);
}

/* ROCm's name of a card is made of the number that its kernel driver shows. */
static void find_rocm_uuid(struct asy__gpu *gpu, const char *sys)
{
    char path[512], text[64] = "";
    FILE *f;

    snprintf(path, sizeof path, "%s/bus/pci/devices/%s/unique_id", sys, gpu->pci);
    if (!gpu->pci[0] || !(f = fopen(path, "re")))
        return;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
    if (strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16 &&
        strspn(text, "0") < 16)
        snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%.16s", text);
}

/* Programs are shown NVIDIA's and AMD's by UUID, the others by what finds them in a machine. */
static void name_all(struct asy__gpus *gpus, const char *sys)
{
    for (size_t i = 0; i < gpus->n; i++) {
        struct asy__gpu *gpu = &gpus->list[i];
        int by_uuid = gpu->maker != ASY__GPU_INTEL && gpu->maker != ASY__GPU_OTHER;

        if (gpu->maker == ASY__GPU_AMD) {
            gpu->uuid[0] = '\0'; /* OpenCL's is another one */
            find_rocm_uuid(gpu, sys);
        }
        snprintf(gpu->id, sizeof gpu->id, "%s",
                 gpu->uuid[0] && (by_uuid || !gpu->pci[0]) ? gpu->uuid : gpu->pci);
        if (gpu->id[strspn(gpu->id, ID_BYTES)])
            gpu->id[0] = '\0'; /* no name that could stand in a list */
    }
}

static int asks(const struct asy__gpu_options *options)
{
    return options->program[0] && strcmp(options->wanted, "none") != 0 &&
           strcmp(options->wanted, "unmanaged") != 0 &&
           asy__gpus_wanted_check(options->wanted, NULL) == 0;
}

int asy__gpu_search_begin(const struct asy__gpu_options *options,
                          struct asy__gpu_search **ret_search, struct asy_error *err)
{
    struct asy__gpu_search *search = calloc(1, sizeof *search);

    if (!search)
        return asy_fail(err, ASY_E_NOMEM, "no memory to look for GPUs");
    search->options = *options;
    search->by_ms = asy_clock_ms() + options->timeout_ms;
    for (size_t i = 0; i < ASY__GPU_INTERFACES; i++) {
        search->children[i].proc = (struct asy_proc)ASY_PROC_INIT;
        search->children[i].from = -1;
        asy_buf_init(&search->children[i].answer, ANSWER_MAX);
        if (asks(options))
            search->children[i].interface = interfaces[i].name;
    }
    if (asks(options))
        ask_all(search);
    *ret_search = search;
    return 0;
}

size_t asy__gpu_search_pids(const struct asy__gpu_search *search, pid_t *ret_pids)
{
    size_t n = 0;

    for (size_t i = 0; search && i < ASY__GPU_INTERFACES; i++)
        if (search->children[i].proc.pid > 0)
            ret_pids[n++] = search->children[i].proc.pid;
    return n;
}

int asy__gpu_search_end(struct asy__gpu_search *search, struct asy__gpus *ret,
                        struct asy_error *err)
{
    const struct asy__gpu_options *options = &search->options;
    struct asy__gpus gpus = { .unmanaged = !strcmp(options->wanted, "unmanaged") };
    struct asy_error why = ASY_ERROR_INIT;

    if (!(gpus.list = calloc(ASY__GPUS_MAX, sizeof *gpus.list))) {
        asy__gpu_search_destroy(search);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a list of GPUs");
    }
    if (asy__gpus_wanted_check(options->wanted, &why) < 0)
        snprintf(gpus.wanted_note, sizeof gpus.wanted_note, "%.200s; none is offered", why.text);
    if (asks(options)) {
        take_answers(search, &gpus);
        name_all(&gpus, options->sys);
        asy__gpus_offer(&gpus, options->wanted, getenv("CUDA_VISIBLE_DEVICES"),
                        getenv("ZE_AFFINITY_MASK"));
    }
    asy__gpu_search_destroy(search);
    *ret = gpus;
    return 0;
}

void asy__gpu_search_destroy(struct asy__gpu_search *search)
{
    if (!search)
        return;
    for (size_t i = 0; i < ASY__GPU_INTERFACES; i++) {
        struct child *child = &search->children[i];

        hang_up(child);
        ASY_IGNORE(asy_proc_signal(&child->proc, SIGKILL)); /* it may have ended */
        asy_proc_close(&child->proc);
        asy_buf_fini(&child->answer);
    }
    if (search->folder[0])
        ASY_IGNORE(asy_durable_remove(search->folder, NULL)); /* it is a temporary one */
    free(search);
}

int asy__gpus_find(const struct asy__gpu_options *options, struct asy__gpus *ret,
                   struct asy_error *err)
{
    struct asy__gpu_search *search = NULL;
    int rc = asy__gpu_search_begin(options, &search, err);

    if (rc < 0)
        return rc;
    ASY_IGNORE(asy__gpu_search_wait(search, -1)); /* it says when, and that is known */
    return asy__gpu_search_end(search, ret, err);
}

void asy__gpus_fini(struct asy__gpus *gpus)
{
    free(gpus->list);
    memset(gpus, 0, sizeof *gpus);
}

struct asy__gpu *asy__gpus_get(const struct asy__gpus *gpus, const char *word)
{
    char full[ASY__GPU_ID];

    snprintf(full, sizeof full, "0000:%s", word);
    for (size_t i = 0; *word && i < gpus->n; i++) {
        struct asy__gpu *gpu = &gpus->list[i];

        if (gpu->id[0] && (!strcasecmp(gpu->id, word) || !strcasecmp(gpu->uuid, word) ||
                           !strcasecmp(gpu->pci, word) || !strcasecmp(gpu->pci, full)))
            return gpu;
    }
    return NULL;
}

static void write_one(const struct asy__gpu *gpu, struct asy_jsonw *w)
{
    char by[40] = "";
    size_t n = 0;

    for (size_t k = 0; k < ASY_ARRAY_LEN(interfaces); k++)
        if (gpu->by & 1u << k)
            n += (size_t)snprintf(by + n, sizeof by - n, "%s%s", n ? ", " : "",
                                  interfaces[k].name);
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "id", gpu->id);
    asy_jsonw_str(w, "uuid", gpu->uuid);
    asy_jsonw_str(w, "pci", gpu->pci);
    if (gpu->parent[0])
        asy_jsonw_str(w, "parent", gpu->parent);
    asy_jsonw_str(w, "name", gpu->name);
    asy_jsonw_u64(w, "memory", gpu->memory);
    asy_jsonw_str(w, "driver", gpu->driver);
    asy_jsonw_str(w, "seen_by", by);
    if (gpu->mode[0])
        asy_jsonw_str(w, "mode", gpu->mode);
    if (gpu->group)
        asy_jsonw_u64(w, "numa", gpu->group - 1);
    asy_jsonw_bool(w, "offered", gpu->offered);
    asy_jsonw_str(w, "note", gpu->note);
    asy_jsonw_close(w, '}');
}

void asy__gpus_write(const struct asy__gpus *gpus, struct asy_jsonw *w)
{
    asy_jsonw_open(w, "gpus", '[');
    for (size_t i = 0; i < gpus->n; i++)
        write_one(&gpus->list[i], w);
    asy_jsonw_close(w, ']');
    for (size_t i = 0; i < ASY_ARRAY_LEN(interfaces); i++)
        asy_jsonw_str(w, interfaces[i].name, gpus->note[i]);
    asy_jsonw_str(w, "gpus_wanted", gpus->wanted_note);
}
