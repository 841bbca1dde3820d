/* SPDX-License-Identifier: Apache-2.0
 * assay-trainer - the native training program: a rank of a gang, or a tool on the command line. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/csv.h>
#include <asy/durable.h>
#include <asy/export.h>
#include <asy/kernels.h>
#include <asy/output.h>
#include <asy/parse.h>
#include <asy/training.h>
#include <asy/version.h>
#include "probe.h"
#include "serve.h"

#define JOB_MAX (16u << 20)

static const char help[] =
    "assay-trainer - trains the native models of Assay\n"
    "\n"
    "Started by a worker (ASSAY_SOCKET and ASSAY_TOKEN are set) it takes orders from it. By hand:\n"
    "\n"
    "  assay-trainer --run JOB.json --dir FOLDER [--resume CHECKPOINT] [--device WORD]\n"
    "        trains one job; reports and the end as JSON lines on stdout. --device: auto, cpu,\n"
    "        opencl or cuda, whatever the job says\n"
    "  assay-trainer --describe-data JOB.json\n"
    "        the job's data: rows, classes, split\n"
    "  assay-trainer --describe-plugin MINE.so\n"
    "        loads a plug-in: its hyperparameters and metrics, as JSON\n"
    "  assay-trainer --evaluate JOB.json --model MODEL --part train|validation|test\n"
    "        scores a stored model on a part of the job's data\n"
    "  assay-trainer --report MODEL|SCORES.json [--json]\n"
    "        how a stored model did on the validation part, class by class\n"
    "  assay-trainer --predict MODEL FILE.csv [--json]\n"
    "        applies a stored model to a table (-: standard input); CSV on stdout, or an object a "
    "row\n"
    "  assay-trainer --generate MODEL [--prompt TEXT] [--tokens N] [--temperature T] [--top-k K]\n"
    "                [--seed N] [--json]\n"
    "        lets a model of the family gpt go on after a prompt\n"
    "  assay-trainer --export MODEL --format onnx|c\n"
    "        a stored model as an ONNX file, or as a header in C, on stdout\n"
    "  assay-trainer --probe\n"
    "        what this node computes with, whether rightly, and how fast, as JSON\n"
    "  assay-trainer --probe-device opencl|cuda\n"
    "        the devices that models could be trained on, and whether each computes rightly\n"
    "  assay-trainer --probe-gang\n"
    "        under mpirun: whether its ranks add up a sum together; the first prints JSON\n"
    "  assay-trainer --version [--json] | --help\n"
    "\n"
    "--blas openblas before all of these, or for a worker's orders: OpenBLAS multiplies the\n"
    "matrices of networks, with one thread, in place of kernels of our own.\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n";

static int fail(const struct asy_error *err)
{
    fprintf(stderr, "assay-trainer: %s\n", err->text);
    return 1;
}

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "assay-trainer: %s%s (see assay-trainer --help)\n", what, which);
    return 2;
}

/* Where answers go: standard output, or what it was before set_answers_apart(). */
static FILE *answers;

/* What a plug-in prints is no part of an answer: its standard output is our standard error. */
static int set_answers_apart(struct asy_error *err)
{
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

    if (out < 0 || !(answers = fdopen(out, "w")) || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return asy_fail_errno(err, errno, "cannot set standard output apart");
    return 0;
}

static int print_buf(struct asy_buf *buf, const char *end)
{
    FILE *out = answers ? answers : stdout;

    fwrite(buf->data, 1, buf->len, out);
    fputs(end, out);
    asy_buf_fini(buf);
    return asy_output_end_of(out, "assay-trainer", 0);
}

/* Ranks of this gang, as the launcher says; 1 without a launcher. */
static long rank_count(void)
{
    static const char *const names[] = { "ASSAY_RANKS", "OMPI_COMM_WORLD_SIZE" };
    int64_t most = 1, n;

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
        const char *text = getenv(names[i]);

        if (text && asy_parse_i64(text, strlen(text), &n, NULL) == 0 && n > most)
            most = n;
    }
    return (long)most;
}

static int make_comm(struct asy_comm **ret_comm, struct asy_error *err)
{
    return rank_count() > 1 ? asy_comm_mpi(ret_comm, err) : asy_comm_self(ret_comm, err);
}

/* A batch system warns every process of a job. What is to be done then the agent says. */
static void leave_signals_to_the_agent(void)
{
    static const int warnings[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(warnings); i++)
        signal(warnings[i], SIG_IGN);
}

