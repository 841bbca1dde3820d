/* SPDX-License-Identifier: Apache-2.0
 * test_store_params.c - parameters as text: the quick reader and the tree must agree. */
#include <string.h>
#include <asy/json.h>
#include "asytest.h"
#include "params.h"

static int put(void *arg, const char *name, const char *value, size_t len)
{
    asy_buf_addf(arg, "%s=%.*s;", name, (int)len, value);
    return 0;
}

static void members_become_text(void)
{
    static const struct {
        const char *name, *json, *want;
    } cases[] = {
        { "none", "{}", "" },
        { "none, with blanks", " { } ", "" },
        { "numbers as they stand", "{\"lr\":1e-3,\"n\":-16,\"d\":0.10,\"z\":1.0}",
          "lr=1e-3;n=-16;d=0.10;z=1.0;" },
        { "words", "{\"a\":true,\"b\":false,\"c\":null}", "a=true;b=false;c=null;" },
        { "strings", "{\"o\" : \"adam\" ,\"e\":\"\"}", "o=adam;e=;" },
        { "escapes", "{\"o\":\"a\\\"b\\u00e9\",\"n\":7}", "o=a\"b\xc3\xa9;n=7;" },
        { "escape in a name", "{\"a\\tb\":true}", "a\tb=true;" },
        { "not flat", "{\"a\":[1,2],\"b\":2}", "a=;b=2;" },
        { "beyond ASCII", "{\"\xc3\xa9\":\"\xc3\xa9\"}", "\xc3\xa9=\xc3\xa9;" },
    };
    struct asy_buf scratch, got;
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_init(&scratch, 1 << 20);
    asy_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&got);
        T_OK(asy__params_each(cases[i].json, &scratch, put, &got, &err), &err);
        T_STR(cases[i].name, got.data, cases[i].want);
    }
    asy_buf_fini(&scratch);
    asy_buf_fini(&got);
}

static void what_is_no_object_is_refused(void)
{
    static const char *const cases[] = { "", "[]", "1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
                                         "{\"a\":1}x", "{\"a\":1 \"b\":2}", "{\"a\":\"", "{a:1}" };
    struct asy_buf scratch, got;
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_init(&scratch, 1 << 20);
    asy_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i], asy__params_each(cases[i], &scratch, put, &got, &err), ASY_E_FORMAT);
    T_EQ("nothing was handed out", got.len, 0);
    asy_buf_fini(&scratch);
    asy_buf_fini(&got);
}

static void many_members_are_all_there(void)
{
    struct asy_buf json, scratch, got;
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_init(&json, 1 << 20);
    asy_buf_init(&scratch, 1 << 20);
    asy_buf_init(&got, 1 << 20);
    asy_buf_addc(&json, '{');
    for (int i = 0; i < 200; i++) {
        asy_buf_addf(&json, "%s\"p%d\":%d", i ? "," : "", i, i);
        asy_buf_clear(&got);
        asy_buf_addc(&json, '}');
        T_OK(asy__params_each(json.data, &scratch, put, &got, &err), &err);
        json.data[--json.len] = 0;
    }
    T_TRUE(got.len > 1200 && !strcmp(got.data + got.len - 10, ";p199=199;"));
    asy_buf_fini(&json);
    asy_buf_fini(&scratch);
    asy_buf_fini(&got);
}

T_MAIN("store params", T_TEST(members_become_text), T_TEST(what_is_no_object_is_refused),
       T_TEST(many_members_are_all_there))
