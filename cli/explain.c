/* SPDX-License-Identifier: Apache-2.0
 * explain.c - why a trial, a study or a worker waits, failed or was stopped: the rule, the numbers
 * of this case, what helps, and then what happened on the way. --json prints it as it came. */
#include "cli.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <asy/clock.h>
#include "format.h"

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
static void put_lines(const char *lines, int indent)
{
    for (const char *end; *lines; lines = end + (*end != 0)) {
        end = lines + strcspn(lines, "\n");
        printf("%.*s\n", (int)(end - lines), lines);
        if (*end)
            printf("%*s", indent, "");
    }
}

static void put_member(const char *name, const char *value)
{
    if (!*value)
        return;
    printf("%-*s", INDENT, name);
    put_lines(value, INDENT);
}

static void put_why(const struct asy_json *root)
{
    put_member("why", text(root, "rule"));
    put_member("numbers", text(root, "text"));
    put_member("to do", text(root, "remedy"));
}

static void put_state(const struct asy_json *root)
{
    const char *cause = text(root, "cause");

    printf("%s", text(root, "state"));
    if (*cause && strcmp(cause, "none") != 0 && strcmp(cause, text(root, "state")) != 0)
        printf(" (%s)", cause);
    putchar('\n');
}

/* ---- a trial --------------------------------------------------------------------------------- */

static void put_mib(const char *before, int64_t bytes, const char *after)
{
    printf("%s%.1f MiB%s", before, (double)bytes / 1048576, after);
}

static void put_span(const struct asy_json *attempt)
{
    int64_t from = number(attempt, "started_us"), to = number(attempt, "ended_us");

    if (!from)
        from = number(attempt, "leased_us");
    if (to > from) {
        struct asy_buf span = { 0 };

        asy_buf_init(&span, 64);
        asy__fmt_duration(&span, (to - from) / 1000);
        printf(" after %s", span.data);
        asy_buf_fini(&span);
    }
}

static void put_attempt(const struct asy_json *attempt)
{
    const char *end = text(attempt, "end"), *why = text(attempt, "text");
    const char *host = text(attempt, "host");
    int64_t from = number(attempt, "resumed_from"), used = number(attempt, "max_rss");
    int64_t limit = number(attempt, "memory"), late = number(attempt, "superseded_reports");
    char when[32] = "", name[24];

    asy_clock_format(number(attempt, "leased_us"), when);
    snprintf(name, sizeof name, "attempt %" PRId64, number(attempt, "attempt"));
    printf("%-*s%s%s%s: %s at step %" PRId64, INDENT, name, when, *host ? " on " : "", host,
           *end ? end : "runs", number(attempt, "step"));
    put_span(attempt);
    if (from)
        printf(", from the checkpoint of attempt %" PRId64 " at step %" PRId64, from,
               number(attempt, "resumed_step"));
    putchar('\n');
    if (strcmp(text(attempt, "cause"), "none") != 0) {
        printf("%*s%s%s", INDENT, "", text(attempt, "cause"), *why ? ": " : "\n");
        put_lines(why, INDENT);
    }
    if (used) {
        printf("%*s", INDENT, "");
        put_mib("memory: used ", used, "");
        if (limit)
            put_mib(" of ", limit, "");
        putchar('\n');
    }
    if (late)
        printf("%*s%" PRId64 " of its reports came after it had been superseded; they count for "
               "nothing\n", INDENT, "", late);
}

/* What the last attempt ended with may say more of what helps than its trial's cause. */
static void put_last_remedy(const struct asy_json *root)
{
    const struct asy_json *attempts = asy_json_get(root, "attempts");
    size_t n = asy_json_len(attempts);
    const struct asy_json *last = n ? asy_json_at(attempts, n - 1) : NULL;
    const char *cause = text(last, "cause");

    if (!strcmp(text(root, "cause"), "retries") && strcmp(cause, "exit-code") != 0 &&
        strcmp(cause, "signal") != 0)
        put_member("", text(last, "remedy"));
}

static void put_reported(const struct asy_json *root)
{
    const struct asy_json *names = asy_json_get(root, "reported"), *name;

    if (strcmp(text(root, "cause"), "no-value") != 0)
        return;
    printf("%-*s", INDENT, "reported");
    for (size_t i = 0; (name = asy_json_at(names, i)); i++)
        printf("%s%s", i ? ", " : "", asy_json_str(name, ""));
    puts(asy_json_len(names) ? "" : "nothing");
}

