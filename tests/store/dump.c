/* SPDX-License-Identifier: Apache-2.0
 * dump.c - see dump.h. */
#include "dump.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

static const char *num(double value)
{
    static char text[4][32];
    static unsigned next;

    return asy_format_f64(value, text[next++ % 4]);
}

static int put_event(void *arg, const struct asy_event *ev)
{
    struct asy_buf *buf = arg;
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    asy_event_write_json(ev, &w, NULL);
    asy_buf_addf(buf, " seq=%" PRIu64 " trial=%" PRIu64 " wall=%" PRId64 "\n", ev->seq, ev->trial,
                 ev->wall_us);
    return 0;
}

static int put_attempt(void *arg, const struct asy_attempt_row *r)
{
    char id[ASY_ID_TEXT];

    asy_buf_addf(arg, "    attempt %s %u from=%u@%" PRIu64 " epoch=%" PRIu64 " to=%" PRIu64
                 " step=%" PRIu64 " end=%d cause=%d '%s' host='%s' hw='%s' v='%s' cores='%s' %"
                 PRId64 " %" PRId64 " %" PRId64 " exit=%d/%d cpu=%s rss=%" PRIu64 "\n",
                 asy_id_format(r->id, id), r->attempt, r->resumed_from, r->resumed_step, r->epoch,
                 r->milestone, r->step, r->end, r->cause, r->text, r->host, r->hardware,
                 r->versions, r->cores, r->leased_us, r->started_us, r->ended_us, r->exit_code,
                 r->signal, num(r->cpu_s), r->max_rss);
    return 0;
}

static int put_metric(void *arg, const struct asy_metric_row *r)
{
    asy_buf_addf(arg, "    metric %s@%" PRIu64 "=%s attempt=%u wall=%" PRId64 "%s\n", r->name,
                 r->step, num(r->value), r->attempt, r->wall_us,
                 r->superseded ? " superseded" : "");
    return 0;
}

static int put_artifact(void *arg, const struct asy_artifact_row *r)
{
    char sha[ASY_SHA_TEXT];

    asy_buf_addf(arg, "    artifact %s '%s' %s %" PRIu64 " step=%" PRIu64 " attempt=%u\n", r->name,
                 r->path, asy_sha_format(r->sha, sha), r->bytes, r->step, r->attempt);
    return 0;
}

static int put_tag(void *arg, const struct asy_tag_row *r)
{
    asy_buf_addf(arg, "    tag %s='%s'\n", r->key, r->value);
    return 0;
}

struct numbers {
    struct asy_buf *buf;
    uint64_t n;
};

static int put_trial(void *arg, const struct asy_trial_row *r)
{
    struct numbers *list = arg;
    char id[ASY_ID_TEXT];

    asy_buf_addf(list->buf, "  trial %" PRIu64 " %s state=%d cause=%d '%s' %s from '%s' value=%s "
                 "step=%" PRIu64 " seed=%" PRIu64 " attempts=%u %" PRId64 " %" PRId64 " %" PRId64
                 " host='%s'\n", r->number, asy_id_format(r->id, id), r->state, r->cause, r->text,
                 r->params, r->source, num(r->value), r->step, r->seed, r->attempts, r->created_us,
                 r->started_us, r->ended_us, r->host);
    if (r->member || r->parent)
        asy_buf_addf(list->buf, "    member %" PRIu64 " from %" PRIu64 "\n", r->member, r->parent);
    if (*r->outcome)
        asy_buf_addf(list->buf, "    outcome %s\n", r->outcome);
    list->n++;
    return 0;
}

struct ids {
    struct asy_buf *buf;
    struct asy_id ids[256];
    size_t n;
};

static int put_dataset(void *arg, const struct asy_dataset_row *r)
{
    asy_buf_addf(arg, "   dataset '%s' %s from %s: %s\n", r->name, r->digest, r->source,
                 r->profile);
    return 0;
}

