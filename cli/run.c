/* SPDX-License-Identifier: Apache-2.0
 * run.c - `assay run`, `submit` and `watch`: hand a study over, follow it, show what came out.
 *
 * Following asks the coordinator four times a second for the study's counts; on a terminal one line
 * is drawn over and over, elsewhere each trial that ended gets a line of its own. The first Ctrl-C
 * drains a coordinator that this command started (else it detaches), the second ends it at once. */
#include "cli.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/parse.h>

#define LOOK_MS 250
#define DRAIN_MS 50

static int load(const char *file, struct asy_study_spec **ret_spec, struct asy_error *err)
{
    struct asy_buf problems = { 0 };
    char real[PATH_MAX], *text = NULL, *slash;
    size_t len;
    int rc;

    if (!realpath(file, real))
        return asy_fail_errno(err, errno, "cannot open '%s'", file);
    if ((rc = asy_read_file(real, ASY_STUDY_FILE_MAX, &text, &len, err)) < 0)
        return rc;
    if ((slash = strrchr(real, '/')))
        *slash = 0;
    asy_buf_init(&problems, 1u << 20);
    rc = asy_study_parse(text, len, file, real[0] ? real : "/", ret_spec, &problems, err);
    if (rc < 0 && problems.len) {
        fputs(problems.data, stderr);
        if (problems.data[problems.len - 1] != '\n')
            fputc('\n', stderr);
    }
    asy_buf_fini(&problems);
    free(text);
    return rc;
}

static void put_range(FILE *out, const struct asy_param *param)
{
    char lo[32], hi[32];

    if (param->type == ASY_PARAM_CHOICE) {
        fputc('{', out);
        for (size_t i = 0; i < param->n_choices; i++) {
            const struct asy_value *value = &param->choices[i];

            fputs(i ? ", " : "", out);
            if (value->type == ASY_VALUE_STRING)
                fputs(value->s, out);
            else if (value->type == ASY_VALUE_BOOL)
                fputs(value->i ? "true" : "false", out);
            else
                fputs(asy_format_f64(value->f, lo), out);
        }
        fputc('}', out);
        return;
    }
    fprintf(out, "%s to %s%s%s", asy_format_f64(param->lo, lo), asy_format_f64(param->hi, hi),
            param->type == ASY_PARAM_INT ? ", whole" : "", param->log ? ", log" : "");
}

/* What was understood, before anything runs. */
static void put_plan(const struct asy_study_spec *spec)
{
    fprintf(stderr, "study    %s: %s %s (%s)\n", spec->name,
            spec->objectives[0].maximize ? "maximize" : "minimize", spec->objectives[0].metric,
            spec->objectives[0].take == ASY_TAKE_BEST ? "best of a trial" : "last of a trial");
    for (size_t i = 0; i < asy_space_len(spec->space); i++) {
        const struct asy_param *param = asy_space_at(spec->space, i);

        fprintf(stderr, "%s%-14s ", i ? "         " : "space    ", param->name);
        put_range(stderr, param);
        for (size_t k = 0; k < param->n_whens; k++)
            fprintf(stderr, "%s%s", k ? ", " : "  when ",
                    asy_space_at(spec->space, param->whens[k].parent)->name);
        fputc('\n', stderr);
    }
    fprintf(stderr, "search   %s, pruner %s, seed %" PRIu64 "\n", spec->sampler, spec->pruner,
            spec->seed);
    fprintf(stderr, "budget   ");
    if (spec->max_trials != UINT64_MAX)
        fprintf(stderr, "%" PRIu64 " trials ", spec->max_trials);
    if (spec->max_time_ms != INT64_MAX) {
        fputs("at most ", stderr);
        asy__put_duration(stderr, spec->max_time_ms * 1000);
        fputc(' ', stderr);
    }
    fprintf(stderr, "of %" PRIu32 " core%s each\n", spec->cores, spec->cores == 1 ? "" : "s");
}

