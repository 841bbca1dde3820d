/* SPDX-License-Identifier: Apache-2.0
 * bulk_give.c - GET: inputs of a study and checkpoints, to agents that ask for them by content;
 * models and logs, to clients whose study it is.
 *
 * An input is what the study's owner has sent (bulk_input.c), else it is read where the study named
 * it, on this host. There it is hashed as a whole before its first
 * byte leaves: a study's list could name any file that this process may read, but who does not know
 * its hash gets nothing of it. Checkpoints lie under the name of their content and of their
 * study. */
#include "bulk_impl.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include "crash.h"

static const struct asy_study_input *find_input(const struct asy_study_spec *spec,
                                                struct asy_sha sha)
{
    for (size_t i = 0; i < spec->n_inputs; i++)
        if (!spec->inputs[i].folder && !memcmp(&spec->inputs[i].sha, &sha, sizeof sha))
            return &spec->inputs[i];
    return NULL;
}

static int changed(struct asy__transfer *t, struct asy_error *err)
{
    return asy_fail(err, ASY_E_INVAL, "%.180s was changed since the study was submitted: put it "
                    "back, or submit anew", t->what);
}

/* From the start, unless it was hashed before and is the same. */
static int open_input(struct asy__bulk *bulk, struct asy__transfer *t,
                      const struct asy_study_input *input, struct asy_error *err)
{
    char real[PATH_MAX];
    struct asy_sha sha;
    int rc;

    snprintf(t->what, sizeof t->what, "input '%.180s'", input->path);
    if (!realpath(input->path, real) || stat(real, &t->st) < 0)
        return asy_fail(err, ASY_E_INVAL, "%.160s is not there any more: put it back, or submit "
                        "anew", t->what);
    if (!S_ISREG(t->st.st_mode) || (uint64_t)t->st.st_size != input->bytes)
        return changed(t, err);
    if ((rc = asy_pack_open(real, &t->pack, err)) < 0)
        return rc;
    if (asy_sha_memo_get(bulk->memo, &t->st, &sha))
        return memcmp(&sha, &input->sha, sizeof sha) ? changed(t, err) : 0;
    if ((rc = asy_sha_create(&t->sha, err)) < 0)
        return rc;
    t->hashing = 1;
    t->hash_end = input->bytes;
    return 0;
}

static int open_checkpoint(struct asy__bulk *bulk, struct asy__transfer *t, const char *key,
                           struct asy_error *err)
{
    char name[200];

    asy__bulk_name(&t->head, name, sizeof name);
    snprintf(t->what, sizeof t->what, "checkpoint '%s'", name);
    if (!t->head.report && strcmp(key, bulk->owner))
        return asy_fail(err, ASY_E_DENIED, "a checkpoint is asked for by the report that told of "
                        "it");
    snprintf(t->path, sizeof t->path, "%s/artifacts/%.2s/%s", bulk->home, name, name);
    return asy_pack_open(t->path, &t->pack, err);
}

void asy__bulk_get(struct asy__bulk *bulk, uint64_t peer, const char *key,
                   const struct asy__bulk_study *study, const struct asy_bulk *head)
{
    const struct asy_study_input *input = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__transfer *t;
    int rc;

    if (head->what == ASY_BULK_INPUT && !(input = find_input(study->spec, head->sha))) {
        asy__bulk_deny(bulk, peer, key, head, "the study names no file of this content");
        return;
    }
    if (head->what != ASY_BULK_INPUT && head->what != ASY_BULK_CHECKPOINT) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_UNSUPPORTED, "this is not given out");
        return;
    }
    if (!(t = asy__bulk_open(bulk, peer, head)))
        return;
    if (!input)
        rc = open_checkpoint(bulk, t, key, &err);
    else
        rc = asy__bulk_open_sent(bulk, t, study->owner, input) ? 0
                                                               : open_input(bulk, t, input, &err);
    if (rc < 0) {
        asy__bulk_end(bulk, t, rc, err.text);
        return;
    }
    t->size = asy_pack_size(t->pack);
    t->at = head->offset;
    t->credit = head->credit < ASY_BULK_CREDITS ? head->credit : ASY_BULK_CREDITS;
    if (t->at > t->size)
        asy__bulk_end(bulk, t, ASY_E_STATE, "it ends before that offset");
}

/* ---- what clients ask for -------------------------------------------------------------------- */

int asy__bulk_is_result(const struct asy_bulk *head)
{
    return head->kind == ASY_BULK_GET &&
           (head->what == ASY_BULK_MODEL || head->what == ASY_BULK_STDOUT ||
            head->what == ASY_BULK_STDERR);
}

