/* SPDX-License-Identifier: Apache-2.0
 * tables.c - lists of studies, trials and workers for people. */
#include "tables.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <asy/clock.h>
#include "format.h"
#include "table.h"

static int64_t number(const struct asy_json *node, const char *key)
{
    return asy_json_i64(asy_json_get(node, key), 0);
}

static const char *text(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

static void put_number(struct asy__table *table, const struct asy_json *node, const char *key)
{
    asy_buf_addf(asy__table_cell(table), "%" PRId64, number(node, key));
}

/* An empty cell where there is nothing: a column of such is left out. */
static void put_some(struct asy__table *table, const struct asy_json *node, const char *key)
{
    struct asy_buf *cell = asy__table_cell(table);

    if (number(node, key))
        asy_buf_addf(cell, "%" PRId64, number(node, key));
}

static void put_text(struct asy__table *table, const struct asy_json *node, const char *key)
{
    asy__fmt_clean(asy__table_cell(table), text(node, key));
}

static void put_age(struct asy__table *table, int64_t since_us)
{
    struct asy_buf *cell = asy__table_cell(table);

    if (since_us <= 0)
        return;
    asy__fmt_age(cell, (asy_clock_wall_us() - since_us) / 1000);
}

/* ---- studies ------------------------------------------------------------------------------- */

int asy__table_of_studies(const struct asy_json *root, size_t width, struct asy_buf *out,
                          struct asy_error *err)
{
    static const char *const heads[] = { "STUDY", "STATE", ">TRIALS", ">DONE", ">BEST", ">TRIAL",
                                         ">RUNNING", ">PAUSED", ">FAILED", ">PRUNED",
                                         ">CANCELLED", "STARTED", "TOOK", NULL };
    const struct asy_json *studies = asy_json_get(root, "studies"), *study;
    struct asy__table table;
    int rc;

    if (asy_json_len(studies) == 0) {
        asy_buf_adds(out, "no studies yet; 'assay run FILE' makes one\n");
        return asy_buf_check(out, "the table", err);
    }
    asy__table_init(&table, heads);
    for (size_t i = 0; (study = asy_json_at(studies, i)); i++) {
        put_text(&table, study, "name");
        put_text(&table, study, "state");
        put_number(&table, study, "trials");
        put_number(&table, study, "complete");
        asy__fmt_value(asy__table_cell(&table), asy_json_get(study, "best"));
        if (number(study, "best_trial") >= 0)
            put_number(&table, study, "best_trial");
        else
            asy_buf_addc(asy__table_cell(&table), '-');
        put_some(&table, study, "running");
        put_some(&table, study, "paused");
        put_some(&table, study, "failed");
        put_some(&table, study, "pruned");
        put_some(&table, study, "cancelled");
        put_age(&table, number(study, "created_us"));
        asy__fmt_took(asy__table_cell(&table), 0, number(study, "created_us"),
                      number(study, "ended_us"));
    }
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}

/* ---- trials -------------------------------------------------------------------------------- */

#define TRIAL_HEADS 7
static const char *const trial_heads[TRIAL_HEADS] = { ">TRIAL", "STATE", ">VALUE", ">STEP",
                                                      ">ATTEMPTS", "TOOK", "WHY" };

static void trial_cells(struct asy__table *table, const struct asy_json *trial, int wide)
{
    const char *cause = text(trial, "cause");

    put_number(table, trial, "number");
    put_text(table, trial, "state");
    asy__fmt_value(asy__table_cell(table), asy_json_get(trial, "value"));
    put_number(table, trial, "step");
    if (wide) {
        put_number(table, trial, "attempts");
        asy__fmt_took(asy__table_cell(table), 0, number(trial, "started_us"),
                      number(trial, "ended_us")); /* its lease is not in the list */
    }
    asy__fmt_clean(asy__table_cell(table), strcmp(cause, "none") != 0 ? cause : "");
}

/* All names of parameters, in the order in which trials first have them. */
static size_t param_names(const struct asy_json *trials, const char **names, size_t max)
{
    const struct asy_json *trial;
    const char *key;
    size_t n = 0, known;

    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++)
        for (size_t k = 0; asy_json_member(asy_json_get(trial, "params"), k, &key); k++) {
            for (known = 0; known < n && strcmp(names[known], key) != 0; known++)
                ;
            if (known < n)
                continue;
            if (n == max)
                return max + 1;
            names[n++] = key;
        }
    return n;
}

