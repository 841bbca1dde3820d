/* SPDX-License-Identifier: Apache-2.0
 * What mpirun would have a remote shell run (as Open MPI 4.1 does), and what of it is run. */
#include "../asytest.h"
#include "impl.h"

static void the_daemon_s_words_are_found_without_a_shell(void)
{
    static const struct {
        const char *name, *given[8], *want; /* want: parted by '|'; NULL: refused */
    } cases[] = {
        { "as it comes", { " orted", "--daemonize", "-mca", "ess", "\"env\"", "-mca" },
          "-mca|ess|env|-mca" },
        { "with paths of the node it comes from",
          { "PATH=/usr/bin:$PATH ; export PATH ;   /usr/bin/orted", "-mca", "ess_base_vpid", "1" },
          "-mca|ess_base_vpid|1" },
        { "a word with a blank", { "orted", "\"/tmp/a b --launch\"", "x" }, "/tmp/a b --launch|x" },
        { "in one word", { "orted --daemonize -mca a \"b;c $(d)\"" }, "-mca|a|b;c $(d)" },
        { "an empty word", { "orted", "\"\"", "x" }, "|x" },
        { "no further word", { "orted" }, "" },
        { "something else", { "sh", "-c", "\"exit 1\"" }, NULL },
        { "something like it", { "/bin/orted.sh" }, NULL },
        { "nothing", { "" }, NULL },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__words words = { 0 };
        struct asy_buf got;
        size_t n = 0;
        int rc;

        while (n < ASY_ARRAY_LEN(cases[i].given) && cases[i].given[n])
            n++;
        rc = asy__crew_parse(cases[i].given, n, &words, &err);
        T_EQ(cases[i].name, rc == 0, cases[i].want != NULL);
        asy_buf_init(&got, 1024);
        for (size_t k = 0; k < words.n; k++)
            asy_buf_addf(&got, "%s%s", k ? "|" : "", words.text[k]);
        if (cases[i].want)
            T_STR(cases[i].name, got.data, cases[i].want);
        asy_buf_fini(&got);
        asy__words_fini(&words);
    }
}

T_MAIN("crew", T_TEST(the_daemon_s_words_are_found_without_a_shell))
