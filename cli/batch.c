/* SPDX-License-Identifier: Apache-2.0
 * batch.c - `assay batch`: a study inside a job of Slurm, whose batch script becomes this process.
 * Coordinator and agents are of this job alone; with several nodes one step has an agent on each.
 *
 * A job has a home of its own, so that two of them never meet: $ASSAY_HOME, or a folder beside the
 * one that sbatch was called in, named after the job. The name outlives a requeue, and the study in
 * it goes on where it was.
 *
 * Before the time limit (setting walltime_margin), and on SIGUSR1 or SIGUSR2, all is checkpointed
 * and stored, and a job that may be requeued puts itself back into the queue. By our own clock, not
 * by sbatch --signal: that comes up to a minute early, reaches either the batch script or the
 * steps, and agents lease by the clock that they leave by. SIGTERM is the same without the requeue:
 * whoever sends it has decided that. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/fs.h>
#include <asy/parse.h>
#include <asy/settings.h>
#include <asy/slurm.h>
#include "cli.h"
#include "follow.h"
#include "format.h"
#include "gain.h"
#include "plan.h"

#define PAGE 1000 /* events of one question */
#define WARNING_MS 300000 /* how long before the end a warning of it comes at most */

struct batch {
    struct asy__options options;
    struct asy_slurm_job job;
    int64_t began_ms, leave_ms; /* leave: after that; < 0: never */
    unsigned restarts;
};

static int64_t number_of(const char *variable, int64_t otherwise)
{
    const char *text = getenv(variable);
    int64_t value;

    return text && asy_parse_i64(text, strlen(text), &value, NULL) == 0 ? value : otherwise;
}

/* Before the options are read, which know the variable. */
static int choose_home(const char *job, struct asy_error *err)
{
    const char *submitted = getenv("SLURM_SUBMIT_DIR"), *home = getenv("ASSAY_HOME");
    char path[4096];

    if (home && *home)
        return 0;
    if (!submitted || !*submitted)
        submitted = ".";
    if (snprintf(path, sizeof path, "%s/assay-%s", submitted, job) >= (int)sizeof path)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", submitted);
    return setenv("ASSAY_HOME", path, 1) < 0 ? asy_fail(err, ASY_E_NOMEM, "no memory") : 0;
}

/* What another node must see of the home: after a requeue, or now. */
static int check_shared(const struct batch *batch, const struct asy_settings *settings,
                        struct asy_error *err)
{
    const char *said = asy_settings_str(settings, "shared_home"), *home = batch->options.home;
    int shared, rc;
    char fs[32];

    if ((rc = asy_fs_of(home, fs, &shared, err)) < 0)
        return rc;
    if (strcmp(said, "auto"))
        shared = !strcmp(said, "yes");
    if (shared || (!batch->job.requeue && batch->options.nodes <= 1))
        return 0;
    fprintf(stderr, "assay: the home of this job is '%s', on a disk of this node (%s)\n"
                    "assay: set ASSAY_HOME to a folder that all nodes share%s, and submit again; "
                    "if they do share this one, set ASY_SHARED_HOME=yes\n",
            home, fs, batch->options.nodes > 1 ? "" : ", or add --no-requeue");
    if (batch->options.nodes > 1)
        return asy_fail(err, ASY_E_INVAL, "the job has %" PRId64 " nodes, and the others would not "
                        "see its home", batch->options.nodes);
    return asy_fail(err, ASY_E_INVAL, "the job asks for --requeue, and the next node would not see "
                    "its store");
}

