/* SPDX-License-Identifier: Apache-2.0
 * test_yaml.c - YAML from users: the core schema, places of nodes and mistakes, hostile files. */
#include <asy/buf.h>
#include <asy/yaml.h>
#include "asytest.h"

#define MAX (1u << 20)

static int parse(const char *text, size_t len, struct asy_yaml **ret, struct asy_error *err)
{
    return asy_yaml_parse(text, len, MAX, ret, err);
}

static void plain_scalars_follow_the_core_schema(void)
{
    static const struct { const char *text; enum asy_yaml_type type; double value; } cases[] = {
        { "", ASY_YAML_NULL, 0 }, { "~", ASY_YAML_NULL, 0 }, { "null", ASY_YAML_NULL, 0 },
        { "NULL", ASY_YAML_NULL, 0 }, { "# only a comment", ASY_YAML_NULL, 0 },
        { "nUll", ASY_YAML_STRING, 0 }, { "true", ASY_YAML_BOOL, 1 }, { "True", ASY_YAML_BOOL, 1 },
        { "FALSE", ASY_YAML_BOOL, 0 }, { "no", ASY_YAML_STRING, 0 }, { "yes", ASY_YAML_STRING, 0 },
        { "on", ASY_YAML_STRING, 0 }, { "y", ASY_YAML_STRING, 0 }, { "0", ASY_YAML_INT, 0 },
        { "-12", ASY_YAML_INT, -12 }, { "+3", ASY_YAML_INT, 3 }, { "010", ASY_YAML_INT, 10 },
        { "0o17", ASY_YAML_INT, 15 }, { "0xfF", ASY_YAML_INT, 255 }, { "0x", ASY_YAML_STRING, 0 },
        { "0xg", ASY_YAML_STRING, 0 }, { "-0x1", ASY_YAML_STRING, 0 },
        { "0o8", ASY_YAML_STRING, 0 }, { "0b1", ASY_YAML_STRING, 0 },
        { "9223372036854775807", ASY_YAML_INT, 9223372036854775807.0 },
        { "0x7fffffffffffffff", ASY_YAML_INT, 9223372036854775807.0 },
        { "1e-4", ASY_YAML_REAL, 1e-4 }, { "1E5", ASY_YAML_REAL, 1e5 },
        { "1.", ASY_YAML_REAL, 1 }, { ".5", ASY_YAML_REAL, .5 }, { "-.5e1", ASY_YAML_REAL, -5 },
        { "1.5", ASY_YAML_REAL, 1.5 }, { ".inf", ASY_YAML_REAL, INFINITY },
        { "-.Inf", ASY_YAML_REAL, -INFINITY }, { ".", ASY_YAML_STRING, 0 },
        { "1e", ASY_YAML_STRING, 0 }, { "e5", ASY_YAML_STRING, 0 }, { "1_000", ASY_YAML_STRING, 0 },
        { "1.2.3", ASY_YAML_STRING, 0 }, { "12:30", ASY_YAML_STRING, 0 },
        { "2026-01-31", ASY_YAML_STRING, 0 }, { "inf", ASY_YAML_STRING, 0 },
        { "nan", ASY_YAML_STRING, 0 }, { "'1'", ASY_YAML_STRING, 0 },
        { "\"true\"", ASY_YAML_STRING, 0 }, { "!!str 5", ASY_YAML_STRING, 0 },
        { "! 5", ASY_YAML_STRING, 0 }, { "!!float 5", ASY_YAML_REAL, 5 },
        { "!!int '7'", ASY_YAML_INT, 7 }, { "!!null ''", ASY_YAML_NULL, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_yaml *root = NULL;
        int rc = parse(cases[i].text, strlen(cases[i].text), &root, &err);

        if (!T_OK(rc, &err))
            continue;
        T_EQ(cases[i].text, root->type, cases[i].type);
        if (root->type == ASY_YAML_INT || root->type == ASY_YAML_REAL)
            t__check(root->f == cases[i].value, __LINE__, __FILE__, "'%s' is %g", cases[i].text,
                     root->f);
        if (root->type == ASY_YAML_BOOL)
            T_EQ(cases[i].text, root->i, (int)cases[i].value);
        asy_yaml_destroy(root);
    }
}

static void nodes_know_their_place(void)
{
    static const char text[] = "# head\na: 1\nb:\n  - x\n  - {c: 'd', \"e\": [2.5]}\n"
                               "\xc3\xa4: last\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_yaml *root = NULL, *b, *map;

    if (!T_OK(parse(text, sizeof text - 1, &root, &err), &err))
        return;
    T_EQ("root", root->line, 2);
    T_EQ("keys", root->len, 3);
    T_EQ("value", asy_yaml_get(root, "a")->column, 4);
    T_EQ("key", root->keys[1]->line, 3);
    b = asy_yaml_get(root, "b");
    T_EQ("list", b->len, 2);
    T_EQ("item", b->items[0]->line, 4);
    T_EQ("item", b->items[0]->column, 5);
    map = b->items[1];
    T_EQ("map", map->column, 5);
    T_STR("quoted", asy_yaml_get(map, "c")->text, "d");
    T_EQ("deep", asy_yaml_get(map, "e")->items[0]->column, 20);
    T_STR("UTF-8 key", asy_yaml_get(root, "\xc3\xa4")->text, "last");
    T_TRUE(asy_yaml_get(root, "c") == NULL && asy_yaml_get(b, "x") == NULL &&
           asy_yaml_get(NULL, "x") == NULL);
    asy_yaml_destroy(root);
    asy_yaml_destroy(NULL);
}

static void bad_text_is_refused_with_its_place(void)
{
    static const struct { const char *text; size_t len; int want; const char *has; } cases[] = {
        { "a: 1\nb: 2\na: 3", 0, ASY_E_FORMAT, "line 3 column 1: key 'a' stands in line 1" },
        { "{a: 1, 'a': 2}", 0, ASY_E_FORMAT, "line 1 column 8: key 'a'" },
        { "a: &x 1\nb: *x", 0, ASY_E_FORMAT, "line 1 column 4: anchors and aliases" },
        { "b: *x", 0, ASY_E_FORMAT, "anchors and aliases" },
        { "a: &x [1]", 0, ASY_E_FORMAT, "anchors and aliases" },
        { "&k a: 1", 0, ASY_E_FORMAT, "anchors and aliases" },
        { "*k : 1", 0, ASY_E_FORMAT, "anchors and aliases" },
        { "? [1, 2]\n: x", 0, ASY_E_FORMAT, "line 1 column 3: a key must be" },
        { "? {a: b}\n: x", 0, ASY_E_FORMAT, "a key must be" },
        { "a: 1\n---\nb: 2", 0, ASY_E_FORMAT, "line 2 column 1: only one document" },
        { "--- 1\n--- 2", 0, ASY_E_FORMAT, "only one document" },
        { "a: [1, 2", 0, ASY_E_FORMAT, "line 2 column 1" },
        { "a: 'x", 0, ASY_E_FORMAT, "line 1" },
        { "a: b: c", 0, ASY_E_FORMAT, "line 1 column 5" },
        { "a:\n\t- x", 0, ASY_E_FORMAT, "line 2 column 1" },
        { "a: @x", 0, ASY_E_FORMAT, "line 1 column 4" },
        { "a: \"\\z\"", 0, ASY_E_FORMAT, "line 1" },
        { "a: \"x\\0y\"", 0, ASY_E_FORMAT, "line 1 column 4: a text may not hold a zero byte" },
        { "a: x\0y", 6, ASY_E_FORMAT, "line 1 column 5" },
        { "ok: 1\na: \xff", 0, ASY_E_FORMAT, "line 2 column 4" },
        { "\xc3\xa4: \xc3(", 0, ASY_E_FORMAT, "line 1 column 5" },
        { "a: \xed\xa0\x80", 0, ASY_E_FORMAT, "line 1 column 4" },
        { "a: \x07", 0, ASY_E_FORMAT, "line 1 column 4" },
        { "\xff\xfe" "a\0:\0", 6, ASY_E_FORMAT, "line 1 column 1" }, /* UTF-16 */
        { "a: 9223372036854775808", 0, ASY_E_TOOBIG, "line 1 column 4: '9223372036854775808'" },
        { "a: -9223372036854775809", 0, ASY_E_TOOBIG, "too big" },
        { "a: 0x8000000000000000", 0, ASY_E_TOOBIG, "too big" },
        { "a: 0o7777777777777777777777777", 0, ASY_E_TOOBIG, "too big" },
        { "a: 1e999", 0, ASY_E_TOOBIG, "too big" },
        { "a: !!int x", 0, ASY_E_FORMAT, "does not fit the tag" },
        { "a: !!bool 1", 0, ASY_E_FORMAT, "does not fit the tag" },
        { "a: !!int 99999999999999999999", 0, ASY_E_TOOBIG, "too big" },
        { "a: !!python/object:os.system x", 0, ASY_E_FORMAT, "line 1 column 4" },
        { "a: !mine x", 0, ASY_E_FORMAT, "tag '!mine' is not known" },
        { "a: !mine [x]", 0, ASY_E_FORMAT, "tag '!mine' is not known" },
        { "a: !!set {x}", 0, ASY_E_FORMAT, "is not known" },
        { "%YAML 3.0\n--- 1", 0, ASY_E_FORMAT, "line 1" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        size_t len = cases[i].len ? cases[i].len : strlen(cases[i].text);
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_yaml *root = NULL;

        T_EQ(cases[i].text, parse(cases[i].text, len, &root, &err), cases[i].want);
        T_HAS(cases[i].text, err.text, cases[i].has);
        T_TRUE(root == NULL);
        asy_yaml_destroy(root);
    }
}

static void repeat(struct asy_buf *buf, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        asy_buf_adds(buf, text);
}

static void depth_has_a_limit(void)
{
    static const struct { const char *open, *close; size_t depth; int want; } cases[] = {
        { "[", "]", 32, 0 },
        { "[", "]", 33, ASY_E_TOOBIG },
        { "{a: ", "}", 32, 0 },
        { "{a: ", "}", 33, ASY_E_TOOBIG },
        { "- ", "", 32, 0 },
        { "- ", "", 33, ASY_E_TOOBIG },
        { "[", "]", 500000, ASY_E_TOOBIG },
        { "- ", "", 500000, ASY_E_TOOBIG },
        { "{? ", "", 300000, ASY_E_FORMAT }, /* keys of keys */
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_yaml *root = NULL;
        struct asy_buf buf;

        asy_buf_init(&buf, MAX);
        repeat(&buf, cases[i].open, cases[i].depth);
        asy_buf_adds(&buf, "1");
        repeat(&buf, cases[i].close, cases[i].depth);
        T_EQ("built", buf.rc, 0);
        T_EQ(cases[i].open, parse(buf.data, buf.len, &root, &err), cases[i].want);
        asy_yaml_destroy(root);
        asy_buf_fini(&buf);
    }
}

/* What costs other readers memory or time without bound. */
static void a_bomb_of_aliases_is_refused_at_its_first_anchor(void)
{
    static const char bomb[] = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\n"
                               "c: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c]\n";
    static const char merge[] = "base: &b {x: 1}\nchild: {<<: *b}\n";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_yaml *root = NULL;

    T_EQ("bomb", parse(bomb, sizeof bomb - 1, &root, &err), ASY_E_FORMAT);
    T_HAS("bomb", err.text, "line 1 column 4: anchors and aliases are not allowed");
    T_EQ("merge", parse(merge, sizeof merge - 1, &root, &err), ASY_E_FORMAT);
    asy_yaml_destroy(root);
}

static void size_has_a_limit(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_yaml *root = NULL;

    T_EQ("fits", asy_yaml_parse("abc", 3, 3, &root, &err), 0);
    asy_yaml_destroy(root);
    root = NULL;
    T_EQ("one over", asy_yaml_parse("abcd", 4, 3, &root, &err), ASY_E_TOOBIG);
    T_STR("one over", err.text, "line 1 column 1: more than 3 bytes");
    asy_yaml_destroy(root);
}

static void many_keys_and_long_texts_are_read_whole(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_yaml *root = NULL;
    struct asy_buf buf;

    asy_buf_init(&buf, MAX);
    for (unsigned i = 0; i < 50000; i++)
        asy_buf_addf(&buf, "k%u: %u\n", (i * 7919u) % 50000u, i);
    if (T_OK(parse(buf.data, buf.len, &root, &err), &err)) {
        T_EQ("keys", root->len, 50000);
        T_EQ("value", asy_yaml_get(root, "k7919")->i, 1);
    }
    asy_yaml_destroy(root);
    root = NULL;
    asy_buf_adds(&buf, "k7919: again\n");
    T_EQ("a duplicate", parse(buf.data, buf.len, &root, &err), ASY_E_FORMAT);
    T_STR("a duplicate", err.text, "line 50001 column 1: key 'k7919' stands in line 2 already");

    asy_buf_clear(&buf);
    asy_buf_adds(&buf, "'");
    repeat(&buf, "long ", 200000);
    asy_buf_adds(&buf, "'");
    if (T_OK(parse(buf.data, buf.len, &root, &err), &err))
        T_EQ("length", root->len, 1000000);
    asy_yaml_destroy(root);
    root = NULL;

    asy_buf_clear(&buf);
    repeat(&buf, "1", 100000); /* a number no reader should try */
    T_EQ("digits", parse(buf.data, buf.len, &root, &err), ASY_E_TOOBIG);
    T_TRUE(strlen(err.text) < 150);
    asy_yaml_destroy(root);
    asy_buf_fini(&buf);
}

T_MAIN("yaml", T_TEST(plain_scalars_follow_the_core_schema), T_TEST(nodes_know_their_place),
       T_TEST(bad_text_is_refused_with_its_place), T_TEST(depth_has_a_limit),
       T_TEST(a_bomb_of_aliases_is_refused_at_its_first_anchor), T_TEST(size_has_a_limit),
       T_TEST(many_keys_and_long_texts_are_read_whole))
