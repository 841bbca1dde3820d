/* SPDX-License-Identifier: Apache-2.0
 * Study files from users and submissions: what parses has a canonical text that parses to itself;
 * what does not says where it is wrong. A first point of the space becomes a command's words. */
#include <asy/study.h>
#include <string.h>
#include "fuzz.h"

static void check_words(const struct asy_study_spec *spec)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *params = NULL;
    struct asy_jsonw w;
    struct asy_buf buf;
    char **argv = NULL;

    if (spec->kind != ASY_RUN_COMMAND || spec->n_enqueue == 0)
        return;
    asy_buf_init(&buf, 1u << 20);
    asy_jsonw_init(&w, &buf, 0);
    asy_space_write(spec->space, spec->enqueue, &w, NULL);
    FUZZ_CHECK(asy_json_parse(buf.data, buf.len, &params, &err) == 0);
    FUZZ_CHECK(asy_study_argv(spec, params, NULL, NULL, &argv, &err) == 0);
    asy_study_argv_free(argv);
    asy_json_destroy(params);
    asy_buf_fini(&buf);
}

static void check_spec(const struct asy_study_spec *spec)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *again = NULL;

    FUZZ_CHECK(asy_study_parse(spec->canonical, spec->canonical_len, "study", NULL, &again, NULL,
                               &err) == 0);
    FUZZ_CHECK(!strcmp(spec->canonical, again->canonical));
    FUZZ_CHECK(asy_study_resumable(spec, again, &err) == 0);
    check_words(spec);
    asy_study_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;

    if (size > 1u << 14)
        return 0;
    asy_buf_init(&problems, 1u << 20);
    if (asy_study_parse((const char *)data, size, "f", "/base", &spec, &problems, &err) == 0)
        check_spec(spec);
    else
        FUZZ_CHECK(err.text[0] && problems.len && !strncmp(problems.data, "f:", 2));
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    return 0;
}
