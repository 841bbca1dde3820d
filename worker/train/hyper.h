/* SPDX-License-Identifier: Apache-2.0
 * hyper.h - the hyperparameters of the model families: one table with type, range and default. */
#ifndef ASY__HYPER_H
#define ASY__HYPER_H
#include <asy/json.h>
#include <asy/kernels.h>

enum asy__optimizer { ASY__SGD, ASY__ADAM };
struct asy__hyper {
    double lr, momentum, beta1, beta2, epsilon, weight_decay;
    int64_t hidden, layers, batch_size, patience;
    int64_t activation; /* enum asy_act */
    int64_t optimizer;  /* enum asy__optimizer */
    int64_t nesterov;
};
void asy__hyper_defaults(struct asy__hyper *hyper);
/* Sets what the object names; unknown names, wrong types and values out of range are errors. NULL
 * and null change nothing. */
ASY_MUST_CHECK int asy__hyper_read(const struct asy_json *node, struct asy__hyper *hyper,
                                   struct asy_error *err);
void asy__hyper_write(const struct asy__hyper *hyper, struct asy_jsonw *w, const char *key);
#endif