static int serve(const char *socket_path, const char *token)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *comm = NULL;
    int rc;

    leave_signals_to_the_agent();

    if ((rc = make_comm(&comm, &err)) == 0)
        rc = asy__serve(socket_path, token, comm, &err);
    asy_comm_destroy(comm);
    return rc < 0 ? fail(&err) : 0;
}

static int probe(int (*look)(const char *word, struct asy_jsonw *w, struct asy_error *err),
                 const char *word)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_jsonw w;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, 1u << 20);
    asy_jsonw_init(&w, &buf, 0);
    if ((rc = look(word, &w, &err)) < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "\n");
}

static int probe_gang(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *comm = NULL;
    int rc;

    if ((rc = make_comm(&comm, &err)) == 0 && (rc = asy__probe_gang(comm, &err)) == 0 &&
        asy_comm_rank(comm) == 0)
        printf("{\"ranks\":%d,\"sum\":\"ok\"}\n", asy_comm_size(comm));
    asy_comm_destroy(comm);
    return rc < 0 ? fail(&err) : asy_output_end("assay-trainer", 0);
}

static int version(int argc, char **argv)
{
    char mpi[256], blas[160];
    const struct asy_library libraries[] = {
        { "openblas", blas },
        { "mpi", mpi },
        { "jansson", asy_json_version() },
        { "zlib", asy_csv_zlib_version() },
        { "protobuf-c", asy_export_protobuf_version() },
    };

    asy_kernels_init();
    snprintf(blas, sizeof blas, "%s", asy_kernels_name() + strlen("openblas-"));
    asy_comm_mpi_version(mpi, sizeof mpi);
    return asy_version_main("assay-trainer", libraries, ASY_ARRAY_LEN(libraries), argc, argv);
}

static int read_job(const char *path, struct asy_json **ret_job, struct asy_error *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc;

    if ((rc = asy_read_file(path, JOB_MAX, &text, &len, err)) < 0)
        return rc;
    if ((rc = asy_json_parse(text, len, ret_job, err)) < 0)
        asy_error_prefix(err, "'%s'", path);
    free(text);
    return rc;
}

static int print_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    struct asy_jsonw w;
    struct asy_buf buf;

    (void)arg;
    asy_buf_init(&buf, 1u << 16);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "step", step);
    asy_jsonw_open(&w, "metrics", '{');
    for (size_t i = 0; i < n; i++)
        asy_jsonw_f64(&w, metrics[i].name, metrics[i].value);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    return print_buf(&buf, "\n") ? ASY_E_IO : 0;
}

static int print_checkpoint(void *arg, uint64_t step, const char *path)
{
    struct asy_jsonw w;
    struct asy_buf buf;

    (void)arg;
    asy_buf_init(&buf, 1u << 16);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "checkpoint", path);
    asy_jsonw_u64(&w, "step", step);
    asy_jsonw_close(&w, '}');
    return print_buf(&buf, "\n") ? ASY_E_IO : 0;
}

static int print_result(const struct asy_train_result *result)
{
    static const char *const names[] = { "", "complete", "paused", "stopped", "diverged" };
    struct asy_jsonw w;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 16);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "end", '{');
    asy_jsonw_str(&w, "outcome", names[result->outcome]);
    asy_jsonw_u64(&w, "step", result->step);
    asy_jsonw_f64(&w, "objective", result->objective);
    if (result->model_path[0])
        asy_jsonw_str(&w, "model", result->model_path);
    if (result->scores_path[0])
        asy_jsonw_str(&w, "scores", result->scores_path);
    asy_jsonw_str(&w, "reason", result->reason);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    return print_buf(&buf, "\n");
}

static int run(const char *job_path, const char *dir, const char *resume, const char *device)
{
    static struct asy_train_result result;
    struct asy_train_callbacks callbacks = { .report = print_report,
                                             .checkpoint = print_checkpoint };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    struct asy_json *job = NULL;
    int rc, rank = 0;

    if ((rc = set_answers_apart(&err)) == 0 && (rc = read_job(job_path, &job, &err)) == 0 &&
        (rc = make_comm(&comm, &err)) == 0 &&
        (rc = asy_trainer_create(comm, &trainer, &err)) == 0) {
        rank = asy_comm_rank(comm);
        asy_trainer_set_device(trainer, device);
        rc = asy_trainer_run(trainer, job, dir, resume, &callbacks, &result, &err);
    }
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    asy_json_destroy(job);
    if (rc < 0)
        return fail(&err);
    return rank == 0 ? print_result(&result) : 0;
}

