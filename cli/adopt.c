/* SPDX-License-Identifier: Apache-2.0
 * adopt.c - what becomes of attempts that workers began before a backup was restored. */
#include "cli.h"
#include <inttypes.h>

static const char *text(const struct asy_json *object, const char *key)
{
    return asy_json_str(asy_json_get(object, key), "");
}

static int64_t number(const struct asy_json *object, const char *key)
{
    return asy_json_i64(asy_json_get(object, key), 0);
}

/* One line for each that could not be adopted, and why. */
static void print_left(const struct asy_json *list)
{
    const struct asy_json *one;
    struct asy_buf line;

    for (size_t i = 0; (one = asy_json_at(list, i)); i++) {
        asy_buf_init(&line, 4096);
        asy_buf_addf(&line, "left: %s %" PRId64 " on worker '%s': %s\n", text(one, "study"),
                     number(one, "trial"), text(one, "worker"), text(one, "why"));
        asy__print_lines(stderr, line.data, 6);
        asy_buf_fini(&line);
    }
    if (asy_json_len(list))
        fputs("assay: 'assay workers' lists them; 'assay discard' ends them\n", stderr);
}

static int decide(const struct asy__options *options, enum asy_control_verb verb,
                  const char *done)
{
    struct asy_msg msg = { .type = ASY_MSG_CONTROL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__session *session = NULL;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int status = EXIT_DONE;

    asy_buf_init(&json, 1u << 20);
    msg.control.verb = verb;
    msg.control.study = options->n_words ? options->words[0] : "";
    if (asy__session_open(options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        asy__session_speaks(session, 1, &err) < 0 || asy__ask(session, &msg, &json, &err) < 0 ||
        asy_json_parse(json.data, json.len, &root, &err) < 0) {
        status = asy__complain(&err);
    } else {
        const struct asy_json *left = asy_json_get(root, "left");

        printf("%" PRId64 " %s\n", number(root, done), done);
        print_left(left);
        status = asy_json_len(left) ? EXIT_FAILED : EXIT_DONE;
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy__session_close(session);
    return status;
}

static int command(int argc, char **argv, enum asy_control_verb verb, const char *done)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;

    if (asy__options_parse(argc, argv, "a", 0, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (options.n_words == (options.all ? 1 : 0)) {
        asy_fail(&err, ASY_E_INVAL, "name a study, or say --all");
        asy__complain(&err);
        return EXIT_USAGE;
    }
    return decide(&options, verb, done);
}

int asy__cmd_adopt(int argc, char **argv)
{
    return command(argc, argv, ASY_CONTROL_ADOPT, "adopted");
}

int asy__cmd_discard(int argc, char **argv)
{
    return command(argc, argv, ASY_CONTROL_DISCARD, "discarded");
}

void asy__offers_hint(struct asy__session *session)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    const struct asy_json *worker;
    struct asy_buf json = { 0 };
    size_t n = 0;

    asy_buf_init(&json, 64u << 20);
    if (asy__query(session, "workers", "", -1, -1, -1, NULL, &json, &root, &err) == 0)
        for (size_t i = 0; (worker = asy_json_at(asy_json_get(root, "workers"), i)); i++)
            n += asy_json_len(asy_json_get(worker, "offers"));
    if (n)
        fprintf(stderr, "assay: %zu attempt%s from before a backup was restored wait%s for a word: "
                        "'assay workers' lists them\n", n, ASY_S(n), n == 1 ? "s" : "");
    asy_json_destroy(root);
    asy_buf_fini(&json);
}
