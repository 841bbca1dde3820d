/* SPDX-License-Identifier: Apache-2.0
 * run.c - `assay run`, `submit` and `watch`: say what was understood, hand the study over, follow
 * it, show what came out. The first Ctrl-C drains a coordinator that this command started (else it
 * detaches), the second ends at once. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include "cli.h"
#include "follow.h"
#include "format.h"
#include "plan.h"

#define LEAVE_MS 60000 /* what a job leaves behind is killed by the batch system */

/* A study on its way from the file to the coordinator. */
struct run {
    struct asy__options options;
    const char *command; /* "assay run FILE", as it was typed */
    struct asy_study_spec *spec;
    struct asy_json *data;
    struct asy__session *session;
    char name[128];
    int job, requeued; /* inside a batch job, that ran before */
    int resumed;       /* the study was there already */
};

/* Each mistake in a line; then err is how many there are. */
static void put_problems(const char *file, const struct asy_buf *problems, struct asy_error *err)
{
    int more;
    size_t n = asy_study_count_problems(problems, &more);

    fputs(problems->data, stderr);
    ASY_IGNORE(asy_fail(err, ASY_E_INVAL, "%zu%s mistake%s in '%.150s', nothing was run", n,
                        more ? " or more" : "", ASY_S(n), file)); /* load() returns its own code */
}

static int look(void *ctx, const char *text, size_t len, struct asy_error *err)
{
    struct run *run = ctx;

    asy_json_destroy(run->data); /* of another metric: the data is the same */
    run->data = NULL;
    return asy__describe_data(text, len, &run->data, err);
}

static int table(void *ctx, const char *path, struct asy_buf *ret_json, struct asy_error *err)
{
    (void)ctx;
    return asy__describe_plugin(path, ret_json, err);
}

static int list_inputs(struct run *run, struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;
    int rc = asy__inputs_list(run->spec, run->options.home, &spec, err);

    if (rc < 0)
        return rc;
    asy_study_destroy(run->spec);
    run->spec = spec;
    return 0;
}

static int load(struct run *run, struct asy_error *err)
{
    const struct asy_study_reader reader = { look, run, run->options.no_wandb, table,
                                             run->options.device };
    const char *file = run->options.words[0];
    struct asy_buf problems = { 0 };
    int rc;

    asy_buf_init(&problems, 1u << 20);
    rc = asy_study_load(file, &reader, &run->spec, &problems, err);
    if (rc < 0 && problems.len)
        put_problems(file, &problems, err);
    else if (rc == 0)
        rc = list_inputs(run, err);
    asy_buf_fini(&problems);
    return rc;
}

/* ---- what was understood, before anything runs --------------------------------------------- */

/* The data, where it could not be looked at with the file: this says why. */
static int describe(struct run *run, struct asy_error *err)
{
    if (!run->spec->data_file || run->data)
        return 0;
    return asy__describe_data(run->spec->canonical, run->spec->canonical_len, &run->data, err);
}

static int put_plan(const struct run *run, const struct asy_study_spec *spec, struct asy_error *err)
{
    struct asy_buf text = { 0 };
    int rc;

    asy_buf_init(&text, 1u << 20);
    asy__plan_study(spec, &text);
    if (run->data)
        asy__plan_data(run->data, spec->data_file, spec->data_labels, &text);
    if ((rc = asy_buf_check(&text, "the plan", err)) == 0)
        asy__print_lines(stderr, text.data, ASY__PLAN_LABEL);
    asy_buf_fini(&text);
    return rc;
}

static int put_slots(struct run *run, struct asy_error *err)
{
    struct asy_buf json = { 0 }, text = { 0 };
    struct asy_json *workers = NULL;
    int rc;

    asy_buf_init(&json, 64u << 20);
    asy_buf_init(&text, 1u << 16);
    rc = asy__query(run->session, "workers", "", -1, -1, -1, NULL, &json, &workers, err);
    if (rc == 0) {
        asy__plan_slots(run->spec, workers, &text);
        asy__print_lines(stderr, text.data, ASY__PLAN_LABEL);
    }
    asy_json_destroy(workers);
    asy_buf_fini(&text);
    asy_buf_fini(&json);
    return rc;
}

/* A study that goes on has as it began what its file leaves open. Which study that is, and so what
 * will hold, is known once it has been taken up. */
static int shown_later(const struct run *run)
{
    return run->spec->unsaid && (run->options.resume || run->job);
}

/* As the file has it if this command line is too old to read the study as it is stored. */
static int put_stored_plan(struct run *run, struct asy_error *err)
{
    struct asy_study_spec *stored = NULL;
    struct asy_buf json = { 0 };
    struct asy_json *root = NULL;
    int rc;

    asy_buf_init(&json, 64u << 20);
    rc = asy__query(run->session, "study", run->name, -1, -1, -1, NULL, &json, &root, err);
    if (rc == 0) {
        ASY_IGNORE(asy__study_of(root, &stored, NULL)); /* see above */
        rc = put_plan(run, stored ? stored : run->spec, err);
    }
    asy_study_destroy(stored);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return rc;
}

