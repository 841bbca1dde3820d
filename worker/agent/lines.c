/* SPDX-License-Identifier: Apache-2.0
 * lines.c - one line of a program, read and checked. Nothing of it is trusted: a program may be a
 * user's first try, or broken, and its mistake shall be told to it and stop there.
 *
 * Unknown keys are refused, with the nearest right word: a misspelt "metrics" that was ignored
 * would cost its writer a whole sweep. */
#include "impl.h"
#include <asy/parse.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const report_keys[] = { "step", "metrics", "wait" };
static const char *const checkpoint_keys[] = { "checkpoint", "step", "wait" };
static const char *const hello_keys[] = { "hello" };
static const char *const bound_keys[] = { "bound", "reason" };
static const char *const end_keys[] = { "end" };
static const char *const alive_keys[] = { "alive" };

static int check_keys(const struct asy_json *node, const char *const *keys, size_t n,
                      struct asy_error *err)
{
    const char *key;

    for (size_t i = 0; asy_json_member(node, i, &key); i++) {
        const char *near;
        size_t k = 0;

        while (k < n && strcmp(keys[k], key))
            k++;
        if (k < n)
            continue;
        near = asy_nearest(key, strlen(key), keys, n);
        return asy_fail(err, ASY_E_INVAL, "unknown key '%.60s'%s%s%s", key,
                        near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
    }
    return 0;
}

static int get_step(const struct asy_json *root, uint64_t *ret_step, struct asy_error *err)
{
    const struct asy_json *node = asy_json_get(root, "step");
    double real;
    int64_t step;

    if (!node)
        return asy_fail(err, ASY_E_INVAL, "no 'step'");
    if (asy_json_type(node) == ASY_JSON_INT) {
        step = asy_json_i64(node, -1);
    } else if (asy_json_type(node) == ASY_JSON_REAL) { /* 3.0, as some writers have it */
        real = asy_json_f64(node, -1);
        if (!(real >= 0 && real <= (double)ASY__STEP_MAX) || real != floor(real))
            return asy_fail(err, ASY_E_INVAL, "'step' is not a whole number from 0 to 2^53");
        step = (int64_t)real;
    } else {
        return asy_fail(err, ASY_E_INVAL, "'step' is not a number");
    }
    if (step < 0 || (uint64_t)step > ASY__STEP_MAX)
        return asy_fail(err, ASY_E_INVAL, "'step' is not a whole number from 0 to 2^53");
    *ret_step = (uint64_t)step;
    return 0;
}

static int check_name(const char *name, struct asy_error *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > ASY__METRIC_NAME_MAX)
        return asy_fail(err, ASY_E_INVAL, "metric name of %zu bytes: 1 to %d are allowed", len,
                        ASY__METRIC_NAME_MAX);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return asy_fail(err, ASY_E_INVAL, "metric name with a control character");
    return 0;
}

/* A number, or the text of one that JSON lacks. */
static int get_value(const struct asy_json *node, double *ret_value)
{
    switch (asy_json_type(node)) {
    case ASY_JSON_INT:
    case ASY_JSON_REAL:
        *ret_value = asy_json_f64(node, 0);
        return 0;
    case ASY_JSON_STRING: {
        const char *text = asy_json_str(node, "");
        static const char *const allowed[] = { "nan", "inf", "-inf", "NaN", "Infinity",
                                               "-Infinity" };

        for (size_t i = 0; i < ASY_ARRAY_LEN(allowed); i++) {
            if (strcmp(text, allowed[i]))
                continue;
            *ret_value = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
            return 0;
        }
        return -1;
    }
    default:
        return -1;
    }
}

