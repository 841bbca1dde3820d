/* SPDX-License-Identifier: Apache-2.0
 * test_slurm.c - what Slurm's commands say of a job; a folder of shims stands for them. tests/slurm
 * asks the real ones. */
#include <asytest.h>
#include <stdlib.h>
#include <asy/slurm.h>
#include "folder.h"

static void reads_times(void)
{
    static const struct {
        const char *text;
        int rc;
        int64_t ms;
    } cases[] = {
        { "1-02:03:04\n", 0, ((24 + 2) * 3600 + 184) * 1000LL }, { "03:04\n", 0, 184000 },
        { "1:00:00", 0, 3600000 }, { "UNLIMITED", 0, -1 }, { "0:00", 0, 0 },
        { "INVALID", ASY_E_FORMAT, 0 }, { "", ASY_E_FORMAT, 0 }, { "1-2", ASY_E_FORMAT, 0 },
        { "1:2:3:4", ASY_E_FORMAT, 0 }, { "-5:00", ASY_E_FORMAT, 0 }, { "5", ASY_E_FORMAT, 0 },
        { "99999999999999999-00:00:00", ASY_E_FORMAT, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int64_t ms = 0;
        int rc = asy_slurm_time(cases[i].text, &ms, NULL);

        T_EQ(cases[i].text, rc, cases[i].rc);
        if (rc == 0)
            T_EQ(cases[i].text, ms, cases[i].ms);
    }
}

static void leaves_in_time(void)
{
    static const struct {
        const char *name;
        int64_t left, margin, want;
    } cases[] = {
        { "an hour", 3600000, -1, 3510000 }, { "a minute", 60000, -1, 52500 },
        { "set", 60000, 40000, 20000 },      { "more than there is", 60000, 90000, 0 },
        { "none", 0, -1, 0 },                { "at the very end", 60000, 0, 60000 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy_slurm_leave_ms(cases[i].left, cases[i].margin), cases[i].want);
}

static void asks_squeue(void)
{
    static const struct {
        const char *name, *squeue;
        int rc;
        int64_t left;
        int requeue;
        const char *text;
    } cases[] = {
        { "a job", "echo '1:00:00            1     '", 0, 3600000, 1, "" },
        { "without a limit", "echo 'UNLIMITED 0'", 0, -1, 0, "" },
        { "unknown", "echo 'slurm_load_jobs error: Invalid job id' >&2; exit 1", ASY_E_IO, 0, 0,
          "squeue: it ended with exit code 1: slurm_load_jobs error: Invalid job id" },
        { "silent", "true", ASY_E_FORMAT, 0, 0, "squeue says nothing of job 7" },
        { "nonsense", "echo 'INVALID 1'", ASY_E_FORMAT, 0, 0, "" },
    };
    struct t_folder folder;
    char path[PATH_MAX], script[400], old[4096];

    if (!T_TRUE(t_folder_make(&folder)))
        return;
    snprintf(old, sizeof old, "%s", getenv("PATH"));
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_slurm_job job = { 0 };
        struct asy_error err = ASY_ERROR_INIT;

        snprintf(script, sizeof script, "#!/bin/sh\n%s\n", cases[i].squeue);
        t_path(&folder, "squeue", path);
        if (!t_write(path, script) || !T_EQ("chmod", chmod(path, 0755), 0))
            break;
        setenv("PATH", folder.path, 1);
        setenv("SLURM_JOB_ID", "7", 1);
        T_EQ(cases[i].name, asy_slurm_look(&job, 0, &err), cases[i].rc);
        setenv("PATH", old, 1);
        T_HAS(cases[i].name, err.text, cases[i].text);
        if (cases[i].rc == 0)
            T_TRUE(job.left_ms == cases[i].left && job.requeue == cases[i].requeue);
    }
    unsetenv("SLURM_JOB_ID");
    T_EQ("no job", asy_slurm_look(&(struct asy_slurm_job){ 0 }, 0, NULL), ASY_E_NOENT);
    t_folder_drop(&folder);
}

static void asks_again_while_squeue_fails(void)
{
    static const char script[] = "#!/bin/sh\n"
                                 "cd \"${0%/*}\"; echo x >>asked\n"
                                 "[ -e busy ] || { echo '10:00 1'; exit 0; }\n"
                                 "/bin/rm busy\n"
                                 "echo 'slurm_load_jobs error: Socket timed out' >&2\n"
                                 "exit 1\n";
    static const char unknown[] = "#!/bin/sh\ncd \"${0%/*}\"; echo x >>asked\n"
                                  "echo 'Invalid job id specified' >&2; exit 1\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_slurm_job job = { 0 };
    char squeue[PATH_MAX], path[PATH_MAX], old[4096];
    struct t_folder folder;

    if (!T_TRUE(t_folder_make(&folder)))
        return;
    snprintf(old, sizeof old, "%s", getenv("PATH"));
    t_path(&folder, "squeue", squeue);
    t_path(&folder, "busy", path);
    if (!t_write(squeue, script) || !t_write(path, "") || !T_EQ("chmod", chmod(squeue, 0755), 0))
        goto out;
    setenv("PATH", folder.path, 1);
    setenv("SLURM_JOB_ID", "7", 1);
    T_OK(asy_slurm_look(&job, ASY_SLURM_PATIENCE_MS, &err), &err);
    T_EQ("time left", job.left_ms, 600000);
    T_EQ("requeue", job.requeue, 1);
    t_file_is("asked twice", t_path(&folder, "asked", path), "x\nx\n");
    if (t_write(squeue, unknown))
        T_EQ("unknown", asy_slurm_look(&job, ASY_SLURM_PATIENCE_MS, &err), ASY_E_IO);
    t_file_is("asked once of a job that it does not know", path, "x\nx\nx\n");
out:
    setenv("PATH", old, 1);
    unsetenv("SLURM_JOB_ID");
    t_folder_drop(&folder);
}

static void knows_the_jobs_memory(void)
{
    static const struct {
        const char *name, *per_node, *per_cpu, *cpus;
        uint64_t mib;
    } cases[] = {
        { "none", NULL, NULL, NULL, 0 },
        { "--mem", "8192", NULL, "4", 8192 },
        { "--mem-per-cpu", NULL, "1024", "4", 4096 },
        { "nonsense", "x", "1024", "", 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *const names[] = { "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU",
                                      "SLURM_CPUS_ON_NODE" };
        const char *const values[] = { cases[i].per_node, cases[i].per_cpu, cases[i].cpus };

        for (size_t k = 0; k < ASY_ARRAY_LEN(names); k++) {
            unsetenv(names[k]);
            if (values[k])
                setenv(names[k], values[k], 1);
        }
        T_EQ(cases[i].name, asy_slurm_memory() >> 20, cases[i].mib);
    }
}

T_MAIN("slurm", T_TEST(reads_times), T_TEST(leaves_in_time), T_TEST(asks_squeue),
       T_TEST(asks_again_while_squeue_fails), T_TEST(knows_the_jobs_memory))
