/* SPDX-License-Identifier: Apache-2.0
 * layers.h - the networks that study files list layer by layer: their JSON, as the canonical text
 * of a study has it, with "{name}" where a parameter's value belongs.
 *
 * [{"dense":"{width}","act":"relu"},{"dropout":0.2},{"dense":64,"name":"a"},{"add":"a"}, ...]
 *
 * The outputs' layer is not listed. What the options are is held against the study's table of keys
 * by a test. */
#ifndef ASY__LAYERS_H
#define ASY__LAYERS_H
#include <asy/json.h>
#include "net.h"

/* Layers for so many outputs; params: of the trial, or NULL. The caller frees *ret. ASY_E_INVAL
 * names layer and option. */
ASY_MUST_CHECK int asy__layers_read(const struct asy_json *list, const struct asy_json *params,
                                    size_t outputs, struct asy__layer_desc **ret, size_t *ret_n,
                                    struct asy_error *err);
/* Whether an option is the value of this parameter. */
int asy__layers_have(const struct asy_json *list, const char *param);
/* The list with the values of params in it. rates 0: but for shares of dropout, which can change
 * from one checkpoint to the next. */
void asy__layers_write(const struct asy_json *list, const struct asy_json *params, int rates,
                       struct asy_jsonw *w, const char *key);
/* The options of a kind of layer ("any": of all), in the order of the study's table; NULL beyond
 * the last. */
const char *asy__layers_option(const char *kind, size_t i);
#endif
