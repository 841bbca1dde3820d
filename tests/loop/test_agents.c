/* SPDX-License-Identifier: Apache-2.0
 * test_agents.c - agents as a running coordinator meets them, over real sockets: those of the
 * protocol's previous minor version do all that it has and are asked for nothing else; and whoever
 * is drained hears the last word. */
#include <asytest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/json.h>
#include <asy/study.h>
#include "peer.h"

#define PATIENCE_MS 300000
#define HEAD(name) "assay: 1\nname: " name "\nobjective: {metric: loss, goal: minimize}\n"         \
                   "parameters: {x: {min: 0.0, max: 1.0}}\n"
#define COMMAND(length)                                                                            \
    "run: {command: [run], length: {unit: steps, max: " length "}, checkpoint: true}\n"
#define SWEEP(name, trials)                                                                        \
    HEAD(name) COMMAND("4") "budget: {trials: " trials "}\n"                                       \
    "search: {sampler: random, pruner: {name: asha, min: 1, reduction: 2, rule: 1}}\n"
#define PLAIN(name, trials) HEAD(name) COMMAND("2") "budget: {trials: " trials "}\n"
/* More ranks than any of these agents has cores. */
#define GANG                                                                                       \
    "assay: 1\nname: gang\nobjective: {metric: val_loss, goal: minimize}\n"                       \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nrun: {model: mlp, length: {max: 2}}\n"              \
    "data: {file: d.csv, label: -1}\nresources: {ranks: 4}\nbudget: {trials: 1}\n"
#define GPUS(name) PLAIN(name, "1") "resources: {gpus: 1}\n"

struct place {
    struct coordinator c;
    char home[64];
    struct peer *peers[8];
    size_t n_peers;
};

static int open_place(struct place *p, size_t n_peers)
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(p, 0, sizeof *p);
    snprintf(p->home, sizeof p->home, "/tmp/assay-test-XXXXXX");
    return T_TRUE(mkdtemp(p->home) != NULL) &&
           T_OK(coordinator_init(&p->c, PROGRAMS, p->home, &err), &err) &&
           T_OK(coordinator_start(&p->c, n_peers, &err), &err);
}

static void close_place(struct place *p)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < p->n_peers; i++)
        peer_close(p->peers[i]);
    coordinator_fini(&p->c);
    T_OK(asy_durable_remove(p->home, &err), &err);
}

static int turn(struct place *p)
{
    return peers_turn(p->peers, p->n_peers);
}

/* Another agent, welcomed. */
static int add(struct place *p, struct peer *peer, uint32_t minor, uint32_t cores)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;

    peer->minor = minor;
    peer->cores = cores;
    p->peers[p->n_peers++] = peer;
    if (!peer_open(peer, &p->c))
        return 0;
    while (peer->n_welcomes == 0)
        if (!turn(p) || !T_TRUE(asy_clock_ms() < limit_ms))
            return 0;
    return 1;
}

static int submit(struct place *p, const char *yaml)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    struct asy_id id;
    int ok;

    asy_buf_init(&problems, 1 << 16);
    ok = T_OK(asy_study_parse(yaml, strlen(yaml), "test", p->home, &spec, &problems, &err),
              &err) &&
         T_OK(coordinator_submit(&p->c, spec->canonical, &id, &err), &err);
    if (!ok)
        fprintf(stderr, "%s\n", problems.data);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    return ok;
}

/* How many trials of a study are in this state; "ended": complete or pruned. */
static int64_t count(struct place *p, const char *study, const char *state)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    const char *member = strcmp(state, "ended") ? state : "complete";
    int64_t n = -1;

    if (T_OK(coordinator_query(&p->c, "study", study, &err), &err) &&
        T_OK(asy_json_parse(p->c.json.data, p->c.json.len, &root, &err), &err) &&
        !T_TRUE((n = asy_json_i64(asy_json_get(root, member), -1)) >= 0))
        fprintf(stderr, "%s\n", p->c.json.data);
    if (n >= 0 && member != state)
        n += asy_json_i64(asy_json_get(root, "pruned"), 0);
    asy_json_destroy(root);
    return n;
}

