/* SPDX-License-Identifier: Apache-2.0
 * order.c - the line that tells a trainer what to train: parts of the study as its canonical text
 * has them, the trial's parameters, seed and milestone. */
#include "impl.h"
#include "cache.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Among the study's inputs a file of its data; SIZE_MAX: it is none, as in older studies. */
static size_t find_input(const struct asy_study_spec *study, const char *path)
{
    for (size_t i = 0; path && i < study->n_inputs; i++)
        if (!study->inputs[i].place && !strcmp(study->inputs[i].path, path))
            return i;
    return SIZE_MAX;
}

/* Where a file that the study names lies here. */
static const char *here(const struct asy__job *job, const char *path)
{
    size_t i = find_input(job->spec->study, path);

    return i == SIZE_MAX ? path : asy__transfer_input(job, i);
}

/* Where the trainers of this node keep, for each other, data that they have read. */
static void write_import(const struct asy__job *job, struct asy_jsonw *w)
{
    const struct asy__agent *agent = job->agent;
    const struct asy_study_spec *study = job->spec->study;
    size_t file = find_input(study, study->data_file);
    size_t labels = find_input(study, study->data_labels);
    char text[ASY_SHA_TEXT], dir[PATH_MAX];

    if (file == SIZE_MAX || (study->data_labels && labels == SIZE_MAX) ||
        snprintf(dir, sizeof dir, "%s/imports", agent->own_disk ? agent->work : agent->home) >=
            (int)sizeof dir)
        return;
    asy_jsonw_open(w, "import", '{');
    asy_jsonw_str(w, "dir", dir);
    asy_jsonw_u64(w, "limit", asy__cache_limit(agent->cache));
    asy_jsonw_str(w, "file", asy_sha_format(study->inputs[file].sha, text));
    if (study->data_labels)
        asy_jsonw_str(w, "labels", asy_sha_format(study->inputs[labels].sha, text));
    asy_jsonw_close(w, '}');
}

/* As the study has it, but for where its files lie here. */
static void write_data(const struct asy__job *job, const struct asy_json *data,
                       struct asy_jsonw *w)
{
    const struct asy_study_spec *study = job->spec->study;
    const struct asy_json *member;
    const char *key;

    asy_jsonw_open(w, "data", '{');
    for (size_t i = 0; (member = asy_json_member(data, i, &key)); i++)
        if (!strcmp(key, "file") && study->data_file)
            asy_jsonw_str(w, key, here(job, study->data_file));
        else if (!strcmp(key, "labels") && study->data_labels)
            asy_jsonw_str(w, key, here(job, study->data_labels));
        else
            asy_jsonw_node(w, key, member);
    asy_jsonw_close(w, '}');
}

/* Likewise, with the trial's folder, in which it finds run.files. */
static void write_plugin(const struct asy__job *job, const struct asy_json *run,
                         struct asy_jsonw *w)
{
    const struct asy_json *member;
    const char *key;

    asy_jsonw_open(w, "run", '{');
    for (size_t i = 0; (member = asy_json_member(run, i, &key)); i++)
        if (!strcmp(key, "plugin"))
            asy_jsonw_str(w, key, here(job, job->spec->study->plugin));
        else
            asy_jsonw_node(w, key, member);
    asy_jsonw_close(w, '}');
}

static void write_job(const struct asy__job *job, struct asy_jsonw *w)
{
    static const char *const parts[] = { "name", "run", "data", "objective", "constraints",
                                         "resources" };
    uint64_t until = job->milestone;

    if (until > job->spec->study->length_max)
        until = job->spec->study->length_max;
    asy_jsonw_open(w, "job", '{');
    asy_jsonw_open(w, "study", '{');
    for (size_t i = 0; i < ASY_ARRAY_LEN(parts); i++) {
        const struct asy_json *part = asy_json_get(job->spec->study->root, parts[i]);

        if (part && !strcmp(parts[i], "data"))
            write_data(job, part, w);
        else if (part && !strcmp(parts[i], "run") && job->spec->study->plugin)
            write_plugin(job, part, w);
        else if (part)
            asy_jsonw_node(w, parts[i], part);
    }
    asy_jsonw_close(w, '}');
    asy_jsonw_node(w, "params", job->params);
    asy_jsonw_u64(w, "number", job->trial);
    asy_jsonw_u64(w, "attempt", job->attempt);
    asy_jsonw_u64(w, "seed", job->seed);
    if (asy_study_has_population(job->spec->study))
        asy_jsonw_bool(w, "population", 1);
    asy_jsonw_u64(w, "until", until > INT64_MAX ? INT64_MAX : until);
    write_import(job, w);
    asy_jsonw_close(w, '}');
    if (job->spec->study->silence_ms)
        asy_jsonw_i64(w, "silence_ms", job->spec->study->silence_ms);
}

int asy__order_run(const struct asy__job *job, const char *cpus, struct asy_buf *ret_line,
                   struct asy_error *err)
{
    struct asy_jsonw w;

    asy_jsonw_init(&w, ret_line, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "do", "run");
    asy_jsonw_str(&w, "cpus", cpus);
    write_job(job, &w);
    asy_jsonw_str(&w, "dir", job->dir);
    asy_jsonw_str(&w, "logs", job->logs);
    asy_jsonw_str(&w, "resume", job->resume);
    asy_jsonw_close(&w, '}');
    return asy_buf_check(ret_line, "the order to a trainer", err);
}
