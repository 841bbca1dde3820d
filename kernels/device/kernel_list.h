/* SPDX-License-Identifier: Apache-2.0
 * kernel_list.h - all kernels of device/source, with the items of their groups, by theme. */
#ifndef ASY__KERNEL_LIST_H
#define ASY__KERNEL_LIST_H

#define ASY__KERNELS_PRODUCT(X)                                                                    \
    X(product_nn, 256)                                                                             \
    X(product_nt, 256)                                                                             \
    X(product_tn, 256)                                                                             \
    X(product_tt, 256)                                                                             \
    X(product_large_nn, 256)                                                                       \
    X(product_large_nt, 256)                                                                       \
    X(product_large_tn, 256)                                                                       \
    X(product_large_tt, 256)                                                                       \
    X(product_total, 256)
#define ASY__KERNELS_EACH(X)                                                                       \
    X(bias_act, 256)                                                                               \
    X(act, 256)                                                                                    \
    X(act_grad, 256)                                                                               \
    X(add, 256)                                                                                    \
    X(softmax, 64)                                                                                 \
    X(softmax_grad, 64)                                                                            \
    X(pick, 256)
#define ASY__KERNELS_SUMS(X)                                                                       \
    X(column_parts, 256)                                                                           \
    X(column_total, 64)                                                                            \
    X(fold_sums, 256)
#define ASY__KERNELS_LOSS(X)                                                                       \
    X(softmax_loss, 64)                                                                            \
    X(class_loss, 64)                                                                              \
    X(binary_loss, 64)                                                                             \
    X(pair, 256)                                                                                   \
    X(squared_loss, 64)                                                                            \
    X(huber_loss, 64)                                                                              \
    X(quantile_loss, 64)                                                                           \
    X(judge, 64)
#define ASY__KERNELS_UPDATE(X)                                                                     \
    X(sgd_step, 256)                                                                               \
    X(adam_step, 256)                                                                              \
    X(mean_step, 256)                                                                              \
    X(part_squares, 256)                                                                           \
    X(clip_factor, 256)                                                                            \
    X(lamb_moments, 256)                                                                           \
    X(trust_of, 256)                                                                               \
    X(lamb_apply, 256)                                                                             \
    X(lars_apply, 256)
#define ASY__KERNELS_NORM(X)                                                                       \
    X(dropout, 256)                                                                                \
    X(layer_norm, 64)                                                                              \
    X(layer_norm_grad, 64)                                                                         \
    X(norm_parts, 256)                                                                             \
    X(norm_total, 64)                                                                              \
    X(batch_parts, 256)                                                                            \
    X(batch_total, 64)                                                                             \
    X(batch_stats, 64)                                                                             \
    X(batch_stats_of, 64)                                                                          \
    X(batch_norm, 256)                                                                             \
    X(batch_norm_grad, 256)
#define ASY__KERNELS_TOKENS(X)                                                                     \
    X(embed, 256)                                                                                  \
    X(embed_grad, 128)                                                                             \
    X(attention_stats, 64)                                                                         \
    X(attention, 64)                                                                               \
    X(attention_mean, 64)                                                                          \
    X(attention_dq, 64)                                                                            \
    X(attention_dkv, 64)
#define ASY__KERNELS_IMAGE(X)                                                                      \
    X(conv, 128)                                                                                   \
    X(conv_pool, 128)                                                                              \
    X(conv_dx, 128)                                                                                \
    X(conv_dw, 128)                                                                                \
    X(max_pool, 256)                                                                               \
    X(max_pool_grad, 256)                                                                          \
    X(mean_pool, 256)                                                                              \
    X(mean_pool_grad, 256)                                                                         \
    X(global_mean, 256)                                                                            \
    X(global_mean_grad, 256)                                                                       \
    X(global_max, 256)                                                                             \
    X(global_max_grad, 256)

#define ASY__KERNELS_TREES(X)                                                                      \
    X(tree_clear, 256)                                                                             \
    X(tree_chances, 256)                                                                           \
    X(tree_top, 256)                                                                               \
    X(tree_pairs, 256)                                                                             \
    X(tree_fill, 256)                                                                              \
    X(tree_begin, 64)                                                                              \
    X(tree_build, 256)                                                                             \
    X(tree_root, 64)                                                                               \
    X(tree_subtract, 256)                                                                          \
    X(tree_split, 64)                                                                              \
    X(tree_choose, 64)                                                                             \
    X(tree_divide, 256)                                                                            \
    X(tree_finish, 64)                                                                             \
    X(tree_add, 256)

#define ASY__KERNEL_LIST(X)                                                                        \
    ASY__KERNELS_PRODUCT(X)                                                                        \
    ASY__KERNELS_EACH(X)                                                                           \
    ASY__KERNELS_SUMS(X)                                                                           \
    ASY__KERNELS_LOSS(X)                                                                           \
    ASY__KERNELS_UPDATE(X)                                                                         \
    ASY__KERNELS_NORM(X)                                                                           \
    ASY__KERNELS_TOKENS(X)                                                                         \
    ASY__KERNELS_IMAGE(X)                                                                          \
    ASY__KERNELS_TREES(X)

#define ASY__KERNEL_ENUM(name, items) ASY__K_##name,
enum asy__kernel_id { ASY__KERNEL_LIST(ASY__KERNEL_ENUM) ASY__KERNELS };
#undef ASY__KERNEL_ENUM
struct asy__kernel_entry {
    const char *name;
    unsigned items;
};
extern const struct asy__kernel_entry asy__kernel_list[ASY__KERNELS];
/* dialect.h and all kernels, as one text. */
extern const char asy__kernel_source[];
#endif
