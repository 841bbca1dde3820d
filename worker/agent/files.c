/* SPDX-License-Identifier: Apache-2.0
 * files.c - where an attempt works, and what of it becomes an artifact.
 *
 *   <work>/<study>-<trial>-<attempt>/trial        ASSAY_DIR
 *                                   /checkpoints  ASSAY_CHECKPOINT_DIR
 *         /<study>-<trial>-<attempt>.logs/stdout, stderr  on their way (transfer.c)
 *   home/logs/<study>/<trial>/<attempt>/stdout, stderr
 *   home/artifacts/<aa>/<sha256>                      a model: a file, or a folder tree
 *   home/artifacts/<aa>/<sha256>.<study>-<trial>-<attempt>-<report>  a checkpoint likewise
 *
 * Logs and artifacts are the coordinator's where its home is seen from here; else they go over the
 * bulk socket (transfer.c). Where <work> is: local.c.
 *
 * What stays for ever is shared by equal content. Checkpoints are removed one by one, by a
 * coordinator that cannot know what an agent finds in place at that moment and is about to report
 * as its own; so each is a file of its own, which nobody else ever names. */
#include "impl.h"
#include "copy.h"
#include <asy/durable.h>
#include <asy/log.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int name_folders(struct asy__job *job, struct asy_error *err)
{
    struct asy__agent *agent = job->agent;
    char study[ASY_ID_TEXT];

    asy_id_format(job->study, study);
    job->work = asy__textf("%s/%s-%llu-%u", agent->work, study, (unsigned long long)job->trial,
                           job->attempt);
    job->logs = agent->shared ? asy__textf("%s/logs/%s/%llu/%u", agent->store_home, study,
                                           (unsigned long long)job->trial, job->attempt)
                              : job->work ? asy__textf("%s.logs", job->work) : NULL;
    job->own_logs = !agent->shared;
    if (!job->work || !job->logs || !(job->dir = asy__textf("%s/trial", job->work)) ||
        !(job->checkpoints = asy__textf("%s/checkpoints", job->work)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for paths");
    return 0;
}

/* From where each lies: at its own path, or in the cache. */
static int lay_out(struct asy__job *job, struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    uint64_t budget = job->agent->options.files_bytes;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < study->n_inputs; i++) {
        const struct asy_study_input *input = &study->inputs[i];
        char *to = input->place ? asy__textf("%s/%s", job->dir, input->place) : NULL;

        if (!input->place)
            continue;
        if (!to)
            rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
        else if (input->folder)
            rc = asy__mkdirs(to, err);
        else
            rc = asy__copy_file(asy__transfer_input(job, i), to, input->executable ? 0700 : 0600,
                                &budget, err);
        free(to);
    }
    return rc;
}

/* Of a study whose files were never listed. */
static int copy_files(struct asy__job *job, struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    uint64_t budget = job->agent->options.files_bytes;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < study->n_files; i++) {
        size_t len;
        const char *place = asy_study_place(study->base_dir, study->files[i], &len);
        char *to = asy__textf("%s/%.*s", job->dir, (int)len, place);

        if (!to)
            rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
        else
            rc = asy__copy(study->files[i], to, &budget, err);
        free(to);
    }
    return rc;
}

int asy__files_prepare(struct asy__job *job, struct asy_error *err)
{
    int rc;

    if ((rc = name_folders(job, err)) < 0)
        return rc;
    ASY_IGNORE(asy_durable_remove(job->work, NULL)); /* of an earlier lease with these numbers */
    if ((rc = asy__mkdirs(job->dir, err)) < 0 || (rc = asy__mkdirs(job->checkpoints, err)) < 0 ||
        (rc = asy__mkdirs(job->logs, err)) < 0)
        return rc;
    return job->spec->study->has_inputs ? lay_out(job, err) : copy_files(job, err);
}

void asy__files_clean(struct asy__job *job)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (job->work && asy_durable_remove(job->work, &err) < 0)
        asy_warn("%s: cannot remove its folder: %s, leaving it", job->name, err.text);
}

void asy__files_forget(struct asy__job *job)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (job->own_logs && job->logs && asy_durable_remove(job->logs, &err) < 0)
        asy_warn("%s: cannot remove its logs: %s, leaving them to the next start", job->name,
                 err.text);
}

static int hash(const char *path, struct asy_sha *ret_sha, uint64_t *ret_bytes,
                struct asy_error *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot find '%s'", path);
    if (S_ISREG(st.st_mode))
        return asy_sha_file(path, ret_sha, ret_bytes, err);
    if (S_ISDIR(st.st_mode))
        return asy_durable_tree_sha(path, ret_sha, ret_bytes, err);
    return asy_fail(err, ASY_E_INVAL, "'%s' is neither a file nor a folder", path);
}

