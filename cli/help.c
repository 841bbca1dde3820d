/* SPDX-License-Identifier: Apache-2.0
 * help.c - what `assay help COMMAND` and docs/reference/commands.md say beside a command's usage:
 * its options, explained, then examples and exit codes. The usage names the options; this file says
 * what each of them does. */
#include "cli.h"
#include <string.h>

static const struct {
    const char *name, *help;
} options[] = {
    { "--agent", "a worker without a coordinator, on a node of a batch job" },
    { "--all", "show: every value of every metric; node: stay when idle; adopt, discard: of all "
               "studies" },
    { "--attempt", "of this attempt instead of the newest" },
    { "--cores", "a worker that this command starts offers at most N cores" },
    { "--device", "where models are trained, over resources.device: auto, cpu, opencl, cuda" },
    { "--follow", "print on until the trial is over (also: -f)" },
    { "--for", "the worker runs the studies of USER, who was invited before, not one's own" },
    { "--format", "of the trials: csv (default) or json; of a model: onnx, or c for a header in "
                  "C" },
    { "--history", "how the hypervolume of the front grew, trial by trial" },
    { "--join", "an invitation (assay invite --worker); without it: the coordinator of this home" },
    { "--json", "JSON: one object, or one a line; members are only ever added" },
    { "--limit", "at most N of them" },
    { "--list", "name the checks and make none" },
    { "--method", "ped-anova (default): what got trials among the best tenth; fanova: what the "
                  "value varies with over the whole space" },
    { "--model", "the model instead of the trials" },
    { "--nodes", "the workers are one step of Slurm, one on each of N nodes" },
    { "--objective", "of several objectives, the one of this metric" },
    { "--output", "write to FILE instead of standard output (also: -o); - means that, too" },
    { "--no-wandb-shim", "of a W&B sweep file: programs find the module wandb that is installed, "
                         "not ours" },
    { "--prompt", "what the text begins with" },
    { "--resume", "go on with the newest unfinished study of that name" },
    { "--seed", "of what is drawn: the same one, the same text (default 0)" },
    { "--stderr", "standard error alone" },
    { "--temperature", "how freely is chosen: 1 as the model says, 0 the likeliest (default "
                       "0.8)" },
    { "--tokens", "so many are written (default 200)" },
    { "--top-k", "among the K likeliest alone; 0 (default): all" },
    { "--worker", "explain: one worker instead of a study; invite: a worker, which may run trials "
                  "and nothing else" },
};

/* Examples, as they are typed; a command may have several lines. */
static const struct {
    const char *command, *text;
} examples[] = {
    { "run", "assay run examples/digits-mlp.yaml\n  assay run examples/digits-mlp.yaml --resume" },
    { "batch", "sbatch slurm/one-node.sbatch examples/digits-mlp.yaml" },
    { "submit", "assay submit my-first.yaml && assay watch my-first" },
    { "watch", "assay watch my-first\n  assay watch my-first --json | grep trial-state" },
    { "ls", "assay ls --limit 5\n  assay ls --json | python3 -m json.tool" },
    { "show", "assay show my-first\n  assay show my-first 12" },
    { "trials", "assay trials my-first --json" },
    { "best", "assay best my-first --limit 3" },
    { "pareto", "assay pareto my-first\n  assay pareto my-first --history\n"
                "  assay pareto my-first --json" },
    { "importance", "assay importance my-first\n  assay importance my-first --method fanova" },
    { "report", "assay report my-first -o report.html" },
    { "explain", "assay explain my-first\n  assay explain my-first 12" },
    { "workers", "assay workers" },
    { "logs", "assay logs my-first 12 --stderr\n  assay logs my-first 12 -f" },
    { "predict", "assay predict my-first new-rows.csv -o predictions.csv\n"
                 "  zcat rows.csv.gz | assay predict my-first - --json\n"
                 "  assay predict my-first 12 new-rows.csv" },
    { "generate", "assay generate my-text --prompt 'First ' --tokens 500\n"
                  "  assay generate model.safetensors --temperature 0 --seed 7" },
    { "scores", "assay scores my-first\n  assay scores my-first 12 --json" },
    { "export", "assay export my-first -o table.csv\n  assay export my-first --format json\n"
                "  assay export my-first --model -o model.safetensors\n"
                "  assay export my-first --format onnx -o model.onnx\n"
                "  assay export my-first 12 --format c -o model.h" },
    { "replay", "assay replay my-first" },
    { "pause", "assay pause my-first" },
    { "resume", "assay resume my-first" },
    { "stop", "assay stop my-first\n  assay stop my-first 12" },
    { "priority", "assay priority my-first 10\n  assay priority my-first -1" },
    { "adopt", "assay workers\n  assay adopt my-first\n  assay adopt --all" },
    { "discard", "assay discard my-first\n  assay discard --all" },
    { "up", "assay up --cores 4" },
    { "down", "assay down" },
    { "backup", "assay backup /backups/store-$(date +%F).db" },
    { "restore", "assay restore /backups/store-2026-11-26.db --home ~/restored" },
    { "worker", "assay worker --join lab3.invitation --cores 8\n  assay-worker --help" },
    { "invite", "assay invite --worker lab3 > lab3.invitation\n"
                "  assay invite ada --output ada.invitation\n"
                "  assay invite --worker --for ada > ada-worker.invitation" },
    { "revoke", "assay revoke lab3" },
    { "config", "assay config show\n  ASY_LOST_AFTER=30s assay config show" },
    { "doctor", "assay doctor\n  assay doctor mpi blas" },
    { "node", "assay node --cores 4" },
    { "reference", "assay reference settings" },
};

