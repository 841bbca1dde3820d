/* SPDX-License-Identifier: Apache-2.0
 * study_from.c - the key `search.from`: what earlier studies found, for a search that begins there.
 *
 * A user's file names the studies. The command line, which may ask for them, puts their results in
 * place of the names before it submits the study: points, and of each the share of that study's
 * results that are better. Values themselves are of another objective, or of another scale, and
 * have no place beside the study's own. So the study's own text tells all that its answers follow
 * from, whatever becomes of the others.
 *
 * docs/decisions/0025-earlier-studies.md has the reasons. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_MAX 64       /* trials of one study: half of them its best, the others spread */
#define CELLS_MAX 16384   /* values of all trials: what a study's text has room for */
#define STUDIES_MAX 16
#define FIRST_MAX 5       /* first trials of the new study */
#define FIRST_SHARE 5     /* of its budget at most one in so many */
#define APART 0.1         /* of the range of some parameter: first trials are as far apart */

/* ---- reading --------------------------------------------------------------------------------- */

struct reading {
    struct asy__parse *p;
    const char **names;              /* [n_names] */
    struct asy_study_earlier *list;  /* [n] */
    double *x;                       /* [n, space length] */
    size_t *order;                   /* [n] place among the first trials, from 1; 0: none */
    size_t n_names, n, source;
};

static int wrong(struct asy__parse *p, const struct asy_yaml *node, const char *key)
{
    asy__problem(p, node, key, "must be the name of a study; what else may stand here the command "
                 "line puts in");
    return 0;
}

static int read_trial(struct reading *r, const struct asy_yaml *node, const char *study,
                      const char *key)
{
    const struct asy_yaml *trial = asy_yaml_get(node, "trial"), *rank = asy_yaml_get(node, "rank");
    const struct asy_yaml *point = asy_yaml_get(node, "point");
    const struct asy_yaml *first = asy_yaml_get(node, "first");
    struct asy_error err = ASY_ERROR_INIT;

    if (node->type != ASY_YAML_MAP || !trial || trial->type != ASY_YAML_INT || trial->i < 0 ||
        !rank || rank->type != ASY_YAML_REAL || !(rank->f > 0 && rank->f < 1) || !point ||
        point->type != ASY_YAML_MAP || !point->len ||
        (first && (first->type != ASY_YAML_INT || first->i < 1 || first->i > FIRST_MAX)))
        return wrong(r->p, node, key);
    if (asy__read_point(r->p, point, 1, r->x + r->n * asy_space_len(r->p->study->space), &err)) {
        if (err.code == ASY_E_NOMEM)
            asy__no_memory(r->p);
        else
            asy__problem(r->p, point, key, "%s", err.text);
        return 0;
    }
    r->order[r->n] = first ? (size_t)first->i : 0;
    r->list[r->n++] = (struct asy_study_earlier){ study, (uint64_t)trial->i, rank->f, r->source };
    return 1;
}

/* A study, by name or with its results. */
static void read_study(struct reading *r, const struct asy_yaml *node, size_t i)
{
    const struct asy_yaml *name = node->type == ASY_YAML_MAP ? asy_yaml_get(node, "study") : node;
    const struct asy_yaml *trials = name != node ? asy_yaml_get(node, "trials") : NULL;
    const char *text = name ? asy__scalar(name) : NULL, *study;
    char key[64];

    snprintf(key, sizeof key, "search.from[%zu]", i);
    if (!text || !*text || (name != node && (!trials || trials->type != ASY_YAML_LIST))) {
        wrong(r->p, node, key);
        return;
    }
    if (!(study = asy__take_text(r->p, text, strlen(text))))
        return;
    for (size_t k = 0; k < r->n_names; k++)
        if (!strcmp(r->names[k], study))
            asy__problem(r->p, node, key, "stands there twice");
    r->names[r->n_names++] = study;
    r->p->study->spec.unread += trials == NULL;
    for (size_t k = 0; trials && k < trials->len && !r->p->rc; k++)
        if (!read_trial(r, trials->items[k], study, key))
            return;
    r->source++;
}