static int describe(const char *job_path)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *job = NULL;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, JOB_MAX);
    if ((rc = read_job(job_path, &job, &err)) == 0)
        rc = asy_trainer_describe(job, &buf, &err);
    asy_json_destroy(job);
    if (rc < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "\n");
}

static int describe_plugin(const char *path)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, JOB_MAX);
    if ((rc = set_answers_apart(&err)) == 0)
        rc = asy_trainer_describe_plugin(path, &buf, &err);
    if (rc < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "\n");
}

static int evaluate(const char *job_path, const char *model, const char *part)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *job = NULL;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, JOB_MAX);
    if ((rc = set_answers_apart(&err)) == 0 && (rc = read_job(job_path, &job, &err)) == 0)
        rc = asy_trainer_evaluate(job, model, part, &buf, &err);
    asy_json_destroy(job);
    if (rc < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "\n");
}

/* A table is read twice, so what comes through a pipe is kept in a file first. */
static int keep_stdin(struct asy_error *err)
{
    char piece[65536];
    struct stat st;
    FILE *file;
    size_t n;

    if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
        return 0;
    if (!(file = tmpfile()))
        return asy_fail_errno(err, errno, "cannot make a temporary file");
    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0)
        if (fwrite(piece, 1, n, file) != n)
            break;
    if (ferror(stdin) || ferror(file) || fflush(file) != 0 ||
        dup2(fileno(file), STDIN_FILENO) < 0) {
        int rc = asy_fail_errno(err, errno, "cannot keep standard input");

        fclose(file);
        return rc;
    }
    fclose(file);
    return 0;
}

static int predict(const char *model, const char *csv, int as_json)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, SIZE_MAX / 2);
    if (!strcmp(csv, "-") && (rc = keep_stdin(&err)) < 0)
        return fail(&err);
    if ((rc = asy_trainer_predict(model, csv, as_json, &buf, &err)) < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "");
}

static int export(const char *model, const char *format_name)
{
    struct asy_error err = ASY_ERROR_INIT;
    enum asy_export_format format;
    struct asy_buf bytes;
    int rc;

    if (asy_export_format(format_name, &format, &err) < 0)
        return usage(err.text, "");
    asy_buf_init(&bytes, SIZE_MAX / 2);
    if ((rc = asy_export(model, format, asy_version_number(), &bytes, &err)) < 0)
        asy_buf_fini(&bytes);
    return rc < 0 ? fail(&err) : print_buf(&bytes, "");
}

static int report(const char *model, int as_json)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, JOB_MAX);
    if ((rc = asy_trainer_report(model, as_json, &buf, &err)) < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "");
}

/* "--name VALUE" pairs after the first two words; names: what is allowed, NULL-terminated. */
static int pairs(int argc, char **argv, const char *const *names, const char **values)
{
    for (int i = 3; i < argc; i += 2) {
        size_t n = 0;

        while (names[n] && strcmp(names[n], argv[i]) != 0)
            n++;
        if (!names[n])
            return usage("unknown option ", argv[i]);
        if (i + 1 == argc)
            return usage("a value is missing after ", argv[i]);
        values[n] = argv[i + 1];
    }
    return 0;
}

static int generate(int argc, char **argv)
{
    static const char *const names[] = { "--prompt", "--tokens", "--temperature", "--top-k",
                                         "--seed", NULL };
    const char *values[5] = { NULL };
    int as_json = argc > 3 && !strcmp(argv[argc - 1], "--json");
    struct asy_generate options = ASY_GENERATE_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t numbers[2] = { options.n, options.top };
    uint64_t *const into[] = { NULL, &numbers[0], NULL, &numbers[1], &options.seed };
    struct asy_buf buf;
    int rc;

    if (argc < 3)
        return usage("a model is missing after ", argv[1]);
    if ((rc = pairs(argc - as_json, argv, names, values)))
        return rc;
    for (size_t i = 0; i < ASY_ARRAY_LEN(into); i++)
        if (into[i] && values[i] && asy_parse_u64(values[i], strlen(values[i]), into[i], &err) < 0)
            return fail(&err);
    if (values[2] &&
        asy_parse_f64(values[2], strlen(values[2]), &options.temperature, &err) < 0)
        return fail(&err);
    options.prompt = values[0] ? values[0] : "";
    options.n = (size_t)numbers[0];
    options.top = (size_t)numbers[1];
    asy_buf_init(&buf, SIZE_MAX / 2);
    if ((rc = asy_trainer_generate(argv[2], &options, as_json, &buf, &err)) < 0)
        asy_buf_fini(&buf);
    return rc < 0 ? fail(&err) : print_buf(&buf, "");
}

