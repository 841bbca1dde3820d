/* SPDX-License-Identifier: Apache-2.0
 * What programs may say: lines, patterns, last words; and what batch systems say of time. */
#include "../asytest.h"
#include <unistd.h>
#include "impl.h"

static void takes_and_refuses_lines(void)
{
    static const struct {
        const char *name, *line;
        int what;              /* 0: refused */
        const char *why;       /* part of the refusal */
    } cases[] = {
        { "report", "{\"step\":3,\"metrics\":{\"loss\":0.5}}", ASY__SAID_REPORT, NULL },
        { "whole real step", "{\"step\":3.0}", ASY__SAID_REPORT, NULL },
        { "no metrics, wait", "{\"step\":0,\"wait\":true}", ASY__SAID_REPORT, NULL },
        { "largest step", "{\"step\":9007199254740992}", ASY__SAID_REPORT, NULL },
        { "words for numbers",
          "{\"step\":1,\"metrics\":{\"a\":\"nan\",\"b\":\"inf\",\"c\":\"-inf\",\"d\":\"NaN\"}}",
          ASY__SAID_REPORT, NULL },
        { "checkpoint", "{\"checkpoint\":\"c3\",\"step\":3}", ASY__SAID_CHECKPOINT, NULL },
        { "hello", "{\"hello\":{\"token\":\"ab\",\"pid\":1,\"rank\":0}}", ASY__SAID_HELLO, NULL },
        { "bound", "{\"bound\":\"0-1\"}", ASY__SAID_BOUND, NULL },
        { "not bound", "{\"bound\":\"\",\"reason\":\"x\"}", ASY__SAID_BOUND, NULL },
        { "alive", "{\"alive\":true}", ASY__SAID_ALIVE, NULL },
        { "not alive", "{\"alive\":false}", 0, "'alive' is not true" },
        { "alive and more", "{\"alive\":true,\"step\":1}", 0, "unknown key 'step'" },
        { "bound to a number", "{\"bound\":1}", 0, "not a list of CPUs" },
        { "end", "{\"end\":{\"outcome\":\"complete\",\"step\":4,\"objective\":0.9}}",
          ASY__SAID_END, NULL },
        { "empty", "", 0, "" },
        { "no JSON", "step 3 loss 0.5", 0, "" },
        { "cut off", "{\"step\":3", 0, "" },
        { "two values", "{\"step\":3}{\"step\":4}", 0, "" },
        { "an array", "[1,2]", 0, "one JSON object" },
        { "no step", "{\"metrics\":{}}", 0, "no 'step'" },
        { "negative step", "{\"step\":-1}", 0, "2^53" },
        { "huge step", "{\"step\":9007199254740993}", 0, "2^53" },
        { "broken step", "{\"step\":1.5}", 0, "2^53" },
        { "infinite step", "{\"step\":\"inf\"}", 0, "not a number" },
        { "boolean step", "{\"step\":true}", 0, "not a number" },
        { "misspelt key", "{\"step\":1,\"metric\":{}}", 0, "did you mean 'metrics'" },
        { "unknown key", "{\"step\":1,\"xyzzy\":{}}", 0, "unknown key 'xyzzy'" },
        { "key twice", "{\"step\":1,\"step\":2}", 0, "" },
        { "metrics as a list", "{\"step\":1,\"metrics\":[1]}", 0, "not an object" },
        { "metric as an object", "{\"step\":1,\"metrics\":{\"a\":{}}}", 0, "'a' is not a number" },
        { "metric as a word", "{\"step\":1,\"metrics\":{\"a\":\"good\"}}", 0, "not a number" },
        { "metric as null", "{\"step\":1,\"metrics\":{\"a\":null}}", 0, "not a number" },
        { "metric without a name", "{\"step\":1,\"metrics\":{\"\":1}}", 0, "0 bytes" },
        { "control character", "{\"step\":1,\"metrics\":{\"a\\nb\":1}}", 0, "control" },
        { "wait as a word", "{\"step\":1,\"wait\":\"yes\"}", 0, "'wait'" },
        { "checkpoint path", "{\"checkpoint\":\"../x\",\"step\":1}", 0, "no path" },
        { "checkpoint parent", "{\"checkpoint\":\"..\",\"step\":1}", 0, "no path" },
        { "checkpoint number", "{\"checkpoint\":7,\"step\":1}", 0, "not a name" },
        { "checkpoint without step", "{\"checkpoint\":\"a\"}", 0, "no 'step'" },
        { "hello without token", "{\"hello\":{\"rank\":0}}", 0, "token" },
        { "end without outcome", "{\"end\":{\"step\":4}}", 0, "outcome" },
        { "deep", "{\"step\":1,\"metrics\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                  "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                  "]]]]]]]]]]]]]}}", 0, "" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__said said = { 0 };
        int rc = asy__said_parse(cases[i].line, strlen(cases[i].line), &said, &err);

        if (cases[i].what) {
            if (T_OK(rc, &err))
                T_EQ(cases[i].name, said.what, cases[i].what);
        } else {
            T_TRUE(rc < 0);
            T_HAS(cases[i].name, err.text, cases[i].why);
        }
        asy__said_fini(&said);
    }
}

static void bounds_names_and_numbers_of_metrics(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__said said = { 0 };
    struct asy_buf line;

    asy_buf_init(&line, 1u << 20);
    for (int n = ASY__METRICS_MAX; n <= ASY__METRICS_MAX + 1; n++) {
        asy_buf_clear(&line);
        asy_buf_adds(&line, "{\"step\":1,\"metrics\":{");
        for (int i = 0; i < n; i++)
            asy_buf_addf(&line, "%s\"m%d\":%d", i ? "," : "", i, i);
        asy_buf_adds(&line, "}}");
        T_EQ("count", asy__said_parse(line.data, line.len, &said, &err),
             n <= ASY__METRICS_MAX ? 0 : ASY_E_TOOBIG);
        if (n <= ASY__METRICS_MAX)
            T_EQ("count", said.n_metrics, n);
        asy__said_fini(&said);
    }
    for (int n = ASY__METRIC_NAME_MAX; n <= ASY__METRIC_NAME_MAX + 1; n++) {
        asy_buf_clear(&line);
        asy_buf_addf(&line, "{\"step\":1,\"metrics\":{\"%0*d\":1}}", n, 0);
        T_EQ("name", asy__said_parse(line.data, line.len, &said, &err),
             n <= ASY__METRIC_NAME_MAX ? 0 : ASY_E_INVAL);
        asy__said_fini(&said);
    }
    asy_buf_fini(&line);
}

static void finds_metrics_by_pattern(void)
{
    static const struct {
        const char *name, *pattern, *line;
        int match, has_step;
        uint64_t step;
        size_t n;
        const char *metric;
        double value;
    } cases[] = {
        { "usual", "step=(?<step>\\d+) loss=(?<loss>\\S+)", "x step=12 loss=0.25 y", 1, 1, 12, 1,
          "loss", 0.25 },
        { "no step group", "loss: (?<loss>[-+.\\deE]+)", "loss: -1e-3", 1, 0, 0, 1, "loss", -1e-3 },
        { "nan", "(?<step>\\d+) (?<loss>\\S+)", "3 nan", 1, 1, 3, 1, "loss", NAN },
        { "several", "(?<step>\\d+) (?<a>\\S+) (?<b>\\S+)", "3 1 2", 1, 1, 3, 2, "a", 1 },
        { "optional group absent", "(?<step>\\d+)( a=(?<a>\\S+))?( b=(?<b>\\S+))?", "3 b=2", 1, 1,
          3, 1, "b", 2 },
        { "not a number", "loss=(?<loss>\\S+)", "loss=high", 0, 0, 0, 0, NULL, 0 },
        { "no match", "loss=(?<loss>\\S+)", "hello", 0, 0, 0, 0, NULL, 0 },
        { "step too large", "(?<step>\\d+) (?<a>\\d+)", "99999999999999999999 1", 1, 0, 0, 1, "a",
          1 },
        { "catastrophic", "(?<a>(x+x+)+)y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0, 0,
          0, 0, NULL, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__pattern *pattern = NULL;
        struct asy_metric metrics[8];
        uint64_t step = 0;
        int has_step = 0, match;
        size_t n = 0;

        if (!T_OK(asy__pattern_create(cases[i].pattern, &pattern, &err), &err))
            continue;
        match = asy__pattern_match(pattern, cases[i].line, strlen(cases[i].line), &step, &has_step,
                                   metrics, ASY_ARRAY_LEN(metrics), &n);
        T_EQ(cases[i].name, match, cases[i].match);
        if (match && cases[i].match) {
            T_EQ(cases[i].name, has_step, cases[i].has_step);
            if (has_step)
                T_EQ(cases[i].name, step, cases[i].step);
            T_EQ(cases[i].name, n, cases[i].n);
            T_STR(cases[i].name, metrics[0].name, cases[i].metric);
            T_TRUE(metrics[0].value == cases[i].value ||
                   (isnan(metrics[0].value) && isnan(cases[i].value)));
        }
        asy__pattern_destroy(pattern);
    }
}

static void refuses_patterns_that_cannot_work(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__pattern *pattern = NULL;

    T_EQ("syntax", asy__pattern_create("loss=(?<loss>", &pattern, &err), ASY_E_INVAL);
    T_HAS("syntax", err.text, "character 14");
    T_EQ("nothing named", asy__pattern_create("loss=(\\S+)", &pattern, &err), ASY_E_INVAL);
    T_HAS("nothing named", err.text, "named group");
}

static void keeps_the_last_lines(void)
{
    static const struct {
        const char *name, *log, *want;
        int64_t from;
        size_t size;
    } cases[] = {
        { "one", "oops\n", "oops", 0, 100 },
        { "the last five", "1\n2\n3\n4\n5\n6\n7\n", "3\n4\n5\n6\n7", 0, 100 },
        { "no newline at the end", "a\nb", "a\nb", 0, 100 },
        { "nothing", "", "", 0, 100 },
        { "blank lines at the end", "a\n\n\n", "a", 0, 100 },
        { "only its own part", "old\nnew\n", "new", 4, 100 },
        { "small room", "0123456789\n", "6789", 0, 5 },
        { "a character is not cut", "xx\303\244y\n", "y", 0, 3 },
        { "control characters", "a\033[31mb\n", "a?[31mb", 0, 100 },
    };
    char path[] = "/tmp/assay-test-XXXXXX", text[100];
    int fd = mkstemp(path);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) && fd >= 0; i++) {
        T_EQ(cases[i].name, ftruncate(fd, 0), 0);
        T_TRUE(pwrite(fd, cases[i].log, strlen(cases[i].log), 0) >= 0);
        asy__end_tail(path, cases[i].from, text, cases[i].size);
        T_STR(cases[i].name, text, cases[i].want);
    }
    if (fd >= 0)
        close(fd);
    unlink(path);
    asy__end_tail("/nonexistent", 0, text, sizeof text);
    T_STR("no file", text, "");
}

T_MAIN("said", T_TEST(takes_and_refuses_lines), T_TEST(bounds_names_and_numbers_of_metrics),
       T_TEST(finds_metrics_by_pattern), T_TEST(refuses_patterns_that_cannot_work),
       T_TEST(keeps_the_last_lines))