static int until_count(struct place *p, const char *study, const char *state, int64_t want)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS, n;

    while ((n = count(p, study, state)) != want) {
        if (n < 0 || !turn(p))
            return 0;
        if (asy_clock_ms() > limit_ms)
            return T_EQ(state, n, want);
    }
    return 1;
}

static int until(struct place *p, const size_t *n, size_t want)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;

    while (*n < want)
        if (!turn(p) || !T_TRUE(asy_clock_ms() < limit_ms))
            return 0;
    return 1;
}

static int until_closed(struct place *p, const struct peer_attempt *a)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;

    while (!a->closed)
        if (!turn(p) || !T_TRUE(asy_clock_ms() < limit_ms))
            return 0;
    return 1;
}

/* What version 1.0 has no word for. */
static void check_old(const struct peer *peer)
{
    T_EQ("leases of several parts", peer->n_spread, 0);
    T_EQ("words of other parts", peer->n_parts, 0);
    T_EQ("offers", peer->n_offers, 0);
    T_EQ("adopted attempts", peer->n_adopted, 0);
    T_EQ("GPUs", peer->n_with_gpus, 0);
}

/* ---- version 1.0 ----------------------------------------------------------------------------- */

static void an_agent_of_1_0_does_a_whole_sweep(void)
{
    struct peer old = { 0 };
    struct place p;

    if (!open_place(&p, 1) || !add(&p, &old, 0, 2))
        goto out;
    T_EQ("it hears what it speaks with", old.told_minor, ASY_PROTOCOL_MINOR);
    if (!submit(&p, SWEEP("sweep", "6")) || !until_count(&p, "sweep", "ended", 6))
        goto out;
    T_TRUE(count(&p, "sweep", "complete") > 0 && count(&p, "sweep", "pruned") > 0);
    T_TRUE(old.n_leases > 6); /* trials were paused, and went on from their checkpoints */
    for (size_t i = 0; i < old.n_attempts && until_closed(&p, &old.attempts[i]); i++)
        T_EQ("all its reports are durable", old.attempts[i].durable, old.attempts[i].made);
    check_old(&old);
out:
    close_place(&p);
}

/* Room for the gang and the GPUs comes with agents of today; until then the plain study, which is
 * the youngest, is all that the old ones get. */
static void it_is_not_asked_for_what_it_cannot_do(void)
{
    static const struct asy_gpu gpu = { .id = "G0" };
    struct peer old[2] = { { 0 } }, now[2] = { { 0 } };
    struct place p;

    if (!open_place(&p, 4) || !add(&p, &old[0], 0, 2) || !add(&p, &old[1], 0, 2) ||
        !submit(&p, GANG) || !submit(&p, GPUS("gpus")) ||
        !submit(&p, PLAIN("plain", "4")) || !until_count(&p, "plain", "complete", 4))
        goto out;
    T_EQ("leases of the plain study alone", old[0].n_leases + old[1].n_leases, 4);
    now[0].gpus = &gpu;
    now[0].n_gpus = 1;
    if (!add(&p, &now[0], 1, 2) || !until_count(&p, "gpus", "complete", 1))
        goto out;
    T_EQ("the GPU's", now[0].n_with_gpus, 1);
    T_EQ("the gang waits for a second one of today", now[0].n_spread, 0);
    if (!add(&p, &now[1], 1, 2) || !until(&p, &now[1].n_spread, 1) ||
        !until(&p, &now[0].n_spread, 1))
        goto out;
    T_EQ("nothing more for the old ones", old[0].n_leases + old[1].n_leases, 4);
out:
    check_old(&old[0]);
    check_old(&old[1]);
    close_place(&p);
}

/* Killed, and started on the same store: the old agent's attempts go on under their epoch. */
static void it_comes_back_to_a_restarted_coordinator(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct peer old = { .idle = 1 };
    struct place p;

    if (!open_place(&p, 1) || !add(&p, &old, 0, 2) || !submit(&p, PLAIN("plain", "2")) ||
        !until(&p, &old.n_leases, 2))
        goto out;
    T_TRUE(asy_proc_signal(&p.c.proc, SIGKILL) == 0); /* first: it soon gives up who has left */
    peer_leave(&old);
    coordinator_kill(&p.c);
    if (!T_OK(coordinator_start(&p.c, 1, &err), &err) || !peer_again(&old, &p.c) ||
        !until(&p, &old.n_welcomes, 2))
        goto out;
    T_EQ("both are kept", old.n_keep, 2);
    old.idle = 0;
    if (!until_count(&p, "plain", "complete", 2))
        goto out;
    T_EQ("nothing was leased again", old.n_leases, 2);
    check_old(&old);
out:
    close_place(&p);
}