/* The first trials follow the points that the user gives. */
static void enqueue_first(struct reading *r)
{
    struct asy_study_spec *spec = &r->p->study->spec;
    size_t len = asy_space_len(r->p->study->space), n = 0;
    size_t *from;
    double *x;

    if (!(x = asy__take(r->p, ((spec->n_enqueue + FIRST_MAX) * len + 1) * sizeof *x)) ||
        !(from = asy__take(r->p, FIRST_MAX * sizeof *from)))
        return;
    if (spec->n_enqueue)
        memcpy(x, spec->enqueue, spec->n_enqueue * len * sizeof *x);
    for (size_t place = 1; place <= FIRST_MAX; place++)
        for (size_t i = 0; i < r->n && n < FIRST_MAX; i++)
            if (r->order[i] == place) {
                memcpy(x + (spec->n_enqueue + n) * len, r->x + i * len, len * sizeof *x);
                from[n++] = i;
            }
    spec->enqueue = x;
    spec->n_enqueue += n;
    spec->first = from;
    spec->n_first = n;
}

/* Whether there is room for all that stands there. */
static int make_room(struct reading *r, const struct asy_yaml *node)
{
    size_t n = 0, len = asy_space_len(r->p->study->space);

    for (size_t i = 0; i < node->len; i++) {
        const struct asy_yaml *trials = node->items[i]->type == ASY_YAML_MAP
                                            ? asy_yaml_get(node->items[i], "trials") : NULL;

        n += trials ? trials->len : 0;
    }
    if (node->len > STUDIES_MAX || n > STUDIES_MAX * KEEP_MAX) {
        asy__problem(r->p, node, "search.from", "has more than %d studies, or too many trials",
                     STUDIES_MAX);
        return 0;
    }
    r->names = asy__take(r->p, (node->len + 1) * sizeof *r->names);
    r->list = asy__take(r->p, (n + 1) * sizeof *r->list);
    r->order = asy__take(r->p, (n + 1) * sizeof *r->order);
    r->x = asy__take(r->p, (n * len + 1) * sizeof *r->x);
    return !r->p->rc;
}