static int submit(struct asy__session *session, const struct asy_study_spec *spec, int resume,
                  char name[128], struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_SUBMIT };
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 20);
    msg.submit.study = asy_id_make();
    msg.submit.spec = spec->canonical;
    msg.submit.resume = resume;
    msg.submit.command_line = resume ? "assay run --resume" : "assay run";
    if ((rc = asy__ask(session, &msg, &json, err)) == 0 &&
        (rc = asy_json_parse(json.data, json.len, &root, err)) == 0)
        snprintf(name, 128, "%s", asy_json_str(asy_json_get(root, "name"), spec->name));
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return rc;
}

/* ---- following ----------------------------------------------------------------------------- */

struct follow {
    struct asy__session *session;
    const char *name;
    struct asy_buf json;
    int terminal;
    int64_t seen;       /* last event shown */
    int drawn;
};

static int ended_state(const char *state)
{
    return !strcmp(state, "finished") || !strcmp(state, "stopped") || !strcmp(state, "failed") ||
           !strcmp(state, "paused");
}

static void put_trial(const struct asy_json *event, const char *state)
{
    printf("trial %" PRId64 " %s", asy_json_i64(asy_json_get(event, "trial"), -1), state);
    if (asy_json_get(event, "value") &&
        asy_json_type(asy_json_get(event, "value")) != ASY_JSON_NULL) {
        fputs(" value=", stdout);
        asy__put_value(stdout, asy_json_get(event, "value"));
    }
    printf(" step=%" PRId64, asy_json_i64(asy_json_get(event, "step"), 0));
    if (*asy_json_str(asy_json_get(event, "text"), ""))
        printf(" (%s)", asy_json_str(asy_json_get(event, "text"), ""));
    putchar('\n');
    fflush(stdout);
}

/* A line for each trial that ended since the last look. */
static int show_events(struct follow *follow, struct asy_error *err)
{
    struct asy_json *root = NULL;
    const struct asy_json *events, *event;
    int rc = asy__query(follow->session, "events", follow->name, -1, follow->seen, -1, NULL,
                        &follow->json, &root, err);

    if (rc < 0)
        return rc;
    events = asy_json_get(root, "events");
    for (size_t i = 0; (event = asy_json_at(events, i)); i++) {
        const char *kind = asy_json_str(asy_json_get(event, "kind"), "");
        const char *state = asy_json_str(asy_json_get(event, "state"), "");

        follow->seen = asy_json_i64(asy_json_get(event, "seq"), follow->seen);
        if (!strcmp(kind, "trial-state") && strcmp(state, "queued") && strcmp(state, "running"))
            put_trial(event, state);
    }
    asy_json_destroy(root);
    return 0;
}

static void draw(struct follow *follow, const struct asy_json *study)
{
    const struct asy_json *best = asy_json_get(study, "best");

    fprintf(stdout, "\r\033[K%s: %" PRId64 " trials, %" PRId64 " running, %" PRId64
            " paused, %" PRId64 " pruned, %" PRId64 " failed, %" PRId64 " complete",
            follow->name, asy_json_i64(asy_json_get(study, "trials"), 0),
            asy_json_i64(asy_json_get(study, "running"), 0),
            asy_json_i64(asy_json_get(study, "paused"), 0),
            asy_json_i64(asy_json_get(study, "pruned"), 0),
            asy_json_i64(asy_json_get(study, "failed"), 0),
            asy_json_i64(asy_json_get(study, "complete"), 0));
    if (asy_json_i64(asy_json_get(study, "best_trial"), -1) >= 0)
        fprintf(stdout, ", best %.4f (trial %" PRId64 ")", asy_json_f64(best, NAN),
                asy_json_i64(asy_json_get(study, "best_trial"), -1));
    fflush(stdout);
    follow->drawn = 1;
}

static int look(struct follow *follow, char state[32], struct asy_error *err)
{
    struct asy_json *root = NULL;
    int rc;

    rc = asy__query(follow->session, "study", follow->name, -1, -1, -1, NULL, &follow->json, &root,
                    err);
    if (rc < 0)
        return rc;
    snprintf(state, 32, "%s", asy_json_str(asy_json_get(root, "state"), ""));
    if (follow->terminal)
        draw(follow, root);
    asy_json_destroy(root);
    return follow->terminal ? 0 : show_events(follow, err);
}

/* After the first Ctrl-C, until all that this command started has ended. The second ends it at once:
 * ASY_E_CANCELLED. */
