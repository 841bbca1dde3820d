/* SPDX-License-Identifier: Apache-2.0
 * text.c - options, exit codes, the terminal's width and lines that fit it. */
#include "cli.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <asy/parse.h>
#include <asy/settings.h>
#include "format.h"

static char advice[ASY_WAYS_TEXT];

void asy__advise(const char *text)
{
    snprintf(advice, sizeof advice, "%s", text);
}

int asy__complain(const struct asy_error *err)
{
    fprintf(stderr, "assay: %s%s\n",
            err->code == ASY_E_AGAIN ? "the coordinator cannot be reached: " : "", err->text);
    if (*advice)
        fprintf(stderr, "assay: %s\n", advice);
    switch (err->code) {
    case ASY_E_GONE:
    case ASY_E_AGAIN: /* no connection came about */
        return EXIT_AWAY;
    case ASY_E_TIMEOUT:
        return EXIT_TIMED_OUT;
    case ASY_E_CANCELLED:
        return 128 + SIGINT;
    default:
        return EXIT_FAILED;
    }
}

static const struct flag {
    char letter;
    const char *name;
    int has_value;
} flags[] = {
    { 'j', "--json", 0 },   { 'f', "--follow", 0 }, { 'r', "--resume", 0 },
    { 'a', "--all", 0 },    { 'e', "--stderr", 0 }, { 'c', "--cores", 1 },
    { 'n', "--limit", 1 },  { 'o', "--output", 1 }, { 'F', "--format", 1 },
    { 'A', "--attempt", 1 }, { 'm', "--model", 0 },  { 'h', "--home", 1 },
    { 'L', "--list", 0 },   { 'w', "--worker", 1 }, { 'N', "--nodes", 1 },
    { 'l', "--agent", 0 },  { 'W', "--worker", 0 }, { 'U', "--for", 1 },
    { 'C', "--coordinator", 1 }, { 'S', "--no-wandb-shim", 0 },
    { 'D', "--device", 1 },
    { 'M', "--method", 1 },  { 'O', "--objective", 1 }, { 'H', "--history", 0 },
    { 'p', "--prompt", 1 },  { 't', "--tokens", 1 }, { 'T', "--temperature", 1 },
    { 'k', "--top-k", 1 },   { 's', "--seed", 1 },
};

/* Which every command takes. */
static int is_common(char letter)
{
    return letter == 'h' || letter == 'C';
}

static const struct flag *find_flag(const char *word, const char *allowed)
{
    if (!strcmp(word, "-f"))
        word = "--follow";
    if (!strcmp(word, "-o"))
        word = "--output";
    for (size_t i = 0; i < ASY_ARRAY_LEN(flags); i++)
        if (!strcmp(flags[i].name, word) &&
            (is_common(flags[i].letter) || strchr(allowed, flags[i].letter)))
            return &flags[i];
    return NULL;
}

static int set_device(struct asy__options *options, const char *value, struct asy_error *err)
{
    static const char *const words[] = { "auto", "cpu", "opencl", "cuda" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(words); i++)
        if (!strcmp(value, words[i]))
            options->device = words[i];
    if (!options->device)
        return asy_fail(err, ASY_E_INVAL, "--device is auto, cpu, opencl or cuda, not '%s'", value);
    return 0;
}

static int set_flag(struct asy__options *options, const struct flag *flag, const char *value,
                    struct asy_error *err)
{
    int64_t *number = flag->letter == 'c'   ? &options->cores
                      : flag->letter == 'n' ? &options->limit
                      : flag->letter == 'A' ? &options->attempt
                      : flag->letter == 'N' ? &options->nodes
                                            : NULL;

    if (number) {
        int least = flag->letter == 'n'; /* a list of none says less than no list */

        if (asy_parse_i64(value, strlen(value), number, err) < 0 || *number < least)
            return asy_fail(err, ASY_E_INVAL, "%s takes a whole number%s, not '%s'", flag->name,
                            least ? " from 1" : "", value);
        return 0;
    }
    switch (flag->letter) {
    case 'j': options->json = 1; break;
    case 'f': options->follow = 1; break;
    case 'r': options->resume = 1; break;
    case 'a': options->all = 1; break;
    case 'e': options->error_stream = 1; break;
    case 'm': options->model = 1; break;
    case 'L': options->list = 1; break;
    case 'l': options->agent = 1; break;
    case 'o': options->output = strcmp(value, "-") ? value : NULL; break;
    case 'F': options->format = value; break;
    case 'w': options->worker = value; break;
    case 'S': options->no_wandb = 1; break;
    case 'W': options->as_worker = 1; break;
    case 'U': options->user = value; break;
    case 'M': options->method = value; break;
    case 'D': return set_device(options, value, err);
    case 'O': options->objective = value; break;
    case 'H': options->history = 1; break;
    case 'p': options->prompt = value; break;
    case 't': options->tokens = value; break;
    case 'T': options->temperature = value; break;
    case 'k': options->top = value; break;
    case 's': options->seed = value; break;
    case 'C': options->coordinator = value; break;
    default: snprintf(options->home, sizeof options->home, "%s", value); break;
    }
    return 0;
}

