/* SPDX-License-Identifier: Apache-2.0
 * asy/error.h - how every fallible function of the tree reports failure.
 *
 * A function returns 0 or a negative enum asy_code and, where the caller gave one, fills a
 * struct asy_error: what failed, then why, lower case, no full stop, the subject in single quotes.
 *
 * Ownership: the caller owns the struct asy_error; NULL is accepted everywhere.
 * Threads:   any; there is no thread-local "last error". */
#ifndef ASY_ERROR_H
#define ASY_ERROR_H
#include <asy/base.h>

enum asy_code {
    ASY_OK = 0,
    ASY_E_INVAL = -1,       /* a value from the caller or a user is not allowed */
    ASY_E_NOMEM = -2,       /* no memory */
    ASY_E_IO = -3,          /* the operating system refused; text has its reason */
    ASY_E_NOENT = -4,       /* it does not exist */
    ASY_E_EXISTS = -5,      /* it exists already */
    ASY_E_FULL = -6,        /* a bound of ours is reached (queue, table, budget) */
    ASY_E_NOSPACE = -7,     /* the disk or the quota is full */
    ASY_E_AGAIN = -8,       /* not now; try later */
    ASY_E_GONE = -9,        /* the peer or process is not there any more */
    ASY_E_TIMEOUT = -10,    /* a deadline passed */
    ASY_E_DENIED = -11,     /* not authorised */
    ASY_E_FORMAT = -12,     /* input does not parse: frame, file, number */
    ASY_E_TOOBIG = -13,     /* input exceeds a limit */
    ASY_E_UNSUPPORTED = -14,/* understood, but not something we do */
    ASY_E_BUSY = -15,       /* held by another owner (store lock, port) */
    ASY_E_STATE = -16,      /* not allowed in the present state */
    ASY_E_CORRUPT = -17,    /* stored data fails its check */
    ASY_E_CANCELLED = -18,  /* stopped on request */
};

struct asy_error {
    enum asy_code code;
    char text[240]; /* always terminated */
};
#define ASY_ERROR_INIT { ASY_OK, { 0 } }

/* Fills err (NULL allowed), cutting the text to fit, and returns code. */
ASY_PRINTF(3, 4) int asy_fail(struct asy_error *err, enum asy_code code, const char *fmt, ...);
/* Like asy_fail, appending ": <text of errnum>", with the code mapped from errnum
 * (ENOMEM, ENOENT, EEXIST, ENOSPC/EDQUOT, EACCES/EPERM, EAGAIN, ETIMEDOUT, else ASY_E_IO). */
ASY_PRINTF(3, 4) int asy_fail_errno(struct asy_error *err, int errnum, const char *fmt, ...);
/* What asy_fail_errno() says of errnum, in our spelling, where there is no error to fill. */
const char *asy_errno_text(int errnum, char text[80]);
/* Puts "<prefix>: " before the text that is there; the code stays. */
ASY_PRINTF(2, 3) void asy_error_prefix(struct asy_error *err, const char *fmt, ...);
/* The name of a code in lower case ("invalid", "no-entry", ...): for logs and JSON. */
const char *asy_code_name(int code);
#endif
