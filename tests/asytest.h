/* SPDX-License-Identifier: Apache-2.0
 * asytest.h - the little that tests need over CUnit: checks that print what they got and return
 * whether they held (never longjmp), and a main that exits non-zero if anything failed.
 *
 *     static void grant_names_each_refusal(void) { ... if (!T_OK(rc, &err)) goto out; ... }
 *     T_MAIN("lease", T_TEST(grant_names_each_refusal), T_TEST(...))
 */
#ifndef ASYTEST_H
#define ASYTEST_H
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <asy/error.h>

struct t_test {
    const char *name;
    void (*run)(void);
};
#define T_TEST(fn) { #fn, fn }

static inline bool t__check(bool ok, int line, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static inline bool t__check(bool ok, int line, const char *file, const char *fmt, ...)
{
    char text[600];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!ok)
        fprintf(stderr, "%s:%d: %s\n", file, line, text);
    CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, (unsigned)line, text, file, "", CU_FALSE);
    return ok;
}

/* The call succeeded; else prints the error's text. */
#define T_OK(rc, err)                                                                              \
    ({                                                                                             \
        int t__rc = (rc);                                                                          \
        t__check(t__rc == 0, __LINE__, __FILE__, "%s: %d: %s", #rc, t__rc, (err)->text);           \
    })
#define T_TRUE(cond) t__check((cond), __LINE__, __FILE__, "not true: %s", #cond)
/* Integers; name says which case. */
#define T_EQ(name, got, want)                                                                      \
    ({                                                                                             \
        int64_t t__got = (int64_t)(got), t__want = (int64_t)(want);                                \
        t__check(t__got == t__want, __LINE__, __FILE__,                                            \
                 "%s: %s is %" PRId64 ", not %" PRId64, name, #got, t__got, t__want);              \
    })
#define T_STR(name, got, want)                                                                     \
    ({                                                                                             \
        const char *t__got = (got), *t__want = (want);                                             \
        t__check(t__got && !strcmp(t__got, t__want), __LINE__, __FILE__,                           \
                 "%s: %s is '%s', not '%s'", name, #got, t__got ? t__got : "(null)", t__want);     \
    })
/* text contains part: for error messages. */
#define T_HAS(name, text, part)                                                                    \
    ({                                                                                             \
        const char *t__text = (text), *t__part = (part);                                           \
        t__check(t__text && strstr(t__text, t__part), __LINE__, __FILE__,                          \
                 "%s: '%s' does not contain '%s'", name, t__text ? t__text : "(null)", t__part);   \
    })
/* |got - want| <= tol; say at the call why tol is what it is. */
#define T_NEAR(name, got, want, tol)                                                               \
    ({                                                                                             \
        double t__got = (got), t__want = (want), t__tol = (tol);                                   \
        t__check(fabs(t__got - t__want) <= t__tol, __LINE__, __FILE__,                             \
                 "%s: %s is %.17g, not %.17g within %g", name, #got, t__got, t__want, t__tol);     \
    })

static inline int t__main(const char *suite, const struct t_test *tests, size_t n)
{
    CU_pSuite s;
    unsigned failed;

    if (CU_initialize_registry() != CUE_SUCCESS || !(s = CU_add_suite(suite, NULL, NULL)))
        return 2;
    for (size_t i = 0; i < n; i++)
        if (!CU_add_test(s, tests[i].name, tests[i].run))
            return 2;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
#define T_MAIN(suite, ...)                                                                         \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct t_test tests[] = { __VA_ARGS__ };                                      \
        return t__main(suite, tests, sizeof tests / sizeof tests[0]);                              \
    }
#endif
