/* SPDX-License-Identifier: Apache-2.0
 * families.h - the model families that are networks: what layers their hyperparameters ask for. */
#ifndef ASY__FAMILIES_H
#define ASY__FAMILIES_H
#include "data/data.h"
#include "hyper.h"
#include "net.h"

/* Whether a family's model is a network, trained batch by batch. */
int asy__family_is_net(enum asy__family family);
/* ASY_E_INVAL: a family of tokens for a table, or the other way round. */
ASY_MUST_CHECK int asy__family_check(enum asy__family family, const struct asy__schema *schema,
                                     struct asy_error *err);
/* The network of hyper's family for data of this schema; rows as struct asy__net_options has them.
 * The caller destroys it. */
ASY_MUST_CHECK int asy__family_net(const struct asy__hyper *hyper,
                                   const struct asy__schema *schema, size_t train_rows,
                                   size_t eval_rows, struct asy__net **ret_net,
                                   struct asy_error *err);
/* The same for so many parties (struct asy__net_options) that train it together. */
ASY_MUST_CHECK int asy__family_net_of(const struct asy__hyper *hyper,
                                      const struct asy__schema *schema, size_t train_rows,
                                      size_t eval_rows, size_t parties, struct asy__net **ret_net,
                                      struct asy_error *err);
/* Whether training rows are augmented (data/augment.h); what a network then takes its rows for. */
int asy__family_augments(const struct asy__hyper *hyper);
struct asy__shape asy__family_image(const struct asy__net *net);
#endif
