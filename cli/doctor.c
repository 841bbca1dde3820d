/* SPDX-License-Identifier: Apache-2.0
 * doctor.c - `assay doctor`: looks at this machine and this home, says for each check what is so
 * and what to do about it. The command line links none of the libraries in question: the
 * coordinator, the worker and the trainer are asked (--version, --probe) and answer for theirs.
 *
 * It starts no coordinator, makes no key and leaves no file: it works while a coordinator runs,
 * before there ever was one, and on a full disk. */
#include "doctor.h"
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <asy/parse.h>
#include <asy/version.h>

#define PROBE_MS 120000
#define TEXT_MAX (64u << 10)

/* What a check has to be told by other programs. */
enum need {
    PROGRAMS = 1u << 0, /* their --version */
    COORDINATOR = 1u << 1 | PROGRAMS,
    WORKER = 1u << 2 | PROGRAMS,
    TRAINER = 1u << 3 | PROGRAMS,
};

static const struct check {
    const char *name;
    const char *about;
    asy__check_f run;
    unsigned needs;
} checks[] = {
    { "programs", "the programs of this installation are there and may be run", asy__check_programs,
      PROGRAMS },
    { "libraries", "each program starts: its shared libraries are found", asy__check_libraries,
      PROGRAMS },
    { "versions", "all programs are of one version and commit", asy__check_versions, PROGRAMS },
    { "mpi", "mpirun starts two ranks as this user, and their sum is right", asy__check_mpi,
      WORKER },
    { "blas", "matrix products are right", asy__check_blas, TRAINER },
    { "speed", "matrix products and memory are as fast as such a core should be", asy__check_speed,
      TRAINER },
    { "cores", "the cores that trials may use", asy__check_cores, WORKER },
    { "cpu-quota", "no cgroup holds back CPU time", asy__check_cpu_quota, WORKER },
    { "memory", "the memory that trials may use", asy__check_memory, WORKER },
    { "gpus", "the GPUs that a worker offers; each driver answers", asy__check_gpus, WORKER },
    { "devices", "what models could be trained on beside the cpu computes rightly",
      asy__check_devices, PROGRAMS },
    { "cgroup", "cgroups are delegated: trials can be limited and ended whole", asy__check_cgroup,
      WORKER },
    { "kernel", "the kernel has what Assay calls", asy__check_kernel, 0 },
    { "clock", "the clock is neither behind this build nor behind the home's files",
      asy__check_clock, 0 },
    { "sockets", "programs of trials can reach their worker over a Unix socket", asy__check_sockets,
      WORKER },
    { "shm", "/dev/shm has room for what ranks hand each other", asy__check_shm, WORKER },
    { "tmpdir", "temporary files can be made", asy__check_tmpdir, 0 },
    { "open-files", "enough files may be open at once", asy__check_open_files, 0 },
    { "processes", "enough processes may be started", asy__check_processes, 0 },
    { "limits", "no limit on CPU time, file size or address space cuts off what runs",
      asy__check_limits, 0 },
    { "environment", "no variable changes what trials do", asy__check_environment, 0 },
    { "home", "$ASSAY_HOME is there or can be made, and belongs to this user alone",
      asy__check_home, 0 },
    { "space", "the disk below the home has room", asy__check_space, 0 },
    { "file-system", "the home is on a disk of this machine", asy__check_file_system, COORDINATOR },
    { "commit-time", "how long it takes until something is on disk", asy__check_commit_time, 0 },
    { "noexec", "files in the home may be run", asy__check_noexec, 0 },
    { "keys", "keys are whole, and nobody else can read them", asy__check_keys, 0 },
    { "config", "config.yaml and the ASY_ variables are valid", asy__check_config, 0 },
    { "discovery", "the file that leads to the coordinator is whole and of a living one",
      asy__check_discovery, 0 },
    { "coordinator", "the coordinator answers and is of this version", asy__check_coordinator, 0 },
    { "addresses", "the coordinator's addresses, or those of --coordinator FILE, can be reached",
      asy__check_addresses, 0 },
    { "store", "the store can be read, and nobody holds it who should not", asy__check_store,
      COORDINATOR },
    { "port", "the coordinator's port is free, or its own", asy__check_port, COORDINATOR },
    { "leftovers", "nothing is left of workers that are gone", asy__check_leftovers, 0 },
};
static const char *const verdicts[] = { "ok", "warning", "broken" };

/* ---- what checks say ----------------------------------------------------------------------- */

ASY_PRINTF(2, 0) static void append(struct asy_buf *buf, const char *fmt, va_list args)
{
    if (buf->len)
        asy_buf_adds(buf, "; ");
    asy_buf_vaddf(buf, fmt, args);
}

