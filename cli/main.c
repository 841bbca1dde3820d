/* SPDX-License-Identifier: Apache-2.0
 * assay - the command line: a table of commands; each stands in a file of its own kind. */
#include "cli.h"
#include <string.h>
#include <asy/parse.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: not listed */
    const char *usage;
};
static const struct command commands[] = {
    { "run", asy__cmd_run, "run a study to its end and watch it",
      "assay run FILE [--resume] [--cores N]\n\n"
      "  assay run examples/digits-mlp.yaml\n  assay run examples/digits-mlp.yaml --resume" },
    { "submit", asy__cmd_submit, "hand a study over and return",
      "assay submit FILE [--resume]" },
    { "watch", asy__cmd_watch, "follow a running study", "assay watch STUDY" },
    { "ls", asy__cmd_ls, "list studies", "assay ls [--json] [--limit N]" },
    { "show", asy__cmd_show, "one study, or one trial of it", "assay show STUDY [TRIAL] [--json]" },
    { "trials", asy__cmd_trials, "the trials of a study",
      "assay trials STUDY [--json] [--limit N]" },
    { "best", asy__cmd_best, "the best trials of a study", "assay best STUDY [--json] [--limit N]" },
    { "explain", asy__cmd_explain, "why a study, a trial or a worker waits, failed or was stopped",
      "assay explain STUDY [TRIAL] [--json]\n       assay explain --worker ID|HOST [--json]" },
    { "workers", asy__cmd_workers, "connected workers", "assay workers [--json]" },
    { "logs", asy__cmd_logs, "what a trial printed",
      "assay logs STUDY TRIAL [--attempt N] [--stderr] [--follow]" },
    { "predict", asy__cmd_predict, "apply the best model of a study to a CSV file",
      "assay predict STUDY FILE.csv [--output FILE]" },
    { "export", asy__cmd_export, "all trials as a table",
      "assay export STUDY [--format csv|json] [--output FILE]" },
    { "pause", asy__cmd_pause, "checkpoint and pause a study", "assay pause STUDY" },
    { "resume", asy__cmd_resume, "let a paused study go on", "assay resume STUDY" },
    { "stop", asy__cmd_stop, "end a study, or one trial of it", "assay stop STUDY [TRIAL]" },
    { "up", asy__cmd_up, "start a coordinator and a worker that stay", "assay up [--cores N]" },
    { "down", asy__cmd_down, "checkpoint everything and end them", "assay down" },
    { "config", asy__cmd_config, "settings and where they come from",
      "assay config show [--json]" },
    { "doctor", asy__cmd_doctor, "look at this machine and say what to mend",
      "assay doctor [CHECK]... [--json] [--list]" },
    { "node", asy__cmd_node, NULL, "assay node [--cores N]" },
    { "reference", asy__cmd_reference, NULL, "assay reference commands|settings|study-file" },
};

static void usage(FILE *out)
{
    fputs("usage: assay COMMAND [ARGUMENT]...\n\n", out);
    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++)
        if (commands[i].help)
            fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fputs("\n  assay help study [KEY]   every key of the study file\n"
          "  assay help COMMAND       how to call it\n"
          "  assay --version\n\n"
          "every command takes --home DIR (default $ASSAY_HOME, else ~/.local/share/assay)\n"
          "\nexample: assay run examples/digits-mlp.yaml\n",
          out);
}

void asy__commands_reference(struct asy_buf *ret_markdown)
{
    asy_buf_adds(ret_markdown,
        "# Commands\n\n"
        "Generated from the table in `cli/main.c`. Results go to stdout, all else to stderr.\n"
        "Every command takes `--home DIR`; reading commands take `--json`.\n\n"
        "| exit code | meaning |\n|---|---|\n"
        "| 0 | done |\n| 1 | failed |\n| 2 | called wrongly |\n"
        "| 3 | the coordinator does not answer |\n| 4 | timed out |\n"
        "| 128 + n | ended by signal n |\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++)
        if (commands[i].help)
            asy_buf_addf(ret_markdown, "\n## assay %s\n\n%c%s.\n\n```\n%s\n```\n",
                         commands[i].name, commands[i].help[0] & ~0x20, commands[i].help + 1,
                         commands[i].usage);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[ASY_ARRAY_LEN(commands)], *near;

    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++)
        names[i] = commands[i].name;
    near = asy_nearest(name, strlen(name), names, ASY_ARRAY_LEN(names));
    fprintf(stderr, "assay: no command '%s'", name);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fputs("\nassay: see 'assay --help'\n", stderr);
    return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    const struct command *command;

    if (argc < 1) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (!strcmp(argv[0], "study"))
        return asy__cmd_help_study(argc - 1, argv + 1);
    if (!(command = find(argv[0])))
        return unknown(argv[0]);
    printf("usage: %s\n", command->usage);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help(argc - 2, argv + 2);
    if (!strcmp(argv[1], "--version"))
        return asy__cmd_version(argc - 2, argv + 2);
    if (!(command = find(argv[1])))
        return unknown(argv[1]);
    if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")))
        return help(1, argv + 1);
    return command->run(argc - 2, argv + 2);
}
