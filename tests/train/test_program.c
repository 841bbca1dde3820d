/* SPDX-License-Identifier: Apache-2.0
 * assay-trainer as a process: under an agent (this test plays it, over a real socket), and on the
 * command line. */
#include "trainkit.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <asy/gang.h>
#include <asy/proc.h>
#include <asy/rng.h>

#define TRAINER ASY_BINARY_DIR "/assay-trainer"

struct agent {
    char dir[64], job_dir[96], logs[96], kept[96];
    int listener;
    struct sockaddr_un addr;
    struct asy_proc proc;
    struct asy_line *line;
    struct asy_json *last; /* the line that expect() read */
};

static bool open_agent(struct agent *a)
{
    memset(a, 0, sizeof *a);
    a->proc = (struct asy_proc)ASY_PROC_INIT;
    if (!T_TRUE(kit_dir(a->dir) != NULL))
        return false;
    snprintf(a->job_dir, sizeof a->job_dir, "%s/job", a->dir);
    snprintf(a->logs, sizeof a->logs, "%s/logs", a->dir);
    snprintf(a->kept, sizeof a->kept, "%s/kept", a->dir);
    a->addr.sun_family = AF_UNIX;
    snprintf(a->addr.sun_path, sizeof a->addr.sun_path, "%s/agent", a->dir);
    a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return T_EQ("mkdir", mkdir(a->job_dir, 0700) | mkdir(a->logs, 0700), 0) &&
           T_EQ("bind", bind(a->listener, (const struct sockaddr *)&a->addr, sizeof a->addr), 0) &&
           T_EQ("listen", listen(a->listener, 4), 0);
}

/* A rank, joined; more: one environment entry. */
static bool start_rank(struct agent *a, const char *more)
{
    static const char *const argv[] = { TRAINER, NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    char where[160];
    const char *env[] = { where, "ASSAY_TOKEN=00ff", more, NULL };

    snprintf(where, sizeof where, "ASSAY_SOCKET=%s", a->addr.sun_path);
    spec.argv = argv;
    spec.env_set = env;
    spec.death_signal = SIGKILL;
    return T_OK(asy_proc_start(&spec, &a->proc, &err), &err) &&
           T_OK(asy_line_create(accept4(a->listener, NULL, NULL, SOCK_CLOEXEC), &a->line, &err),
                &err);
}

static void end_rank(struct agent *a, int signum, int *ret_status)
{
    struct asy_error err = ASY_ERROR_INIT;
    int status = 0;

    if (signum)
        asy_proc_signal(&a->proc, signum);
    T_OK(asy_proc_wait(&a->proc, -1, &status, &err), &err);
    asy_proc_close(&a->proc);
    asy_line_destroy(a->line);
    a->line = NULL;
    if (ret_status)
        *ret_status = status;
}

static void close_agent(struct agent *a)
{
    asy_json_destroy(a->last);
    asy_line_destroy(a->line);
    close(a->listener);
    kit_rmdir(a->dir);
}

/* The next line of the rank, in a->last; NULL: it is gone. */
static const struct asy_json *next_line(struct agent *a)
{
    struct asy_error err = ASY_ERROR_INIT;
    const char *text;
    size_t len = 0;

    asy_json_destroy(a->last);
    a->last = NULL;
    while (!(text = asy_line_next(a->line, &len))) {
        struct pollfd fd = { asy_line_fd(a->line), POLLIN, 0 };

        poll(&fd, 1, -1);
        if (asy_line_fill(a->line, &err) < 0)
            return NULL;
    }
    T_OK(asy_json_parse(text, len, &a->last, &err), &err);
    return a->last;
}

static void tell(struct agent *a, const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_line_send(a->line, text, strlen(text), &err), &err);
}

static void order(struct agent *a, const char *data, int max, const char *params, const char *rest,
                  const char *resume)
{
    struct asy_buf text;

    asy_buf_init(&text, 1u << 16);
    asy_buf_addf(&text,
                 "{\"do\":\"run\",\"job\":{\"study\":{\"name\":\"t\",\"run\":{\"model\":\"mlp\","
                 "\"length\":{\"unit\":\"epochs\",\"max\":%d}},\"data\":{\"file\":\"%s\"},"
                 "\"objective\":[{\"metric\":\"val_accuracy\",\"goal\":\"maximize\",\"take\":"
                 "\"best\"}]},\"params\":{%s},\"seed\":5,\"number\":1%s},\"dir\":\"%s\","
                 "\"logs\":\"%s\",\"resume\":%s%s%s}",
                 max, data, params, rest, a->job_dir, a->logs, resume ? "\"" : "",
                 resume ? resume : "null", resume ? "\"" : "");
    tell(a, text.data);
    asy_buf_fini(&text);
}