#define SAY(name, weight)                                                                          \
    void name(struct asy__finding *finding, const char *fmt, ...)                                  \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, fmt);                                                                       \
        append(&finding->found, fmt, args);                                                        \
        va_end(args);                                                                              \
        if (finding->verdict < (weight))                                                           \
            finding->verdict = (weight);                                                           \
    }
SAY(asy__ok, ASY__OK)
SAY(asy__warn, ASY__WARNING)
SAY(asy__broken, ASY__BROKEN)

void asy__remedy(struct asy__finding *finding, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append(&finding->remedy, fmt, args);
    va_end(args);
}

const struct asy_json *asy__probed(const struct asy__probe *probe, const char *program,
                                   struct asy__finding *finding)
{
    if (!probe->root) {
        asy__warn(finding, "not checked, since '%s --probe' failed: %s", program, probe->why.text);
        asy__remedy(finding, "mend what 'programs' and 'libraries' say first");
    }
    return probe->root;
}

/* ---- gathering ----------------------------------------------------------------------------- */

static void find_ground(struct asy__machine *machine)
{
    char *slash;

    snprintf(machine->ground, sizeof machine->ground, "%s", machine->home);
    machine->home_exists = access(machine->home, F_OK) == 0;
    while (access(machine->ground, F_OK) < 0 && (slash = strrchr(machine->ground, '/')))
        slash[slash == machine->ground] = 0; /* down to "/" */
}

static void probe(const struct asy__machine *machine, const char *name, const char *const *args,
                  struct asy__probe *ret)
{
    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        const struct asy__program *program = &machine->programs[i];

        if (strcmp(program->name, name))
            continue;
        if (!program->about)
            ret->why = program->why;
        else if (asy__program_json(program->path, args, PROBE_MS, &ret->root, &ret->why) < 0)
            ret->root = NULL;
    }
}

static void gather(const struct asy__options *options, unsigned needs, struct asy__machine *machine)
{
    const char *const alone[] = { "--probe", NULL };
    const char *const with_home[] = { "--probe", "--home", options->home, NULL };
    char path[4200];

    *machine = (struct asy__machine){ .home = options->home,
                                      .coordinator_file = options->coordinator };
    find_ground(machine);
    if (needs & PROGRAMS)
        asy__programs_ask(machine->programs);
    if ((needs & COORDINATOR) == COORDINATOR)
        probe(machine, "assay-coordinator", with_home, &machine->coordinator);
    if ((needs & WORKER) == WORKER)
        probe(machine, "assay-worker", with_home, &machine->worker);
    if ((needs & TRAINER) == TRAINER)
        probe(machine, "assay-trainer", alone, &machine->trainer);
    snprintf(path, sizeof path, "%s/coordinator.json", machine->home);
    machine->discovery_code =
        asy_discovery_read(path, &machine->discovery, &machine->discovery_why);
    machine->discovery_stale =
        machine->discovery_code == 0 && asy_discovery_stale(&machine->discovery);
}

static void let_go(struct asy__machine *machine)
{
    asy_json_destroy(machine->coordinator.root);
    asy_json_destroy(machine->worker.root);
    asy_json_destroy(machine->trainer.root);
    asy__programs_fini(machine->programs);
}

/* ---- printing ------------------------------------------------------------------------------ */

static void put_finding(const struct check *check, const struct asy__finding *finding)
{
    struct asy_buf text = { 0 };

    asy_buf_init(&text, 3 * TEXT_MAX);
    asy_buf_addf(&text, "%-8s %-12s %s\n", verdicts[finding->verdict], check->name,
                 finding->found.data);
    if (finding->remedy.len)
        asy_buf_addf(&text, "%-8s %-12s -> %s\n", "", "", finding->remedy.data);
    asy__print_lines(stdout, text.data, 22);
    asy_buf_fini(&text);
}

static void write_finding(const struct check *check, const struct asy__finding *finding,
                          struct asy_jsonw *w)
{
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", check->name);
    asy_jsonw_str(w, "about", check->about);
    asy_jsonw_str(w, "verdict", verdicts[finding->verdict]);
    asy_jsonw_str(w, "found", finding->found.data);
    asy_jsonw_str(w, "remedy", finding->remedy.len ? finding->remedy.data : NULL);
    asy_jsonw_close(w, '}');
}