static int load(struct batch *batch, struct asy_error *err)
{
    struct asy_settings *settings = NULL;
    struct asy_error why = ASY_ERROR_INIT;
    int64_t margin_ms = -1;
    char path[4200];
    int rc;

    batch->leave_ms = -1;
    batch->restarts = (unsigned)number_of("SLURM_RESTART_COUNT", 0);
    batch->options.nodes = number_of("SLURM_JOB_NUM_NODES", 1);
    if (asy_slurm_look(&batch->job, ASY_SLURM_PATIENCE_MS, &why) < 0) {
        fprintf(stderr, "assay: cannot ask Slurm about this job, taking its time as unlimited, "
                        "so it will not leave by itself nor be requeued: %s\n", why.text);
        batch->job = (struct asy_slurm_job){ .left_ms = -1 };
        snprintf(batch->job.id, sizeof batch->job.id, "%s", asy_slurm_job_id());
    }
    snprintf(path, sizeof path, "%s/config.yaml", batch->options.home);
    if ((rc = asy_durable_mkdirs(batch->options.home, err)) < 0 ||
        (rc = asy_settings_load(path, &settings, err)) < 0)
        return rc;
    if (strcmp(asy_settings_origin(settings, "walltime_margin"), "default"))
        margin_ms = asy_settings_i64(settings, "walltime_margin");
    batch->began_ms = asy_clock_ms();
    if (batch->job.left_ms >= 0)
        batch->leave_ms = asy_slurm_leave_ms(batch->job.left_ms, margin_ms);
    rc = check_shared(batch, settings, err);
    asy_settings_destroy(settings);
    return rc;
}

static void put_job(const struct batch *batch)
{
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    struct asy_buf text = { 0 };

    asy_buf_init(&text, 1u << 16);
    asy_buf_addf(&text, "job      %s on %s", batch->job.id, nodes ? nodes : "this node");
    if (batch->restarts)
        asy_buf_addf(&text, ", requeued %u time%s", batch->restarts, ASY_S(batch->restarts));
    if (batch->leave_ms >= 0) {
        asy_buf_adds(&text, ", ");
        asy__fmt_duration(&text, batch->job.left_ms * 1000);
        asy_buf_adds(&text, " left; all is stored and the job leaves ");
        asy__fmt_duration(&text, (batch->job.left_ms - batch->leave_ms) * 1000);
        asy_buf_addf(&text, " before the end%s", batch->job.requeue ? " and is requeued" : "");
    }
    asy_buf_addf(&text, "\nhome     %s (look at it from anywhere: assay ls --home %s)\n",
                 batch->options.home, batch->options.home);
    asy__print_lines(stderr, text.data, 0);
    asy_buf_fini(&text);
}

/* ---- the end of a run ------------------------------------------------------------------------ */

static int read_gain(struct asy__session *session, const struct asy__follow_end *end,
                     struct asy__gain *gain, struct asy_error *err)
{
    int64_t after = (int64_t)end->since;
    struct asy_buf json = { 0 };
    size_t got;
    int rc;

    asy_buf_init(&json, 64u << 20);
    do {
        struct asy_json *root = NULL;
        const struct asy_json *event;

        rc = asy__query(session, "events", end->study, -1, after, PAGE, NULL, &json, &root, err);
        got = asy_json_len(asy_json_get(root, "events"));
        for (size_t i = 0; rc == 0 && (event = asy_json_at(asy_json_get(root, "events"), i)); i++) {
            rc = asy__gain_event(gain, event, err);
            after = asy_json_i64(asy_json_get(event, "seq"), after);
        }
        asy_json_destroy(root);
    } while (rc == 0 && got == PAGE && !gain->any);
    asy_buf_fini(&json);
    return rc;
}

/* Whether this run of the job brought the study on. What came while all was drained perhaps only
 * the store knows, which a coordinator without workers reads. */
static int gained(const struct batch *batch, const struct asy__follow_end *end)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__session *session = NULL;
    struct asy__gain gain = { .any = 0 };
    int rc, any;

    if (end->gained || !*end->study)
        return end->gained;
    asy__interrupts_forget(); /* the talk with it would heed them */
    if ((rc = asy__session_open(&batch->options, ASY__START_COORDINATOR, &session, &err)) == 0)
        rc = read_gain(session, end, &gain, &err);
    asy__session_close(session);
    if (session && rc == 0)
        rc = asy__down(&batch->options, &err);
    if (rc < 0)
        fprintf(stderr, "assay: cannot see what this job brought, taking it as something: %s\n",
                err.text);
    any = gain.any || rc < 0;
    asy__gain_fini(&gain);
    return any;
}

/* Whether the job had its time, or all but what a site's own warning of the end leaves of it. */
static int had_its_time(const struct batch *batch)
{
    int64_t early_ms = batch->leave_ms / 4 < WARNING_MS ? batch->leave_ms / 4 : WARNING_MS;

    return batch->leave_ms >= 0 &&
           asy_clock_ms() - batch->began_ms >= batch->leave_ms - early_ms;
}