void asy__study_from(struct asy__parse *p)
{
    const struct asy_yaml *node = asy__val(p, "search.from")->node;
    struct asy_study_spec *spec = &p->study->spec;
    struct reading r = { .p = p };
    struct asy_yaml *one[1], list = { 0 };

    spec->n_given = spec->n_enqueue;
    if (!node)
        return;
    if (p->n_goals > 1) {
        asy__problem(p, node, "search.from", "is for a study with one objective");
        return;
    }
    if (node->type != ASY_YAML_LIST) { /* a mere name */
        one[0] = (struct asy_yaml *)(uintptr_t)node;
        list = (struct asy_yaml){ .type = ASY_YAML_LIST, .items = one, .len = 1,
                                  .line = node->line, .column = node->column };
        node = &list;
    }
    if (!make_room(&r, node))
        return;
    for (size_t i = 0; i < node->len && !p->rc; i++)
        read_study(&r, node->items[i], i);
    spec->from = r.names;
    spec->n_from = r.n_names;
    spec->earlier = r.list;
    spec->earlier_x = r.x;
    spec->n_earlier = r.n;
    if (!p->rc)
        enqueue_first(&r);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Place among the first trials, from 1; 0: none. */
static size_t place_of(const struct asy_study_spec *spec, size_t i)
{
    for (size_t k = 0; k < spec->n_first; k++)
        if (spec->first[k] == i)
            return k + 1;
    return 0;
}

static void write_trial(struct asy_jsonw *w, const struct asy_space *space, uint64_t number,
                        double rank, size_t first, const double *x)
{
    char text[40];

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_u64(w, "trial", number);
    asy__real_text(rank, text);
    asy_jsonw_raw(w, "rank", text, strlen(text));
    if (first)
        asy_jsonw_u64(w, "first", first);
    asy_space_write(space, x, w, "point");
    asy_jsonw_close(w, '}');
}

/* Left out where there is nothing, so that older studies keep their bytes. */
void asy__study_write_from(const struct asy_study_spec *spec, struct asy_jsonw *w)
{
    size_t len = asy_space_len(spec->space), at = 0;

    if (spec->n_from == 0)
        return;
    asy_jsonw_open(w, "from", '[');
    for (size_t i = 0; i < spec->n_from; i++) {
        if (spec->unread) {
            asy_jsonw_str(w, NULL, spec->from[i]);
            continue;
        }
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "study", spec->from[i]);
        asy_jsonw_open(w, "trials", '[');
        for (; at < spec->n_earlier && spec->earlier[at].source == i; at++)
            write_trial(w, spec->space, spec->earlier[at].trial, spec->earlier[at].rank,
                        place_of(spec, at), spec->earlier_x + at * len);
        asy_jsonw_close(w, ']');
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

/* ---- taking what earlier studies found ------------------------------------------------------- */

struct found {
    uint64_t number;
    double value;  /* smaller is better */
    double rank;
    size_t source, place;
    double *x;     /* [space length]; NULL: it does not fit */
    int kept;
};
struct taking {
    const struct asy_study_spec *spec;
    const struct asy_study_source *source; /* in hand */
    struct found *found;                   /* [n], the best first within a study */
    size_t n;
    struct asy_buf *notes;
};

static int by_value(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* What the trial had for the parameter: its own value, or a constant of its model. */
static const struct asy_json *value_of(const struct asy_study_source *source,
                                       const struct asy_json *trial, const char *name)
{
    const struct asy_json *value = asy_json_get(asy_json_get(trial, "params"), name);

    return value ? value
                 : asy_json_get(asy_json_get(asy_json_get(source->spec, "run"), "fixed"), name);
}

/* The trial as a point of the new space. 1: fits; 0: does not; else a failure. */
static int map_trial(const struct taking *t, const struct asy_json *trial, double *x,
                     struct asy_error *err)
{
    const struct asy_space *space = t->spec->space;
    struct asy_json *point = NULL;
    struct asy_buf text = { 0 };
    struct asy_jsonw w;
    size_t known = 0;
    int rc;

    asy_buf_init(&text, ASY_STUDY_FILE_MAX);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_open(&w, NULL, '{');
    for (size_t i = 0; i < asy_space_len(space); i++) {
        const char *name = asy_space_at(space, i)->name;
        const struct asy_json *value = value_of(t->source, trial, name);

        if (!value)
            continue;
        asy_jsonw_node(&w, name, value);
        known++;
    }
    asy_jsonw_close(&w, '}');
    if ((rc = asy_buf_check(&text, "a point", err)) == 0 &&
        (rc = asy_json_parse(text.data, text.len, &point, err)) == 0)
        rc = asy_space_read(space, point, 1, x, err);
    asy_json_destroy(point);
    asy_buf_fini(&text);
    if (rc == 0)
        return known > 0;
    return rc == ASY_E_NOMEM ? rc : 0;
}

/* Complete trials with a value, the best first, each with its rank. */
static size_t list_results(struct taking *t, struct found *list)
{
    const struct asy_json *trials = asy_json_get(t->source->trials, "trials"), *trial;
    const struct asy_json *objective = asy_json_get(t->source->spec, "objective");
    int maximize = !strcmp(asy_json_str(asy_json_get(objective, "goal"), ""), "maximize");
    size_t n = 0;

    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++) {
        const struct asy_json *outcome = asy_json_get(trial, "outcome");
        const struct asy_json *violation = asy_json_get(outcome, "violation");
        double value = asy_json_f64(asy_json_get(trial, "value"), NAN);

        if (strcmp(asy_json_str(asy_json_get(trial, "state"), ""), "complete") ||
            !isfinite(value) || (violation && asy_json_f64(violation, 1) > 0))
            continue;
        list[n++] = (struct found){ .number = (uint64_t)asy_json_i64(asy_json_get(trial, "number"),
                                                                     0),
                                    .value = maximize ? -value : value, .place = i };
    }
    qsort(list, n, sizeof *list, by_value);
    for (size_t i = 0; i < n; i++)
        list[i].rank = ((double)i + 0.5) / (double)n;
    return n;
}

/* Of n that fit, the better half of max and others evenly. */
static void keep_some(struct found *list, size_t n, size_t fits, size_t max)
{
    size_t seen = 0, left = max - max / 2, rest = fits - max / 2;

    for (size_t i = 0; i < n; i++) {
        size_t k;

        if (!list[i].x)
            continue;
        k = seen++;
        list[i].kept = fits <= max || k < max / 2 ||
                       (k - max / 2) * left / rest != (k - max / 2 + 1) * left / rest;
    }
}

static size_t most_of_one(const struct asy_study_spec *spec, size_t n_sources)
{
    size_t len = asy_space_len(spec->space), n = CELLS_MAX / len / n_sources;

    return n > KEEP_MAX ? KEEP_MAX : n < 2 ? 2 : n;
}

/* One study's. xs: room for the points of all its trials. */
static int take_study(struct taking *t, size_t source, size_t n_sources, double *xs,
                      struct asy_error *err)
{
    const struct asy_json *trials = asy_json_get(t->source->trials, "trials");
    size_t len = asy_space_len(t->spec->space), fits = 0, kept = 0;
    size_t max = most_of_one(t->spec, n_sources);
    struct found *list = t->found + t->n;
    size_t n = list_results(t, list);
    int rc;

    if (asy_json_type(asy_json_get(t->source->spec, "objective")) == ASY_JSON_ARRAY)
        return asy_fail(err, ASY_E_INVAL, "search.from: study '%s' has several objectives",
                        t->source->name);
    for (size_t i = 0; i < n; i++) {
        if ((rc = map_trial(t, asy_json_at(trials, list[i].place), xs + i * len, err)) < 0)
            return rc;
        list[i].source = source;
        list[i].x = rc ? xs + i * len : NULL;
        fits += rc > 0;
    }
    if (fits == 0)
        return asy_fail(err, ASY_E_INVAL, "search.from: study '%s' has %zu complete trial%s, of "
                        "which none fits the parameters", t->source->name, n, ASY_S(n));
    keep_some(list, n, fits, max);
    for (size_t i = 0; i < n; i++)
        if (list[i].kept)
            list[kept++] = list[i];
    asy_buf_addf(t->notes, "from '%s': %zu of %zu complete trials", t->source->name, kept, n);
    if (fits < n)
        asy_buf_addf(t->notes, ", %zu do%s not fit the parameters", n - fits,
                     n - fits == 1 ? "es" : "");
    if (kept < fits)
        asy_buf_addf(t->notes, ", %zu others left out", fits - kept);
    asy_buf_addc(t->notes, '\n');
    t->n += kept;
    return 0;
}

/* Whether two points differ by enough in some parameter that both have. */
static int are_apart(const struct asy_space *space, const double *a, const double *b)
{
    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);
        double width = p->log ? log(p->hi / p->lo) : p->hi - p->lo;

        if (isnan(a[i]) || isnan(b[i]) || a[i] == b[i])
            continue;
        if (p->type == ASY_PARAM_CHOICE && !p->ordered)
            return 1;
        if (fabs(p->log ? log(a[i] / b[i]) : a[i] - b[i]) >= APART * width)
            return 1;
    }
    return 0;
}

