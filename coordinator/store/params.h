/* SPDX-License-Identifier: Apache-2.0
 * params.h - the members of a flat JSON object as text: what trackers call parameters. */
#ifndef ASY__PARAMS_H
#define ASY__PARAMS_H
#include <asy/buf.h>

/* Calls each with the name and the text of every member, in order. Numbers keep the spelling that
 * they have in the JSON (or, where a string has escapes or something nests, get the shortest exact
 * one), strings lose their quotes, true, false and null are themselves, an object or array is "".
 * scratch: memory used again from call to call. What each returns, unless 0, ends the walk.
 * ASY_E_FORMAT: not an object. */
typedef int (*asy__param_f)(void *arg, const char *name, const char *value, size_t len);
ASY_MUST_CHECK int asy__params_each(const char *json, struct asy_buf *scratch, asy__param_f each,
                                    void *arg, struct asy_error *err);
#endif
