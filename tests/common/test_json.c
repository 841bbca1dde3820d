/* SPDX-License-Identifier: Apache-2.0
 * test_json.c - reading JSON from strangers, and writing what every reader takes. */
#include <asy/json.h>
#include <asy/rng.h>
#include "asytest.h"

static struct asy_json *parsed(const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;

    T_OK(asy_json_parse(text, strlen(text), &root, &err), &err);
    return root;
}

static void bad_text_is_refused_with_its_place(void)
{
    static const struct {
        const char *name, *text;
        size_t len;
        int want;
        const char *has;
    } cases[] = {
        { "nothing", "", 0, ASY_E_FORMAT, "line 1 column" },
        { "blanks", " \n ", 3, ASY_E_FORMAT, "line 2 column" },
        { "open array", "[1,", 3, ASY_E_FORMAT, "line 1 column" },
        { "comma too many", "[1,]", 4, ASY_E_FORMAT, "column 4" },
        { "two values", "1 2", 3, ASY_E_FORMAT, "end of file" },
        { "single quotes", "{'a':1}", 7, ASY_E_FORMAT, "column" },
        { "no key", "{1:2}", 5, ASY_E_FORMAT, "column" },
        { "comment", "// x\n1", 6, ASY_E_FORMAT, "line 1" },
        { "duplicate key", "{\"a\":1,\n\"a\":2}", 14, ASY_E_FORMAT, "line 2 column 3: duplicate" },
        { "duplicate in disguise", "{\"a\":1,\"\\u0061\":2}", 18, ASY_E_FORMAT, "duplicate" },
        { "NaN", "NaN", 3, ASY_E_FORMAT, "column" },
        { "infinity", "-Infinity", 9, ASY_E_FORMAT, "column" },
        { "hex", "0x10", 4, ASY_E_FORMAT, "column" },
        { "leading zero", "01", 2, ASY_E_FORMAT, "column" },
        { "plus", "+1", 2, ASY_E_FORMAT, "column" },
        { "bare point", "1.", 2, ASY_E_FORMAT, "column" },
        { "huge integer", "9223372036854775808", 19, ASY_E_FORMAT, "too big" },
        { "low integer", "-9223372036854775809", 20, ASY_E_FORMAT, "too" },
        { "huge real", "1e999", 5, ASY_E_FORMAT, "overflow" },
        { "bad UTF-8", "\"\xff\"", 3, ASY_E_FORMAT, "unable to decode byte" },
        { "overlong UTF-8", "\"\xc0\x80\"", 4, ASY_E_FORMAT, "unable to decode byte" },
        { "surrogate in UTF-8", "\"\xed\xa0\x80\"", 5, ASY_E_FORMAT, "unable to decode byte" },
        { "half a pair", "\"\\ud800\"", 8, ASY_E_FORMAT, "column" },
        { "zero byte", "\"a\0b\"", 5, ASY_E_FORMAT, "column" },
        { "escaped zero", "\"\\u0000\"", 8, ASY_E_FORMAT, "column" },
        { "zero in a key", "{\"a\\u0000b\":1}", 14, ASY_E_FORMAT, "column" },
        { "line break in a text", "\"a\nb\"", 5, ASY_E_FORMAT, "line" },
        { "text without end", "\"[[[[", 5, ASY_E_FORMAT, "line 1" },
        { "wrong bracket", "[1}", 3, ASY_E_FORMAT, "column 3" },
        { "byte order mark", "\xef\xbb\xbf{}", 5, ASY_E_FORMAT, "column" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *root = NULL;

        T_EQ(cases[i].name, asy_json_parse(cases[i].text, cases[i].len, &root, &err),
             cases[i].want);
        T_HAS(cases[i].name, err.text, cases[i].has);
        T_TRUE(root == NULL);
        asy_json_destroy(root);
    }
}

/* open and close repeated around a value. */
static int parse_nested(const char *open, const char *close, size_t depth, struct asy_error *err)
{
    struct asy_json *root = NULL;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, 1u << 25);
    for (size_t i = 0; i < depth; i++)
        asy_buf_adds(&buf, open);
    asy_buf_adds(&buf, "1");
    for (size_t i = 0; i < depth; i++)
        asy_buf_adds(&buf, close);
    rc = asy_json_parse(buf.data, buf.len, &root, err);
    asy_json_destroy(root);
    asy_buf_fini(&buf);
    return rc;
}

