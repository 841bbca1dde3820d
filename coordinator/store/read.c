/* SPDX-License-Identifier: Apache-2.0
 * read.c - the queries: what a name or a part of an id means, then the engine's own ways. */
#include <asy/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "store_impl.h"

#define NAME_TRIES 1000000u

int asy_reader_open(const struct asy_store_spec *spec, struct asy_reader **ret_reader,
                    struct asy_error *err)
{
    if (!spec->path)
        return asy_fail(err, ASY_E_STATE, "cannot open a reader: a store in memory is read "
                                          "through its writer alone");
    return asy__sqlite_reader_open(spec, ret_reader, err);
}

void asy_reader_close(struct asy_reader *reader)
{
    if (reader)
        reader->ops->close(reader);
}

/* ---- which study ----------------------------------------------------------------------------- */

struct found {
    asy_study_row_f each;
    void *arg;
    size_t n;
};

/* Rows of one owner, up to a limit. */
struct owned {
    const char *owner;
    int64_t left; /* < 0: all */
    asy_study_row_f each;
    void *arg;
};
#define ENOUGH 1

static int owned_row(void *arg, const struct asy_study_row *row)
{
    struct owned *owned = arg;
    int rc;

    if (strcmp(row->owner, owned->owner) != 0)
        return 0;
    if ((rc = owned->each(owned->arg, row)))
        return rc;
    return owned->left > 0 && --owned->left == 0 ? ENOUGH : 0;
}

static int pick_studies(struct asy_reader *reader, const char *owner, const struct asy__pick *pick,
                        int64_t limit, asy_study_row_f each, void *arg, struct asy_error *err)
{
    struct owned owned = { owner, limit, each, arg };
    int rc;

    if (!owner || limit == 0)
        return reader->ops->studies(reader, pick, limit, each, arg, err);
    rc = reader->ops->studies(reader, pick, -1, owned_row, &owned, err);
    return owned.left == 0 && rc == ENOUGH ? 0 : rc;
}

static int count_row(void *arg, const struct asy_study_row *row)
{
    struct found *found = arg;

    found->n++;
    return found->each ? found->each(found->arg, row) : 0;
}

struct names {
    char **names;
    size_t n, cap;
};

static int add_name(void *arg, const struct asy_study_row *row)
{
    struct names *list = arg;
    char **grown;

    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;

        if (!(grown = reallocarray(list->names, cap, sizeof *grown)))
            return ASY_E_NOMEM;
        list->names = grown;
        list->cap = cap;
    }
    if (!(list->names[list->n] = strdup(row->name)))
        return ASY_E_NOMEM;
    list->n++;
    return 0;
}

static void names_fini(struct names *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
}

static int no_study(struct asy_reader *reader, const char *owner, const char *word,
                    struct asy_error *err)
{
    static const struct asy__pick all = { 0 };
    struct names list = { 0 };
    const char *near = NULL;
    int rc;

    if (!pick_studies(reader, owner, &all, -1, add_name, &list, NULL) && list.n > 0)
        near = asy_nearest(word, strlen(word), (const char *const *)list.names, list.n);
    if (near)
        rc = asy_fail(err, ASY_E_NOENT, "no study '%.80s'; did you mean '%s'?", word, near);
    else
        rc = asy_fail(err, ASY_E_NOENT, "no study '%.80s'", word);
    names_fini(&list);
    return rc;
}

/* The ids that begin with these digits; 0 if it cannot be the beginning of an id. */
static int prefix_range(const char *text, struct asy__pick *pick)
{
    size_t len = strlen(text);
    char lo[ASY_ID_TEXT], hi[ASY_ID_TEXT];

    if (len < ASY__PREFIX_MIN || len >= ASY_ID_TEXT)
        return 0;
    memset(lo, '0', sizeof lo - 1);
    memset(hi, 'f', sizeof hi - 1);
    memcpy(lo, text, len);
    memcpy(hi, text, len);
    *pick = (struct asy__pick){ .by_id = 1 };
    return asy_id_parse(lo, ASY_ID_TEXT - 1, &pick->lo, NULL) == 0 &&
           asy_id_parse(hi, ASY_ID_TEXT - 1, &pick->hi, NULL) == 0;
}

int asy_reader_studies(struct asy_reader *reader, const char *owner, const char *name_or_id,
                       int64_t limit, asy_study_row_f each, void *arg, struct asy_error *err)
{
    struct asy__pick pick = { .name = name_or_id };
    struct found found = { each, arg, 0 };
    int rc;

    if (!name_or_id)
        return pick_studies(reader, owner, &pick, limit, each, arg, err);
    if ((rc = pick_studies(reader, owner, &pick, 1, count_row, &found, err)) || found.n)
        return rc;
    if (!prefix_range(name_or_id, &pick))
        return no_study(reader, owner, name_or_id, err);
    found.each = NULL;
    if ((rc = pick_studies(reader, owner, &pick, 2, count_row, &found, err)))
        return rc;
    if (found.n > 1)
        return asy_fail(err, ASY_E_INVAL, "the ids of several studies begin with '%s': give more "
                                          "of it", name_or_id);
    if (found.n == 0)
        return no_study(reader, owner, name_or_id, err);
    return pick_studies(reader, owner, &pick, 1, each, arg, err);
}

