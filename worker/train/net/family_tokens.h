/* SPDX-License-Identifier: Apache-2.0
 * family_tokens.h - the model families of sequences. */
#ifndef ASY__FAMILY_TOKENS_H
#define ASY__FAMILY_TOKENS_H
#include "data/data.h"
#include "hyper.h"
#include "net.h"

#define ASY__CONTEXT_MAX 8192 /* tokens of a row */

/* The network of a gpt or a transformer. options: but for the features, and with fewer rows of
 * evaluation where these have many tokens. */
ASY_MUST_CHECK int asy__family_tokens_net(const struct asy__hyper *hyper,
                                          const struct asy__schema *schema,
                                          const struct asy__net_options *options,
                                          struct asy__net **ret_net, struct asy_error *err);
#endif