static int unknown_flag(const char *word, const char *allowed, struct asy_error *err)
{
    const char *names[ASY_ARRAY_LEN(flags)], *near;
    size_t n = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(flags); i++)
        if (is_common(flags[i].letter) || strchr(allowed, flags[i].letter))
            names[n++] = flags[i].name;
    near = asy_nearest(word, strlen(word), names, n);
    return asy_fail(err, ASY_E_INVAL, "unknown option '%s'%s%s%s", word,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int refused;

int asy__options_refused(void)
{
    return refused;
}

/* An option, or what looks like one; "-" and negative numbers are words. */
static int is_option(const char *word)
{
    return word[0] == '-' && word[1] && !strchr("0123456789", word[1]);
}

static int parse(int argc, char **argv, const char *allowed, int min_words, int max_words,
                 struct asy__options *ret, struct asy_error *err)
{
    int rc;

    *ret = (struct asy__options){ .limit = -1 };
    for (int i = 0; i < argc; i++) {
        const struct flag *flag = is_option(argv[i]) ? find_flag(argv[i], allowed) : NULL;

        if (flag) {
            if (flag->has_value && i + 1 >= argc)
                return asy_fail(err, ASY_E_INVAL, "%s needs a value", flag->name);
            if ((rc = set_flag(ret, flag, flag->has_value ? argv[++i] : NULL, err)) < 0)
                return rc;
        } else if (is_option(argv[i])) {
            return unknown_flag(argv[i], allowed, err);
        } else if (ret->n_words >= max_words) {
            return asy_fail(err, ASY_E_INVAL, "unexpected argument '%s'", argv[i]);
        } else {
            ret->words[ret->n_words++] = argv[i];
        }
    }
    if (ret->n_words < min_words)
        return asy_fail(err, ASY_E_INVAL, "an argument is missing");
    if (!ret->home[0])
        return asy_home_path(ret->home, sizeof ret->home, err);
    if (ret->home[0] != '/') {
        char relative[sizeof ret->home], cwd[2048];

        memcpy(relative, ret->home, sizeof relative);
        if (!realpath(".", cwd) ||
            snprintf(ret->home, sizeof ret->home, "%s/%s", cwd, relative) >=
                (int)sizeof ret->home)
            return asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", relative);
    }
    return 0;
}

int asy__options_parse(int argc, char **argv, const char *allowed, int min_words, int max_words,
                       struct asy__options *ret, struct asy_error *err)
{
    int rc = parse(argc, argv, allowed, min_words, max_words, ret, err);

    refused = rc < 0;
    return rc;
}

void asy__put_place(struct asy_buf *out, const struct asy__options *options)
{
    char usual[sizeof options->home];
    int away = asy_home_path(usual, sizeof usual, NULL) < 0 || strcmp(usual, options->home) != 0;

    if (options->coordinator || away) {
        asy_buf_adds(out, options->coordinator ? " --coordinator " : " --home ");
        asy__fmt_word(out, options->coordinator ? options->coordinator : options->home);
    }
}

size_t asy__columns(FILE *stream)
{
    struct winsize size = { 0 };
    int fd = fileno(stream);

    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_col ? 80 : size.ws_col;
}

void asy__print_lines(FILE *to, const char *lines, size_t indent)
{
    static const char spaces[] = "                                                            ";
    size_t width = asy__columns(to), len, begun;
    struct asy_buf line = { 0 }, clean = { 0 }, out = { 0 };

    asy_buf_init(&line, 1u << 20);
    asy_buf_init(&clean, 1u << 20);
    asy_buf_init(&out, 1u << 22);
    for (; *lines; lines += len + (lines[len] == '\n')) {
        len = strcspn(lines, "\n");
        begun = strspn(lines, " ");
        begun = begun < indent ? indent : begun + 2;
        begun = begun < sizeof spaces - 1 ? begun : sizeof spaces - 1;
        asy_buf_clear(&line);
        asy_buf_clear(&clean);
        asy_buf_clear(&out);
        asy_buf_add(&line, lines, len);
        asy__fmt_clean(&clean, line.data);
        asy__fmt_wrap(&out, clean.data, "", spaces + sizeof spaces - 1 - begun, width);
        fputs(out.data, to);
    }
    asy_buf_fini(&out);
    asy_buf_fini(&clean);
    asy_buf_fini(&line);
}

int asy__trial_number(const char *text, int64_t *ret, struct asy_error *err)
{
    if (asy_parse_i64(text, strlen(text), ret, NULL) < 0 || *ret < 0)
        return asy_fail(err, ASY_E_INVAL, "a trial is a number from 0, not '%s'", text);
    return 0;
}
