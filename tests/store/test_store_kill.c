/* SPDX-License-Identifier: Apache-2.0
 * test_store_kill.c - a writer killed in the middle of its commits, again and again: what it had
 * acknowledged is there, and the store opens at once.
 *
 * The writer says each number that a commit gave through a pipe; the parent kills it after a random
 * one, so the signal falls somewhere into what follows. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <asy/rng.h>
#include "asytest.h"
#include "check.h"
#include "engines.h"
#include "work.h"

#define STORES 5 /* of each kind */
#define ROUNDS 5 /* for each of them */

static void life(struct work *work, struct asy_id study, uint64_t trial, uint64_t id)
{
    work_trial(work, study, trial, id);
    work_lease(work, study, trial, 1, id + 1, 0, 0);
    work_start(work, study, trial, 1);
    work_report(work, study, trial, 1, 2, 1, 0.5);
    if (trial % 3 == 0) {
        work_checkpoint(work, study, trial, 1, 3, 1);
        work_report(work, study, trial, 1, 4, 2, 0.6);
        work_lease(work, study, trial, 2, id + 2, 1, 1);
    }
    work_end(work, study, trial, trial % 3 ? 1 : 2, 5, ASY_END_COMPLETE, 2);
    work_trial_state(work, study, trial, ASY_TRIAL_COMPLETE, (double)(trial % 10));
}

/* Commits until it is killed. */
static void write_for_ever(const struct asy_store_spec *spec, uint64_t round, int fd)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    struct asy_id study = work_id(1000000 * (round + 1));
    struct asy_rng rng;
    struct work work;
    char name[32];
    uint64_t seq, trial = 0;

    asy_rng_init(&rng, 7, round, ASY_RNG_SIM);
    if (work_create(&work, &err) || asy_store_open(spec, &store, NULL, &err))
        _exit(1);
    snprintf(name, sizeof name, "round-%d", (int)round);
    work_study(&work, study, name, round % 2 ? "maximize" : "minimize");
    for (;;) {
        for (uint64_t n = asy_rng_below(&rng, 8); n-- > 0; trial++)
            life(&work, study, trial, 1000000 * (round + 1) + 10 * trial);
        if (work_commit(&work, store, &seq, &err)) {
            fprintf(stderr, "writer: %s\n", err.text);
            _exit(1);
        }
        if (write(fd, &seq, sizeof seq) != (ssize_t)sizeof seq)
            _exit(1);
    }
}

/* The next acknowledged number; 0: the pipe ended. */
static uint64_t next_ack(int fd)
{
    uint64_t seq;
    ssize_t n;

    do
        n = read(fd, &seq, sizeof seq);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof seq ? seq : 0;
}

static bool one_round(const struct asy_store_spec *spec, uint64_t round, uint64_t acks)
{
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t seq, acked = 0, last = 0;
    int pipes[2], status;
    pid_t child;

    if (!T_EQ("pipe", pipe(pipes), 0))
        return false;
    if ((child = fork()) == 0) {
        close(pipes[0]);
        write_for_ever(spec, round, pipes[1]);
    }
    close(pipes[1]);
    while (acks-- > 0 && (seq = next_ack(pipes[0])) > 0)
        acked = seq;
    kill(child, SIGKILL);
    while ((seq = next_ack(pipes[0])) > 0)
        acked = seq;
    close(pipes[0]);
    if (!T_TRUE(waitpid(child, &status, 0) == child) || !T_TRUE(WIFSIGNALED(status)))
        return false;
    T_TRUE(acked > 0);
    return T_OK(check_store(spec, acked, &last, &err), &err);
}

static void run_rounds(int network, uint64_t seed)
{
    struct asy_store_spec spec;
    struct asy_rng rng;
    char folder[PATH_MAX];
    bool ok = true;

    spec = (struct asy_store_spec){ .path = new_folder(folder), .assume_network = network };
    asy_rng_init(&rng, 11 + (uint64_t)network, seed, ASY_RNG_SIM);
    for (uint64_t round = 0; round < ROUNDS && ok; round++)
        ok = one_round(&spec, round, 1 + asy_rng_below(&rng, 12));
    drop_folder(folder);
}

static void a_killed_writer_loses_nothing(void)
{
    for (uint64_t i = 0; i < STORES; i++)
        run_rounds(0, i);
}

static void nor_on_a_network_file_system(void)
{
    for (uint64_t i = 0; i < STORES; i++)
        run_rounds(1, i);
}

T_MAIN("store kill", T_TEST(a_killed_writer_loses_nothing), T_TEST(nor_on_a_network_file_system))
