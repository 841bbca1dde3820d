/* SPDX-License-Identifier: Apache-2.0
 * explain.c - why a trial, a study or a worker waits, failed or was stopped: the rule, the numbers
 * of this case, what helps, and then what happened on the way. --json prints it as it came. */
#include "cli.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <asy/clock.h>
#include "format.h"

#define NOTHING "nothing to do"
#define INDENT 10 /* of everything right of the names */

static int64_t number(const struct asy_json *node, const char *key)
{
    return asy_json_i64(asy_json_get(node, key), 0);
}

static const char *text(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

/* Lines after the first stand below it. */
static void put_lines(struct asy_buf *out, const char *lines, int indent)
{
    for (const char *end; *lines; lines = end + (*end != 0)) {
        end = lines + strcspn(lines, "\n");
        asy_buf_addf(out, "%.*s\n", (int)(end - lines), lines);
        if (*end)
            asy_buf_addf(out, "%*s", indent, "");
    }
}

static void put_member(struct asy_buf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    asy_buf_addf(out, "%-*s", INDENT, name);
    put_lines(out, value, INDENT);
}

static void put_why(struct asy_buf *out, const struct asy_json *root)
{
    put_member(out, "why", text(root, "rule"));
    put_member(out, "numbers", text(root, "text"));
    put_member(out, "to do", text(root, "remedy"));
}

static void put_state(struct asy_buf *out, const struct asy_json *root)
{
    const char *cause = text(root, "cause");

    asy_buf_addf(out, "%s", text(root, "state"));
    if (*cause && strcmp(cause, "none") != 0 && strcmp(cause, text(root, "state")) != 0)
        asy_buf_addf(out, " (%s)", cause);
    asy_buf_addc(out, '\n');
}

/* ---- a trial --------------------------------------------------------------------------------- */

static void put_mib(struct asy_buf *out, const char *before, int64_t bytes, const char *after)
{
    asy_buf_addf(out, "%s%.1f MiB%s", before, (double)bytes / 1048576, after);
}

static void put_span(struct asy_buf *out, const struct asy_json *attempt)
{
    int64_t leased = number(attempt, "leased_us"), started = number(attempt, "started_us");
    struct asy_buf took = { 0 };

    asy_buf_init(&took, 64);
    asy__fmt_took(&took, leased, started ? started : leased, number(attempt, "ended_us"));
    if (took.len)
        asy_buf_addf(out, " after %s", took.data);
    asy_buf_fini(&took);
}

/* The first attempt of a trial with a parent (< 0: none) starts from that one's checkpoint, and so
 * does a later one that has none of its own: at the step at which the first one began. */
static void put_start(struct asy_buf *out, const struct asy_json *attempt,
                      const struct asy_json *first, int64_t parent)
{
    int64_t step = number(attempt, "resumed_step");

    if (!number(attempt, "resumed_from"))
        return;
    if (parent >= 0 && step == number(first, "resumed_step"))
        asy_buf_addf(out, ", from the checkpoint of trial %" PRId64, parent);
    else
        asy_buf_addf(out, ", from the checkpoint of attempt %" PRId64,
                     number(attempt, "resumed_from"));
    asy_buf_addf(out, " at step %" PRId64, step);
}

/* waits: its trial does not run; an attempt without an end may still come back then. first: of its
 * trial. */
static void put_attempt(struct asy_buf *out, const struct asy_json *attempt, int waits,
                        const struct asy_json *first, int64_t parent)
{
    const char *end = text(attempt, "end"), *why = text(attempt, "text");
    const char *host = text(attempt, "host");
    int64_t used = number(attempt, "max_rss");
    int64_t limit = number(attempt, "memory"), late = number(attempt, "superseded_reports");
    char when[32] = "", name[24];

    asy_clock_format(number(attempt, "leased_us"), when);
    snprintf(name, sizeof name, "attempt %" PRId64, number(attempt, "attempt"));
    asy_buf_addf(out, "%-*s%s%s%s: %s at step %" PRId64, INDENT, name, when, *host ? " on " : "",
                 host, *end ? end : waits ? "cut off" : "runs", number(attempt, "step"));
    put_span(out, attempt);
    put_start(out, attempt, first, parent);
    asy_buf_addc(out, '\n');
    if (strcmp(text(attempt, "cause"), "none") != 0) {
        asy_buf_addf(out, "%*s%s%s", INDENT, "", text(attempt, "cause"), *why ? ": " : "\n");
        put_lines(out, why, INDENT);
    }
    if (used) {
        asy_buf_addf(out, "%*s", INDENT, "");
        put_mib(out, "memory: used ", used, "");
        if (limit)
            put_mib(out, " of ", limit, "");
        asy_buf_addc(out, '\n');
    }
    if (late)
        asy_buf_addf(out,
                     "%*s%" PRId64
                     " of its reports came after it had been superseded; they count for "
                     "nothing\n",
                     INDENT, "", late);
}

/* What the last attempt ended with may say more of what helps than its trial's cause. */
static void put_last_remedy(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *attempts = asy_json_get(root, "attempts");
    size_t n = asy_json_len(attempts);
    const struct asy_json *last = n ? asy_json_at(attempts, n - 1) : NULL;
    const char *cause = text(last, "cause");

    if (!strcmp(text(root, "cause"), "retries") && strcmp(cause, "exit-code") != 0 &&
        strcmp(cause, "signal") != 0)
        put_member(out, "", text(last, "remedy"));
}

static void put_reported(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *names = asy_json_get(root, "reported"), *name;

    if (strcmp(text(root, "cause"), "no-value") != 0)
        return;
    asy_buf_addf(out, "%-*s", INDENT, "reported");
    for (size_t i = 0; (name = asy_json_at(names, i)); i++)
        asy_buf_addf(out, "%s%s", i ? ", " : "", asy_json_str(name, ""));
    asy_buf_adds(out, asy_json_len(names) ? "\n" : "nothing\n");
}

static void put_history(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *list = asy_json_get(root, "history"), *item;

    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        char when[32] = "";
        const char *why = text(item, "text");

        asy_clock_format(number(item, "wall_us"), when);
        asy_buf_addf(out, "%-*s%s %s at step %" PRId64 "%s%.*s\n", INDENT, i ? "" : "history", when,
                     text(item, "state"), number(item, "step"), *why ? ": " : "",
                     (int)strcspn(why, "\n"), why);
    }
}

