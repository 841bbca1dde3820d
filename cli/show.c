/* SPDX-License-Identifier: Apache-2.0
 * show.c - the reading commands. --json prints the coordinator's answer as it is; the tables are
 * made from the same answer. */
#include "cli.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <asy/clock.h>

/* What a reading command is: its question and how the answer looks. */
struct question {
    const char *what, *arg;
    const char *allowed; /* options */
    int min_words, max_words;
    void (*put)(const struct asy_json *root);
};

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
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        asy__query(session, trial >= 0 && !strcmp(question->what, "study") ? "trial"
                                                                           : question->what,
                   options.n_words ? options.words[0] : "", trial, -1, options.limit,
                   question->arg, &json, &root, &err) < 0)
        status = asy__complain(&err);
    else if (options.json)
        printf("%s\n", json.data);
    else
        question->put(root);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy__session_close(session);
    return status;
}

static int64_t number(const struct asy_json *node, const char *key)
{
    return asy_json_i64(asy_json_get(node, key), 0);
}

static const char *text(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "-");
}

static void put_studies(const struct asy_json *root)
{
    const struct asy_json *studies = asy_json_get(root, "studies"), *study;

    printf("%-24s %-9s %7s %8s %7s %7s %7s  %s\n", "STUDY", "STATE", "TRIALS", "COMPLETE", "PRUNED",
           "FAILED", "RUNNING", "BEST");
    for (size_t i = 0; (study = asy_json_at(studies, i)); i++) {
        printf("%-24s %-9s %7" PRId64 " %8" PRId64 " %7" PRId64 " %7" PRId64 " %7" PRId64 "  ",
               text(study, "name"), text(study, "state"), number(study, "trials"),
               number(study, "complete"), number(study, "pruned"), number(study, "failed"),
               number(study, "running"));
        asy__put_value(stdout, asy_json_get(study, "best"));
        putchar('\n');
    }
}

static void put_trials(const struct asy_json *root)
{
    const struct asy_json *trials = asy_json_get(root, "trials"), *trial;

    printf("%6s %-9s %-12s %6s  %s\n", "TRIAL", "STATE", "VALUE", "STEP", "PARAMETERS");
    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++) {
        double value = asy_json_f64(asy_json_get(trial, "value"), NAN);

        printf("%6" PRId64 " %-9s ", number(trial, "number"), text(trial, "state"));
        if (isnan(value))
            printf("%-12s", "-");
        else
            printf("%-12.6g", value);
        printf(" %6" PRId64 "  ", number(trial, "step"));
        asy__put_params(stdout, asy_json_get(trial, "params"));
        if (strcmp(text(trial, "state"), "failed") == 0)
            printf("  (%s: %s)", text(trial, "cause"), text(trial, "text"));
        putchar('\n');
    }
}

static void put_time(const char *name, int64_t wall_us)
{
    char when[32];

    if (wall_us)
        asy_clock_format(wall_us, when);
    printf("%-9s %s\n", name, wall_us ? when : "-");
}

static void put_trial(const struct asy_json *root)
{
    const struct asy_json *list = asy_json_get(root, "attempt_list"), *item;

    printf("trial     %" PRId64 " %s", number(root, "number"), text(root, "state"));
    if (asy_json_str(asy_json_get(root, "cause"), NULL))
        printf(" (%s: %s)", text(root, "cause"), text(root, "text"));
    printf("\nrun       %s\nparams    ", text(root, "id"));
    asy__put_params(stdout, asy_json_get(root, "params"));
    fputs("\nvalue     ", stdout);
    asy__put_value(stdout, asy_json_get(root, "value"));
    printf(" at step %" PRId64 "\n", number(root, "step"));
    put_time("created", number(root, "created_us"));
    put_time("ended", number(root, "ended_us"));
    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        printf("attempt   %" PRId64 " on %s, cores %s: %s", number(item, "attempt"),
               text(item, "host"), text(item, "cores"), text(item, "end"));
        if (number(item, "resumed_from"))
            printf(", from attempt %" PRId64 " at step %" PRId64, number(item, "resumed_from"),
                   number(item, "resumed_step"));
        if (asy_json_str(asy_json_get(item, "cause"), NULL))
            printf(" (%s: %s)", text(item, "cause"), text(item, "text"));
        putchar('\n');
    }
    list = asy_json_get(root, "metrics");
    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        printf("metric    %-16s step %-6" PRId64 " ", text(item, "name"), number(item, "step"));
        asy__put_value(stdout, asy_json_get(item, "value"));
        putchar('\n');
    }
    list = asy_json_get(root, "artifacts");
    for (size_t i = 0; (item = asy_json_at(list, i)); i++)
        printf("artifact  %-12s %s (%" PRId64 " bytes)\n", text(item, "name"), text(item, "path"),
               number(item, "bytes"));
}

static void put_study(const struct asy_json *root)
{
    if (asy_json_get(root, "number")) {
        put_trial(root);
        return;
    }
    printf("study     %s %s", text(root, "name"), text(root, "state"));
    if (asy_json_str(asy_json_get(root, "cause"), NULL))
        printf(" (%s: %s)", text(root, "cause"), text(root, "text"));
    printf("\nid        %s\n", text(root, "id"));
    put_time("created", number(root, "created_us"));
    put_time("ended", number(root, "ended_us"));
    printf("trials    %" PRId64 ": %" PRId64 " complete, %" PRId64 " pruned, %" PRId64
           " failed, %" PRId64 " cancelled, %" PRId64 " running, %" PRId64 " paused, %" PRId64
           " queued\nbest      ",
           number(root, "trials"), number(root, "complete"), number(root, "pruned"),
           number(root, "failed"), number(root, "cancelled"), number(root, "running"),
           number(root, "paused"), number(root, "queued"));
    asy__put_value(stdout, asy_json_get(root, "best"));
    if (asy_json_i64(asy_json_get(root, "best_trial"), -1) >= 0)
        printf(" (trial %" PRId64 ")", number(root, "best_trial"));
    putchar('\n');
}

static void put_workers(const struct asy_json *root)
{
    const struct asy_json *workers = asy_json_get(root, "workers"), *worker;

    printf("%-20s %-10s %6s %6s %10s  %s\n", "WORKER", "STATE", "CORES", "FREE", "MEMORY", "NOTE");
    for (size_t i = 0; (worker = asy_json_at(workers, i)); i++)
        printf("%-20s %-10s %6" PRId64 " %6" PRId64 " %6.1f GiB  %s\n", text(worker, "host"),
               text(worker, "state"), number(worker, "cores"), number(worker, "free_cores"),
               (double)number(worker, "memory") / 1073741824.0, text(worker, "fit"));
}

int asy__cmd_ls(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "studies", NULL, "jn", 0, 0, put_studies });
}

int asy__cmd_show(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "study", NULL, "j", 1, 2, put_study });
}

int asy__cmd_trials(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "trials", NULL, "jn", 1, 1, put_trials });
}

int asy__cmd_best(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "trials", "best", "jn", 1, 1, put_trials });
}

int asy__cmd_workers(int argc, char **argv)
{
    return answer(argc, argv, &(struct question){ "workers", NULL, "j", 0, 0, put_workers });
}
