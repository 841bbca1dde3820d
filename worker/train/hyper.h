/* SPDX-License-Identifier: Apache-2.0
 * hyper.h - the hyperparameters of the model families: a table for each, with type, range and
 * default; a plug-in adds its own. */
#ifndef ASY__HYPER_H
#define ASY__HYPER_H
#include <asy/json.h>
#include <asy/kernels.h>
#include <asy/plugin.h>

enum asy__family {
    ASY__MLP, ASY__GBDT, ASY__LINEAR, ASY__CNN, ASY__LAYERS, ASY__PLUGIN, ASY__GPT,
    ASY__TRANSFORMER, ASY__FAMILIES,
};
enum asy__optimizer {
    ASY__SGD,
    ASY__ADAM, ASY__ADAMW, /* one and the same: with decoupled weight decay */
    ASY__ADAM_L2, ASY__LAMB, ASY__LARS,
};
enum asy__loss { ASY__LOSS_AUTO, ASY__LOSS_HUBER, ASY__LOSS_QUANTILE, ASY__LOSS_BINARY };
enum asy__norm { ASY__NORM_NONE, ASY__NORM_LAYER, ASY__NORM_BATCH };
enum asy__precision { ASY__FP32, ASY__BF16 }; /* of products, and of what goes between nodes */
enum asy__padding { ASY__PADDING_SAME, ASY__PADDING_VALID };
enum asy__pooling { ASY__POOLING_MAX, ASY__POOLING_MEAN, ASY__POOLING_NONE };
#define ASY__BLOCKS_MAX 6 /* of a cnn */
#define ASY__HIDDEN_MAX 8 /* layers of an mlp, beside its outputs */
struct asy__hyper {
    int64_t family; /* enum asy__family */
    double lr;
    int64_t patience;
    /* networks */
    double momentum, beta1, beta2, epsilon, weight_decay, trust, clip, ema;
    int64_t optimizer; /* enum asy__optimizer */
    int64_t nesterov, batch_size, accumulate;
    int64_t sync_every; /* batches */
    double outer_lr, outer_momentum;
    int64_t wire; /* enum asy__precision */
    int64_t lr_schedule;              /* enum asy__lr_schedule */
    double warmup, lr_end, lr_factor; /* warmup: epochs */
    int64_t lr_every;                 /* epochs */
    int64_t loss;                     /* enum asy__loss */
    double label_smoothing, class_balance, delta, quantile;
    const struct asy_json *class_weights; /* by class, or in their order; borrowed from what was
                                           * read; NULL: ones */
    int64_t precision;                /* enum asy__precision */
    /* mlp, gpt, transformer */
    double dropout;
    double attention_dropout; /* gpt, transformer */
    int64_t activation; /* enum asy_act */
    /* mlp */
    int64_t hidden, layers;
    int64_t hidden_of[ASY__HIDDEN_MAX]; /* of each layer; 0: hidden */
    int64_t norm;       /* enum asy__norm */
    /* cnn, beside activation, dropout, hidden and norm */
    int64_t filters, blocks, kernel;
    int64_t padding;  /* enum asy__padding */
    int64_t pool;     /* enum asy__pooling */
    int64_t residual;
    int64_t image_height, image_width, image_channels; /* 0: as the data say */
    /* cnn, layers */
    int64_t augment_crop, augment_shift, augment_flip; /* data/augment.h */
    /* layers; both borrowed from what was read */
    const struct asy_json *list;   /* layers.h; NULL: none was given */
    const struct asy_json *values; /* the object that has values of parameters for it */
    /* gpt, transformer, beside activation, blocks and dropout */
    int64_t d_model, heads;
    int64_t context, tied; /* gpt */
    int64_t tokens;        /* transformer; 0: as many as features */
    /* gbdt */
    double l1, l2, gamma, min_child_weight, subsample, colsample;
    int64_t max_depth, bins;
    /* plugin */
    const struct asy_trainer_plugin *plugin; /* its table; NULL: not of that family, or not known */
    double own[ASY_PLUGIN_HYPERS_MAX];       /* in the table's order */
};
const char *asy__family_name(enum asy__family family);
/* -1: there is no such family. NULL is none. */
int asy__family_find(const char *name);
/* What is not of the family is 0. */
void asy__hyper_defaults(enum asy__family family, struct asy__hyper *hyper);
/* The table of a plug-in, with its defaults. */
void asy__hyper_plugin(const struct asy_trainer_plugin *plugin, struct asy__hyper *hyper);
/* Sets what the object names, by hyper's family; unknown names, wrong types and values out of range
 * are errors. NULL and null change nothing. Of a list of layers, which may stand there or in an
 * object that was read before, the object may also have parameters. */
ASY_MUST_CHECK int asy__hyper_read(const struct asy_json *node, struct asy__hyper *hyper,
                                   struct asy_error *err);
/* The word that a hyperparameter of words has: "adam". NULL: there is none of that name. */
const char *asy__hyper_word(const struct asy__hyper *hyper, const char *name);
void asy__hyper_write(const struct asy__hyper *hyper, struct asy_jsonw *w, const char *key);
#endif
