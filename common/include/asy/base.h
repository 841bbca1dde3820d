/* SPDX-License-Identifier: Apache-2.0
 * asy/base.h - the few macros that every other header may rely on.
 *
 * Threads: nothing here has state. */
#ifndef ASY_BASE_H
#define ASY_BASE_H
#include <stddef.h>
#include <stdint.h>

#define ASY_MUST_CHECK __attribute__((warn_unused_result))
#define ASY_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define ASY_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
/* The end of a noun after a number: "1 core", "2 cores". */
#define ASY_S(n) ((n) == 1 ? "" : "s")

/* Drops a result on purpose; say why beside it. (A void cast does not silence gcc.) */
#define ASY_IGNORE(call)                                                                           \
    do {                                                                                           \
        if (call) {                                                                                \
        }                                                                                          \
    } while (0)

/* States an invariant of our own code, stays on in release builds: prints the text with file and
 * line to stderr and aborts. Never for input from users, files or the wire. */
#define ASY_ASSERT(cond, ...)                                                                      \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            asy_assert_failed(__FILE__, __LINE__, #cond, " " __VA_ARGS__);                         \
    } while (0)
__attribute__((noreturn)) ASY_PRINTF(4, 5) void asy_assert_failed(const char *file, int line,
                                                                  const char *cond,
                                                                  const char *fmt, ...);

/* ASY_AUTO(free) char *text = NULL;  frees at the end of the scope. Only in short functions
 * without goto: a jump over the declaration would leave it uninitialised. */
#define ASY_AUTO(fn) __attribute__((cleanup(asy__auto_##fn)))
void asy__auto_free(void *pointer_to_pointer);
void asy__auto_close(int *fd);
#endif