int asy_reader_free_name(struct asy_reader *reader, const char *name, char *text, size_t n,
                         struct asy_error *err)
{
    struct asy__pick pick = { .name = text };
    int rc, len;

    for (unsigned i = 1; i <= NAME_TRIES; i++) {
        struct found found = { 0 };

        len = i == 1 ? snprintf(text, n, "%s", name) : snprintf(text, n, "%s-%u", name, i);
        if (len < 0 || (size_t)len >= n)
            return asy_fail(err, ASY_E_TOOBIG, "no room for a name like '%.64s-%u'", name, i);
        if ((rc = reader->ops->studies(reader, &pick, 1, count_row, &found, err)))
            return rc;
        if (found.n == 0)
            return 0;
    }
    return asy_fail(err, ASY_E_FULL, "every name from '%.64s' to '%.64s-%u' is taken", name, name,
                    NAME_TRIES);
}

/* ---- of one study ---------------------------------------------------------------------------- */

int asy_reader_trials(struct asy_reader *reader, struct asy_id study, int64_t after, int64_t limit,
                      int order_by_value, asy_trial_row_f each, void *arg, struct asy_error *err)
{
    if (after < -1)
        after = -1;
    return reader->ops->trials(reader, study, ASY__NO_TRIAL, after, limit, order_by_value, each,
                               arg, err);
}

struct one_trial {
    asy_trial_row_f each;
    void *arg;
    int n;
};

static int one_trial(void *arg, const struct asy_trial_row *row)
{
    struct one_trial *one = arg;

    one->n++;
    return one->each(one->arg, row);
}

int asy_reader_trial(struct asy_reader *reader, struct asy_id study, uint64_t number,
                     asy_trial_row_f each, void *arg, struct asy_error *err)
{
    struct one_trial one = { each, arg, 0 };
    int rc = 0;

    if (number < ASY__MAX_TRIALS)
        rc = reader->ops->trials(reader, study, number, -1, 1, 0, one_trial, &one, err);
    if (rc == 0 && one.n == 0)
        return asy_fail(err, ASY_E_NOENT, "no trial %llu", (unsigned long long)number);
    return rc;
}

int asy_reader_attempts(struct asy_reader *reader, struct asy_id study, uint64_t number,
                        asy_attempt_row_f each, void *arg, struct asy_error *err)
{
    return reader->ops->attempts(reader, study, number, each, arg, err);
}

int asy_reader_metrics(struct asy_reader *reader, struct asy_id study, uint64_t number,
                       int with_superseded, asy_metric_row_f each, void *arg,
                       struct asy_error *err)
{
    return reader->ops->metrics(reader, study, number, with_superseded, each, arg, err);
}

int asy_reader_metric_names(struct asy_reader *reader, struct asy_id study, uint64_t number,
                            const char *after, int64_t limit, asy_metric_name_f each, void *arg,
                            struct asy_error *err)
{
    return reader->ops->metric_names(reader, study, number, after, limit, each, arg, err);
}

int asy_reader_series(struct asy_reader *reader, struct asy_id study, uint64_t number,
                      const char *name, uint64_t step, uint64_t seq, int64_t limit,
                      asy_metric_row_f each, void *arg, struct asy_error *err)
{
    return reader->ops->series(reader, study, number, name, step, seq, limit, each, arg, err);
}

int asy_reader_artifacts(struct asy_reader *reader, struct asy_id study, uint64_t number,
                         asy_artifact_row_f each, void *arg, struct asy_error *err)
{
    return reader->ops->artifacts(reader, study, number, each, arg, err);
}

int asy_reader_has_file(struct asy_reader *reader, const char *path, struct asy_error *err)
{
    return reader->ops->has_file(reader, path, err);
}

int asy_reader_tags(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_tag_row_f each, void *arg, struct asy_error *err)
{
    return reader->ops->tags(reader, study, number, each, arg, err);
}

int asy_reader_datasets(struct asy_reader *reader, struct asy_id study, uint64_t number,
                        asy_dataset_row_f each, void *arg, struct asy_error *err)
{
    return reader->ops->datasets(reader, study, number, each, arg, err);
}

int asy_reader_workers(struct asy_reader *reader, int64_t limit, asy_worker_row_f each, void *arg,
                       struct asy_error *err)
{
    return reader->ops->workers(reader, limit, each, arg, err);
}

int asy_reader_events(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                      uint64_t after_seq, uint64_t upto_seq, int64_t limit, asy_event_f each,
                      void *arg, struct asy_error *err)
{
    return reader->ops->events(reader, study, trial, after_seq, upto_seq, limit, each, arg, err);
}
