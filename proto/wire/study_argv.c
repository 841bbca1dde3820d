/* SPDX-License-Identifier: Apache-2.0
 * study_argv.c - a command's words for one trial, and where its files go. */
#include "study_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/proc.h>

#define WORD_MAX (1u << 20)
#define WORDS_MAX 65536u

static size_t len_without_slashes(const char *path)
{
    size_t n = path ? strlen(path) : 0;

    while (n > 1 && path[n - 1] == '/')
        n--; /* "src/" is a folder */
    return n;
}

const char *asy_study_place(const char *base_dir, const char *path, size_t *ret_len)
{
    size_t n = len_without_slashes(path), n_base = len_without_slashes(base_dir), at = n;

    if (n_base > 1 && n > n_base + 1 && !strncmp(path, base_dir, n_base) && path[n_base] == '/') {
        at = n_base + 1;
    } else {
        while (at > 0 && path[at - 1] != '/')
            at--;
    }
    *ret_len = n - at;
    return path + at;
}

int asy__word_next(const char **at, const char **ret_text, size_t *ret_len)
{
    const char *start = *at;
    size_t len = strcspn(start, "{}");

    if (!*start)
        return -1;
    *ret_text = start;
    if (len) {
        *ret_len = len;
        *at = start + len;
        return 0;
    }
    if (start[1] == start[0]) { /* {{ or }} */
        *ret_len = 1;
        *at = start + 2;
        return 0;
    }
    len = strcspn(start + 1, "{}");
    if (start[0] == '}' || start[1 + len] != '}' || len == 0)
        return -2;
    *ret_text = start + 1;
    *ret_len = len;
    *at = start + 1 + len + 1;
    return 1;
}

const char *asy__real_text(double value, char text[40])
{
    asy_format_f64(value, text);
    if (!strpbrk(text, ".enf")) /* neither point, exponent, nan nor inf */
        memcpy(text + strlen(text), ".0", 3);
    return text;
}

struct words {
    char **list;
    size_t n, cap;
};

static int add_word(struct words *words, const char *text, struct asy_error *err)
{
    if (words->n + 2 > words->cap) {
        size_t cap = words->cap ? 2 * words->cap : 16;
        char **list = cap <= WORDS_MAX ? realloc(words->list, cap * sizeof *list) : NULL;

        if (!list)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu words of a command", cap);
        words->list = list;
        words->cap = cap;
    }
    if (!(words->list[words->n] = strdup(text)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a word of a command");
    words->list[++words->n] = NULL;
    return 0;
}

static void add_value(struct asy_buf *buf, const struct asy_json *value)
{
    char text[40];

    switch (asy_json_type(value)) {
    case ASY_JSON_INT:
        asy_buf_addf(buf, "%" PRId64, asy_json_i64(value, 0));
        break;
    case ASY_JSON_REAL:
        asy_buf_adds(buf, asy__real_text(asy_json_f64(value, 0), text));
        break;
    case ASY_JSON_BOOL:
        asy_buf_adds(buf, asy_json_bool(value, 0) ? "true" : "false");
        break;
    default:
        asy_buf_adds(buf, asy_json_str(value, ""));
    }
}

static int add_args(struct words *words, const struct asy_json *params, struct asy_buf *buf,
                    struct asy_error *err)
{
    const struct asy_json *value;
    const char *key;
    int rc = 0;

    for (size_t i = 0; rc == 0 && (value = asy_json_member(params, i, &key)); i++) {
        asy_buf_clear(buf);
        asy_buf_addf(buf, "--%s=", key);
        add_value(buf, value);
        if ((rc = asy_buf_check(buf, "a word of a command", err)) == 0)
            rc = add_word(words, buf->data, err);
    }
    return rc;
}

static int add_wandb(struct words *words, enum asy__args kind, const struct asy_json *params,
                     const char *json_file, struct asy_buf *buf, struct asy_error *err)
{
    size_t n = kind == ASY__ARGS_JSON || kind == ASY__ARGS_JSON_FILE ? 1 : asy_json_len(params);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        asy_buf_clear(buf);
        if (kind == ASY__ARGS_JSON_FILE)
            asy_buf_adds(buf, json_file ? json_file : "args.json");
        else if (kind == ASY__ARGS_JSON)
            asy_study_json_args(params, buf);
        else if (!asy__wandb_word(params, i, kind, buf))
            continue;
        if ((rc = asy_buf_check(buf, "a word of a command", err)) == 0)
            rc = add_word(words, buf->data, err);
    }
    return rc;
}

/* Only to be shown: as a shell would write it, unless the study says it. */
static void show_variable(struct asy_buf *buf, const struct asy_study_spec *spec, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < spec->n_env; i++)
        if (!strncmp(spec->env[i], name, n) && spec->env[i][n] == '=') {
            asy_buf_adds(buf, spec->env[i] + n + 1);
            return;
        }
    asy_buf_addf(buf, "$%s", name);
}

