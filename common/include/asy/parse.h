/* SPDX-License-Identifier: Apache-2.0
 * asy/parse.h - the only place where text becomes numbers, durations and sizes.
 *
 * Text is pointer plus length; trailing text, overflow and empty input are ASY_E_FORMAT or
 * ASY_E_TOOBIG; the locale never matters. Threads: any. */
#ifndef ASY_PARSE_H
#define ASY_PARSE_H
#include <asy/error.h>

ASY_MUST_CHECK int asy_parse_i64(const char *text, size_t len, int64_t *ret, struct asy_error *err);
ASY_MUST_CHECK int asy_parse_u64(const char *text, size_t len, uint64_t *ret,
                                 struct asy_error *err);
/* Decimal and scientific notation; inf, -inf and nan (any case) are accepted. */
ASY_MUST_CHECK int asy_parse_f64(const char *text, size_t len, double *ret, struct asy_error *err);
/* "250ms", "30s", "10m", "2h", "1d"; a bare number is seconds. Result in milliseconds. */
ASY_MUST_CHECK int asy_parse_duration(const char *text, size_t len, int64_t *ret_ms,
                                      struct asy_error *err);
/* "512", "64KiB", "1MiB", "2GiB", "1TiB" (also kB, MB, GB, TB by 1000). Result in bytes. */
ASY_MUST_CHECK int asy_parse_size(const char *text, size_t len, uint64_t *ret_bytes,
                                  struct asy_error *err);
/* Shortest text that reads back to the same double; "nan", "inf", "-inf". text holds 32 bytes. */
const char *asy_format_f64(double value, char text[32]);
/* At most five significant digits, for sentences that people read; never for what is stored. Below
 * 10^15 a large one is written out: 1843200. */
const char *asy_format_short(double value, char text[32]);
/* The candidate nearest to word by edit distance (at most a third of its length wrong), else NULL:
 * the "did you mean" of every message. Of candidates some may be NULL. */
const char *asy_nearest(const char *word, size_t len, const char *const *candidates, size_t n);
#endif
