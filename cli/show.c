/* SPDX-License-Identifier: Apache-2.0
 * show.c - the reading commands. --json prints the coordinator's answer as it is; tables and pages
 * are made from the same answer. */
#include <string.h>
#include "cli.h"
#include "tables.h"

#define BEST_SHOWN 10

/* What a reading command is: its question and how the answer looks. */
struct question {
    const char *what, *arg;
    const char *allowed; /* options */
    int min_words, max_words;
    int64_t limit;       /* unless --limit or --json says otherwise; < 0: none */
    int (*put)(const struct asy_json *root, const struct asy__options *options, size_t width,
               struct asy_buf *out, struct asy_error *err);
};

static int put(const struct question *question, const struct asy_json *root,
               const struct asy__options *options, struct asy_error *err)
{
    struct asy_buf out = { 0 };
    int rc;

    asy_buf_init(&out, 1u << 30);
    if ((rc = question->put(root, options, asy__columns(stdout), &out, err)) == 0)
        fwrite(out.data, 1, out.len, stdout);
    asy_buf_fini(&out);
    return rc;
}

static int answer(int argc, char **argv, const struct question *question)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int64_t trial = -1;
    int status = EXIT_DONE;

    asy_buf_init(&json, 256u << 20);
    if (asy__options_parse(argc, argv, question->allowed, question->min_words, question->max_words,
                           &options, &err) < 0 ||
        (options.n_words > 1 && asy__trial_number(options.words[1], &trial, &err) < 0)) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (options.limit < 0 && !options.json)
        options.limit = question->limit;
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        asy__query(session, trial >= 0 && !strcmp(question->what, "study") ? "trial"
                                                                           : question->what,
                   options.n_words ? options.words[0] : "", trial, -1, options.limit,
                   question->arg, &json, &root, &err) < 0)
        status = asy__complain(&err);
    else if (options.json)
        printf("%s\n", json.data);
    else if (put(question, root, &options, &err) < 0)
        status = asy__complain(&err);
    else if (!strcmp(question->what, "studies"))
        asy__offers_hint(session);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy__session_close(session);
    return status;
}

static int put_studies(const struct asy_json *root, const struct asy__options *options,
                       size_t width, struct asy_buf *out, struct asy_error *err)
{
    (void)options;
    return asy__table_of_studies(root, width, out, err);
}

static int put_trials(const struct asy_json *root, const struct asy__options *options, size_t width,
                      struct asy_buf *out, struct asy_error *err)
{
    (void)options;
    return asy__table_of_trials(root, width, out, err);
}

static int put_front(const struct asy_json *root, const struct asy__options *options, size_t width,
                     struct asy_buf *out, struct asy_error *err)
{
    (void)options;
    return asy__table_of_front(root, width, out, err);
}

static int put_workers(const struct asy_json *root, const struct asy__options *options,
                       size_t width, struct asy_buf *out, struct asy_error *err)
{
    (void)options;
    return asy__table_of_workers(root, width, out, err);
}

/* One study, or one trial of it. */
static int put_page(const struct asy_json *root, const struct asy__options *options, size_t width,
                    struct asy_buf *out, struct asy_error *err)
{
    return asy_json_get(root, "number") ? asy__page_of_trial(root, options->all, width, out, err)
                                        : asy__page_of_study(root, width, out, err);
}

int asy__cmd_ls(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "studies", NULL, "jn", 0, 0, -1, put_studies });
}

int asy__cmd_show(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "study", NULL, "ja", 1, 2, -1, put_page });
}

int asy__cmd_trials(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "trials", NULL, "jn", 1, 1, -1, put_trials });
}

int asy__cmd_best(int argc, char **argv)
{
    return answer(argc, argv,
                  &(struct question){ "trials", "best", "jn", 1, 1, BEST_SHOWN, put_trials });
}

static int put_history(const struct asy_json *root, const struct asy__options *options,
                       size_t width, struct asy_buf *out, struct asy_error *err)
{
    (void)options;
    return asy__table_of_history(root, width, out, err);
}

int asy__cmd_pareto(int argc, char **argv)
{
    static const struct question front = { "front", NULL, "jnH", 1, 1, -1, put_front };
    static const struct question history = { "history", NULL, "jH", 1, 1, -1, put_history };

    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--history"))
            return answer(argc, argv, &history);
    return answer(argc, argv, &front);
}

static int put_importance(const struct asy_json *root, const struct asy__options *options,
                          size_t width, struct asy_buf *out, struct asy_error *err)
{
    (void)options;
    return asy__table_of_importance(root, width, out, err);
}

/* The coordinator takes method and objective as one word: "fanova:val_loss". */
static int put_measure(const struct asy__options *options, struct asy_buf *ret,
                       struct asy_error *err)
{
    const char *method = options->method ? options->method : "ped-anova";

    if (strcmp(method, "ped-anova") != 0 && strcmp(method, "fanova") != 0)
        return asy_fail(err, ASY_E_INVAL, "--method takes ped-anova or fanova, not '%.40s'",
                        method);
    asy_buf_adds(ret, method);
    if (options->objective) {
        asy_buf_addc(ret, ':');
        asy_buf_adds(ret, options->objective);
    }
    return asy_buf_check(ret, "--objective", err);
}

int asy__cmd_importance(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_buf measure = { 0 };
    int status;

    asy_buf_init(&measure, 4096);
    if (asy__options_parse(argc, argv, "jMO", 1, 1, &options, &err) < 0 ||
        put_measure(&options, &measure, &err) < 0) {
        asy__complain(&err);
        status = EXIT_USAGE;
    } else {
        status = answer(argc, argv, &(struct question){ "importance", measure.data, "jMO", 1, 1,
                                                        -1, put_importance });
    }
    asy_buf_fini(&measure);
    return status;
}

int asy__cmd_workers(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "workers", NULL, "j", 0, 0, -1, put_workers });
}
