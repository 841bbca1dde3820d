/* SPDX-License-Identifier: Apache-2.0
 * export_impl.h - what the formats share: the model, and what a table's columns are outside. */
#ifndef ASY__EXPORT_IMPL_H
#define ASY__EXPORT_IMPL_H
#include <asy/export.h>
#include "graph.h"
#include "state.h"

struct asy__export {
    const struct asy__model *model;
    const struct asy_json *about; /* the model's description, as model.c writes it */
    const char *report; /* how it did on the validation part, as JSON; NULL: not told */
    const char *study;
    const char *version;
};
ASY_MUST_CHECK int asy__export_onnx(const struct asy__export *export, struct asy_buf *ret,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__export_c(const struct asy__export *export, struct asy_buf *ret,
                                 struct asy_error *err);

/* What a column is for who calls an export: a category of which all values are numbers that a float
 * tells apart is a number, too. */
enum asy__given { ASY__GIVEN_NOT, ASY__GIVEN_NUMBER, ASY__GIVEN_CODE, ASY__GIVEN_TEXT };
enum asy__given asy__given(const struct asy__column *column); /* CODE: such a category */
/* Value i of a CODE. */
float asy__code(const struct asy__column *column, size_t i);
/* One line: what it is, and of which study and trial. */
void asy__export_title(const struct asy__export *export, struct asy_buf *ret);

/* Parameters or buffers: the i-th tensor of a layer. */
const float *asy__export_tensor(const struct asy__model *model, const struct asy__layer *layer,
                                size_t i);

/* The layers of a network, the trees: from features [N][n_features] to [N][outs]. Of a model of
 * tokens: from their numbers, the input ASY__ONNX_TOKENS, to [N][T][vocabulary].
 * ASY_E_UNSUPPORTED: a layer that cannot be said. */
#define ASY__ONNX_TOKENS "tokens"
ASY_MUST_CHECK int asy__onnx_net(struct asy__graph *graph, const struct asy__model *model,
                                 const char *features, const char **ret_outs,
                                 struct asy_error *err);
const char *asy__onnx_trees(struct asy__graph *graph, const struct asy__model *model,
                            const char *features);
#endif