static int is_new(const struct taking *t, const struct found *one)
{
    size_t len = asy_space_len(t->spec->space);

    for (size_t i = 0; i < t->spec->n_given; i++)
        if (!are_apart(t->spec->space, t->spec->enqueue + i * len, one->x))
            return 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->found[i].place && !are_apart(t->spec->space, t->found[i].x, one->x))
            return 0;
    return 1;
}

/* Each member of a population begins with one point: those that the user gives go first. */
static size_t room_for(const struct asy_study_spec *spec)
{
    double size = 0;

    if (!asy_study_has_population(spec))
        return FIRST_MAX;
    for (size_t i = 0; i < spec->n_sampler_options; i++)
        if (!strcmp(spec->sampler_options[i].name, "population"))
            size = spec->sampler_options[i].value;
    return size > (double)spec->n_given ? (size_t)size - spec->n_given : 0;
}

/* The first trials: the best of all studies by rank that lie apart from each other. */
static void choose_first(struct taking *t)
{
    uint64_t most = t->spec->max_trials / FIRST_SHARE;
    size_t n = most < 1 ? 1 : most < FIRST_MAX ? (size_t)most : FIRST_MAX, room = room_for(t->spec);

    n = n < room ? n : room;

    for (size_t i = 0; i < t->n; i++)
        t->found[i].place = 0;
    for (size_t place = 1; place <= n; place++) {
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < t->n; i++) {
            const struct found *one = &t->found[i];

            if (!one->place && (best == SIZE_MAX || one->rank < t->found[best].rank) &&
                is_new(t, one))
                best = i;
        }
        if (best == SIZE_MAX || t->found[best].rank > 0.5)
            break;
        t->found[best].place = place;
    }
}

