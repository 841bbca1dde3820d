/* SPDX-License-Identifier: Apache-2.0
 * How a rank ended: what mpirun wrote of it (as Open MPI 4.1 does), and what /proc has. */
#include "../asytest.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "impl.h"

#define LINE "--------------------------------------------------------------------------\n"
#define ABORTED                                                                                    \
    LINE "Primary job  terminated normally, but 1 process returned\n"                              \
         "a non-zero exit code. Per user-direction, the job has been aborted.\n" LINE

static void mpirun_is_understood(void)
{
    static const struct {
        const char *name, *text;
        int rank, signal, exit_code;
    } cases[] = {
        { "a signal",
          ABORTED LINE "mpirun noticed that process rank 12 with PID 0 on node vm exited on signal "
                       "9 (Killed).\n" LINE, 12, 9, -1 },
        { "an exit code",
          ABORTED LINE "mpirun detected that one or more processes exited with non-zero status, "
                       "thus causing\nthe job to be terminated. The first process to do so was:\n\n"
                       "  Process name: [[32107,1],3]\n  Exit code:    7\n" LINE, 3, 0, 7 },
        { "an exit in the middle",
          LINE "mpirun has exited due to process rank 2 with PID 0 on\nnode vm exiting improperly. "
               "There are three reasons this could occur:\n", 2, 0, 0 },
        { "what a rank says of itself before", "process rank x\n" ABORTED, -1, 0, 0 },
        { "another node's daemon",
          LINE "ORTE has lost communication with a remote daemon.\n\n  HNP daemon   : [[1,0],0] on "
               "node vm\n  Remote daemon: [[1,0],1] on node part-1\n", -1, 0, 0 },
        { "nothing", "", -1, 0, 0 },
        { "a name alone", "  Process name: [[", -1, 0, 0 },
        { "a name cut off", "  Process name: [[1,1],", -1, 0, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__death death = { .rank = -1 };

        asy__death_in_words(&death, cases[i].text);
        T_EQ(cases[i].name, death.rank, cases[i].rank);
        T_EQ(cases[i].name, death.signal, cases[i].signal);
        T_EQ(cases[i].name, death.exit_code, cases[i].exit_code);
    }
}

/* A child that ends so, which nobody has collected yet. */
static pid_t dead_child(int signum, int code)
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0) {
        if (signum)
            raise(signum);
        _exit(code);
    }
    return T_EQ("child", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0) ? pid : -1;
}

static void the_kernel_knows_while_nobody_has_asked(void)
{
    static const struct {
        const char *name;
        int signal, code, want_signal, want_code;
    } cases[] = { { "killed", SIGKILL, 0, SIGKILL, -1 }, { "left", 0, 5, 0, 5 },
                  { "left well: not told from one that lives", 0, 0, 0, -1 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__death death = { .rank = -1 };
        pid_t pid = dead_child(cases[i].signal, cases[i].code);

        asy__death_of_rank(&death, 1, pid);
        waitpid(pid, NULL, 0);
        T_EQ(cases[i].name, death.rank, 1);
        T_EQ(cases[i].name, death.signal, cases[i].want_signal);
        T_EQ(cases[i].name, death.exit_code, cases[i].want_code);
        asy__death_of_rank(&death, 2, getpid());
        T_EQ("the first counts", death.rank, 1);
        death.rank = -1;
        asy__death_of_rank(&death, 3, pid); /* collected meanwhile */
        T_EQ("status", death.signal == 0 && death.exit_code == -1, 1);
    }
}

T_MAIN("death", T_TEST(mpirun_is_understood), T_TEST(the_kernel_knows_while_nobody_has_asked))
