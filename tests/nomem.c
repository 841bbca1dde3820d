/* SPDX-License-Identifier: Apache-2.0
 * nomem.c - see nomem.h. */
#include "nomem.h"

#define EACH_MAX 100000 /* allocations; a call that needs more is stuck */

static long left = -1; /* allocations until one fails; below 0: none will */
static bool for_good, failed;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

static bool fails(void)
{
    if (left < 0 || left-- > 0)
        return false;
    if (for_good)
        left = 0;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, n, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return fails() ? NULL : __real_strndup(text, n);
}

static void set(long n, bool and_after)
{
    left = n;
    for_good = and_after;
    failed = false;
}

void t_nomem_at(long n)
{
    set(n, false);
}

void t_nomem_from(long n)
{
    set(n, true);
}

bool t_nomem_end(void)
{
    left = -1;
    return failed;
}

bool t_nomem_failed(void)
{
    return failed;
}

long t_nomem_each(const char *name, int (*call)(struct asy_error *err))
{
    for (long n = 0; n < EACH_MAX; n++) {
        struct asy_error err = ASY_ERROR_INIT;
        int rc;

        t_nomem_at(n);
        rc = call(&err);
        if (!t_nomem_end()) {
            T_OK(rc, &err);
            return n;
        }
        t__check(rc == ASY_E_NOMEM && err.code == ASY_E_NOMEM && err.text[0], __LINE__, __FILE__,
                 "%s: allocation %ld: %d '%s'", name, n, rc, err.text);
    }
    t__check(false, __LINE__, __FILE__, "%s: more than %d allocations", name, EACH_MAX);
    return EACH_MAX;
}