/* Answers reports and takes checkpoints until the end line, or until n reports came (0: no limit).
 * Returns the reports seen. */
static int follow(struct agent *a, int n)
{
    const struct asy_json *line;
    int reports = 0;

    while ((line = next_line(a)) && !asy_json_get(line, "end")) {
        const char *checkpoint = asy_json_str(asy_json_get(line, "checkpoint"), NULL);

        if (checkpoint) {
            char path[256];

            snprintf(path, sizeof path, "%s/%s", a->job_dir, checkpoint);
            T_EQ("take", rename(path, a->kept), 0);
        } else {
            T_TRUE(asy_json_get(line, "metrics") != NULL);
            reports++;
        }
        tell(a, "{\"do\":\"continue\",\"durable\":0}");
        if (n && checkpoint && reports >= n)
            break;
    }
    return reports;
}

static const struct asy_json *end_of(const struct agent *a, const char *key)
{
    return asy_json_get(asy_json_get(a->last, "end"), key);
}

static void a_rank_greets_trains_and_waits_again(void)
{
    struct agent a;
    const struct asy_json *line;
    struct asy_error err = ASY_ERROR_INIT;
    char path[160], *text = NULL;
    size_t n = 0;
    int status = -1;

    if (!open_agent(&a) || !start_rank(&a, NULL))
        goto out;
    line = next_line(&a);
    T_STR("token", asy_json_str(asy_json_get(asy_json_get(line, "hello"), "token"), NULL), "00ff");
    T_EQ("pid", asy_json_i64(asy_json_get(asy_json_get(line, "hello"), "pid"), 0), a.proc.pid);
    for (int round = 0; round < 2; round++) {
        order(&a, KIT_DIGITS, 3, "\"hidden\":16", "", NULL);
        T_EQ("reports", follow(&a, 0), 3);
        T_STR("outcome", asy_json_str(end_of(&a, "outcome"), NULL), "complete");
        T_EQ("step", asy_json_i64(end_of(&a, "step"), 0), 3);
        snprintf(path, sizeof path, "%s/model.safetensors", a.job_dir);
        T_STR("model", asy_json_str(end_of(&a, "model"), NULL), path);
    }
    snprintf(path, sizeof path, "%s/stdout", a.logs);
    if (T_OK(asy_read_file(path, 1u << 20, &text, &n, &err), &err))
        T_HAS("log", text, "epoch 3:");
    free(text);
    tell(&a, "{\"do\":\"exit\"}");
    end_rank(&a, 0, &status);
    T_EQ("exit code", status, 0);
out:
    close_agent(&a);
}

static void a_wrong_order_fails_and_the_rank_lives(void)
{
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        { "no study", "{\"do\":\"run\",\"job\":{},\"dir\":\"/tmp\"}", "has no study" },
        { "no folder", "{\"do\":\"run\",\"job\":{}}", "names no folder" },
        { "no logs", "{\"do\":\"run\",\"job\":{},\"dir\":\"/tmp\",\"logs\":\"/dev/null\"}",
          "/dev/null/stdout" },
    };
    struct agent a;

    if (!open_agent(&a) || !start_rank(&a, NULL))
        goto out;
    next_line(&a);
    tell(&a, "not JSON");
    tell(&a, "{\"do\":\"stop\"}"); /* nothing runs: ignored */
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        tell(&a, cases[i].text);
        next_line(&a);
        T_STR(cases[i].name, asy_json_str(end_of(&a, "outcome"), NULL), "failed");
        T_HAS(cases[i].name, asy_json_str(end_of(&a, "reason"), NULL), cases[i].says);
    }
    order(&a, KIT_DIGITS, 1, "\"hidden\":16", "", NULL);
    T_EQ("reports", follow(&a, 0), 1);
    T_STR("outcome", asy_json_str(end_of(&a, "outcome"), NULL), "complete");
    tell(&a, "{\"do\":\"exit\"}");
    end_rank(&a, 0, NULL);
out:
    close_agent(&a);
}