static void depth_has_a_limit(void)
{
    static const struct { const char *open, *close; size_t depth; int want; } cases[] = {
        { "[", "]", 64, 0 },
        { "[", "]", 65, ASY_E_TOOBIG },
        { "{\"a\":", "}", 64, 0 },
        { "{\"a\":", "}", 65, ASY_E_TOOBIG },
        { "[{\"a\":", "}]", 33, ASY_E_TOOBIG },
        { "[", "]", 5000000, ASY_E_TOOBIG },
        { "{\"a\":", "}", 1000000, ASY_E_TOOBIG },
    };
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].open, parse_nested(cases[i].open, cases[i].close, cases[i].depth, &err),
             cases[i].want);
    T_STR("place", err.text, "line 1 column 321: nested deeper than 64");
    T_EQ("brackets in a text", parse_nested("[[],\"[{\\\"[\",", "]", 60, &err), 0);
}

static void values_are_read_by_type(void)
{
    struct asy_json *root = parsed(
        "{\"i\":-5,\"max\":9223372036854775807,\"r\":2.5,\"one\":1.0,\"s\":\"\\u20ac\\n\","
        "\"t\":true,"
        "\"f\":false,\"z\":null,\"a\":[1,[2],{}],\"nan\":\"nan\",\"inf\":\"-inf\",\"\":0}");
    const char *key = NULL;

    T_EQ("type", asy_json_type(root), ASY_JSON_OBJECT);
    T_EQ("members", asy_json_len(root), 12);
    T_EQ("int", asy_json_i64(asy_json_get(root, "i"), 9), -5);
    T_EQ("largest int", asy_json_i64(asy_json_get(root, "max"), 9), INT64_MAX);
    T_EQ("a real is no int", asy_json_i64(asy_json_get(root, "one"), 9), 9);
    T_EQ("absent", asy_json_i64(asy_json_get(root, "nothing"), 9), 9);
    T_NEAR("real", asy_json_f64(asy_json_get(root, "r"), 9), 2.5, 0);
    T_NEAR("int as real", asy_json_f64(asy_json_get(root, "i"), 9), -5, 0);
    T_NEAR("text as real", asy_json_f64(asy_json_get(root, "s"), 9), 9, 0);
    T_TRUE(isnan(asy_json_f64(asy_json_get(root, "nan"), 9)));
    T_TRUE(isinf(asy_json_f64(asy_json_get(root, "inf"), 9)));
    T_STR("text", asy_json_str(asy_json_get(root, "s"), "-"), "\xe2\x82\xac\n");
    T_STR("int as text", asy_json_str(asy_json_get(root, "i"), "-"), "-");
    T_EQ("true", asy_json_bool(asy_json_get(root, "t"), 9), 1);
    T_EQ("false", asy_json_bool(asy_json_get(root, "f"), 9), 0);
    T_EQ("int as bool", asy_json_bool(asy_json_get(root, "i"), 9), 9);
    T_EQ("null", asy_json_type(asy_json_get(root, "z")), ASY_JSON_NULL);
    T_EQ("array", asy_json_len(asy_json_get(root, "a")), 3);
    T_EQ("nested", asy_json_i64(asy_json_at(asy_json_at(asy_json_get(root, "a"), 1), 0), 9), 2);
    T_TRUE(asy_json_at(asy_json_get(root, "a"), 3) == NULL);
    T_TRUE(asy_json_at(root, 0) == NULL && asy_json_member(root, 12, &key) == NULL);
    T_TRUE(asy_json_member(root, 1, &key) != NULL);
    T_STR("order of the text", key, "max");
    T_EQ("empty key", asy_json_i64(asy_json_get(root, ""), 9), 0);
    T_EQ("no node", asy_json_type(NULL), ASY_JSON_NULL);
    T_EQ("no node", asy_json_len(NULL), 0);
    T_EQ("no object", asy_json_get(asy_json_get(root, "i"), "x") == NULL, 1);
    asy_json_destroy(root);
    asy_json_destroy(NULL);
}