static int get_metrics(const struct asy_json *root, struct asy__said *said, struct asy_error *err)
{
    const struct asy_json *node = asy_json_get(root, "metrics"), *value;
    size_t n = asy_json_len(node);
    const char *name;
    int rc;

    if (!node)
        return 0;
    if (asy_json_type(node) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_INVAL, "'metrics' is not an object of names and numbers");
    if (n > ASY__METRICS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%zu metrics in one line, at most %d are allowed", n,
                        ASY__METRICS_MAX);
    if (n && !(said->metrics = calloc(n, sizeof *said->metrics)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu metrics", n);
    for (size_t i = 0; (value = asy_json_member(node, i, &name)); i++) {
        if ((rc = check_name(name, err)) < 0)
            return rc;
        said->metrics[i].name = name;
        if (get_value(value, &said->metrics[i].value) < 0)
            return asy_fail(err, ASY_E_INVAL,
                            "metric '%.60s' is not a number (or \"nan\", \"inf\", \"-inf\")", name);
    }
    said->n_metrics = n;
    return 0;
}

static int get_wait(const struct asy_json *root, struct asy__said *said, struct asy_error *err)
{
    const struct asy_json *node = asy_json_get(root, "wait");

    if (node && asy_json_type(node) != ASY_JSON_BOOL)
        return asy_fail(err, ASY_E_INVAL, "'wait' is not true or false");
    said->wait = asy_json_bool(node, 0);
    return 0;
}

static int read_report(struct asy__said *said, struct asy_error *err)
{
    int rc;

    said->what = ASY__SAID_REPORT;
    if ((rc = check_keys(said->root, report_keys, ASY_ARRAY_LEN(report_keys), err)) < 0 ||
        (rc = get_step(said->root, &said->step, err)) < 0 ||
        (rc = get_wait(said->root, said, err)) < 0)
        return rc;
    return get_metrics(said->root, said, err);
}

/* A name is one component of a path: it can leave its folder in no way. */
static int check_checkpoint_name(const char *name, struct asy_error *err)
{
    size_t len = name ? strlen(name) : 0;

    if (len == 0 || len > 200)
        return asy_fail(err, ASY_E_INVAL, "'checkpoint' is not a name of 1 to 200 bytes");
    if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return asy_fail(err, ASY_E_INVAL,
                        "'checkpoint' names a file or folder in ASSAY_CHECKPOINT_DIR, no path");
    return 0;
}

static int read_checkpoint(struct asy__said *said, struct asy_error *err)
{
    int rc;

    said->what = ASY__SAID_CHECKPOINT;
    said->name = asy_json_str(asy_json_get(said->root, "checkpoint"), NULL);
    if ((rc = check_keys(said->root, checkpoint_keys, ASY_ARRAY_LEN(checkpoint_keys), err)) < 0 ||
        (rc = check_checkpoint_name(said->name, err)) < 0 ||
        (rc = get_wait(said->root, said, err)) < 0)
        return rc;
    return get_step(said->root, &said->step, err);
}

static int read_hello(struct asy__said *said, struct asy_error *err)
{
    const struct asy_json *node = asy_json_get(said->root, "hello");
    int rc = check_keys(said->root, hello_keys, ASY_ARRAY_LEN(hello_keys), err);

    if (rc < 0)
        return rc;
    said->what = ASY__SAID_HELLO;
    said->token = asy_json_str(asy_json_get(node, "token"), NULL);
    said->rank = asy_json_i64(asy_json_get(node, "rank"), -1);
    if (!said->token || said->rank < 0)
        return asy_fail(err, ASY_E_INVAL, "'hello' needs 'token' and 'rank'");
    return 0;
}

static int read_bound(struct asy__said *said, struct asy_error *err)
{
    int rc = check_keys(said->root, bound_keys, ASY_ARRAY_LEN(bound_keys), err);

    if (rc < 0)
        return rc;
    said->what = ASY__SAID_BOUND;
    said->cpus = asy_json_str(asy_json_get(said->root, "bound"), NULL);
    said->reason = asy_json_str(asy_json_get(said->root, "reason"), "");
    return said->cpus ? 0 : asy_fail(err, ASY_E_INVAL, "'bound' is not a list of CPUs");
}

static int read_alive(struct asy__said *said, struct asy_error *err)
{
    const struct asy_json *node = asy_json_get(said->root, "alive");
    int rc = check_keys(said->root, alive_keys, ASY_ARRAY_LEN(alive_keys), err);

    if (rc < 0)
        return rc;
    said->what = ASY__SAID_ALIVE;
    return asy_json_bool(node, 0) ? 0 : asy_fail(err, ASY_E_INVAL, "'alive' is not true");
}

static int read_end(struct asy__said *said, struct asy_error *err)
{
    static const char *const outcomes[] = { "complete", "paused", "stopped", "diverged",
                                            "failed" };
    const struct asy_json *node = asy_json_get(said->root, "end");
    size_t i = 0;
    int rc = check_keys(said->root, end_keys, ASY_ARRAY_LEN(end_keys), err);

    if (rc < 0)
        return rc;
    said->what = ASY__SAID_END;
    said->outcome = asy_json_str(asy_json_get(node, "outcome"), "");
    said->model = asy_json_str(asy_json_get(node, "model"), NULL);
    said->scores = asy_json_str(asy_json_get(node, "scores"), NULL);
    said->reason = asy_json_str(asy_json_get(node, "reason"), "");
    said->objective = asy_json_f64(asy_json_get(node, "objective"), NAN);
    while (i < ASY_ARRAY_LEN(outcomes) && strcmp(outcomes[i], said->outcome))
        i++;
    if (i == ASY_ARRAY_LEN(outcomes))
        return asy_fail(err, ASY_E_INVAL, "'end' has no known 'outcome'");
    return get_step(node, &said->step, err);
}

int asy__said_parse(const char *line, size_t len, struct asy__said *ret_said,
                    struct asy_error *err)
{
    struct asy__said said = { .objective = NAN };
    int rc;

    if ((rc = asy_json_parse(line, len, &said.root, err)) < 0)
        return rc;
    if (asy_json_type(said.root) != ASY_JSON_OBJECT)
        rc = asy_fail(err, ASY_E_FORMAT, "a line is one JSON object");
    else if (asy_json_get(said.root, "hello"))
        rc = read_hello(&said, err);
    else if (asy_json_get(said.root, "bound"))
        rc = read_bound(&said, err);
    else if (asy_json_get(said.root, "alive"))
        rc = read_alive(&said, err);
    else if (asy_json_get(said.root, "end"))
        rc = read_end(&said, err);
    else if (asy_json_get(said.root, "checkpoint"))
        rc = read_checkpoint(&said, err);
    else
        rc = read_report(&said, err);
    if (rc < 0) {
        asy__said_fini(&said);
        return rc;
    }
    *ret_said = said;
    return 0;
}

void asy__said_fini(struct asy__said *said)
{
    free(said->metrics);
    asy_json_destroy(said->root);
    memset(said, 0, sizeof *said);
}
