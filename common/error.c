/* SPDX-License-Identifier: Apache-2.0
 * error.c - filling struct asy_error. The new text is built aside and copied, so that arguments
 * may point into the text it replaces. errno is left as it was. */
#include <asy/error.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "utf8.h"

#define TEXT_SIZE sizeof(((struct asy_error *)0)->text)

static void keep(struct asy_error *err, const char *text, int len)
{
    size_t n = len < 0 ? 0 : (size_t)len;

    if (n >= TEXT_SIZE)
        n = asy__utf8_cut(text, TEXT_SIZE - 1);
    memcpy(err->text, text, n);
    err->text[n] = 0;
}

int asy_fail(struct asy_error *err, enum asy_code code, const char *fmt, ...)
{
    char text[TEXT_SIZE + 4];
    int saved = errno;
    va_list args;

    if (err) {
        va_start(args, fmt);
        keep(err, text, vsnprintf(text, sizeof text, fmt, args));
        va_end(args);
        err->code = code;
    }
    errno = saved;
    return code;
}

static enum asy_code code_of(int errnum)
{
    switch (errnum) {
    case ENOMEM:
        return ASY_E_NOMEM;
    case ENOENT:
        return ASY_E_NOENT;
    case EEXIST:
        return ASY_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ASY_E_NOSPACE;
    case EACCES:
    case EPERM:
        return ASY_E_DENIED;
    case EAGAIN:
        return ASY_E_AGAIN;
    case ETIMEDOUT:
        return ASY_E_TIMEOUT;
    default:
        return ASY_E_IO;
    }
}

/* The C library's English text in our spelling: "No such file" starts lower case, "RPC" stays. */
const char *asy_errno_text(int errnum, char text[80])
{
    const char *known = strerrordesc_np(errnum);

    if (known)
        snprintf(text, 80, "%s", known);
    else
        snprintf(text, 80, "error %d", errnum);
    if (text[0] && !isupper((unsigned char)text[1]))
        text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

int asy_fail_errno(struct asy_error *err, int errnum, const char *fmt, ...)
{
    enum asy_code code = code_of(errnum);
    char text[TEXT_SIZE + 4], why[80];
    int saved = errno;
    size_t room, n;
    va_list args;
    int len;

    if (err) {
        asy_errno_text(errnum, why);
        va_start(args, fmt);
        len = vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        /* The reason matters more than the end of a long path. */
        room = TEXT_SIZE - 1 - strlen(why) - 2;
        n = len < 0 ? 0 : (size_t)len;
        if (n > room)
            n = asy__utf8_cut(text, room);
        memcpy(err->text, text, n);
        snprintf(err->text + n, TEXT_SIZE - n, ": %s", why);
        err->code = code;
    }
    errno = saved;
    return code;
}

void asy_error_prefix(struct asy_error *err, const char *fmt, ...)
{
    char text[2 * TEXT_SIZE];
    int saved = errno, len;
    va_list args;

    if (!err)
        return;
    va_start(args, fmt);
    len = vsnprintf(text, TEXT_SIZE, fmt, args);
    va_end(args);
    if (len >= (int)TEXT_SIZE)
        len = TEXT_SIZE - 1;
    if (len >= 0)
        keep(err, text, len + snprintf(text + len, sizeof text - (size_t)len, ": %s", err->text));
    errno = saved;
}

const char *asy_code_name(int code)
{
    static const char *const names[] = {
        "ok",        "invalid",   "no-memory", "io",       "no-entry",    "exists",  "full",
        "no-space",  "again",     "gone",      "timeout",  "denied",      "format",  "too-big",
        "unsupported", "busy",    "state",     "corrupt",  "cancelled",
    };

    return code <= 0 && code > -(int)ASY_ARRAY_LEN(names) ? names[-code] : "unknown";
}
