/* SPDX-License-Identifier: Apache-2.0
 * assay - the command line: a table of commands; each stands in a file of its own kind. */
#include "cli.h"
#include <string.h>
#include <asy/output.h>
#include <asy/parse.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
    const char *usage; /* lines after the first are further forms */
    int hidden;        /* not in the list of commands */
    int begins;        /* a group of commands, in that list */
    int at_home;       /* has no use for --coordinator */
};
static const struct command commands[] = {
    { "run", asy__cmd_run, "run a study to its end and watch it",
      "assay run FILE [--resume] [--cores N] [--device WORD] [--no-wandb-shim]" },
    { "batch", asy__cmd_batch, "run a study in this job of Slurm, on all its nodes",
      "assay batch FILE [--cores N] [--device WORD]", .at_home = 1 },
    { "submit", asy__cmd_submit, "hand a study over and return",
      "assay submit FILE [--resume] [--cores N] [--device WORD] [--no-wandb-shim]" },
    { "watch", asy__cmd_watch, "follow a running study", "assay watch STUDY [--json]" },
    { "ls", asy__cmd_ls, "list studies", "assay ls [--json] [--limit N]", .begins = 1 },
    { "show", asy__cmd_show, "one study, or one trial of it",
      "assay show STUDY [TRIAL] [--all] [--json]" },
    { "trials", asy__cmd_trials, "the trials of a study",
      "assay trials STUDY [--json] [--limit N]" },
    { "best", asy__cmd_best, "the best trials of a study",
      "assay best STUDY [--json] [--limit N]" },
    { "pareto", asy__cmd_pareto, "the trials that no other beats in all objectives",
      "assay pareto STUDY [--json] [--limit N]\n       assay pareto STUDY --history [--json]" },
    { "importance", asy__cmd_importance, "what each parameter had to do with the results",
      "assay importance STUDY [--method ped-anova|fanova] [--objective METRIC] [--json]" },
    { "report", asy__cmd_report, "a study as one page of charts, for a browser",
      "assay report STUDY [--output FILE]" },
    { "explain", asy__cmd_explain, "why a study, a trial or a worker waits, failed or was stopped",
      "assay explain STUDY [TRIAL] [--json]\n       assay explain --worker ID|HOST [--json]" },
    { "replay", asy__cmd_replay, "prove that a study's points and stops follow from its log",
      "assay replay STUDY [--json]" },
    { "workers", asy__cmd_workers, "connected workers", "assay workers [--json]" },
    { "logs", asy__cmd_logs, "what a trial printed",
      "assay logs STUDY TRIAL [--attempt N] [--stderr] [--follow] [--json]" },
    { "predict", asy__cmd_predict, "apply a study's best model, or a trial's, to rows of a file",
      "assay predict STUDY [TRIAL] FILE [--output FILE] [--json]", .begins = 1 },
    { "generate", asy__cmd_generate, "let a model of the family gpt write on",
      "assay generate STUDY [TRIAL] [--prompt TEXT] [--tokens N] [--temperature T]\n"
      "                      [--top-k K] [--seed N] [--output FILE] [--json]\n"
      "       assay generate MODEL.safetensors [OPTION]..." },
    { "scores", asy__cmd_scores, "how a model did on the validation part, class by class",
      "assay scores STUDY [TRIAL] [--output FILE] [--json]" },
    { "export", asy__cmd_export, "all trials as a table, or a model",
      "assay export STUDY [--format NAME] [--json] [--output FILE]\n"
      "       assay export STUDY [TRIAL] --model [--output FILE]\n"
      "       assay export STUDY [TRIAL] --format onnx|c [--output FILE]\n"
      "       assay export MODEL.safetensors --format onnx|c [--output FILE]" },
    { "pause", asy__cmd_pause, "checkpoint and pause a study", "assay pause STUDY", .begins = 1 },
    { "resume", asy__cmd_resume, "let a paused study go on", "assay resume STUDY [--cores N]" },
    { "stop", asy__cmd_stop, "end a study, or one trial of it", "assay stop STUDY [TRIAL]" },
    { "priority", asy__cmd_priority, "let a study go before or after others",
      "assay priority STUDY N" },
    { "adopt", asy__cmd_adopt, "take over what workers began before a backup was restored",
      "assay adopt STUDY | --all" },
    { "discard", asy__cmd_discard, "end what workers began before a backup was restored",
      "assay discard STUDY | --all" },
    { "up", asy__cmd_up, "start a coordinator and a worker that stay", "assay up [--cores N]",
      .begins = 1, .at_home = 1 },
    { "down", asy__cmd_down, "checkpoint all and end them, workers of other machines too",
      "assay down", .at_home = 1 },
    { "backup", asy__cmd_backup, "copy the store into a new file, while all goes on",
      "assay backup FILE", .at_home = 1 },
    { "restore", asy__cmd_restore, "make the store of a home that has none of such a file",
      "assay restore FILE", .at_home = 1 },
    { "worker", asy__cmd_worker, "offer this machine's cores to a coordinator",
      "assay worker [--join FILE] [--cores N] [OPTION]...", .at_home = 1 },
    { "invite", asy__cmd_invite, "let a worker, or another user, in",
      "assay invite --worker [NAME] [--for USER] [--output FILE]\n"
      "       assay invite NAME [--output FILE]", .at_home = 1 },
    { "revoke", asy__cmd_revoke, "let a key in no more, and end its connections",
      "assay revoke NAME|KEY", .at_home = 1 },
    { "config", asy__cmd_config, "settings and where they come from",
      "assay config show [--json]", .begins = 1, .at_home = 1 },
    { "doctor", asy__cmd_doctor, "look at this machine and say what to mend",
      "assay doctor [CHECK]... [--json] [--list]" },
    { "node", asy__cmd_node, "keep a coordinator and a worker alive (assay up starts it)",
      "assay node [--cores N] [--all] [--nodes N]\n       assay node --agent [--cores N]", 1,
      .at_home = 1 },
    { "reference", asy__cmd_reference, "print a page of docs/reference",
      "assay reference commands|settings|study-file", 1, .at_home = 1 },
};

