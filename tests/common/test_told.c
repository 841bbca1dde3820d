/* SPDX-License-Identifier: Apache-2.0
 * test_told.c - whose second signal is impatience. */
#include <asytest.h>
#include <stdlib.h>
#include <asy/told.h>

static void only_impatience_ends_at_once(void)
{
    static const struct {
        const char *name;
        int batch, n, signals[4];
        int at_once; /* which of them does it, from 1; 0: none */
    } cases[] = {
        { "once", 0, 1, { SIGTERM }, 0 },
        { "Ctrl-C twice", 0, 2, { SIGINT, SIGINT }, 2 },
        { "SIGTERM twice", 0, 2, { SIGTERM, SIGTERM }, 2 },
        { "one of each", 0, 2, { SIGTERM, SIGINT }, 2 },
        { "a warning, then told", 0, 2, { SIGUSR1, SIGTERM }, 0 },
        { "a warning, then told twice", 0, 3, { SIGUSR1, SIGTERM, SIGTERM }, 3 },
        { "warned twice", 0, 4, { SIGUSR1, SIGUSR1, SIGUSR2, SIGHUP }, 0 },
        { "told, then warned", 0, 3, { SIGTERM, SIGUSR1, SIGHUP }, 0 },
        { "Slurm: its SIGTERM and the parent's", 1, 2, { SIGTERM, SIGTERM }, 0 },
        { "Slurm: warned, then ended", 1, 3, { SIGUSR1, SIGTERM, SIGTERM }, 0 },
        { "Slurm: told, then Ctrl-C", 1, 2, { SIGTERM, SIGINT }, 2 },
        { "Slurm: Ctrl-C twice", 1, 2, { SIGINT, SIGINT }, 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int told = 0, got = 0;

        if (cases[i].batch)
            setenv("SLURM_JOB_ID", "7", 1);
        else
            unsetenv("SLURM_JOB_ID");
        for (int n = 0; n < cases[i].n; n++)
            if (asy_told(&told, cases[i].signals[n]) && !got)
                got = n + 1;
        T_EQ(cases[i].name, got, cases[i].at_once);
    }
}

static void an_empty_job_is_none(void)
{
    setenv("SLURM_JOB_ID", "", 1);
    T_EQ("empty", asy_in_batch_job(), 0);
    unsetenv("SLURM_JOB_ID");
    T_EQ("unset", asy_in_batch_job(), 0);
}

T_MAIN("told", T_TEST(only_impatience_ends_at_once), T_TEST(an_empty_job_is_none))