static void put_value(struct asy_buf *out, const struct asy_json *value)
{
    struct asy_jsonw w;

    if (!value) {
        asy_buf_adds(out, "nothing");
        return;
    }
    asy_jsonw_init(&w, out, 0);
    asy_jsonw_node(&w, NULL, value);
}

static int same_value(const struct asy_json *a, const struct asy_json *b)
{
    struct asy_buf one, other;
    int same;

    asy_buf_init(&one, 4096);
    asy_buf_init(&other, 4096);
    put_value(&one, a);
    put_value(&other, b);
    same = one.len == other.len && (one.len == 0 || !memcmp(one.data, other.data, one.len));
    asy_buf_fini(&one);
    asy_buf_fini(&other);
    return same;
}

/* What a population's trial has otherwise than the one whose weights it took up. */
static void put_lineage(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *was = asy_json_get(root, "parent_params"), *value;
    const char *name, *lead = ": ";

    if (!number(root, "member"))
        return;
    asy_buf_addf(out, "%-*sof member %" PRId64, INDENT, "turn", number(root, "member"));
    if (!asy_json_get(root, "parent")) {
        asy_buf_adds(out, ", its first\n");
        return;
    }
    asy_buf_addf(out, ", goes on from trial %" PRId64, number(root, "parent"));
    if (number(root, "parent_member") != number(root, "member"))
        asy_buf_addf(out, " of member %" PRId64, number(root, "parent_member"));
    for (size_t i = 0; (value = asy_json_member(asy_json_get(root, "params"), i, &name)); i++) {
        if (same_value(asy_json_get(was, name), value))
            continue;
        asy_buf_addf(out, "%s%s ", lead, name);
        put_value(out, asy_json_get(was, name));
        asy_buf_adds(out, " -> ");
        put_value(out, value);
        lead = ", ";
    }
    asy_buf_adds(out, *lead == ':' ? ", with the same parameters\n" : "\n");
}