static int put_study(void *arg, const struct asy_study_row *r)
{
    struct ids *list = arg;
    char id[ASY_ID_TEXT];

    asy_buf_addf(list->buf, "study %s '%s' project='%s' owner='%s' %s '%s' state=%d cause=%d '%s' %"
                 PRId64 " %" PRId64 " n=%" PRIu64 ": %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                 " %" PRIu64 " %" PRIu64 " %" PRIu64 " best=%s@%" PRId64 " last=%" PRIu64 "\n",
                 asy_id_format(r->id, id), r->name, r->project, r->owner, r->spec, r->command_line,
                 r->state, r->cause, r->text, r->created_us, r->ended_us, r->trials, r->complete,
                 r->pruned, r->failed, r->cancelled, r->running, r->paused, r->queued,
                 num(r->best), r->best_trial, r->last_seq);
    if (list->n < ASY_ARRAY_LEN(list->ids))
        list->ids[list->n++] = r->id;
    return 0;
}

static int dump_run(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                    struct asy_buf *buf, struct asy_error *err)
{
    int rc;

    asy_buf_addf(buf, "  of %" PRId64 "\n", (int64_t)trial);
    if (trial != UINT64_MAX &&
        ((rc = asy_reader_attempts(reader, study, trial, put_attempt, buf, err)) ||
         (rc = asy_reader_metrics(reader, study, trial, 0, put_metric, buf, err)) ||
         (rc = asy_reader_metrics(reader, study, trial, 1, put_metric, buf, err)) ||
         (rc = asy_reader_events(reader, study, trial, 0, UINT64_MAX, -1, put_event, buf, err))))
        return rc;
    if ((rc = asy_reader_artifacts(reader, study, trial, put_artifact, buf, err)))
        return rc;
    if ((rc = asy_reader_tags(reader, study, trial, put_tag, buf, err)))
        return rc;
    return asy_reader_datasets(reader, study, trial, put_dataset, buf, err);
}

static int dump_study(struct asy_reader *reader, struct asy_id study, struct asy_buf *buf,
                      struct asy_error *err)
{
    struct numbers list = { buf, 0 };
    uint64_t trials;
    int rc;

    if ((rc = asy_reader_trials(reader, study, -1, -1, 0, put_trial, &list, err)))
        return rc;
    trials = list.n;
    if ((rc = asy_reader_trials(reader, study, -1, -1, 1, put_trial, &list, err)) ||
        (rc = asy_reader_trials(reader, study, 1, 3, 0, put_trial, &list, err)) ||
        (rc = asy_reader_trials(reader, study, 0, 2, 1, put_trial, &list, err)))
        return rc;
    for (uint64_t i = 0; i < trials && rc == 0; i++)
        rc = dump_run(reader, study, i, buf, err);
    if (rc || (rc = dump_run(reader, study, UINT64_MAX, buf, err)))
        return rc;
    asy_buf_adds(buf, "  events of the study\n");
    return asy_reader_events(reader, study, UINT64_MAX, 3, UINT64_MAX, -1, put_event, buf, err);
}

int dump_reader(struct asy_reader *reader, struct asy_buf *buf, struct asy_error *err)
{
    struct ids list = { .buf = buf };
    int rc = asy_reader_studies(reader, NULL, NULL, -1, put_study, &list, err);

    for (size_t i = 0; i < list.n && rc == 0; i++)
        rc = dump_study(reader, list.ids[i], buf, err);
    if (rc)
        return rc;
    asy_buf_adds(buf, "all events\n");
    return asy_reader_events(reader, ASY_ID_NONE, UINT64_MAX, 0, UINT64_MAX, -1, put_event, buf,
                             err);
}

int dump_replay(struct asy_store *store, struct asy_buf *buf, struct asy_error *err)
{
    return asy_store_replay(store, put_event, buf, err);
}

const char *dump_differs(const char *got, const char *want, char text[200])
{
    const char *line = got;

    for (size_t i = 0; got[i] == want[i]; i++) {
        if (!got[i])
            return NULL;
        if (got[i] == '\n')
            line = got + i + 1;
    }
    snprintf(text, 200, "%.*s", (int)strcspn(line, "\n"), line);
    return text;
}