/* What is resumed has what its earlier studies had found when it began. */
static int take_earlier(struct run *run, struct asy_error *err)
{
    struct asy_buf notes = { 0 };
    int rc;

    asy_buf_init(&notes, 1u << 16);
    rc = asy__earlier_take(run->session, &run->spec, &notes, err);
    if (rc == 0 && notes.len)
        asy__print_lines(stderr, notes.data, 0);
    asy_buf_fini(&notes);
    return rc;
}

static int hand_over(struct run *run, int resume, struct asy_buf *json, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_SUBMIT };
    struct asy_buf said;
    int rc;

    if (!resume && (rc = take_earlier(run, err)) < 0)
        return rc;
    asy_buf_init(&said, ASY_STUDY_FILE_MAX);
    if (!resume || (rc = asy_study_said(run->spec, &said, err)) == 0) {
        msg.submit.study = asy_id_make();
        msg.submit.spec = resume ? said.data : run->spec->canonical;
        msg.submit.resume = run->resumed = resume;
        msg.submit.command_line = run->command;
        rc = asy__ask(run->session, &msg, json, err);
    }
    asy_buf_fini(&said);
    return rc;
}

/* A job goes on with what there is of its study; where it ended before the job was requeued, it is
 * only shown. */
static int hand_over_in_job(struct run *run, struct asy_buf *json, struct asy_error *err)
{
    struct asy_json *root = NULL;
    int rc = hand_over(run, 1, json, err);

    if (rc != ASY_E_NOENT)
        return rc;
    if (run->requeued && asy__query(run->session, "study", run->spec->name, -1, -1, -1, NULL, json,
                                    &root, NULL) == 0) {
        asy_json_destroy(root);
        run->resumed = 1;
        return 0;
    }
    if (err)
        *err = (struct asy_error)ASY_ERROR_INIT;
    return hand_over(run, 0, json, err);
}

static int submit(struct run *run, struct asy_error *err)
{
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 20);
    rc = run->job ? hand_over_in_job(run, &json, err)
                  : hand_over(run, run->options.resume, &json, err);
    if (rc == 0 && (rc = asy_json_parse(json.data, json.len, &root, err)) == 0) {
        snprintf(run->name, sizeof run->name, "%s",
                 asy_json_str(asy_json_get(root, "name"), run->spec->name));
        rc = asy__record_data(run->session, run->name, run->spec, run->data, err);
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return rc;
}

/* ---- following ----------------------------------------------------------------------------- */

static int detached(const struct asy__options *options, const char *name)
{
    struct asy_buf place = { 0 };

    asy_buf_init(&place, 1u << 16);
    asy__put_place(&place, options);
    fprintf(stderr, "assay: detached; '%s' goes on\n"
                    "assay: 'assay watch %s%s' comes back, 'assay stop %s%s' ends it\n",
            name, name, place.len ? place.data : "", name, place.len ? place.data : "");
    asy_buf_fini(&place);
    return 128 + SIGINT;
}

/* Whoever watched leaves, and is told by which command he comes back. */
static int leave(const struct asy__options *options, const char *state, const char *command,
                 const char *name, const char *does)
{
    struct asy_buf place = { 0 };

    asy_buf_init(&place, 1u << 16);
    asy__put_place(&place, options);
    fprintf(stderr, "assay: %s, all is stored; 'assay %s %s%s' %s\n", state, command, name,
            place.len ? place.data : "", does);
    asy_buf_fini(&place);
    return EXIT_DONE;
}

static int end_of(struct asy__session *session, const struct asy__options *options,
                  const char *name, const struct asy__follow_end *end)
{
    struct asy_error err = ASY_ERROR_INIT;
    char state[160];

    switch (end->how) {
    case ASY__FOLLOWED_DETACHED:
        return detached(options, name);
    case ASY__FOLLOWED_LEFT:
        fputs("assay: ended at once; all that was acknowledged is stored, go on with --resume\n",
              stderr);
        return 128 + SIGINT;
    case ASY__FOLLOWED_DRAINED:
        if (asy__session_lacks_space(session))
            fputs("assay: ended on a full disk: what was acknowledged is stored; make space and go "
                  "on with --resume\n",
                  stderr);
        else
            fprintf(stderr, "assay: '%s' is paused, all is stored; go on with --resume\n", name);
        return 128 + SIGINT;
    case ASY__FOLLOWED_PAUSED:
        snprintf(state, sizeof state, "'%s' is paused", name);
        return leave(options, state, "resume", name, "goes on");
    case ASY__FOLLOWED_ENDED:
        return leave(options, "the coordinator has ended", "show", name, "says how it stands");
    default:
        break;
    }
    if (!options->json && asy__final_screen(session, name, options, &err) < 0)
        return asy__complain(&err);
    if (end->how != ASY__FOLLOWED_FAILED)
        return EXIT_DONE;
    if (end->complete)
        fprintf(stderr, "assay: '%s' has failed, with %" PRIu64 " trial%s complete; 'assay explain "
                        "%s' says why\n", name, end->complete, ASY_S(end->complete), name);
    else
        fprintf(stderr, "assay: '%s' has no result: no trial is complete\n", name);
    return EXIT_FAILED;
}

