/* SPDX-License-Identifier: Apache-2.0
 * A program's output is kept whole, its end is told, and none outlives its time. */
#include <asytest.h>
#include <signal.h>
#include <sys/wait.h>
#include <asy/parse.h>
#include <asy/proc.h>

static int run(const char *script, int timeout_ms, struct asy_buf *out, struct asy_buf *errors,
               int *ret_status, struct asy_error *err)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;

    spec.argv = argv;
    return asy_proc_capture(&spec, timeout_ms, out, errors, ret_status, err);
}

static void output_and_end_are_kept(void)
{
    static const struct {
        const char *name, *script, *out, *errors;
        int code;
    } cases[] = {
        { "nothing", ":", "", "", 0 },
        { "both streams", "echo a; echo b >&2; echo c", "a\nc\n", "b\n", 0 },
        { "a failure", "echo why >&2; exit 3", "", "why\n", 3 },
        { "streams closed early", "exec >&- 2>&-; exit 5", "", "", 5 },
    };
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf out, errors;
        int status = -1;

        asy_buf_init(&out, 1u << 20);
        asy_buf_init(&errors, 1u << 20);
        if (T_OK(run(cases[i].script, -1, &out, &errors, &status, &err), &err)) {
            T_STR(cases[i].name, out.data, cases[i].out);
            T_STR(cases[i].name, errors.data, cases[i].errors);
            T_TRUE(WIFEXITED(status));
            T_EQ(cases[i].name, WEXITSTATUS(status), cases[i].code);
        }
        asy_buf_fini(&errors);
        asy_buf_fini(&out);
    }
}

/* More than a pipe holds, on both streams at once: whoever reads one after the other hangs. */
static void long_output_on_both_streams_does_not_hang(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf out, errors;
    int status = -1;

    asy_buf_init(&out, 8u << 20);
    asy_buf_init(&errors, 8u << 20);
    T_OK(run("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero", -1, &out, &errors, &status,
             &err),
         &err);
    T_EQ("status", status, 0);
    T_EQ("stdout", out.len, 1000000);
    T_EQ("stderr", errors.len, 1000000);
    asy_buf_fini(&errors);
    asy_buf_fini(&out);
}

static void too_long_and_too_much_are_ended(void)
{
    static const struct {
        const char *name, *script;
        int timeout_ms, want;
    } cases[] = {
        { "silent", "echo $$; exec sleep 1000", 50, ASY_E_TIMEOUT },
        { "closes its output and stays", "echo $$; exec sleep 1000 >&- 2>&-", 50, ASY_E_TIMEOUT },
        { "prints without end", "echo $$; exec cat /dev/zero", -1, ASY_E_TOOBIG },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf out;
        int64_t pid = 0;
        int status = -1;

        asy_buf_init(&out, 1u << 16);
        /* On a busy machine the shell may not get to its first line in so little time. */
        for (int ms = cases[i].timeout_ms; !out.len; ms *= 2) {
            T_EQ(cases[i].name, run(cases[i].script, ms, &out, NULL, &status, &err), cases[i].want);
        }
        T_EQ("status is left alone", status, -1);
        if (T_EQ("pid", asy_parse_i64(out.data, strcspn(out.data, "\n"), &pid, &err), 0))
            T_TRUE(kill((pid_t)pid, 0) < 0); /* gone, and waited for */
        asy_buf_fini(&out);
    }
}

static void a_missing_program_is_named(void)
{
    const char *argv[] = { "/nowhere/at/all", NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf out;
    int status;

    spec.argv = argv;
    asy_buf_init(&out, 100);
    T_EQ("code", asy_proc_capture(&spec, -1, &out, NULL, &status, &err), ASY_E_NOENT);
    T_HAS("text", err.text, "/nowhere/at/all");
    asy_buf_fini(&out);
}

T_MAIN("proc_capture", T_TEST(output_and_end_are_kept),
       T_TEST(long_output_on_both_streams_does_not_hang), T_TEST(too_long_and_too_much_are_ended),
       T_TEST(a_missing_program_is_named))
