/* SPDX-License-Identifier: Apache-2.0
 * slurm.c - see slurm.h. */
#include <asy/slurm.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include <asy/parse.h>
#include <asy/proc.h>

#define ASK_MS 10000
#define OUTPUT_MAX (64u << 10)
#define MARGIN_MS 90000
#define PAUSE_MS 500 /* before it is asked again; then twice that, and so on */
#define PAUSE_MAX_MS 15000

const char *asy_slurm_job_id(void)
{
    const char *job = getenv("SLURM_JOB_ID");

    return job && *job ? job : NULL;
}

/* A command of Slurm, whose own words say what went wrong. */
static int ask(const char *const *argv, struct asy_buf *ret, struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_buf errors;
    char text[64];
    int status = 0, rc;

    asy_buf_init(&errors, OUTPUT_MAX);
    spec.argv = argv;
    spec.new_session = 1;
    rc = asy_proc_capture(&spec, ASK_MS, ret, &errors, &status, err);
    if (rc == 0 && status != 0) {
        errors.data[strcspn(errors.data, "\n")] = '\0';
        rc = asy_fail(err, ASY_E_IO, "it ended with %s: %.160s", asy_proc_status_text(status, text),
                      errors.data);
    }
    asy_buf_fini(&errors);
    asy_error_prefix(rc < 0 ? err : NULL, "%s", argv[0]);
    return rc;
}

static int read_job(const char *text, struct asy_slurm_job *job, struct asy_error *err)
{
    char left[64], requeue[16];
    int rc;

    if (sscanf(text, "%63s %15s", left, requeue) != 2)
        return asy_fail(err, ASY_E_FORMAT, "squeue says nothing of job %s", job->id);
    if ((rc = asy_slurm_time(left, &job->left_ms, err)) < 0)
        return rc;
    job->requeue = !strcmp(requeue, "1");
    return 0;
}

static int look_once(struct asy_slurm_job *job, struct asy_error *err)
{
    const char *argv[] = { "squeue", "-h", "-j", job->id, "-O", "TimeLeft:40,Requeue:16", NULL };
    struct asy_buf out;
    int rc;

    asy_buf_init(&out, OUTPUT_MAX);
    if ((rc = ask(argv, &out, err)) == 0)
        rc = read_job(out.data, job, err);
    asy_buf_fini(&out);
    return rc;
}

/* Of a job that it does not know squeue will say the same again. */
static int may_pass(int rc, const struct asy_error *err)
{
    return rc == ASY_E_TIMEOUT || (rc == ASY_E_IO && !strstr(err->text, "Invalid job id"));
}

int asy_slurm_look(struct asy_slurm_job *ret_job, int64_t patience_ms, struct asy_error *err)
{
    int64_t begun_ms = asy_clock_ms(), pause_ms = PAUSE_MS, asked_ms;
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_slurm_job job = { .left_ms = -1 };
    const char *id = asy_slurm_job_id();
    int n = 1, rc;

    if (!id)
        return asy_fail(err, ASY_E_NOENT, "SLURM_JOB_ID is not set: this is no job of Slurm");
    snprintf(job.id, sizeof job.id, "%s", id);
    while ((rc = look_once(&job, &why)) < 0 && may_pass(rc, &why)) {
        asked_ms = asy_clock_ms() - begun_ms;
        if (asked_ms + pause_ms > patience_ms)
            break;
        ASY_IGNORE(poll(NULL, 0, (int)pause_ms) < 0); /* a signal may end it early */
        pause_ms = 2 * pause_ms < PAUSE_MAX_MS ? 2 * pause_ms : PAUSE_MAX_MS;
        n++;
    }
    if (rc == 0)
        *ret_job = job;
    else if (n == 1)
        ASY_IGNORE(asy_fail(err, (enum asy_code)rc, "%s", why.text)); /* it is rc */
    else
        ASY_IGNORE(asy_fail(err, (enum asy_code)rc, "%s (asked %d times in %d s)", why.text, n,
                            (int)((asy_clock_ms() - begun_ms) / 1000)));
    return rc;
}

static int order(const char *const *argv, struct asy_error *err)
{
    struct asy_buf out;
    int rc;

    asy_buf_init(&out, OUTPUT_MAX);
    rc = ask(argv, &out, err);
    asy_buf_fini(&out);
    return rc;
}

int asy_slurm_requeue(const char *job_id, struct asy_error *err)
{
    return order((const char *[]){ "scontrol", "requeue", job_id, NULL }, err);
}

int asy_slurm_cancel(const char *job_id, struct asy_error *err)
{
    return order((const char *[]){ "scancel", job_id, NULL }, err);
}

int asy_slurm_warn(const char *step, struct asy_error *err)
{
    return order((const char *[]){ "scancel", "--quiet", "--signal=USR1", step, NULL }, err);
}

static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t n;

    return text && asy_parse_u64(text, strlen(text), &n, NULL) == 0 ? n : 0;
}

uint64_t asy_slurm_memory(void)
{
    uint64_t mib = number_of("SLURM_MEM_PER_NODE");

    if (!mib)
        mib = number_of("SLURM_MEM_PER_CPU") * number_of("SLURM_CPUS_ON_NODE");
    return mib << 20;
}

int asy_slurm_time(const char *text, int64_t *ret_ms, struct asy_error *err)
{
    size_t len = strcspn(text, "\r\n "), at = 0;
    int64_t total = 0, days = 0, part;
    const char *dash = memchr(text, '-', len);
    int parts = 0;

    if (!strncmp(text, "UNLIMITED", len) && len == strlen("UNLIMITED")) {
        *ret_ms = -1;
        return 0;
    }
    if (dash) {
        if (asy_parse_i64(text, (size_t)(dash - text), &days, err) < 0)
            return ASY_E_FORMAT;
        at = (size_t)(dash - text) + 1;
    }
    while (at <= len && parts < 3) {
        size_t n = strcspn(text + at, ": \r\n");

        if (asy_parse_i64(text + at, n, &part, err) < 0)
            return ASY_E_FORMAT;
        total = total * 60 + part;
        parts++;
        at += n + 1;
    }
    if (at != len + 1 || days < 0 || days > 3650 || total < 0 || total > 100 * 3600 ||
        (dash && parts != 3) || parts < 2)
        return asy_fail(err, ASY_E_FORMAT, "'%.40s' is not a time of Slurm", text);
    *ret_ms = (days * 86400 + total) * 1000;
    return 0;
}

int64_t asy_slurm_leave_ms(int64_t left_ms, int64_t margin_ms)
{
    if (margin_ms < 0)
        margin_ms = left_ms / 8 < MARGIN_MS ? left_ms / 8 : MARGIN_MS;
    return left_ms > margin_ms ? left_ms - margin_ms : 0;
}