static void pauses_and_stops_are_obeyed(void)
{
    static const struct {
        const char *verb, *outcome;
    } cases[] = { { "{\"do\":\"pause\"}", "paused" }, { "{\"do\":\"stop\"}", "stopped" } };
    struct agent a;

    if (!open_agent(&a) || !start_rank(&a, NULL))
        goto out;
    next_line(&a);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        order(&a, KIT_DIGITS, 1000000, "\"hidden\":16", "", NULL);
        next_line(&a); /* the first report */
        tell(&a, "{\"do\":\"continue\",\"durable\":0}");
        tell(&a, cases[i].verb);
        follow(&a, 0);
        T_STR(cases[i].verb, asy_json_str(end_of(&a, "outcome"), NULL), cases[i].outcome);
    }
    T_EQ("a checkpoint came", access(a.kept, R_OK), 0);
    tell(&a, "{\"do\":\"exit\"}");
    end_rank(&a, 0, NULL);
out:
    close_agent(&a);
}

static void a_refused_checkpoint_fails_the_job(void)
{
    struct agent a;

    if (!open_agent(&a) || !start_rank(&a, NULL))
        goto out;
    next_line(&a);
    order(&a, KIT_DIGITS, 5, "\"hidden\":16", ",\"until\":1", NULL);
    next_line(&a);
    tell(&a, "{\"do\":\"continue\",\"durable\":0}");
    next_line(&a);
    tell(&a, "{\"error\":\"no space\"}");
    next_line(&a);
    T_STR("outcome", asy_json_str(end_of(&a, "outcome"), NULL), "failed");
    T_HAS("reason", asy_json_str(end_of(&a, "reason"), NULL), "checkpoint was not taken");
    tell(&a, "{\"do\":\"exit\"}");
    end_rank(&a, 0, NULL);
out:
    close_agent(&a);
}

/* A stop that comes instead of the answer to a checkpoint ends the wait for it. */
static void a_stop_ends_the_wait_for_an_answer(void)
{
    struct agent a;

    if (!open_agent(&a) || !start_rank(&a, NULL))
        goto out;
    next_line(&a);
    order(&a, KIT_DIGITS, 1000000, "\"hidden\":16", ",\"checkpoint_s\":0", NULL);
    next_line(&a);
    next_line(&a);
    T_TRUE(asy_json_get(a.last, "checkpoint") != NULL);
    tell(&a, "{\"do\":\"stop\"}");
    next_line(&a);
    T_STR("outcome", asy_json_str(end_of(&a, "outcome"), NULL), "stopped");
    order(&a, KIT_DIGITS, 2, "\"hidden\":16", ",\"checkpoint_s\":0", NULL);
    T_EQ("next job", follow(&a, 0), 2);
    T_STR("outcome", asy_json_str(end_of(&a, "outcome"), NULL), "complete");
    tell(&a, "{\"do\":\"exit\"}");
    end_rank(&a, 0, NULL);
out:
    close_agent(&a);
}

