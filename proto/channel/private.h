/* SPDX-License-Identifier: Apache-2.0
 * private.h - small files that only their owner may read (or only their owner may write). */
#ifndef ASY_PRIVATE_H
#define ASY_PRIVATE_H
#include <asy/error.h>

#define ASY__SECRET 077 /* bits of the mode that a secret must not have */
#define ASY__OURS 022   /* others may read it, only we may change it */

/* Reads a whole regular file of at most max bytes; owner and mode are those of the opened file.
 * ASY_E_NOENT: there is none. ASY_E_DENIED: another user's, or a bit of forbidden is set; the text
 * has the chmod that mends it. The text is terminated and the caller's to asy__wipe(). */
ASY_MUST_CHECK int asy__private_read(const char *path, unsigned forbidden, size_t max,
                                     char **ret_text, size_t *ret_len, struct asy_error *err);
/* Writes path durably with mode 0600 whatever the umask, making its folder. */
ASY_MUST_CHECK int asy__private_write(const char *path, const char *text, size_t len,
                                      struct asy_error *err);
/* The same, but ASY_E_EXISTS if path exists, which then is left alone. */
ASY_MUST_CHECK int asy__private_create(const char *path, const char *text, size_t len,
                                       struct asy_error *err);
/* Overwrites, then frees. NULL is fine. */
void asy__wipe(char *text, size_t len);
#endif