static void write_found(const struct taking *t, const struct asy_study_spec *spec, size_t n_sources,
                        struct asy_jsonw *w)
{
    size_t at = 0;

    asy_jsonw_open(w, "from", '[');
    for (size_t i = 0; i < n_sources; i++) {
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "study", spec->from[i]);
        asy_jsonw_open(w, "trials", '[');
        for (; at < t->n && t->found[at].source == i; at++)
            write_trial(w, spec->space, t->found[at].number, t->found[at].rank,
                        t->found[at].place, t->found[at].x);
        asy_jsonw_close(w, ']');
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

/* The study's text but for search.from, which is taken from t, or from other. */
static int rewrite(const struct asy_study_spec *spec, const struct taking *t,
                   const struct asy_study_spec *other, struct asy_study_spec **ret_spec,
                   struct asy_error *err)
{
    const struct asy_json *member, *inner;
    const char *key, *name;
    struct asy_buf text = { 0 };
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&text, ASY_STUDY_FILE_MAX);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_open(&w, NULL, '{');
    for (size_t i = 0; (member = asy_json_member(spec->root, i, &key)); i++) {
        if (strcmp(key, "search")) {
            asy_jsonw_node(&w, key, member);
            continue;
        }
        asy_jsonw_open(&w, key, '{');
        for (size_t k = 0; (inner = asy_json_member(member, k, &name)); k++)
            if (strcmp(name, "from"))
                asy_jsonw_node(&w, name, inner);
        if (t)
            write_found(t, spec, spec->n_from, &w);
        else
            asy__study_write_from(other, &w);
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, '}');
    if ((rc = asy_buf_check(&text, "a study with earlier results", err)) == 0)
        rc = asy_study_parse(text.data, text.len, spec->name, NULL, ret_spec, NULL, err);
    asy_buf_fini(&text);
    return rc;
}

int asy_study_with_earlier(const struct asy_study_spec *spec,
                           const struct asy_study_source *sources, struct asy_buf *notes,
                           struct asy_study_spec **ret_spec, struct asy_error *err)
{
    size_t len = asy_space_len(spec->space), total = 0;
    struct taking t = { .spec = spec, .notes = notes };
    double *xs = NULL, *at;
    int rc = 0;

    for (size_t i = 0; i < spec->n_from; i++)
        total += asy_json_len(asy_json_get(sources[i].trials, "trials"));
    t.found = calloc(total + 1, sizeof *t.found);
    at = xs = calloc(total + 1, (len + 1) * sizeof *xs);
    if (!t.found || !xs)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu earlier trials", total);
    for (size_t i = 0; i < spec->n_from && rc == 0; i++) {
        t.source = &sources[i];
        rc = take_study(&t, i, spec->n_from, at, err);
        at += asy_json_len(asy_json_get(sources[i].trials, "trials")) * len;
    }
    if (rc == 0) {
        choose_first(&t);
        rc = rewrite(spec, &t, NULL, ret_spec, err);
    }
    free(t.found);
    free(xs);
    return rc;
}

int asy_study_with_earlier_of(const struct asy_study_spec *spec, const struct asy_study_spec *other,
                              struct asy_study_spec **ret_spec, struct asy_error *err)
{
    size_t i = 0;

    while (i < spec->n_from && i < other->n_from && !strcmp(spec->from[i], other->from[i]))
        i++;
    if (i < spec->n_from || i < other->n_from)
        return asy_fail(err, ASY_E_INVAL, "cannot resume study '%s': 'search.from' differs; only "
                        "budget, resources and priority may", other->name);
    return rewrite(spec, NULL, other, ret_spec, err);
}
