/* SPDX-License-Identifier: Apache-2.0
 * test_wire_nomem.c - every allocation of codecs and study parser fails once: the call says so and
 * leaks nothing. (libyaml's own allocations are not reached.) */
#include <asy/msg.h>
#include <asy/study.h>
#include "nomem.h"

static const char text[] =
    "assay: 1\nname: s\ntags: {a: b}\n"
    "run: {command: [train, '{lr}', '{args}'], env: {A: b}, files: [x], length: {max: 9},\n"
    "  metrics: {pattern: '(?<loss>.)'}}\n"
    "objective: {metric: loss, goal: minimize}\n"
    "parameters: {lr: {min: 1e-5, max: 1.0}, o: {values: [a, b]},\n"
    "  m: {min: 1, max: 2, when: {o: a}}}\n"
    "search: {sampler: tpe, pruner: asha, enqueue: [{lr: 0.1, o: a}], fixed: {m: 2},\n"
    "  tell: [{point: {lr: 0.5, o: a, m: 2}, value: 1}]}\nbudget: {trials: 10}\n";
static const char sweep[] =
    "program: /bin/sh\nmethod: bayes\nmetric: {name: loss, target: 1}\nname: A b\nproject: P\n"
    "command: ['${env}', 'A=${envvar:HOME}', '${program}', '${args}', '${args_json}']\n"
    "early_terminate: {type: hyperband, min_iter: 2}\n"
    "parameters: {lr: {distribution: q_log_normal}, o: {values: [a, b], probabilities: [0.2, 0.8]},"
    " n: {parameters: {m: {value: yes}}}}\n";

static int make_words(const struct asy_study_spec *spec, struct asy_error *err)
{
    struct asy_json *params = NULL;
    char **argv = NULL;
    int rc = asy_json_parse("{\"lr\":0.1}", 10, &params, err);

    if (rc == 0)
        rc = asy_study_argv(spec, params, NULL, NULL, &argv, err);
    asy_study_argv_free(argv);
    asy_json_destroy(params);
    return rc;
}

static int read_text(const char *from, size_t len, struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    int rc;

    asy_buf_init(&problems, 1u << 16);
    rc = asy_study_parse(from, len, "f", "/b", &spec, &problems, err);
    if (rc == 0)
        rc = make_words(spec, err);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    return rc;
}

static int read_study(struct asy_error *err)
{
    return read_text(text, sizeof text - 1, err);
}

static int read_sweep(struct asy_error *err)
{
    return read_text(sweep, sizeof sweep - 1, err);
}

static int send_frame(struct asy_error *err)
{
    static struct asy_holding holdings[2000];
    struct asy_msg msg = { .type = ASY_MSG_HELLO }, back, copy;
    struct asy_arena *arena = NULL;
    struct asy_buf buf;
    int rc;

    for (size_t i = 0; i < ASY_ARRAY_LEN(holdings); i++)
        holdings[i] = (struct asy_holding){ .study = { { 1, 2, 3 } }, .trial = i, .attempt = 1 };
    msg.hello.role = ASY_ROLE_AGENT;
    msg.hello.hardware = "{}";
    msg.hello.holdings = holdings;
    msg.hello.n_holdings = ASY_ARRAY_LEN(holdings);
    asy_buf_init(&buf, ASY_FRAME_MAX);
    if ((rc = asy_arena_create(16u << 20, &arena, err)) == 0 &&
        (rc = asy_msg_encode(&msg, &buf, err)) == 0 &&
        (rc = asy_msg_decode(buf.data, buf.len, arena, &back, err)) == 0)
        rc = asy_msg_copy(&back, arena, &copy, err);
    asy_buf_fini(&buf);
    asy_arena_destroy(arena);
    return rc;
}

static void a_study_without_memory_is_an_error(void)
{
    T_TRUE(t_nomem_each("study", read_study) > 5);
    T_TRUE(t_nomem_each("sweep", read_sweep) > 5);
}

static void a_frame_without_memory_is_an_error(void)
{
    T_TRUE(t_nomem_each("frame", send_frame) > 5);
}

T_MAIN("wire-nomem", T_TEST(a_study_without_memory_is_an_error),
       T_TEST(a_frame_without_memory_is_an_error))