static int run(const struct place *p, const char *what, const char *file)
{
    char command[600];

    snprintf(command, sizeof command, PROGRAMS "/assay-coordinator %s %s --home %s >/dev/null",
             what, file, p->home);
    return T_EQ(what, system(command), 0);
}

/* A backup is restored: what an old agent runs cannot be offered, it is killed and leased anew. */
static void what_it_runs_of_a_lost_store_is_killed(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct peer old = { .idle = 1 };
    char backup[80], store[80];
    struct place p;

    if (!open_place(&p, 1) || !add(&p, &old, 0, 2) || !submit(&p, PLAIN("plain", "2")) ||
        !until(&p, &old.n_leases, 2))
        goto out;
    snprintf(backup, sizeof backup, "%s/backup", p.home);
    snprintf(store, sizeof store, "%s/store", p.home);
    if (!run(&p, "--backup", backup))
        goto out;
    peer_leave(&old);
    coordinator_kill(&p.c);
    if (!T_OK(asy_durable_remove(store, &err), &err) || !run(&p, "--restore", backup) ||
        !T_OK(coordinator_start(&p.c, 1, &err), &err) || !peer_again(&old, &p.c) ||
        !until(&p, &old.n_welcomes, 2))
        goto out;
    T_EQ("both are killed", old.n_kill, 2);
    T_EQ("so it holds nothing", peer_open_attempts(&old), 0);
    old.idle = 0;
    if (!until_count(&p, "plain", "complete", 2))
        goto out;
    T_EQ("leased again, by other numbers", old.n_leases, 4);
    check_old(&old);
out:
    close_place(&p);
}

/* ---- the last word --------------------------------------------------------------------------- */

static int ended(struct place *p, int *ret_status)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;

    while (asy_proc_wait(&p->c.proc, 20, ret_status, NULL) != 0)
        if (!T_TRUE(asy_clock_ms() < limit_ms))
            return 0;
    asy_proc_close(&p->c.proc);
    p->c.proc = (struct asy_proc)ASY_PROC_INIT;
    return 1;
}

/* An agent that has not heard of its last watermark would look for the coordinator, and wait. */
static void a_drained_coordinator_stays_until_its_agents_have_left(void)
{
    struct peer peer = { 0 };
    int status = -1;
    struct place p;
    size_t pongs;

    if (!open_place(&p, 1) || !add(&p, &peer, 1, 1) ||
        !submit(&p, HEAD("long") COMMAND("1000000") "budget: {trials: 1}\n") ||
        !until_count(&p, "long", "running", 1) ||
        !T_TRUE(asy_proc_signal(&p.c.proc, SIGTERM) == 0) || !until(&p, &peer.n_drains, 1) ||
        !until(&p, &peer.n_cancels, 1))
        goto out;
    if (!until_closed(&p, &peer.attempts[0]))
        goto out;
    T_EQ("it paused", peer.attempts[0].end, ASY_END_PAUSED);
    T_EQ("all is durable", peer.attempts[0].durable, peer.attempts[0].made);
    pongs = peer.n_pongs;
    if (!until(&p, &peer.n_pongs, pongs + 1)) /* it is there still */
        goto out;
    T_TRUE(peer_say(&peer, ASY_MSG_BYE));
    if (ended(&p, &status))
        T_EQ("status", status, 0);
out:
    close_place(&p);
}

T_MAIN("agents", T_TEST(an_agent_of_1_0_does_a_whole_sweep),
       T_TEST(it_is_not_asked_for_what_it_cannot_do),
       T_TEST(it_comes_back_to_a_restarted_coordinator),
       T_TEST(what_it_runs_of_a_lost_store_is_killed),
       T_TEST(a_drained_coordinator_stays_until_its_agents_have_left))