static int with_job(int argc, char **argv)
{
    static const char *const run_names[] = { "--dir", "--resume", "--device", NULL };
    static const char *const score_names[] = { "--model", "--part", NULL };
    static const char *const no_names[] = { NULL };
    const char *values[3] = { NULL, NULL, NULL };
    int rc;

    if (argc < 3)
        return usage("a job is missing after ", argv[1]);
    if (!strcmp(argv[1], "--describe-data"))
        return (rc = pairs(argc, argv, no_names, values)) ? rc : describe(argv[2]);
    if (!strcmp(argv[1], "--run")) {
        if ((rc = pairs(argc, argv, run_names, values)))
            return rc;
        return values[0] ? run(argv[2], values[0], values[1], values[2])
                         : usage("--dir is missing", "");
    }
    if ((rc = pairs(argc, argv, score_names, values)))
        return rc;
    if (!values[0] || !values[1])
        return usage("--model and --part are needed", "");
    return evaluate(argv[2], values[0], values[1]);
}

/* "--blas WORD" before anything else, which it takes off. */
static int take_blas(int *argc, char ***argv)
{
    char **words = *argv;

    if (*argc < 2 || strcmp(words[1], "--blas") != 0)
        return 0;
    if (*argc < 3 || (strcmp(words[2], "own") != 0 && strcmp(words[2], "openblas") != 0))
        return usage("--blas own|openblas", "");
    if (!strcmp(words[2], "openblas"))
        asy_kernels_set_products(ASY_PRODUCTS_BLAS);
    words[2] = words[0];
    *argv += 2;
    *argc -= 2;
    return 0;
}

int main(int argc, char **argv)
{
    const char *socket_path = getenv("ASSAY_SOCKET"), *token = getenv("ASSAY_TOKEN");
    int rc = take_blas(&argc, &argv);
    const char *mode = argc > 1 ? argv[1] : "";

    if (rc)
        return rc;
    asy_kernels_flush_denormals();
    if (argc == 1 && socket_path && token)
        return serve(socket_path, token);
    if (argc == 1)
        return usage("nothing to do: ASSAY_SOCKET and ASSAY_TOKEN are not set", "");
    if (!strcmp(mode, "--help")) {
        fputs(help, stdout);
        return asy_output_end("assay-trainer", 0);
    }
    if (!strcmp(mode, "--version"))
        return version(argc, argv);
    if (!strcmp(mode, "--probe"))
        return argc == 2 ? probe(asy__probe_node, NULL) : usage("unknown option ", argv[2]);
    if (!strcmp(mode, "--probe-device"))
        return argc == 3 && (!strcmp(argv[2], "opencl") || !strcmp(argv[2], "cuda"))
                   ? probe(asy__probe_device, argv[2])
                   : usage("--probe-device opencl|cuda", "");
    if (!strcmp(mode, "--probe-gang"))
        return argc == 2 ? probe_gang() : usage("unknown option ", argv[2]);
    if (!strcmp(mode, "--describe-plugin"))
        return argc == 3 ? describe_plugin(argv[2]) : usage("--describe-plugin MINE.so", "");
    if (!strcmp(mode, "--predict"))
        return argc == 4 || (argc == 5 && !strcmp(argv[4], "--json"))
                   ? predict(argv[2], argv[3], argc == 5)
                   : usage("--predict MODEL FILE.csv [--json]", "");
    if (!strcmp(mode, "--export"))
        return argc == 5 && !strcmp(argv[3], "--format")
                   ? export(argv[2], argv[4])
                   : usage("--export MODEL --format onnx|c", "");
    if (!strcmp(mode, "--generate"))
        return generate(argc, argv);
    if (!strcmp(mode, "--report"))
        return argc == 3 || (argc == 4 && !strcmp(argv[3], "--json"))
                   ? report(argv[2], argc == 4)
                   : usage("--report MODEL|SCORES.json [--json]", "");
    if (!strcmp(mode, "--run") || !strcmp(mode, "--describe-data") || !strcmp(mode, "--evaluate"))
        return with_job(argc, argv);
    return usage("unknown option ", mode);
}