static void trials_wide(struct asy__table *table, const struct asy_json *trials,
                        const char *const *names, size_t n)
{
    const char *heads[ASY__TABLE_COLUMNS + 1] = { NULL };
    const struct asy_json *trial;

    memcpy(heads, trial_heads, sizeof trial_heads);
    memcpy(heads + TRIAL_HEADS, names, n * sizeof *names);
    asy__table_init(table, heads);
    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++) {
        trial_cells(table, trial, 1);
        for (size_t k = 0; k < n; k++) {
            struct asy_buf *cell = asy__table_cell(table);
            const struct asy_json *value = asy_json_get(asy_json_get(trial, "params"), names[k]);

            if (value)
                asy__fmt_value(cell, value);
        }
    }
}

static void trials_narrow(struct asy__table *table, const struct asy_json *trials)
{
    static const char *const heads[] = { ">TRIAL", "STATE", ">VALUE", ">STEP", "WHY",
                                         "PARAMETERS", NULL };
    const struct asy_json *trial;

    asy__table_init(table, heads);
    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++) {
        trial_cells(table, trial, 0);
        asy__fmt_params(asy__table_cell(table), asy_json_get(trial, "params"));
    }
}

int asy__table_of_trials(const struct asy_json *root, size_t width, struct asy_buf *out,
                         struct asy_error *err)
{
    const struct asy_json *trials = asy_json_get(root, "trials");
    const char *names[ASY__TABLE_COLUMNS];
    size_t most = ASY__TABLE_COLUMNS - TRIAL_HEADS, n = param_names(trials, names, most);
    struct asy__table table;
    int wide = n <= most, rc;

    if (asy_json_len(trials) == 0) {
        asy_buf_adds(out, "no trials yet\n");
        return asy_buf_check(out, "the table", err);
    }
    if (wide) {
        trials_wide(&table, trials, names, n);
        if (width && asy__table_columns(&table) > width) {
            asy__table_fini(&table);
            wide = 0;
        }
    }
    if (!wide)
        trials_narrow(&table, trials);
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}

/* ---- workers ------------------------------------------------------------------------------- */

#define ID_SHOWN 8 /* digits at least: more than 'assay explain --worker' asks for */

/* How many digits of their ids tell all workers apart. */
static int id_digits(const struct asy_json *workers)
{
    const struct asy_json *a, *b;
    size_t n = ID_SHOWN;

    for (size_t i = 0; (a = asy_json_at(workers, i)); i++)
        for (size_t k = 0; k < i && (b = asy_json_at(workers, k)); k++)
            while (n < strlen(text(a, "id")) && !strncmp(text(a, "id"), text(b, "id"), n))
                n++;
    return (int)n;
}

/* "4", or "1.5 of 4" while some of them are given out. */
static void put_gpus(struct asy__table *table, const struct asy_json *worker)
{
    const struct asy_json *list = asy_json_get(worker, "gpu_list"), *gpu;
    struct asy_buf *cell = asy__table_cell(table);
    double used = 0;

    for (size_t i = 0; (gpu = asy_json_at(list, i)); i++)
        used += asy_json_f64(asy_json_get(gpu, "used"), 0);
    if (used > 0) {
        asy__fmt_number(cell, used);
        asy_buf_adds(cell, " of ");
    }
    asy_buf_addf(cell, "%" PRId64, number(worker, "gpus"));
}