static void put_history(const struct asy_json *root)
{
    const struct asy_json *list = asy_json_get(root, "history"), *item;

    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        char when[32] = "";
        const char *why = text(item, "text");

        asy_clock_format(number(item, "wall_us"), when);
        printf("%-*s%s %s at step %" PRId64 "%s%.*s\n", INDENT, i ? "" : "history", when,
               text(item, "state"), number(item, "step"), *why ? ": " : "",
               (int)strcspn(why, "\n"), why);
    }
}

static void put_trial(const struct asy_json *root)
{
    const struct asy_json *list = asy_json_get(root, "attempts"), *item;

    printf("%-*s%" PRId64 " of study %s: ", INDENT, "trial", number(root, "trial"),
           text(root, "study"));
    put_state(root);
    put_why(root);
    put_last_remedy(root);
    put_reported(root);
    put_history(root);
    for (size_t i = 0; (item = asy_json_at(list, i)); i++)
        put_attempt(item);
}

/* ---- a study --------------------------------------------------------------------------------- */

static void put_counts(const struct asy_json *root)
{
    const struct asy_json *counts = asy_json_get(root, "counts"), *value;
    const char *state;
    int any = 0;

    printf("%-*s%" PRId64, INDENT, "trials", number(root, "trials"));
    for (size_t i = 0; (value = asy_json_member(counts, i, &state)); i++)
        if (asy_json_i64(value, 0) > 0)
            printf("%s%" PRId64 " %s", any++ ? ", " : ": ", asy_json_i64(value, 0), state);
    putchar('\n');
}

static void put_group(const struct asy_json *group)
{
    const struct asy_json *last = asy_json_get(group, "last");

    printf("%*s%" PRId64 " %s (%s%s%s)\n", INDENT, "", number(group, "trials"),
           text(group, "state"), text(group, "cause"), last ? ", at last " : "",
           text(last, "cause"));
    printf("%*s  %s\n", INDENT, "", text(group, "rule"));
    printf("%*s  trial %" PRId64 ": ", INDENT, "", number(group, "example"));
    put_lines(text(group, "text"), INDENT + 2);
    if (!*text(group, "text"))
        putchar('\n');
    printf("%*s  to do: %s\n", INDENT, "", text(last ? last : group, "remedy"));
}

static void put_study(const struct asy_json *root)
{
    const struct asy_json *groups = asy_json_get(root, "causes"), *group;

    printf("%-*s%s: ", INDENT, "study", text(root, "study"));
    put_state(root);
    put_why(root);
    put_counts(root);
    for (size_t i = 0; (group = asy_json_at(groups, i)); i++)
        put_group(group);
}

/* ---- a worker -------------------------------------------------------------------------------- */

static void put_when(const char *name, int64_t wall_us)
{
    char when[32];

    if (!wall_us)
        return;
    asy_clock_format(wall_us, when);
    put_member(name, when);
}

static void put_worker(const struct asy_json *root)
{
    const struct asy_json *runs = asy_json_get(root, "runs"), *item;
    const struct asy_json *studies = asy_json_get(root, "studies");

    printf("%-*s%s %s: ", INDENT, "worker", text(root, "host"), text(root, "id"));
    put_state(root);
    put_why(root);
    printf("%-*s%" PRId64, INDENT, "cores", number(root, "cores"));
    if (asy_json_get(root, "free_cores"))
        printf(", %" PRId64 " of them free", number(root, "free_cores"));
    putchar('\n');
    put_when("joined", number(root, "joined_us"));
    put_when("gone", number(root, "gone_us"));
    for (size_t i = 0; (item = asy_json_at(runs, i)); i++)
        printf("%-*strial %" PRId64 " of study %s at step %" PRId64 "\n", INDENT, i ? "" : "runs",
               number(item, "trial"), text(item, "study"), number(item, "step"));
    for (size_t i = 0; (item = asy_json_at(studies, i)); i++)
        printf("%-*s%s: %s: %s\n", INDENT, i ? "" : "studies", text(item, "study"),
               text(item, "cause"), text(item, "text"));
}

/* ---- the command ----------------------------------------------------------------------------- */

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
    else if (options->worker)
        put_worker(root);
    else if (trial >= 0)
        put_trial(root);
    else
        put_study(root);
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
        rc = asy_fail(&err, ASY_E_INVAL, options.worker
                                             ? "give a study or --worker, not both"
                                             : "say what to explain: a study, or --worker ID");
    if (rc < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    return explain(&options, trial, &err) < 0 ? asy__complain(&err) : EXIT_DONE;
}
