/* SPDX-License-Identifier: Apache-2.0
 * test_common_nomem.c - every allocation of common/ fails once: the call says so, leaks nothing and
 * has changed nothing. Jansson's allocations are among them: it gets its memory from json.c, where
 * a refusal must not reach it (it would abort). */
#include <asy/durable.h>
#include <asy/hash.h>
#include <asy/json.h>
#include <asy/proc.h>
#include <asy/settings.h>
#include <asy/yaml.h>
#include "folder.h"
#include "nomem.h"

static struct t_folder folder;

static int read_json(struct asy_error *err)
{
#define MANY "1,2.5,\"a longer text\",{\"b\":null,\"d\":[]},"
    static const char text[] = "{\"a\":[" MANY MANY MANY MANY MANY MANY MANY MANY MANY MANY "0]}";
    struct asy_json *root = NULL;
    int rc = asy_json_parse(text, sizeof text - 1, &root, err);

    asy_json_destroy(root);
    return rc;
}

static int read_yaml(struct asy_error *err)
{
    static const char text[] = "a: [1, 2.5, text, {b: ~}]\nc: {d: true, e: 1, f: 2, g: 3, h: 4}\n";
    struct asy_yaml *root = NULL;
    int rc = asy_yaml_parse(text, sizeof text - 1, 1000, &root, err);

    asy_yaml_destroy(root);
    return rc;
}

static int read_empty_yaml(struct asy_error *err)
{
    struct asy_yaml *root = NULL;
    int rc = asy_yaml_parse("#", 1, 1000, &root, err);

    asy_yaml_destroy(root);
    return rc;
}

static int load_settings(struct asy_error *err)
{
    struct asy_settings *settings = NULL;
    char path[PATH_MAX];
    int rc = asy_settings_load(t_path(&folder, "config.yaml", path), &settings, err);

    asy_settings_destroy(settings);
    return rc;
}

static int build_text(struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, 1u << 20);
    for (int i = 0; i < 100; i++)
        asy_buf_addf(&buf, "%0200d", i);
    asy_buf_addf(&buf, "%0900d", 1);
    rc = asy_buf_check(&buf, "a text", err);
    asy_buf_fini(&buf);
    return rc;
}

static int hash(struct asy_error *err)
{
    struct asy_sha sha;

    return asy_sha_bytes("x", 1, &sha, err);
}

static int name_tree(struct asy_error *err)
{
    struct asy_sha sha;

    return asy_durable_tree_sha(folder.path, &sha, NULL, err);
}

static int read_whole(struct asy_error *err)
{
    char path[PATH_MAX], *bytes = NULL;
    size_t len;
    int rc = asy_read_file(t_path(&folder, "config.yaml", path), 1000, &bytes, &len, err);

    free(bytes);
    return rc;
}

static int run_program(struct asy_error *err)
{
    static const char *const argv[] = { "true", NULL }, *const set[] = { "A=b", NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_proc proc = ASY_PROC_INIT;
    int rc;

    spec.argv = argv;
    spec.env_set = set;
    rc = asy_proc_start(&spec, &proc, err);
    if (rc == 0)
        rc = asy_proc_wait(&proc, -1, NULL, err);
    asy_proc_close(&proc);
    return rc;
}

static void a_call_without_memory_says_so(void)
{
    static const struct {
        const char *name;
        int (*call)(struct asy_error *err);
        long least;
    } cases[] = {
        { "JSON", read_json, 3 }, { "YAML", read_yaml, 20 }, { "empty YAML", read_empty_yaml, 2 },
        { "settings", load_settings, 20 }, { "text", build_text, 5 }, { "sha256", hash, 1 },
        { "content id of a tree", name_tree, 4 }, { "file", read_whole, 1 },
        { "program", run_program, 2 },
    };
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_write(t_path(&folder, "config.yaml", path), "grace: 1s\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        long n = t_nomem_each(cases[i].name, cases[i].call);

        t__check(n >= cases[i].least, __LINE__, __FILE__, "%s: only %ld allocations",
                 cases[i].name, n);
    }
    t_folder_drop(&folder);
}

static void a_buffer_without_memory_keeps_what_it_has(void)
{
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 20);
    asy_buf_adds(&buf, "kept");
    t_nomem_from(0);
    asy_buf_addf(&buf, "%0500d", 1);
    T_EQ("code", buf.rc, ASY_E_NOMEM);
    T_STR("text", buf.data, "kept");
    T_TRUE(t_nomem_end());
    asy_buf_adds(&buf, "no more");
    T_TRUE(asy_buf_take(&buf, NULL) == NULL);
    T_EQ("the failure stays", buf.rc, ASY_E_NOMEM);
    asy_buf_fini(&buf);
}

/* A setting keeps its value when there is no memory for the new one. */
static void a_setting_without_memory_keeps_its_value(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_settings *settings = NULL;

    if (!T_OK(asy_settings_load(NULL, &settings, &err), &err))
        return;
    for (long n = 0; n < 2; n++) {
        t_nomem_at(n);
        T_EQ("code", asy_settings_set(settings, "grace", "7s", "flag", &err), ASY_E_NOMEM);
        T_TRUE(t_nomem_end());
        T_EQ("value", asy_settings_i64(settings, "grace"), 30000);
        T_STR("origin", asy_settings_origin(settings, "grace"), "default");
    }
    asy_settings_destroy(settings);
}

T_MAIN("common-nomem", T_TEST(a_call_without_memory_says_so),
       T_TEST(a_buffer_without_memory_keeps_what_it_has),
       T_TEST(a_setting_without_memory_keeps_its_value))