static char *artifact_path(const struct asy__job *job, struct asy_sha sha, uint64_t report)
{
    char hex[ASY_SHA_TEXT], study[ASY_ID_TEXT];

    asy_sha_format(sha, hex);
    asy_id_format(job->study, study);
    if (!report)
        return asy__textf("%s/artifacts/%.2s/%s", job->agent->store_home, hex, hex);
    return asy__textf("%s/artifacts/%.2s/%s.%s-%llu-%u-%llu", job->agent->store_home, hex, hex,
                      study, (unsigned long long)job->trial, job->attempt,
                      (unsigned long long)report);
}

/* Where a checkpoint lies below this agent's home, whatever the home is called where it was
 * made. */
static char *path_here(const struct asy__job *job)
{
    const char *slash = job->from_path ? strrchr(job->from_path, '/') : NULL;
    char hex[ASY_SHA_TEXT];

    asy_sha_format(job->from.sha, hex);
    return asy__textf("%s/artifacts/%.2s/%s", job->agent->store_home, hex, slash ? slash + 1 : hex);
}

/* Another file system than that of the artifacts: a copy beside them moves on. */
static int come_near(const struct asy__job *job, char **from, const char *path,
                     struct asy_error *err)
{
    char *near, id[ASY_ID_TEXT];
    uint64_t budget = UINT64_MAX;
    struct stat here, there;
    int rc;

    if (stat(*from, &here) < 0 || stat(job->agent->store_home, &there) < 0)
        return asy_fail_errno(err, errno, "cannot find '%s'", *from);
    if (here.st_dev == there.st_dev)
        return 0;
    near = asy__textf("%s/artifacts/.part-%s", job->agent->store_home,
                      asy_id_format(asy_id_make(), id));
    if (!near)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    if ((rc = asy__copy(*from, near, &budget, err)) < 0) {
        ASY_IGNORE(asy_durable_remove(near, NULL)); /* swept by a coordinator's start */
        free(near);
        asy_error_prefix(err, "'%s'", path);
        return rc;
    }
    ASY_IGNORE(asy_durable_remove(*from, NULL)); /* with its trial's folder */
    free(*from);
    *from = near;
    return 0;
}

int asy__files_keep(struct asy__job *job, const char *dir, const char *name, uint64_t report,
                    struct asy_sha *ret_sha, uint64_t *ret_bytes, char **ret_path,
                    struct asy_error *err)
{
    char *from = asy__textf("%s/%s", dir, name), *path = NULL;
    int rc;

    if (!from)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    if ((rc = hash(from, ret_sha, ret_bytes, err)) < 0)
        goto out;
    if (!job->agent->shared) {
        rc = asy__transfer_put(job, from, report, *ret_sha, ret_path, err);
        goto out;
    }
    if (!(path = artifact_path(job, *ret_sha, report))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
        goto out;
    }
    if ((rc = come_near(job, &from, path, err)) < 0)
        goto out;
    asy__crash_point("agent.before_checkpoint_rename");
    if ((rc = asy_durable_keep(from, *ret_sha, path, err)) < 0)
        goto out;
    asy__write_protect(path);
    asy__crash_point("agent.after_checkpoint_rename");
    *ret_path = path;
    path = NULL;
out:
    free(from);
    free(path);
    return rc;
}

int asy__files_resume(struct asy__job *job, struct asy_error *err)
{
    char *local, *path;
    struct asy_sha sha;
    uint64_t bytes;
    int rc;

    if (job->from.attempt == 0)
        return 0;
    if (asy__transfer_checkpoint(job)) {
        job->resume = strdup(asy__transfer_checkpoint(job));
        return job->resume ? 0 : asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    }
    local = path_here(job);
    if (!local)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    path = access(local, F_OK) == 0 || !job->from_path ? local : job->from_path;
    if ((rc = hash(path, &sha, &bytes, err)) < 0)
        goto out;
    if (memcmp(sha.b, job->from.sha.b, sizeof sha.b)) {
        rc = asy_fail(err, ASY_E_CORRUPT, "checkpoint '%s' is damaged: its hash differs", path);
        goto out;
    }
    if (!(job->resume = strdup(path)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
out:
    free(local);
    if (rc < 0)
        asy_error_prefix(err, "cannot resume from the checkpoint of attempt %u",
                         job->from.attempt);
    return rc;
}