/* It was told to leave, and all is stored. A job whose whole time brings nothing would be put back
 * again and again. */
static int left(const struct batch *batch, const struct asy__follow_end *end)
{
    struct asy_error err = ASY_ERROR_INIT;
    int told = asy__interrupted_by();
    const char *why = told == SIGALRM ? "the time of the job is nearly up" : "a warning came";

    if (told != SIGALRM && told != SIGUSR1 && told != SIGUSR2)
        return 128 + SIGTERM; /* cancelled, or requeued by whoever sent it */
    if (!batch->job.requeue) {
        fprintf(stderr, "assay: %s, and the job may not be requeued; go on with: ASSAY_HOME=%s "
                        "sbatch ...\n", why, batch->options.home);
        return 128 + SIGTERM;
    }
    if (had_its_time(batch) && !gained(batch, end)) {
        fprintf(stderr, "assay: no trial came to a checkpoint or its end in the whole time of this "
                        "job, so it is not requeued: ask for more --time, or let the program "
                        "checkpoint (run.checkpoint: true); go on with: ASSAY_HOME=%s sbatch ...\n",
                batch->options.home);
        return EXIT_FAILED;
    }
    fprintf(stderr, "assay: %s; putting job %s back into the queue\n", why, batch->job.id);
    if (asy_slurm_requeue(batch->job.id, &err) < 0)
        return asy__complain(&err);
    return EXIT_DONE;
}

/* A coordinator that a reading command has started, on a login node perhaps, has the store; it goes
 * when told. One that has workers is another job's. */
static int make_way(const struct batch *batch, struct asy_error *err)
{
    struct asy__session *session = NULL;
    const struct asy_json *workers, *worker;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int here = 0, rc;

    if (asy__session_open(&batch->options, ASY__NO_START, &session, NULL) < 0)
        return 0; /* there is none, or ours finds out what is the matter with it */
    asy_buf_init(&json, 64u << 20);
    rc = asy__query(session, "workers", "", -1, -1, -1, NULL, &json, &root, err);
    workers = asy_json_get(root, "workers");
    for (size_t i = 0; (worker = asy_json_at(workers, i)); i++)
        here |= asy__worker_here(worker);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy__session_close(session);
    if (rc < 0)
        return rc;
    if (here && !batch->restarts) /* else it is from before, on a node that Slurm has lost */
        return asy_fail(err, ASY_E_BUSY, "a coordinator with workers of its own, of another job "
                        "perhaps, has the home '%s': unset ASSAY_HOME to give each job its own, or "
                        "submit with --dependency=singleton to run one after the other",
                        batch->options.home);
    fprintf(stderr, "assay: a coordinator %s has this home; ending it\n",
            here ? "from before the requeue" : "without workers");
    return asy__down(&batch->options, err);
}

static int run(struct batch *batch, const char *command)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__follow_end end = { .gained = 0 };
    int status;

    if (load(batch, &err) < 0) {
        asy__complain(&err);
        return err.code == ASY_E_INVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    put_job(batch);
    if (make_way(batch, &err) < 0)
        return asy__complain(&err);
    asy__interrupts_take();
    if (batch->leave_ms >= 0)
        asy__interrupt_in(batch->leave_ms);
    status = asy__run_job(&batch->options, command, batch->restarts > 0, &end);
    if (end.how == ASY__FOLLOWED_DRAINED || (asy__interrupts() && (int)end.how == 0))
        return left(batch, &end);
    return status;
}

int asy__cmd_batch(int argc, char **argv)
{
    struct batch batch = { .leave_ms = -1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf command = { 0 };
    int status;

    if ((asy_slurm_job_id() && choose_home(asy_slurm_job_id(), &err) < 0) ||
        asy__options_parse(argc, argv, "cD", 1, 1, &batch.options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (!asy_slurm_job_id()) {
        fputs("assay: this is no job of Slurm; 'assay run' runs a study here, 'sbatch "
              "slurm/one-node.sbatch FILE' in a job\n", stderr);
        return EXIT_USAGE;
    }
    asy_buf_init(&command, 1u << 16);
    asy__fmt_command(&command, "assay batch", argc, argv);
    status = run(&batch, command.data);
    asy_buf_fini(&command);
    return status;
}