static int follow(struct asy__session *session, const struct asy__options *options,
                  const char *name, int from_start, struct asy__follow_end *ret_end)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (asy__follow(session, options, name, from_start, ret_end, &err) < 0)
        return asy__complain(&err);
    return end_of(session, options, name, ret_end);
}

/* What the sampler became is known where it runs. A study that cannot be asked about runs, too. */
static void put_choice(struct run *run)
{
    struct asy_buf json = { 0 }, text = { 0 };
    struct asy_json *root = NULL;
    const char *reason;

    if (strcmp(run->spec->sampler, "auto") != 0)
        return;
    asy_buf_init(&json, 64u << 20);
    asy_buf_init(&text, 1u << 16);
    if (asy__query(run->session, "study", run->name, -1, -1, -1, NULL, &json, &root, NULL) == 0 &&
        *(reason = asy_json_str(asy_json_get(root, "sampler_reason"), ""))) {
        asy_buf_addf(&text, "sampler  ");
        asy__fmt_clean(&text, reason);
        asy_buf_addc(&text, '\n');
        asy__print_lines(stderr, text.data, ASY__PLAN_LABEL);
    }
    asy_json_destroy(root);
    asy_buf_fini(&text);
    asy_buf_fini(&json);
}

/* ---- the commands -------------------------------------------------------------------------- */

static void put_begun(const struct run *run)
{
    int renamed = strcmp(run->name, run->spec->name) != 0;
    int remote = asy__session_remote(run->session);

    fprintf(stderr, "running  '%s'%s%s%s, stored %s%s%s\n\n", run->name, renamed ? " ('" : "",
            renamed ? run->spec->name : "", renamed ? "' is taken)" : "",
            remote ? "on '" : "in ",
            remote ? asy__session_host(run->session) : run->options.home, remote ? "'" : "");
}

static int start(struct run *run, int watch, struct asy__follow_end *ret_end)
{
    struct asy_error err = ASY_ERROR_INIT;
    int later;

    if (load(run, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (watch)
        asy__interrupts_take();
    later = shown_later(run);
    if (describe(run, &err) < 0 || (!later && put_plan(run, run->spec, &err) < 0) ||
        asy__session_open(&run->options, ASY__START_NODE, &run->session, &err) < 0 ||
        (!later && put_slots(run, &err) < 0) ||
        asy__inputs_send(run->session, run->spec, &err) < 0 || submit(run, &err) < 0) {
        if (err.code == ASY_E_CANCELLED && run->session && asy__session_started(run->session))
            asy__session_drain(run->session); /* nobody is left who would */
        return asy__complain(&err);
    }
    if (later) { /* a study that cannot be asked about runs, too */
        ASY_IGNORE(put_stored_plan(run, &err) < 0);
        ASY_IGNORE(put_slots(run, &err) < 0);
    }
    if (!watch) {
        printf("%s\n", run->name);
        return EXIT_DONE;
    }
    put_choice(run);
    put_begun(run);
    return follow(run->session, &run->options, run->name, !run->resumed, ret_end);
}

/* Frees all but the options. */
static void fini(struct run *run)
{
    asy__session_close(run->session);
    asy_json_destroy(run->data);
    asy_study_destroy(run->spec);
}

static int run(int argc, char **argv, const char *verb, int watch)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf command = { 0 };
    struct run run = { .spec = NULL };
    struct asy__follow_end end;
    int status;

    if (asy__options_parse(argc, argv, "rcSD", 1, 1, &run.options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    asy_buf_init(&command, 1u << 16);
    asy__fmt_command(&command, verb, argc, argv);
    run.command = command.data;
    status = start(&run, watch, &end);
    fini(&run);
    asy_buf_fini(&command);
    return status;
}

int asy__run_job(const struct asy__options *options, const char *command, int requeued,
                 struct asy__follow_end *ret_end)
{
    struct run run = { .options = *options, .command = command, .job = 1, .requeued = requeued };
    int status = start(&run, 1, ret_end);
    int64_t until_ms = asy_clock_ms() + LEAVE_MS;

    if (run.session)
        asy__session_drain(run.session);
    while (run.session && !asy__session_ended(run.session) && asy_clock_ms() < until_ms)
        ASY_IGNORE(poll(NULL, 0, 20) < 0);
    fini(&run);
    return status;
}

int asy__cmd_run(int argc, char **argv)
{
    return run(argc, argv, "assay run", 1);
}

int asy__cmd_submit(int argc, char **argv)
{
    return run(argc, argv, "assay submit", 0);
}

int asy__cmd_watch(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    struct asy__follow_end end;
    int status;

    if (asy__options_parse(argc, argv, "j", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    asy__interrupts_take();
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0)
        return asy__complain(&err);
    status = follow(session, &options, options.words[0], 0, &end);
    asy__session_close(session);
    return status;
}
