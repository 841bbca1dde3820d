/* SPDX-License-Identifier: Apache-2.0
 * asy/version.h - which build a program is, and the libraries that it runs on, for --version.
 *
 * A library's version is what the loaded library says of itself, never what the build saw.
 *
 * In a library of its own (asy-version), since every commit changes it: only programs link it.
 * Threads: any; nothing here has state. */
#ifndef ASY_VERSION_H
#define ASY_VERSION_H
#include <asy/buf.h>

const char *asy_version_number(void);   /* "0.1.0" */
const char *asy_version_commit(void);   /* "4f1d0c2a9b3e", with a "+" if the tree had changes */
int64_t asy_version_commit_s(void);     /* when that was, seconds since 1970; 0: unknown */
const char *asy_version_compiler(void); /* "gcc 12.2.0" */
const char *asy_version_libc(void);     /* "2.36", of the running system */

struct asy_library {
    const char *name, *version; /* version NULL: left out */
};
/* What `program --version` prints: "program 0.1.0 (commit)" and a line for compiler, libc and each
 * of libraries [n]; or (json) the same as one object: program, version, commit, compiler and
 * libraries {name: version}. Ends in a newline. */
ASY_MUST_CHECK int asy_version_text(const char *program, const struct asy_library *libraries,
                                    size_t n, int json, struct asy_buf *ret_text,
                                    struct asy_error *err);
/* The whole of a program's --version [--json]: that text on stdout. Returns the exit code. */
int asy_version_main(const char *program, const struct asy_library *libraries, size_t n, int argc,
                     char **argv);
#endif