static const struct {
    const char *code, *meaning;
} codes[] = {
    { "0", "done" },
    { "1", "failed: the last line of standard error says why" },
    { "2", "wrong usage, or mistakes in a study file" },
    { "3", "no coordinator could be reached" },
    { "4", "timed out" },
    { "128+n", "ended by signal n (130: Ctrl-C)" },
};
/* Where a code means something of its own. */
static const struct {
    const char *command, *text;
} particular[] = {
    { "run", "1 also: the study failed, or some of its trials and none is complete" },
    { "watch", "1 also: the study failed, or some of its trials and none is complete" },
    { "replay", "1 also: the study does not follow from its log, or trials of an older version "
                "cannot be proven" },
    { "adopt", "1 also: some were left, as standard error says" },
    { "worker", "3: no coordinator was found for --orphan-exit; 4: it is not let in, since its key "
                "was revoked or never invited" },
    { "doctor", "0 also: warnings, but nothing broken; 1: something is broken" },
};

void asy__exit_codes_text(const char *command, struct asy_buf *ret_text)
{
    asy_buf_adds(ret_text, "exit codes:\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(codes); i++)
        asy_buf_addf(ret_text, "  %-6s %s\n", codes[i].code, codes[i].meaning);
    for (size_t i = 0; command && i < ASY_ARRAY_LEN(particular); i++)
        if (!strcmp(particular[i].command, command))
            asy_buf_addf(ret_text, "  %s\n", particular[i].text);
}

void asy__exit_codes_table(struct asy_buf *ret_markdown)
{
    asy_buf_adds(ret_markdown, "| exit code | meaning |\n|---|---|\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(codes); i++)
        asy_buf_addf(ret_markdown, "| %s | %s |\n", codes[i].code, codes[i].meaning);
    for (size_t i = 0; i < ASY_ARRAY_LEN(particular); i++)
        asy_buf_addf(ret_markdown, "\n`assay %s`: %s.\n", particular[i].command,
                     particular[i].text);
}

/* Behind name in the usage, where it stands as a whole word; NULL: it does not. */
static const char *behind(const char *usage, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = usage; (at = strstr(at, name)); at += len)
        if (!at[len] || strchr(" ]|\n", at[len]))
            return at + len;
    return NULL;
}

/* Explains the options that stand in the usage. */
static void explain_options(const char *usage, int goes_elsewhere, struct asy_buf *text)
{
    asy_buf_adds(text, "\noptions:\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(options); i++) {
        const char *name = options[i].name, *at = behind(usage, name);
        char value[32] = "";

        if (!at)
            continue;
        if (*at == ' ' && at[1] != '[')
            snprintf(value, sizeof value, " %.*s", (int)strcspn(at + 1, " ]\n"), at + 1);
        asy_buf_addf(text, "  %s%-*s %s\n", name, 20 - (int)strlen(name), value, options[i].help);
    }
    asy_buf_addf(text, "  %-20s %s\n", "--home DIR",
                 "instead of $ASSAY_HOME (~/.local/share/assay)");
    if (goes_elsewhere)
        asy_buf_addf(text, "  %-20s %s\n", "--coordinator FILE",
                     "an invitation to another's coordinator, instead of that of the home");
}

void asy__help_text(const char *command, const char *about, const char *usage, int goes_elsewhere,
                    struct asy_buf *ret_text)
{
    asy_buf_addf(ret_text, "usage: %s\n\n%s\n", usage, about);
    explain_options(usage, goes_elsewhere, ret_text);
    for (size_t i = 0; i < ASY_ARRAY_LEN(examples); i++)
        if (!strcmp(examples[i].command, command))
            asy_buf_addf(ret_text, "\nexamples:\n  %s\n", examples[i].text);
}