static void the_writer_writes_what_readers_take(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_jsonw w;
    struct asy_buf buf;

    asy_buf_init(&buf, 4096);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "s", "a\"b\\c\n\x01\x7f\xc3\xa4");
    asy_jsonw_str(&w, "bad", "\xff-\xc3");
    asy_jsonw_strn(&w, "zero", "a\0b", 3);
    asy_jsonw_str(&w, "none", NULL);
    asy_jsonw_i64(&w, "low", INT64_MIN);
    asy_jsonw_u64(&w, "fits", INT64_MAX);
    asy_jsonw_u64(&w, "text", UINT64_MAX);
    asy_jsonw_f64(&w, "f", 0.1);
    asy_jsonw_f64(&w, "minus", -0.0);
    asy_jsonw_f64(&w, "nan", NAN);
    asy_jsonw_f64(&w, "inf", -INFINITY);
    asy_jsonw_open(&w, "a\"", '[');
    asy_jsonw_bool(&w, NULL, 7);
    asy_jsonw_bool(&w, NULL, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_close(&w, '}');
    asy_jsonw_raw(&w, NULL, "[1]", 3);
    asy_jsonw_close(&w, ']');
    asy_jsonw_null(&w, "z");
    asy_jsonw_close(&w, '}');
    T_OK(asy_buf_check(&buf, "JSON", &err), &err);
    T_STR("text", buf.data,
          "{\"s\":\"a\\\"b\\\\c\\n\\u0001\x7f\xc3\xa4\",\"bad\":\"\xef\xbf\xbd-\xef\xbf\xbd\","
          "\"zero\":\"a\\u0000b\",\"none\":null,\"low\":-9223372036854775808,"
          "\"fits\":9223372036854775807,\"text\":\"18446744073709551615\",\"f\":0.1,"
          "\"minus\":-0.0,\"nan\":\"nan\",\"inf\":\"-inf\","
          "\"a\\\"\":[true,false,{},[1]],\"z\":null}");
    asy_buf_fini(&buf);
}

static void pretty_text_is_indented_by_two(void)
{
    struct asy_json *root = parsed("{\"a\":[1,{\"b\":[]}],\"c\":{}}");
    struct asy_jsonw w;
    struct asy_buf buf;

    asy_buf_init(&buf, 4096);
    asy_jsonw_init(&w, &buf, 1);
    asy_jsonw_node(&w, NULL, root);
    T_STR("text", buf.data,
          "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
    asy_json_destroy(root);
    asy_buf_fini(&buf);
}

/* A random value of at most so many levels. */
static void write_random(struct asy_jsonw *w, const char *key, struct asy_rng *rng, unsigned depth)
{
    char name[8] = { 0 };
    uint64_t bits;
    double real;

    switch (asy_rng_below(rng, depth ? 8 : 6)) {
    case 0:
        asy_jsonw_null(w, key);
        break;
    case 1:
        asy_jsonw_bool(w, key, (int)asy_rng_below(rng, 2));
        break;
    case 2:
        asy_jsonw_i64(w, key, (int64_t)asy_rng_u64(rng));
        break;
    case 3:
        bits = asy_rng_u64(rng);
        memcpy(&real, &bits, sizeof real);
        asy_jsonw_f64(w, key, real);
        break;
    case 4:
        asy_jsonw_f64(w, key, (double)asy_rng_below(rng, 1000)); /* whole, yet a real */
        break;
    case 5:
        for (size_t i = 0; i < 7; i++)
            name[i] = (char)(1 + asy_rng_below(rng, 127));
        asy_jsonw_str(w, key, name);
        break;
    case 6:
        asy_jsonw_open(w, key, '[');
        for (uint64_t n = asy_rng_below(rng, 5); n > 0; n--)
            write_random(w, NULL, rng, depth - 1);
        asy_jsonw_close(w, ']');
        break;
    default:
        asy_jsonw_open(w, key, '{');
        for (uint64_t n = asy_rng_below(rng, 5); n > 0; n--) {
            snprintf(name, sizeof name, "k%u", (unsigned)n);
            write_random(w, name, rng, depth - 1);
        }
        asy_jsonw_close(w, '}');
    }
}

static void what_was_written_is_read_and_written_alike(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 21, 22, ASY_RNG_SIM);
    for (int i = 0; i < 2000; i++) {
        struct asy_json *root;
        struct asy_jsonw w;
        struct asy_buf first, second;
        bool same;

        asy_buf_init(&first, 1u << 20);
        asy_buf_init(&second, 1u << 20);
        asy_jsonw_init(&w, &first, i % 2);
        write_random(&w, NULL, &rng, 6);
        root = parsed(first.data);
        asy_jsonw_init(&w, &second, i % 2);
        asy_jsonw_node(&w, NULL, root);
        same = T_STR("again", second.data, first.data);
        asy_json_destroy(root);
        asy_buf_fini(&first);
        asy_buf_fini(&second);
        if (!same)
            break;
    }
}

T_MAIN("json", T_TEST(bad_text_is_refused_with_its_place), T_TEST(depth_has_a_limit),
       T_TEST(values_are_read_by_type), T_TEST(the_writer_writes_what_readers_take),
       T_TEST(pretty_text_is_indented_by_two), T_TEST(what_was_written_is_read_and_written_alike))
