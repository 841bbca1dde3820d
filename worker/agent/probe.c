/* SPDX-License-Identifier: Apache-2.0
 * probe.c - which programs there are, and whether this node computes correctly.
 *
 * `assay-trainer --probe` runs its kernels against known answers and measures speed. A node whose
 * BLAS answers wrongly takes no work: the coordinator learns why and shows it. A probe that a
 * signal killed (memory was short, somebody killed what was not his) has answered nothing, and is
 * run again; one that keeps dying is an answer. So is one that was told to leave: the worker was,
 * too, most likely, and takes its signals after the probe. A node without a trainer still serves
 * command trials. ASSAY_PROGRAMS names a folder that is searched first, for tests and for build
 * trees. */
#include "impl.h"
#include <asy/log.h>
#include <asy/proc.h>
#include <asy/told.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_MS 120000
#define PROBE_TRIES 3
#define QUICK_MS 10000
#define OUTPUT_MAX (256u << 10)

static void find(const char *name, char *ret_path, size_t size)
{
    const char *folder = getenv("ASSAY_PROGRAMS");

    if (folder && *folder) {
        int n = snprintf(ret_path, size, "%s/%s", folder, name);

        if (n > 0 && (size_t)n < size && access(ret_path, X_OK) == 0)
            return;
    }
    if (asy_proc_find_program(name, ret_path, size, NULL) < 0)
        ret_path[0] = '\0';
}

/* In a build tree beside bin/, in an installed one from libexec/assay/ up. */
static void find_python(char *ret_path, size_t size)
{
    static const char *const places[] = { "../share/assay/python", "../../share/assay/python" };
    char own[2048], module[4096];

    for (size_t i = 0; i < ASY_ARRAY_LEN(places); i++) {
        if (asy_proc_self_dir(own, sizeof own, NULL) < 0)
            break;
        snprintf(ret_path, size, "%s/%s", own, places[i]);
        snprintf(module, sizeof module, "%s/%s/wandb/__init__.py", own, places[i]);
        if (access(module, R_OK) == 0)
            return;
    }
    ret_path[0] = '\0';
}

void asy__programs_find(struct asy__programs *programs)
{
    find_python(programs->python, sizeof programs->python);
    find("assay-attempt", programs->attempt, sizeof programs->attempt);
    find("assay-trainer", programs->trainer, sizeof programs->trainer);
    find("assay-worker", programs->worker, sizeof programs->worker);
    find("mpirun", programs->mpirun, sizeof programs->mpirun);
}

/* Whether a signal ended it that tells nobody to leave. */
static int was_killed(int status)
{
    sigset_t told;

    sigemptyset(&told);
    asy_told_signals(&told);
    sigaddset(&told, SIGHUP);
    return WIFSIGNALED(status) && !sigismember(&told, WTERMSIG(status));
}

/* Runs a program and takes its stdout. A status other than exit code 0 is an error: ASY_E_GONE if
 * it was killed, else ASY_E_IO. */
static int capture(const char *const *argv, int timeout_ms, struct asy_buf *ret,
                   struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status = 0, rc;
    char text[64];

    spec.argv = argv;
    spec.env_drop = asy__env_drop;
    spec.stderr_fd = null;
    spec.new_session = 1;
    spec.death_signal = SIGKILL;
    rc = asy_proc_capture(&spec, timeout_ms, ret, NULL, &status, err);
    if (rc == 0 && status != 0)
        rc = asy_fail(err, was_killed(status) ? ASY_E_GONE : ASY_E_IO, "it ended with %s",
                      asy_proc_status_text(status, text));
    if (null >= 0)
        close(null);
    return rc;
}

static void probe_launcher(struct asy__programs *programs)
{
    const char *argv[] = { programs->mpirun, "--version", NULL };
    struct asy_buf out;

    if (!programs->mpirun[0])
        return;
    asy_buf_init(&out, OUTPUT_MAX);
    if (capture(argv, QUICK_MS, &out, NULL) == 0)
        snprintf(programs->launcher, sizeof programs->launcher, "%.*s",
                 (int)strcspn(out.data, "\n"), out.data);
    asy_buf_fini(&out);
}

static void write_texts(const struct asy_json *node, struct asy_jsonw *w)
{
    const struct asy_json *value;
    const char *key;

    for (size_t i = 0; (value = asy_json_member(node, i, &key)); i++)
        if (asy_json_str(value, NULL) && strcmp(key, "selftest"))
            asy_jsonw_str(w, key, asy_json_str(value, ""));
}