/* Below the table: what they began before a backup was restored, and whether it can be adopted. */
static void list_offers(const struct asy_json *workers, struct asy_buf *out)
{
    const struct asy_json *worker, *offer;
    size_t n = 0;

    for (size_t i = 0; (worker = asy_json_at(workers, i)); i++)
        for (size_t k = 0; (offer = asy_json_at(asy_json_get(worker, "offers"), k)); k++) {
            const char *why = text(offer, "why");

            if (n++ == 0)
                asy_buf_adds(out, "\nbegun before a backup was restored ('assay adopt' or 'assay "
                                  "discard' decides):\n");
            asy_buf_adds(out, "  ");
            asy__fmt_clean(out, text(offer, "study"));
            asy_buf_addf(out, " %" PRId64 " on ", number(offer, "trial"));
            asy__fmt_clean(out, text(worker, "host"));
            asy_buf_addf(out, ", %s step %" PRId64 ": ",
                         asy_json_bool(asy_json_get(offer, "running"), 0) ? "runs, at" : "done, at",
                         number(offer, "step"));
            asy__fmt_clean(out, *why ? why : "can be adopted");
            asy_buf_addc(out, '\n');
        }
}

/* Below that: who was not let in since the coordinator started. */
static void list_refusals(const struct asy_json *root, struct asy_buf *out)
{
    const struct asy_json *at = asy_json_get(root, "connections");
    int64_t refused = number(at, "refused_keys"), failed = number(at, "failed_handshakes");

    if (refused > 0) {
        asy_buf_addf(out, "\nnot let in: %" PRId64 " connection%s, the last from ", refused,
                     refused == 1 ? "" : "s");
        asy__fmt_clean(out, text(at, "last_refused_from"));
        asy_buf_adds(out, " with key '");
        asy__fmt_clean(out, text(at, "last_refused_key"));
        asy_buf_adds(out, "', which is not on the list: revoked, or never invited\n");
    }
    if (failed > 0)
        asy_buf_addf(out, "%sbroken off: %" PRId64 " connection%s before the keys were proven "
                     "(another program, or an invitation of another coordinator)\n",
                     refused > 0 ? "" : "\n", failed, failed == 1 ? "" : "s");
}

int asy__table_of_workers(const struct asy_json *root, size_t width, struct asy_buf *out,
                          struct asy_error *err)
{
    static const char *const heads[] = { "WORKER", "ID", "KEY", "STATE", ">CORES",
                                         ">FREE", ">MEMORY",
                                         ">USED", ">GPUS", "RUNS", "NOTE", NULL };
    const struct asy_json *workers = asy_json_get(root, "workers"), *worker, *run;
    struct asy__table table;
    int digits = id_digits(workers), rc;

    if (asy_json_len(workers) == 0) {
        asy_buf_adds(out, "no workers; 'assay up' starts one here, 'assay run' too\n");
        list_refusals(root, out);
        return asy_buf_check(out, "the table", err);
    }
    asy__table_init(&table, heads);
    for (size_t i = 0; (worker = asy_json_at(workers, i)); i++) {
        struct asy_buf *cell;

        put_text(&table, worker, "host");
        asy_buf_addf(asy__table_cell(&table), "%.*s", digits, text(worker, "id"));
        put_text(&table, worker, strcmp(text(worker, "key"), "owner") ? "key" : "");
        put_text(&table, worker, "state");
        put_number(&table, worker, "cores");
        put_number(&table, worker, "free_cores");
        asy__fmt_bytes(asy__table_cell(&table), (uint64_t)number(worker, "memory"));
        asy__fmt_bytes(asy__table_cell(&table), (uint64_t)number(worker, "memory_used"));
        put_gpus(&table, worker);
        cell = asy__table_cell(&table);
        for (size_t k = 0; (run = asy_json_at(asy_json_get(worker, "runs"), k)) && k < 3; k++) {
            asy_buf_adds(cell, k ? ", " : "");
            asy__fmt_clean(cell, text(run, "study"));
            asy_buf_addf(cell, " %" PRId64, number(run, "trial"));
        }
        if (asy_json_len(asy_json_get(worker, "runs")) > 3)
            asy_buf_addf(cell, " and %zu more", asy_json_len(asy_json_get(worker, "runs")) - 3);
        put_text(&table, worker, "fit");
    }
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    list_offers(workers, out);
    list_refusals(root, out);
    return rc ? rc : asy_buf_check(out, "the table", err);
}