static int add_variable(struct asy_buf *buf, const struct asy_study_spec *spec, const char *name,
                        const struct asy_proc_spec *program, struct asy_error *err)
{
    const char *value = program ? asy_proc_env(program, name) : NULL;

    if (program && !value)
        return asy_fail(err, ASY_E_INVAL, "the command names the environment variable '%s', which "
                        "a trial on this worker does not have", name);
    if (program)
        asy_buf_adds(buf, value);
    else
        show_variable(buf, spec, name);
    return 0;
}

/* A word with a parameter that has no value (its condition does not hold) is left out. */
static int add_filled(struct words *words, const struct asy_study_spec *spec, const char *word,
                      const struct asy_json *params, const struct asy_proc_spec *program,
                      struct asy_buf *buf, struct asy_error *err)
{
    const char *at = word, *text;
    size_t len;
    int kind, rc;

    asy_buf_clear(buf);
    while ((kind = asy__word_next(&at, &text, &len)) >= 0) {
        const struct asy_json *value;
        char name[ASY__PLACE_MAX + 1];

        if (kind == 0) {
            asy_buf_add(buf, text, len);
            continue;
        }
        ASY_ASSERT(len < sizeof name, "a name of %zu bytes in a checked command", len);
        snprintf(name, sizeof name, "%.*s", (int)len, text);
        if (!strncmp(name, "env:", 4)) {
            if ((rc = add_variable(buf, spec, name + 4, program, err)) < 0)
                return rc;
            continue;
        }
        if (!(value = asy_json_get(params, name)))
            return 0;
        add_value(buf, value);
    }
    if (kind == -2)
        return asy_fail(err, ASY_E_INVAL, "word '%s' of the command has a single brace", word);
    if ((rc = asy_buf_check(buf, "a word of a command", err)) < 0)
        return rc;
    return add_word(words, buf->data, err);
}

/* {wandb:args} and its like, which are words of their own; else NONE. */
static enum asy__args wandb_args(const char *word)
{
    char name[64];
    size_t n = strlen(word);

    if (n < 3 || n > sizeof name || word[0] != '{' || word[n - 1] != '}')
        return ASY__ARGS_NONE;
    snprintf(name, sizeof name, "%.*s", (int)(n - 2), word + 1);
    return asy__wandb_args(name);
}

int asy_study_argv(const struct asy_study_spec *spec, const struct asy_json *params,
                   const char *json_file, const struct asy_proc_spec *program, char ***ret_argv,
                   struct asy_error *err)
{
    struct words words = { NULL, 0, 0 };
    struct asy_buf buf;
    int rc = 0;

    if (spec->kind != ASY_RUN_COMMAND)
        return asy_fail(err, ASY_E_INVAL, "study '%s' runs no command", spec->name);
    asy_buf_init(&buf, WORD_MAX);
    for (size_t i = 0; rc == 0 && i < spec->n_command; i++) {
        const char *word = spec->command[i];
        enum asy__args kind = wandb_args(word);

        if (kind != ASY__ARGS_NONE)
            rc = add_wandb(&words, kind, params, json_file, &buf, err);
        else if (!strcmp(word, "{args}"))
            rc = add_args(&words, params, &buf, err);
        else
            rc = add_filled(&words, spec, word, params, program, &buf, err);
    }
    asy_buf_fini(&buf);
    if (rc < 0) {
        asy_study_argv_free(words.list);
        return rc;
    }
    *ret_argv = words.list;
    return 0;
}

void asy_study_argv_free(char **argv)
{
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}