static void list_checks(const struct asy__options *options, struct asy_jsonw *w)
{
    asy_jsonw_open(w, "checks", '[');
    for (size_t i = 0; i < ASY_ARRAY_LEN(checks); i++) {
        if (!options->json)
            printf("%-12s %s\n", checks[i].name, checks[i].about);
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "name", checks[i].name);
        asy_jsonw_str(w, "about", checks[i].about);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

static void run_check(const struct check *check, const struct asy__machine *machine,
                      const struct asy__options *options, struct asy_jsonw *w, int *counts)
{
    struct asy__finding finding = { .verdict = ASY__OK };

    asy_buf_init(&finding.found, TEXT_MAX);
    asy_buf_init(&finding.remedy, TEXT_MAX);
    check->run(machine, &finding);
    ASY_ASSERT((finding.verdict == ASY__OK) == (finding.remedy.len == 0) && finding.found.len,
               "check '%s' says '%s' and '%s'", check->name, finding.found.data,
               finding.remedy.data);
    counts[finding.verdict]++;
    write_finding(check, &finding, w);
    if (!options->json)
        put_finding(check, &finding);
    asy_buf_fini(&finding.remedy);
    asy_buf_fini(&finding.found);
}

/* Runs the checks that are named, or all; prints as it goes, or writes. */
static void run_checks(const struct asy__options *options, const char *named, struct asy_jsonw *w,
                       int counts[ASY_ARRAY_LEN(verdicts)])
{
    static struct asy__machine machine; /* large */
    unsigned needs = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(checks); i++)
        needs |= named[i] ? checks[i].needs : 0;
    gather(options, needs, &machine);
    asy_jsonw_str(w, "version", asy_version_number());
    asy_jsonw_str(w, "commit", asy_version_commit());
    asy_jsonw_str(w, "home", machine.home);
    asy_jsonw_open(w, "checks", '[');
    for (size_t i = 0; i < ASY_ARRAY_LEN(checks); i++)
        if (named[i])
            run_check(&checks[i], &machine, options, w, counts);
    asy_jsonw_close(w, ']');
    let_go(&machine);
}

static void sum_up(const struct asy__options *options, const int *counts, struct asy_jsonw *w)
{
    enum asy__verdict worst = counts[ASY__BROKEN]    ? ASY__BROKEN
                              : counts[ASY__WARNING] ? ASY__WARNING
                                                     : ASY__OK;

    asy_jsonw_str(w, "verdict", verdicts[worst]);
    for (size_t i = 0; i < ASY_ARRAY_LEN(verdicts); i++)
        asy_jsonw_i64(w, verdicts[i], counts[i]);
    if (!options->json)
        printf("\n%d ok, %d to look at, %d broken (%s)\n", counts[ASY__OK], counts[ASY__WARNING],
               counts[ASY__BROKEN], options->home);
}

/* Marks the checks that the words name; all of them if there is no word. */
static int choose(const struct asy__options *options, char named[ASY_ARRAY_LEN(checks)],
                  struct asy_error *err)
{
    const char *names[ASY_ARRAY_LEN(checks)], *near;

    for (size_t i = 0; i < ASY_ARRAY_LEN(checks); i++) {
        names[i] = checks[i].name;
        named[i] = options->n_words == 0;
    }
    for (int k = 0; k < options->n_words; k++) {
        size_t i = 0;

        while (i < ASY_ARRAY_LEN(checks) && strcmp(names[i], options->words[k]))
            i++;
        if (i < ASY_ARRAY_LEN(checks)) {
            named[i] = 1;
            continue;
        }
        near =
            asy_nearest(options->words[k], strlen(options->words[k]), names, ASY_ARRAY_LEN(names));
        return asy_fail(err, ASY_E_INVAL, "no check '%s'%s%s%s; see assay doctor --list",
                        options->words[k], near ? "; did you mean '" : "", near ? near : "",
                        near ? "'?" : "");
    }
    return 0;
}

int asy__cmd_doctor(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_buf out;
    struct asy_jsonw w;
    char named[ASY_ARRAY_LEN(checks)];
    int counts[ASY_ARRAY_LEN(verdicts)] = { 0 };

    if (asy__options_parse(argc, argv, "jL", 0, ASY_ARRAY_LEN(options.words), &options, &err) < 0 ||
        choose(&options, named, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    asy_buf_init(&out, 4u << 20);
    asy_jsonw_init(&w, &out, 1);
    asy_jsonw_open(&w, NULL, '{');
    if (options.list) {
        list_checks(&options, &w);
    } else {
        run_checks(&options, named, &w, counts);
        sum_up(&options, counts, &w);
    }
    asy_jsonw_close(&w, '}');
    if (options.json)
        printf("%s\n", out.data);
    asy_buf_fini(&out);
    return counts[ASY__BROKEN] ? EXIT_FAILED : EXIT_DONE;
}
