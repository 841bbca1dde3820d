/* SPDX-License-Identifier: Apache-2.0
 * reasons.h - why trials did not run to their end, grouped by cause, with what to do about it.
 * Threads: any. */
#ifndef ASY__REASONS_H
#define ASY__REASONS_H
#include <asy/buf.h>
#include <asy/json.h>

/* trials: the answer to "trials"; study: the answer to "study". One or more lines per cause, each
 * begun by `indent` and no wider than width (0: any) where words allow. */
ASY_MUST_CHECK int asy__reasons(const struct asy_json *study, const struct asy_json *trials,
                                const char *indent, size_t width, struct asy_buf *out,
                                struct asy_error *err);
#endif
