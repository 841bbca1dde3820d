/* SPDX-License-Identifier: Apache-2.0
 * version.c - what this build is. commit.h is written anew by each build that finds another commit
 * (cmake/commit.cmake). */
#include <asy/version.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <asy/json.h>
#include <asy/output.h>
#include "commit.h"

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

const char *asy_version_number(void)
{
    return ASY_VERSION;
}

const char *asy_version_commit(void)
{
    return ASY_COMMIT;
}

int64_t asy_version_commit_s(void)
{
    return ASY_COMMIT_S;
}

const char *asy_version_compiler(void)
{
#if defined(__clang__)
    return "clang " NUMBER(__clang_major__) "." NUMBER(__clang_minor__) "." NUMBER(
        __clang_patchlevel__);
#else
    return "gcc " NUMBER(__GNUC__) "." NUMBER(__GNUC_MINOR__) "." NUMBER(__GNUC_PATCHLEVEL__);
#endif
}

const char *asy_version_libc(void)
{
    return gnu_get_libc_version();
}

static void write_json(const char *program, const struct asy_library *libraries, size_t n,
                       struct asy_buf *buf)
{
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 1);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "program", program);
    asy_jsonw_str(&w, "version", ASY_VERSION);
    asy_jsonw_str(&w, "commit", ASY_COMMIT);
    asy_jsonw_str(&w, "compiler", asy_version_compiler());
    asy_jsonw_open(&w, "libraries", '{');
    asy_jsonw_str(&w, "libc", asy_version_libc());
    for (size_t i = 0; i < n; i++)
        if (libraries[i].version)
            asy_jsonw_str(&w, libraries[i].name, libraries[i].version);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    asy_buf_addc(buf, '\n');
}

static void write_text(const char *program, const struct asy_library *libraries, size_t n,
                       struct asy_buf *buf)
{
    asy_buf_addf(buf, "%s %s (%s)\n", program, ASY_VERSION, ASY_COMMIT);
    asy_buf_addf(buf, "%-10s %s\n", "compiler", asy_version_compiler());
    asy_buf_addf(buf, "%-10s %s\n", "libc", asy_version_libc());
    for (size_t i = 0; i < n; i++)
        if (libraries[i].version)
            asy_buf_addf(buf, "%-10s %s\n", libraries[i].name, libraries[i].version);
}

int asy_version_text(const char *program, const struct asy_library *libraries, size_t n, int json,
                     struct asy_buf *ret_text, struct asy_error *err)
{
    if (json)
        write_json(program, libraries, n, ret_text);
    else
        write_text(program, libraries, n, ret_text);
    return asy_buf_check(ret_text, "the version", err);
}

int asy_version_main(const char *program, const struct asy_library *libraries, size_t n, int argc,
                     char **argv)
{
    int json = argc == 3 && !strcmp(argv[2], "--json");
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;
    int status = 0;

    if (argc > 2 && !json) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", program, argv[2]);
        return 2;
    }
    asy_buf_init(&text, 1u << 16);
    if (asy_version_text(program, libraries, n, json, &text, &err) < 0) {
        fprintf(stderr, "%s: %s\n", program, err.text);
        status = 1;
    } else {
        fputs(text.data, stdout);
    }
    asy_buf_fini(&text);
    return asy_output_end(program, status);
}
