/* SPDX-License-Identifier: Apache-2.0
 * replay.c - `assay replay`: whether a study's points and decisions follow from its log, in one
 * line, or where they first do not. */
#include "cli.h"
#include <inttypes.h>
#include <string.h>

static int64_t number(const struct asy_json *node, const char *key)
{
    return asy_json_i64(asy_json_get(node, key), 0);
}

static const char *text(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

/* "412 suggestions, 96 stops and 12 promotions" */
static void put_counts(const struct asy_json *root, struct asy_buf *out)
{
    static const char *const names[] = { "suggestions", "stops", "pauses", "promotions" };
    const char *some[ASY_ARRAY_LEN(names)];
    size_t n = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (i == 0 || number(root, names[i]) > 0)
            some[n++] = names[i];
    for (size_t i = 0; i < n; i++)
        asy_buf_addf(out, "%s%" PRId64 " %.*s", i == 0 ? "" : i + 1 < n ? ", " : " and ",
                     number(root, some[i]),
                     (int)strlen(some[i]) - (number(root, some[i]) == 1), some[i]);
}

static void put_difference(const struct asy_json *root, struct asy_buf *out)
{
    const struct asy_json *difference = asy_json_get(root, "difference");

    asy_buf_addf(out, "study '%s' does not follow from its log: %s\n", text(root, "study"),
                 text(difference, "text"));
    asy_buf_addf(out, "at event %" PRId64, number(difference, "seq"));
    if (number(difference, "knew"))
        asy_buf_addf(out, "; its sampler knew the log up to event %" PRId64 ", with %" PRId64
                     " outcome%s", number(difference, "knew"), number(difference, "outcomes"),
                     ASY_S(number(difference, "outcomes")));
    asy_buf_adds(out, "; before it ");
    put_counts(root, out);
    asy_buf_adds(out, " follow\n");
}

static void put_result(const struct asy_json *root, struct asy_buf *out)
{
    int64_t unproven = number(root, "unproven");

    if (!strcmp(text(root, "result"), "differs")) {
        put_difference(root, out);
        return;
    }
    if (unproven > 0)
        asy_buf_addf(out, "cannot be proven: %" PRId64 " of %" PRId64 " trials were made by an "
                     "older version, which did not record what their sampler knew\n", unproven,
                     unproven + number(root, "suggestions"));
    put_counts(root, out);
    asy_buf_addf(out, " of study '%s' follow from its log\n", text(root, "study"));
}

static int replay(const struct asy__options *options, struct asy_error *err)
{
    struct asy__session *session = NULL;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 }, out = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 20);
    asy_buf_init(&out, 1u << 20);
    if ((rc = asy__session_open(options, ASY__START_COORDINATOR, &session, err)) < 0 ||
        (rc = asy__query(session, "replay", options->words[0], -1, -1, -1, NULL, &json, &root,
                         err)) < 0)
        goto out;
    if (options->json)
        asy_buf_addf(&out, "%s\n", json.data);
    else
        put_result(root, &out);
    if ((rc = asy_buf_check(&out, "the result", err)) < 0)
        goto out;
    fwrite(out.data, 1, out.len, stdout);
    rc = strcmp(text(root, "result"), "follows") != 0;
out:
    asy_json_destroy(root);
    asy__session_close(session);
    asy_buf_fini(&json);
    asy_buf_fini(&out);
    return rc;
}

int asy__cmd_replay(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    int rc;

    if (asy__options_parse(argc, argv, "j", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    rc = replay(&options, &err);
    return rc < 0 ? asy__complain(&err) : rc ? EXIT_FAILED : EXIT_DONE;
}