/* The words of a probe (versions, kernels, launcher) as an object of their own. */
static char *versions_of(const struct asy_json *probe)
{
    struct asy_buf buf;
    struct asy_jsonw w;

    asy_buf_init(&buf, OUTPUT_MAX);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    write_texts(probe, &w);
    write_texts(asy_json_get(probe, "versions"), &w);
    asy_jsonw_close(&w, '}');
    return asy_buf_take(&buf, NULL);
}

static void judge_probe(struct asy__programs *programs, struct asy_buf *out)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    const char *selftest;

    if (asy_json_parse(out->data, out->len, &root, &err) < 0 ||
        asy_json_type(root) != ASY_JSON_OBJECT) {
        snprintf(programs->fit, sizeof programs->fit, "assay-trainer --probe: %.200s",
                 err.code ? err.text : "not an object");
        asy_json_destroy(root);
        return;
    }
    selftest = asy_json_str(asy_json_get(root, "selftest"), "no self-test");
    if (strcmp(selftest, "ok"))
        snprintf(programs->fit, sizeof programs->fit, "self-test failed: %.200s", selftest);
    programs->kernels = versions_of(root);
    programs->gflops = asy_json_f64(asy_json_get(root, "gflops"), 0);
    programs->bandwidth_gb_s = asy_json_f64(asy_json_get(root, "bandwidth_gb_s"), 0);
    while (out->len && strchr("\r\n ", out->data[out->len - 1]))
        out->len--;
    out->data[out->len] = '\0';
    programs->probe = asy_buf_take(out, NULL);
    asy_json_destroy(root);
}

static int run_probe(const struct asy__programs *programs, const char *blas,
                     struct asy_buf *ret_out, struct asy_error *err)
{
    const char *plain[] = { programs->trainer, "--probe", NULL };
    const char *by[] = { programs->trainer, "--blas", blas, "--probe", NULL };
    const char *const *argv = blas && strcmp(blas, "own") != 0 ? by : plain;
    int rc;

    for (int try = 1;; try++) {
        asy_buf_clear(ret_out); /* of what died there may be a part */
        rc = capture(argv, PROBE_MS, ret_out, err);
        if (rc != ASY_E_GONE || try == PROBE_TRIES)
            return rc;
        asy_warn("assay-trainer --probe: %s, running it again", err->text);
    }
}

void asy__programs_probe(struct asy__programs *programs, const char *blas)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf out;

    probe_launcher(programs);
    if (!programs->attempt[0])
        snprintf(programs->fit, sizeof programs->fit, "cannot find 'assay-attempt'");
    if (!programs->trainer[0]) {
        snprintf(programs->trainer_note, sizeof programs->trainer_note,
                 "cannot find 'assay-trainer', native models do not run here");
        return;
    }
    asy_buf_init(&out, OUTPUT_MAX);
    if (run_probe(programs, blas, &out, &err) == 0)
        judge_probe(programs, &out);
    else
        snprintf(programs->fit, sizeof programs->fit, "assay-trainer --probe: %.200s", err.text);
    asy_buf_fini(&out);
}

void asy__programs_fini(struct asy__programs *programs)
{
    free(programs->probe);
    free(programs->kernels);
    programs->probe = programs->kernels = NULL;
}

void asy__hardware_write(const struct asy__agent *agent, struct asy_jsonw *w)
{
    const struct asy__programs *programs = &agent->programs;

    asy_node_write(agent->node, w);
    asy__gpus_write(&agent->gpus, w);
    asy_jsonw_str(w, "launcher", programs->launcher);
    if (programs->probe)
        asy_jsonw_raw(w, "trainer", programs->probe, strlen(programs->probe));
    else
        asy_jsonw_str(w, "trainer_note", programs->trainer_note[0] ? programs->trainer_note
                                                                   : programs->fit);
}

void asy__versions_write(const struct asy__programs *programs, struct asy_jsonw *w)
{
    asy_jsonw_str(w, "hwloc", asy_node_hwloc_version());
    asy_jsonw_str(w, "zeromq", asy_channel_version());
    asy_jsonw_str(w, "pcre2", asy_study_pcre2_version());
    if (programs->launcher[0])
        asy_jsonw_str(w, "launcher", programs->launcher);
    if (programs->kernels)
        asy_jsonw_raw(w, "trainer", programs->kernels, strlen(programs->kernels));
}
