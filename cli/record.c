/* SPDX-License-Identifier: Apache-2.0
 * record.c - what the command line adds to a study's record: its data by content, test scores. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"

static int record(struct asy__session *session, const char *study, int64_t trial,
                  const struct asy_event *event, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_RECORD };
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 16);
    msg.record.study = study;
    msg.record.trial = trial;
    msg.record.event = *event;
    rc = asy__ask(session, &msg, &json, err);
    asy_buf_fini(&json);
    return rc;
}

int asy__record_score(struct asy__session *session, const char *study, int64_t trial,
                      const char *name, double value, struct asy_error *err)
{
    struct asy_event event = { .kind = ASY_EV_SCORE };

    event.score.name = name;
    event.score.value = value;
    return record(session, study, trial, &event, err);
}

static void copy_member(struct asy_jsonw *w, const struct asy_json *data, const char *key)
{
    if (asy_json_get(data, key))
        asy_jsonw_node(w, key, asy_json_get(data, key));
}

/* What belongs to the file; how this study uses it goes into a tag, as the file may serve
 * others. */
static int record_file(struct asy__session *session, const char *study,
                       const struct asy_study_input *file, const struct asy_json *data,
                       struct asy_error *err)
{
    struct asy_event event = { .kind = ASY_EV_DATASET };
    const char *slash = strrchr(file->path, '/');
    struct asy_buf profile = { 0 };
    char digest[ASY_SHA_TEXT];
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&profile, 1u << 16);
    asy_jsonw_init(&w, &profile, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "bytes", file->bytes);
    copy_member(&w, data, "rows");
    copy_member(&w, data, "columns");
    copy_member(&w, data, "tokens");
    asy_jsonw_close(&w, '}');
    event.dataset.name = slash ? slash + 1 : file->path;
    event.dataset.digest = asy_sha_format(file->sha, digest);
    event.dataset.source = file->path;
    event.dataset.profile = profile.data;
    if ((rc = asy_buf_check(&profile, "the data's profile", err)) == 0)
        rc = record(session, study, -1, &event, err);
    asy_buf_fini(&profile);
    return rc;
}

static int record_use(struct asy__session *session, const char *study, const struct asy_json *data,
                      struct asy_error *err)
{
    struct asy_event event = { .kind = ASY_EV_TAG };
    struct asy_buf use = { 0 };
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&use, 1u << 16);
    asy_jsonw_init(&w, &use, 0);
    asy_jsonw_open(&w, NULL, '{');
    copy_member(&w, data, "task");
    copy_member(&w, data, "label");
    asy_jsonw_u64(&w, "classes", asy_json_len(asy_json_get(data, "classes")));
    copy_member(&w, data, "split");
    asy_jsonw_close(&w, '}');
    event.tag.key = "assay.data";
    event.tag.value = use.data;
    if ((rc = asy_buf_check(&use, "the data's use", err)) == 0)
        rc = record(session, study, -1, &event, err);
    asy_buf_fini(&use);
    return rc;
}

int asy__record_data(struct asy__session *session, const char *study,
                     const struct asy_study_spec *spec, const struct asy_json *data,
                     struct asy_error *err)
{
    int rc = 0;

    for (size_t i = 0; spec->data_file && rc == 0 && i < spec->n_inputs; i++)
        if (!spec->inputs[i].place &&
            (!strcmp(spec->inputs[i].path, spec->data_file) ||
             (spec->data_labels && !strcmp(spec->inputs[i].path, spec->data_labels))))
            rc = record_file(session, study, &spec->inputs[i], data, err);
    return rc < 0 || !spec->data_file || !data ? rc : record_use(session, study, data, err);
}