static int drain(struct asy__session *session, struct asy_error *err)
{
    fprintf(stderr, "\nassay: running trials checkpoint; Ctrl-C again leaves at once\n");
    asy__session_drain(session);
    while (!asy__session_ended(session)) {
        if (asy__interrupts() > 1) {
            asy__session_end(session);
            return asy_fail(err, ASY_E_CANCELLED, "left at once; --resume goes on from what is "
                                                  "stored");
        }
        ASY_IGNORE(poll(NULL, 0, DRAIN_MS) < 0);
    }
    return 0;
}

static int interrupted(const struct follow *follow, char state[32], struct asy_error *err)
{
    if (!asy__session_started(follow->session))
        return asy_fail(err, ASY_E_CANCELLED, "detached; '%s' goes on: 'assay stop %s' ends it",
                        follow->name, follow->name);
    snprintf(state, 32, "paused");
    return drain(follow->session, err);
}

/* Until the study ends or is paused. Returns 0 and its state, ASY_E_CANCELLED after Ctrl-C. */
static int follow_to_end(struct follow *follow, char state[32], struct asy_error *err)
{
    int rc;

    do {
        if (asy__interrupts())
            return interrupted(follow, state, err);
        if ((rc = look(follow, state, err)) < 0 && rc != ASY_E_CANCELLED)
            return rc;
        if (rc == 0 && !ended_state(state))
            ASY_IGNORE(poll(NULL, 0, LOOK_MS) < 0);
    } while (rc < 0 || !ended_state(state));
    return 0;
}

static int follow_study(struct asy__session *session, const struct asy__options *options,
                        const char *name)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct follow follow = { .session = session, .name = name, .terminal = isatty(STDOUT_FILENO),
                             .seen = 0 };
    char state[32] = "";
    int rc;

    asy_buf_init(&follow.json, 256u << 20);
    rc = follow_to_end(&follow, state, &err);
    if (follow.drawn)
        putchar('\n');
    asy_buf_fini(&follow.json);
    if (rc == ASY_E_CANCELLED) {
        fprintf(stderr, "assay: %s\n", err.text);
        return 128 + SIGINT;
    }
    if (rc < 0)
        return asy__complain(&err);
    if (!strcmp(state, "paused")) {
        fprintf(stderr, "assay: '%s' is paused, all is stored; go on with --resume\n", name);
        return asy__interrupts() ? 128 + SIGINT : EXIT_DONE;
    }
    if (asy__final_screen(session, name, options, &err) < 0)
        return asy__complain(&err);
    return strcmp(state, "failed") ? EXIT_DONE : EXIT_FAILED;
}

/* ---- the commands -------------------------------------------------------------------------- */

static int run(int argc, char **argv, int watch)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_study_spec *spec = NULL;
    struct asy__session *session = NULL;
    char name[128];
    int status = EXIT_FAILED;

    if (asy__options_parse(argc, argv, "rc", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (load(options.words[0], &spec, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    put_plan(spec);
    if (watch)
        asy__interrupts_take();
    if (asy__describe_data(spec, &err) < 0 ||
        asy__session_open(&options, ASY__START_NODE, &session, &err) < 0 ||
        submit(session, spec, options.resume, name, &err) < 0) {
        status = asy__complain(&err);
        if (err.code == ASY_E_CANCELLED && session && asy__session_started(session))
            asy__session_drain(session);
        goto out;
    }
    if (watch) {
        fprintf(stderr, "running  '%s' in %s\n", name, options.home);
        status = follow_study(session, &options, name);
    } else {
        printf("%s\n", name);
        status = EXIT_DONE;
    }
out:
    asy__session_close(session);
    asy_study_destroy(spec);
    return status;
}

int asy__cmd_run(int argc, char **argv)
{
    return run(argc, argv, 1);
}

int asy__cmd_submit(int argc, char **argv)
{
    return run(argc, argv, 0);
}

int asy__cmd_watch(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    int status;

    if (asy__options_parse(argc, argv, "", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    asy__interrupts_take();
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0)
        return asy__complain(&err);
    status = follow_study(session, &options, options.words[0]);
    asy__session_close(session);
    return status;
}
