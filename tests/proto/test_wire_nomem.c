/* SPDX-License-Identifier: Apache-2.0
 * Every allocation of codecs and study parser fails once: the call says so and leaks nothing. (The
 * linker sends malloc and its like through here; libyaml's and Jansson's own are not reached.) */
#include <asy/msg.h>
#include <asy/study.h>
#include "asytest.h"

static long left = -1; /* allocations until one fails; below 0: none will */

static int fails(void)
{
    if (left < 0)
        return 0;
    return left-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static const char text[] =
    "assay: 1\nname: s\ntags: {a: b}\n"
    "run: {command: [train, '{lr}', '{args}'], env: {A: b}, files: [x], length: {max: 9},\n"
    "  metrics: {pattern: '(?<loss>.)'}}\n"
    "objective: {metric: loss, goal: minimize}\n"
    "parameters: {lr: {min: 1e-5, max: 1.0}, o: {values: [a, b]},\n"
    "  m: {min: 1, max: 2, when: {o: a}}}\n"
    "search: {sampler: tpe, pruner: asha, enqueue: [{lr: 0.1, o: a}]}\nbudget: {trials: 10}\n";

static int make_words(const struct asy_study_spec *spec, struct asy_error *err)
{
    struct asy_json *params = NULL;
    char **argv = NULL;
    int rc = asy_json_parse("{\"lr\":0.1}", 10, &params, err);

    if (rc == 0)
        rc = asy_study_argv(spec, params, &argv, err);
    asy_study_argv_free(argv);
    asy_json_destroy(params);
    return rc;
}

static int read_study(struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    int rc;

    asy_buf_init(&problems, 1u << 16);
    rc = asy_study_parse(text, sizeof text - 1, "f", "/b", &spec, &problems, err);
    if (rc == 0)
        rc = make_words(spec, err);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    return rc;
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

static void each_failure_is_reported(const char *name, int (*call)(struct asy_error *err))
{
    long n = 0;
    int rc;

    do {
        struct asy_error err = ASY_ERROR_INIT;

        left = n++;
        rc = call(&err);
        if (left >= 0) { /* it got by without the n-th: done */
            left = -1;
            T_OK(rc, &err);
            break;
        }
        T_EQ(name, rc, ASY_E_NOMEM);
        T_TRUE(err.code == ASY_E_NOMEM && err.text[0]);
    } while (n < 100000);
    t__check(n > 5, __LINE__, __FILE__, "%s: only %ld allocations", name, n);
}

static void a_study_without_memory_is_an_error(void)
{
    each_failure_is_reported("study", read_study);
}

static void a_frame_without_memory_is_an_error(void)
{
    each_failure_is_reported("frame", send_frame);
}

T_MAIN("wire-nomem", T_TEST(a_study_without_memory_is_an_error),
       T_TEST(a_frame_without_memory_is_an_error))
