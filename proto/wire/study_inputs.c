/* SPDX-License-Identifier: Apache-2.0
 * study_inputs.c - the files that a study names, by content: `inputs` of the canonical form. The
 * command line makes the list when a study is submitted; whoever runs trials goes by it. */
#include "study_impl.h"
#include <stdlib.h>
#include <string.h>

/* Below a trial's folder, whatever stands in it. */
static int place_is_safe(const char *place)
{
    for (const char *part = place;; part++) {
        size_t n = strcspn(part, "/");

        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && !strncmp(part, "..", 2)))
            return 0;
        part += n;
        if (!*part)
            return 1;
    }
}

static const char *text_of(struct asy__parse *p, const struct asy_yaml *map, const char *key)
{
    const struct asy_yaml *node = asy_yaml_get(map, key);
    const char *text = node && node->type == ASY_YAML_STRING ? asy__scalar(node) : NULL;

    return text ? asy__take_text(p, text, node->len) : NULL;
}

/* A hash may look like a number to YAML. */
static int read_sha(const struct asy_yaml *map, struct asy_sha *ret)
{
    const struct asy_yaml *node = asy_yaml_get(map, "sha256");

    return node && node->text && asy_sha_parse(node->text, strlen(node->text), ret, NULL) == 0;
}

static int flag_of(const struct asy_yaml *map, const char *key)
{
    const struct asy_yaml *node = asy_yaml_get(map, key);

    return node && node->type == ASY_YAML_BOOL && node->i;
}

static int read_one(struct asy__parse *p, const struct asy_yaml *map, struct asy_study_input *in)
{
    const struct asy_yaml *bytes = asy_yaml_get(map, "bytes");

    in->path = text_of(p, map, "path");
    in->place = text_of(p, map, "place");
    in->executable = flag_of(map, "executable");
    in->folder = flag_of(map, "folder");
    if (!in->path || in->path[0] != '/' || (in->place && !place_is_safe(in->place)))
        return 0;
    if (in->folder)
        return in->place != NULL;
    if (!read_sha(map, &in->sha) || !bytes || bytes->type != ASY_YAML_INT || bytes->i < 0)
        return 0;
    in->bytes = (uint64_t)bytes->i;
    return 1;
}

void asy__study_inputs(struct asy__parse *p)
{
    const struct asy_yaml *node = asy__val(p, "inputs")->node;
    struct asy_study_input *list;

    if (!node)
        return;
    if (node->type != ASY_YAML_LIST) {
        asy__problem(p, node, "inputs", "is made by the command line; leave it out");
        return;
    }
    if (!(list = asy__take(p, (node->len + 1) * sizeof *list)))
        return;
    for (size_t i = 0; i < node->len; i++)
        if (node->items[i]->type != ASY_YAML_MAP || !read_one(p, node->items[i], &list[i]))
            asy__problem(p, node->items[i], "inputs", "is not path, sha256 and bytes of a file; it "
                         "is made by the command line, leave it out");
    p->study->spec.inputs = list;
    p->study->spec.n_inputs = node->len;
    p->study->spec.has_inputs = 1;
    asy__val(p, "inputs")->has = 1;
}

static void write_one(struct asy_jsonw *w, const struct asy_study_input *in)
{
    char hex[ASY_SHA_TEXT];

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "path", in->path);
    if (in->place)
        asy_jsonw_str(w, "place", in->place);
    if (in->folder) {
        asy_jsonw_bool(w, "folder", 1);
    } else {
        asy_jsonw_str(w, "sha256", asy_sha_format(in->sha, hex));
        asy_jsonw_u64(w, "bytes", in->bytes);
    }
    if (in->executable)
        asy_jsonw_bool(w, "executable", 1);
    asy_jsonw_close(w, '}');
}

void asy__study_write_inputs(struct asy_jsonw *w, const struct asy_study_input *inputs, size_t n)
{
    asy_jsonw_open(w, "inputs", '[');
    for (size_t i = 0; i < n; i++)
        write_one(w, &inputs[i]);
    asy_jsonw_close(w, ']');
}

/* Without its list, which is its last member, and its last brace: numbers stay as they are written.
 * Within a text the quotes of this mark would be escaped. */
static size_t len_without_list(const struct asy_study_spec *spec)
{
    static const char mark[] = ",\"inputs\":[";
    const char *at = spec->canonical, *last = NULL;

    while (spec->has_inputs && (at = strstr(at, mark)))
        last = at++;
    return last ? (size_t)(last - spec->canonical) : spec->canonical_len - 1;
}

int asy_study_with_inputs(const struct asy_study_spec *spec, const struct asy_study_input *inputs,
                          size_t n, struct asy_study_spec **ret_spec, struct asy_error *err)
{
    struct asy_buf text = { 0 }, list = { 0 };
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&text, ASY_STUDY_FILE_MAX);
    asy_buf_init(&list, ASY_STUDY_FILE_MAX);
    asy_jsonw_init(&w, &list, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy__study_write_inputs(&w, inputs, n);
    asy_jsonw_close(&w, '}');
    asy_buf_add(&text, spec->canonical, len_without_list(spec));
    asy_buf_addc(&text, ',');
    asy_buf_add(&text, list.data + (list.len ? 1 : 0), list.len ? list.len - 1 : 0);
    if ((rc = asy_buf_check(&list, "a list of files", err)) == 0 &&
        (rc = asy_buf_check(&text, "a study with its list of files", err)) == 0)
        rc = asy_study_parse(text.data, text.len, spec->name, NULL, ret_spec, NULL, err);
    if (rc == 0)
        (*ret_spec)->unsaid = spec->unsaid;
    if (rc == ASY_E_TOOBIG)
        rc = asy_fail(err, ASY_E_TOOBIG, "'files' of the study have %zu files, more than a study "
                      "can list; pack them into one", n);
    asy_buf_fini(&text);
    asy_buf_fini(&list);
    return rc;
}