static void put_trial(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *list = asy_json_get(root, "attempts"), *item;
    const struct asy_json *first = asy_json_at(list, 0);
    int64_t parent = asy_json_i64(asy_json_get(root, "parent"), -1);

    asy_buf_addf(out, "%-*s%" PRId64 " of study %s: ", INDENT, "trial", number(root, "trial"),
                 text(root, "study"));
    put_state(out, root);
    put_why(out, root);
    put_last_remedy(out, root);
    put_lineage(out, root);
    put_reported(out, root);
    put_history(out, root);
    for (size_t i = 0; (item = asy_json_at(list, i)); i++)
        put_attempt(out, item, !strcmp(text(root, "state"), "queued"), first, parent);
}

/* ---- a study --------------------------------------------------------------------------------- */

static void put_counts(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *counts = asy_json_get(root, "counts"), *value;
    const char *state;
    int any = 0;

    asy_buf_addf(out, "%-*s%" PRId64, INDENT, "trials", number(root, "trials"));
    for (size_t i = 0; (value = asy_json_member(counts, i, &state)); i++)
        if (asy_json_i64(value, 0) > 0)
            asy_buf_addf(out, "%s%" PRId64 " %s", any++ ? ", " : ": ", asy_json_i64(value, 0),
                         state);
    asy_buf_addc(out, '\n');
}

static void put_group(struct asy_buf *out, const struct asy_json *group)
{
    const struct asy_json *last = asy_json_get(group, "last");
    const char *remedy = text(last ? last : group, "remedy");

    asy_buf_addf(out, "%*s%" PRId64 " %s (%s%s%s)\n", INDENT, "", number(group, "trials"),
                 text(group, "state"), text(group, "cause"), last ? ", at last " : "",
                 text(last, "cause"));
    asy_buf_addf(out, "%*s  %s\n", INDENT, "", text(group, "rule"));
    asy_buf_addf(out, "%*s  trial %" PRId64 ": ", INDENT, "", number(group, "example"));
    put_lines(out, text(group, "text"), INDENT + 2);
    if (!*text(group, "text"))
        asy_buf_addc(out, '\n');
    asy_buf_addf(out, "%*s  %s%s\n", INDENT, "",
                 strncmp(remedy, NOTHING, strlen(NOTHING)) ? "to do: " : "", remedy);
}

static void put_study(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *groups = asy_json_get(root, "causes"), *group;

    asy_buf_addf(out, "%-*s%s: ", INDENT, "study", text(root, "study"));
    put_state(out, root);
    put_why(out, root);
    put_counts(out, root);
    for (size_t i = 0; (group = asy_json_at(groups, i)); i++)
        put_group(out, group);
}

/* ---- a worker -------------------------------------------------------------------------------- */

static void put_when(struct asy_buf *out, const char *name, int64_t wall_us)
{
    char when[32];

    if (!wall_us)
        return;
    asy_clock_format(wall_us, when);
    put_member(out, name, when);
}

/* "GPU-…: NVIDIA A100, 40 GiB, near NUMA group 1, 0.25 of it given out" */
static void put_gpus(struct asy_buf *out, const struct asy_json *list)
{
    const struct asy_json *gpu, *value;

    for (size_t i = 0; (gpu = asy_json_at(list, i)); i++) {
        double used = asy_json_f64(asy_json_get(gpu, "used"), 0);

        asy_buf_addf(out, "%-*s%s: ", INDENT, i ? "" : "gpus", text(gpu, "id"));
        asy__fmt_clean(out, text(gpu, "name"));
        if (number(gpu, "memory") > 0) {
            asy_buf_adds(out, ", ");
            asy__fmt_bytes(out, (uint64_t)number(gpu, "memory"));
        }
        if ((value = asy_json_get(gpu, "numa")))
            asy_buf_addf(out, ", near NUMA group %" PRId64, asy_json_i64(value, 0));
        if (!asy_json_bool(asy_json_get(gpu, "shared"), 1))
            asy_buf_adds(out, ", for one process at a time");
        asy_buf_adds(out, used > 0 && used < 1 ? ", " : used > 0 ? ", given out\n" : ", unused\n");
        if (used > 0 && used < 1) {
            asy__fmt_number(out, used);
            asy_buf_adds(out, " of it given out\n");
        }
    }
}