static void usage(struct asy_buf *out)
{
    asy_buf_adds(out, "usage: assay COMMAND [ARGUMENT]...\n\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++)
        if (!commands[i].hidden)
            asy_buf_addf(out, "%s  %-10s %s\n", commands[i].begins ? "\n" : "", commands[i].name,
                         commands[i].help);
    asy_buf_adds(
        out, "\n  assay help COMMAND       how to call it, with examples\n"
             "  assay help study [KEY]   every key of the study file, or one: run, search.pruner\n"
             "  assay help study model X what the family X of models has: mlp, gbdt, ...\n"
             "  assay help study ./X.so  what a plug-in takes and reports\n"
             "  assay --version [--json] versions of the programs and of what they run on\n"
             "\nevery command takes --home DIR (default $ASSAY_HOME, else ~/.local/share/assay),\n"
             "most take --coordinator FILE, an invitation to another's coordinator\n"
             "\nexample: assay run examples/digits-mlp.yaml\n\n");
    asy__exit_codes_text(NULL, out);
}

void asy__commands_reference(struct asy_buf *ret_markdown)
{
    asy_buf_adds(ret_markdown,
                 "# Commands\n\n"
                 "Generated from the tables in `cli/main.c` and `cli/help.c`. Results go to "
                 "stdout, all else to stderr.\n\n");
    asy__exit_codes_table(ret_markdown);
    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++) {
        if (commands[i].hidden)
            continue;
        asy_buf_addf(ret_markdown, "\n## assay %s\n\n```\n", commands[i].name);
        asy__help_text(commands[i].name, commands[i].help, commands[i].usage,
                       !commands[i].at_home, ret_markdown);
        asy_buf_adds(ret_markdown, "```\n");
    }
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
    const char *names[ASY_ARRAY_LEN(commands) + 2] = { "help", "study" }, *near;

    for (size_t i = 0; i < ASY_ARRAY_LEN(commands); i++)
        names[i + 2] = commands[i].name;
    if (name[0] == '-') {
        fprintf(stderr, "assay: '%s' stands before a command; options come after it\n"
                        "assay: see 'assay --help'\n", name);
        return EXIT_USAGE;
    }
    near = asy_nearest(name, strlen(name), names, ASY_ARRAY_LEN(names));
    if (near && !strcmp(near, "study"))
        near = "help study";
    fprintf(stderr, "assay: no command '%s'", name);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fputs("\nassay: see 'assay --help'\n", stderr);
    return EXIT_USAGE;
}

/* The help of a command, of all of them if it is NULL. */
static int show_help(const struct command *command)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;
    int status = EXIT_DONE;

    asy_buf_init(&text, 1u << 20);
    if (!command) {
        usage(&text);
    } else {
        asy__help_text(command->name, command->help, command->usage, !command->at_home, &text);
        asy_buf_addc(&text, '\n');
        asy__exit_codes_text(command->name, &text);
    }
    if (asy_buf_check(&text, "the help", &err) < 0)
        status = asy__complain(&err);
    else
        fputs(text.data, stdout);
    asy_buf_fini(&text);
    return status;
}

static int help(int argc, char **argv)
{
    const struct command *command;

    if (argc < 1)
        return show_help(NULL);
    if (!strcmp(argv[0], "study"))
        return asy__cmd_help_study(argc - 1, argv + 1);
    if (!(command = find(argv[0])))
        return unknown(argv[0]);
    return show_help(command);
}

static int asks_help(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static void say_usage(const struct command *command)
{
    fprintf(stderr, "assay: usage: %.*s\n", (int)strcspn(command->usage, "\n"), command->usage);
}

static int run(const struct command *command, int argc, char **argv)
{
    int status;

    for (int i = 0; i < argc; i++)
        if (asks_help(argv[i]))
            return show_help(command);
    for (int i = 0; i < argc; i++)
        if (command->at_home && !strcmp(argv[i], "--coordinator")) {
            fprintf(stderr, "assay: '%s' is about a home of one's own: it takes no "
                    "--coordinator\n", command->name);
            say_usage(command);
            return EXIT_USAGE;
        }
    status = command->run(argc, argv);
    if (asy__options_refused())
        say_usage(command);
    return status;
}

static int dispatch(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        fputs("assay: no command is given; see 'assay --help'\n", stderr);
        return EXIT_USAGE;
    }
    if (asks_help(argv[1]) || !strcmp(argv[1], "help"))
        return help(argc - 2, argv + 2);
    if (!strcmp(argv[1], "--version"))
        return asy__cmd_version(argc - 2, argv + 2);
    if (!(command = find(argv[1])))
        return unknown(argv[1]);
    return run(command, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    return asy_output_end("assay", dispatch(argc, argv));
}