static void the_agents_death_ends_the_rank(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct agent a;
    int status = -1;

    for (int busy = 0; busy < 2; busy++) {
        if (!open_agent(&a) || !start_rank(&a, NULL)) {
            close_agent(&a);
            return;
        }
        next_line(&a);
        if (busy) {
            order(&a, KIT_DIGITS, 1000000, "\"hidden\":16", "", NULL);
            next_line(&a);
        }
        asy_line_destroy(a.line);
        a.line = NULL;
        T_OK(asy_proc_wait(&a.proc, -1, &status, &err), &err);
        T_EQ("exit code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, busy);
        asy_proc_close(&a.proc);
        close_agent(&a);
    }
}

#define LONG_RUN "\"hidden\":64,\"batch_size\":4,\"patience\":5,\"lr\":0.001"
/* Killed by SIGKILL wherever it stands in the epoch after a seeded checkpoint; another process goes
 * on from there. */
static void a_killed_rank_is_resumed_with_the_same_bits(void)
{
    char model[160], straight[160];
    struct asy_rng rng;
    struct agent a;
    int64_t epochs;

    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    if (!open_agent(&a) || !start_rank(&a, NULL))
        goto out;
    snprintf(model, sizeof model, "%s/model.safetensors", a.job_dir);
    snprintf(straight, sizeof straight, "%s/straight", a.dir);
    next_line(&a);
    order(&a, KIT_DIGITS, 40, LONG_RUN, ",\"checkpoint_s\":0", NULL);
    follow(&a, 0);
    epochs = asy_json_i64(end_of(&a, "step"), 0);
    T_TRUE(epochs > 6);
    T_EQ("keep", rename(model, straight), 0);
    end_rank(&a, SIGKILL, NULL);
    for (int round = 0; round < 3; round++) {
        int upto = 1 + (int)asy_rng_below(&rng, (uint64_t)epochs - 2);

        if (!start_rank(&a, NULL))
            goto out;
        next_line(&a);
        order(&a, KIT_DIGITS, 40, LONG_RUN, ",\"checkpoint_s\":0", NULL);
        T_EQ("reports", follow(&a, upto), upto);
        end_rank(&a, SIGKILL, NULL);
        if (!start_rank(&a, NULL))
            goto out;
        next_line(&a);
        order(&a, KIT_DIGITS, 40, LONG_RUN, ",\"checkpoint_s\":0", a.kept);
        T_EQ("the rest", follow(&a, 0), epochs - upto);
        T_EQ("epochs", asy_json_i64(end_of(&a, "step"), 0), epochs);
        kit_same("after a kill", model, straight);
        end_rank(&a, SIGKILL, NULL);
    }
out:
    close_agent(&a);
}

/* One rank never starts MPI: with a library preloaded that ends the process at MPI_Init it trains;
 * two ranks would end there. */
static void one_rank_starts_no_mpi(void)
{
    struct agent a;
    int status = -1;

    if (!open_agent(&a) || !start_rank(&a, "LD_PRELOAD=" ASY_NOMPI))
        goto out;
    next_line(&a);
    order(&a, KIT_DIGITS, 2, "\"hidden\":16", "", NULL);
    T_EQ("reports", follow(&a, 0), 2);
    tell(&a, "{\"do\":\"exit\"}");
    end_rank(&a, 0, &status);
    T_EQ("exit code", status, 0);
out:
    close_agent(&a);
}

/* Runs the program with its output in out (stdout) and err (stderr); returns its exit code. */
static int run_program(const char *dir, const char *const *argv, const char *const *env,
                       char **ret_out, char **ret_err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_proc proc = ASY_PROC_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    char out[96], errors[96];
    int status = -1;
    size_t n;

    snprintf(out, sizeof out, "%s/out", dir);
    snprintf(errors, sizeof errors, "%s/err", dir);
    spec.argv = argv;
    spec.env_set = env;
    spec.stdout_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    spec.stderr_fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (T_OK(asy_proc_start(&spec, &proc, &err), &err))
        T_OK(asy_proc_wait(&proc, -1, &status, &err), &err);
    asy_proc_close(&proc);
    close(spec.stdout_fd);
    close(spec.stderr_fd);
    T_OK(asy_read_file(out, 1u << 20, ret_out, &n, &err), &err);
    T_OK(asy_read_file(errors, 1u << 20, ret_err, &n, &err), &err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_command_line_answers(void)
{
    static char job[96], model[96], dir[64], few[96], piped[400], redirected[400];
    static const struct {
        const char *name, *argv[9];
        int code;
        const char *out, *err;
    } cases[] = {
        { "nothing", { TRAINER }, 2, "", "nothing to do" },
        { "help", { TRAINER, "--help" }, 0, "Exit codes", "" },
        { "version", { TRAINER, "--version" }, 0, "assay-trainer ", "" },
        { "unknown", { TRAINER, "--tarin" }, 2, "", "unknown option --tarin" },
        { "openblas", { TRAINER, "--blas", "openblas", "--probe" }, 0, ", gemm openblas, ", "" },
        { "own", { TRAINER, "--blas", "own", "--version" }, 0, "assay-trainer ", "" },
        { "no such BLAS", { TRAINER, "--blas", "mkl", "--probe" }, 2, "", "--blas own|openblas" },
        { "no BLAS", { TRAINER, "--blas" }, 2, "", "--blas own|openblas" },
        { "describe", { TRAINER, "--describe-data", job }, 0, "\"rows\":1797,", "" },
        { "no job", { TRAINER, "--run" }, 2, "", "a job is missing" },
        { "no folder", { TRAINER, "--run", job }, 2, "", "--dir is missing" },
        { "run", { TRAINER, "--run", job, "--dir", dir }, 0, "\"outcome\":\"complete\"", "" },
        { "evaluate",
          { TRAINER, "--evaluate", job, "--model", model, "--part", "test" },
          0,
          "\"test_accuracy\":",
          "" },
        { "no part", { TRAINER, "--evaluate", job, "--model", model }, 2, "", "--part" },
        { "predict",
          { TRAINER, "--predict", model, few },
          0,
          "prediction,0,1,2,3,4,5,6,7,8,9\n0,",
          "" },
        { "predict as JSON",
          { TRAINER, "--predict", model, few, "--json" },
          0,
          "{\"prediction\":\"0\",\"probabilities\":{\"0\":",
          "" },
        { "predict as what", { TRAINER, "--predict", model, few, "--xml" }, 2, "", "[--json]" },
        { "predict what comes through a pipe",
          { "/bin/sh", "-c", piped },
          0,
          "prediction,0,1,2,3,4,5,6,7,8,9\n0,",
          "" },
        { "predict standard input",
          { "/bin/sh", "-c", redirected },
          0,
          "prediction,0,1,2,3,4,5,6,7,8,9\n0,",
          "" },
        { "predict nothing",
          { "/bin/sh", "-c", TRAINER " --predict \"$0\" - </dev/null", model },
          1,
          "",
          "'-' has no rows" },
        { "no model", { TRAINER, "--predict", job, few }, 1, "", "safetensors" },
        { "no file", { TRAINER, "--run", "/nowhere.json", "--dir", dir }, 1, "", "/nowhere.json" },
        { "mpi would start", { TRAINER, "--run", job, "--dir", dir }, 77, "", "" },
    };
    static const char first[] =
        "0,0,5,13,9,1,0,0,0,0,13,15,10,15,5,0,0,3,15,2,0,11,8,0,0,4,12,0,0,8,8,0,0,5,8,0,0,9,8,0,0,"
        "4,11,0,1,12,7,0,0,2,14,5,10,12,0,0,0,0,6,13,10,0,0,0\n";
    static const char *const env_two[] = { "ASSAY_RANKS=2", "LD_PRELOAD=" ASY_NOMPI, NULL };
    static const char *const env_one[] = { "LD_PRELOAD=" ASY_NOMPI, NULL };
    struct asy_buf text;

    asy_buf_init(&text, 1u << 16);
    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(job, sizeof job, "%s/job.json", dir);
    snprintf(model, sizeof model, "%s/model.safetensors", dir);
    snprintf(few, sizeof few, "%s/few.csv", dir);
    snprintf(piped, sizeof piped, "cat %s | " TRAINER " --predict %s -", few, model);
    snprintf(redirected, sizeof redirected, TRAINER " --predict %s - <%s", model, few);
    asy_buf_addf(
        &text,
        "{\"study\":{\"run\":{\"model\":\"mlp\",\"length\":{\"max\":5}},\"data\":"
        "{\"file\":\"%s\"},\"objective\":{\"metric\":\"val_loss\",\"goal\":\"minimize\"}}}",
        KIT_DIGITS);
    kit_write(job, text.data, text.len);
    kit_write(few, first, sizeof first - 1);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char *out = NULL, *err = NULL;
        int code = run_program(dir, cases[i].argv, cases[i].code == 77 ? env_two : env_one, &out,
                               &err);

        T_EQ(cases[i].name, code, cases[i].code);
        T_HAS(cases[i].name, out, cases[i].out);
        T_HAS(cases[i].name, err, cases[i].err);
        free(out);
        free(err);
    }
    asy_buf_fini(&text);
    kit_rmdir(dir);
}

static void the_probe_tells_what_is_here(void)
{
    static const char *const argv[] = { TRAINER, "--probe", NULL };
    struct asy_error error = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    char dir[64], *out = NULL, *err = NULL;

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    T_EQ("code", run_program(dir, argv, NULL, &out, &err), 0);
    if (T_OK(asy_json_parse(out, strlen(out), &root, &error), &error)) {
        T_HAS("kernels", asy_json_str(asy_json_get(root, "kernels"), ""), "openblas");
        T_STR("selftest", asy_json_str(asy_json_get(root, "selftest"), ""), "ok");
        T_HAS("mpi", asy_json_str(asy_json_get(root, "mpi"), ""), "MPI");
        T_TRUE(asy_json_f64(asy_json_get(root, "gflops"), 0) > 0);
        T_TRUE(asy_json_f64(asy_json_get(root, "bandwidth_gb_s"), 0) > 0);
    }
    asy_json_destroy(root);
    free(out);
    free(err);
    kit_rmdir(dir);
}

T_MAIN("program", T_TEST(a_rank_greets_trains_and_waits_again),
       T_TEST(a_wrong_order_fails_and_the_rank_lives), T_TEST(pauses_and_stops_are_obeyed),
       T_TEST(a_refused_checkpoint_fails_the_job), T_TEST(a_stop_ends_the_wait_for_an_answer),
       T_TEST(the_agents_death_ends_the_rank),
       T_TEST(a_killed_rank_is_resumed_with_the_same_bits), T_TEST(one_rank_starts_no_mpi),
       T_TEST(the_command_line_answers), T_TEST(the_probe_tells_what_is_here))