void asy__bulk_look(struct asy__bulk *bulk, uint64_t peer, const char *key,
                    const struct asy_bulk *head)
{
    struct asy__bulk_ask *ask = calloc(1, sizeof *ask);
    struct asy__transfer *t = ask ? asy__bulk_open(bulk, peer, head) : NULL;

    if (!t) {
        free(ask); /* it asks again */
        return;
    }
    t->asking = 1;
    t->at = head->offset;
    t->credit = head->credit < ASY_BULK_CREDITS ? head->credit : ASY_BULK_CREDITS;
    snprintf(t->asker, sizeof t->asker, "%s", key);
    snprintf(t->what, sizeof t->what, head->what == ASY_BULK_MODEL ? "a model" : "a log");
    ask->study = head->study;
    ask->what = head->what;
    ask->trial = head->trial;
    ask->attempt = head->attempt;
    ask->sha = head->sha;
    ask->peer = peer;
    ask->transfer = head->transfer;
    ask->reply = &bulk->mail;
    asy__mail_put(bulk->asks, &ask->letter);
}

static int open_result(struct asy__bulk *bulk, struct asy__transfer *t,
                       const struct asy__bulk_ask *answer, struct asy_error *err)
{
    char text[ASY_SHA_TEXT];
    int rc;

    if (!answer->owner[0])
        return asy_fail(err, ASY_E_NOENT, "no such study");
    if (t->head.what != ASY_BULK_MODEL) {
        asy_id_format(t->head.study, text);
        snprintf(t->path, sizeof t->path, "%s/logs/%s/%llu/%u/%s", bulk->home, text,
                 (unsigned long long)t->head.trial, t->head.attempt,
                 t->head.what == ASY_BULK_STDOUT ? "stdout" : "stderr");
    } else if (!answer->found) {
        return asy_fail(err, ASY_E_NOENT, "the trial has no such model");
    } else {
        asy_sha_format(t->head.sha, text);
        snprintf(t->path, sizeof t->path, "%s/artifacts/%.2s/%s", bulk->home, text, text);
    }
    if ((rc = asy_pack_open(t->path, &t->pack, err)) < 0)
        return rc;
    t->size = asy_pack_size(t->pack);
    return t->at <= t->size ? 0 : asy_fail(err, ASY_E_STATE, "it ends before that offset");
}

/* Its number alone will not do: a peer may have used that for something else meanwhile. */
static int is_asked(const struct asy__transfer *t, const struct asy__bulk_ask *answer)
{
    return t->asking && t->peer == answer->peer && t->head.transfer == answer->transfer &&
           t->head.what == answer->what && !asy_id_cmp(t->head.study, answer->study) &&
           t->head.trial == answer->trial && t->head.attempt == answer->attempt &&
           !memcmp(&t->head.sha, &answer->sha, sizeof answer->sha);
}

void asy__bulk_looked(struct asy__bulk *bulk, const struct asy__bulk_ask *answer)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    for (struct asy__transfer *t = bulk->transfers; t; t = t->next) {
        if (!is_asked(t, answer))
            continue;
        t->asking = 0;
        if (t->over)
            return; /* not wanted any more */
        t->heard_ms = asy_clock_ms();
        if (answer->owner[0] && strcmp(answer->owner, t->asker) && strcmp(bulk->owner, t->asker)) {
            asy__bulk_deny(bulk, t->peer, t->asker, &t->head, "the study is another user's");
            t->over = 1;
        } else if ((rc = open_result(bulk, t, answer, &err)) < 0) {
            asy__bulk_refuse(bulk, t->peer, &t->head, rc, err.text);
            t->over = 1; /* a log that is not there yet is worth no warning */
        }
        return;
    }
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Its whole content is hashed. */
static void judge_input(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sha sha = asy_sha_final(t->sha);

    t->hashing = 0;
    asy_sha_memo_put(bulk->memo, &t->st, sha);
    if (memcmp(&sha, &t->head.sha, sizeof sha)) {
        ASY_IGNORE(changed(t, &err)); /* for its text */
        asy__bulk_end(bulk, t, ASY_E_INVAL, err.text);
    }
}

static int give_chunk(struct asy__bulk *bulk, struct asy__transfer *t, struct asy_error *err)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = t->head.transfer, .offset = t->at,
                             .bytes = t->size, .tree = asy_pack_is_tree(t->pack) };
    int64_t from_ns = asy__bulk_yield(bulk);
    size_t n = 0;
    int rc = asy_pack_read(t->pack, t->at, bulk->chunk, ASY_BULK_CHUNK, &n, err);

    if (rc < 0)
        return rc;
    data.last = t->at + n == t->size;
    asy__crash_point("coordinator.bulk_get");
    rc = asy__bulk_send(bulk, t->peer, &data, bulk->chunk, n);
    if (rc == ASY_E_AGAIN)
        return 0;
    if (rc < 0) {
        t->over = 1;
        return 0;
    }
    asy__pace_spent(&bulk->pace, from_ns, 0, n, ASY__YIELD_RATE);
    t->at += n;
    t->credit--;
    t->over = data.last;
    t->heard_ms = asy_clock_ms();
    return 0;
}

int asy__bulk_give(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (t->hashing) {
        if ((rc = asy__bulk_hash(bulk, t, &err)) < 0)
            asy__bulk_end(bulk, t, rc, err.text);
        else if (rc == 0)
            judge_input(bulk, t);
        return 1;
    }
    if (!t->credit || t->asking)
        return 0;
    if ((rc = give_chunk(bulk, t, &err)) < 0)
        asy__bulk_end(bulk, t, rc, err.text);
    return !t->over && t->credit > 0;
}