static void put_worker(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *runs = asy_json_get(root, "runs"), *item;
    const struct asy_json *studies = asy_json_get(root, "studies");

    asy_buf_addf(out, "%-*s%s %s: ", INDENT, "worker", text(root, "host"), text(root, "id"));
    put_state(out, root);
    put_why(out, root);
    if (strcmp(text(root, "key"), "owner") != 0)
        put_member(out, "invited", text(root, "key"));
    asy_buf_addf(out, "%-*s%" PRId64, INDENT, "cores", number(root, "cores"));
    if (asy_json_get(root, "free_cores"))
        asy_buf_addf(out, ", %" PRId64 " of them free", number(root, "free_cores"));
    asy_buf_addc(out, '\n');
    put_gpus(out, asy_json_get(root, "gpu_list"));
    put_when(out, "joined", number(root, "joined_us"));
    put_when(out, "gone", number(root, "gone_us"));
    for (size_t i = 0; (item = asy_json_at(runs, i)); i++)
        asy_buf_addf(out, "%-*strial %" PRId64 " of study %s at step %" PRId64 "\n", INDENT,
                     i ? "" : "runs", number(item, "trial"), text(item, "study"),
                     number(item, "step"));
    for (size_t i = 0; (item = asy_json_at(studies, i)); i++)
        asy_buf_addf(out, "%-*s%s: %s: %s\n", INDENT, i ? "" : "studies", text(item, "study"),
                     text(item, "cause"), text(item, "text"));
}

/* ---- the command ----------------------------------------------------------------------------- */

static int put(const struct asy_json *root, const struct asy__options *options, int64_t trial,
               struct asy_error *err)
{
    struct asy_buf out = { 0 };
    int rc;

    asy_buf_init(&out, 256u << 20);
    if (options->worker)
        put_worker(&out, root);
    else if (trial >= 0)
        put_trial(&out, root);
    else
        put_study(&out, root);
    if ((rc = asy_buf_check(&out, "the explanation", err)) == 0)
        asy__print_lines(stdout, out.data, INDENT);
    asy_buf_fini(&out);
    return rc;
}

static int explain(const struct asy__options *options, int64_t trial, struct asy_error *err)
{
    struct asy__session *session = NULL;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 256u << 20);
    if ((rc = asy__session_open(options, ASY__START_COORDINATOR, &session, err)) < 0)
        goto out;
    rc = options->worker ? asy__query(session, "explain-worker", "", -1, -1, -1, options->worker,
                                      &json, &root, err)
                         : asy__query(session, "explain", options->words[0], trial, -1, -1, NULL,
                                      &json, &root, err);
    if (rc < 0)
        goto out;
    if (options->json)
        printf("%s\n", json.data);
    else
        rc = put(root, options, trial, err);
out:
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy__session_close(session);
    return rc;
}

int asy__cmd_explain(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    int64_t trial = -1;
    int rc = asy__options_parse(argc, argv, "jw", 0, 2, &options, &err);

    if (rc == 0 && options.n_words > 1)
        rc = asy__trial_number(options.words[1], &trial, &err);
    if (rc == 0 && (options.worker != NULL) == (options.n_words > 0))
        rc = asy_fail(&err, ASY_E_INVAL,
                      options.worker ? "give a study or --worker, not both"
                                     : "say what to explain: a study, or --worker ID");
    if (rc < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    return explain(&options, trial, &err) < 0 ? asy__complain(&err) : EXIT_DONE;
}
