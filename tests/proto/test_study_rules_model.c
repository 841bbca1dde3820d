/* SPDX-License-Identifier: Apache-2.0
 * Study files: mistakes in how a model is made and trained, with their places. */
#include "studykit.h"

#define LAYERS(list, more)                                                                         \
    HEAD "run: {model: layers, length: {max: 9}, layers: " list "}\n" DATA OBJECTIVE BUDGET        \
         "parameters: {lr: {min: 0.1, max: 1}" more "}\n"

static void mistakes_in_resources_are_named(void)
{
    static const struct bad_case cases[] = {
        { "gpus of a rank", MODEL "resources: {gpus: 2}\n",
          "s.yaml:8:19: resources.gpus: a rank of a model is trained on one GPU at most; ranks: 2 "
          "has as many" },
        { "gpus and the cpu", MODEL "resources: {gpus: 1, device: cpu}\n",
          "s.yaml:8:30: resources.device: is cpu, so gpus are of no use" },
        { "gpus of trees", HEAD "run: {model: gbdt, length: {max: 3}}\n" DATA OBJECTIVE BUDGET
          "parameters: {lr: {min: 0.1, max: 1}}\nresources: {gpus: 2}\n",
          "resources.gpus: a rank of a model is trained on one GPU at most" },
        { "strict trees on a device", HEAD "run: {model: gbdt, length: {max: 3}}\n" DATA OBJECTIVE
          BUDGET "parameters: {lr: {min: 0.1, max: 1}}\n"
          "resources: {device: opencl, reproducible: strict}\n",
          "resources.reproducible: strict is for CPUs" },
        { "cuda without gpus", MODEL "resources: {device: cuda}\n",
          "resources.device: cuda needs resources.gpus, 1 or a part of one" },
        { "strict on a device", MODEL "resources: {device: opencl, reproducible: strict}\n",
          "resources.reproducible: strict is for CPUs" },
        { "strict with gpus", MODEL "resources: {gpus: 1, reproducible: strict}\n",
          "resources.reproducible: strict is for CPUs" },
        { "device of a command", COMMAND "resources: {device: opencl}\n",
          "resources.device: is of models; a command chooses for itself" },
        { "more than one and a half", COMMAND "resources: {gpus: 1.5}\n",
          "resources.gpus: must be a whole number from 0 to 64, or a part of one (as 0.5, in steps "
          "of 0.0001), not '1.5'" },
        { "too small a part", COMMAND "resources: {gpus: 0.00005}\n", "resources.gpus: must be" },
        { "less than none", COMMAND "resources: {gpus: -1}\n", "resources.gpus: must be" },
        { "too many", COMMAND "resources: {gpus: 65}\n", "resources.gpus: must be" },
        { "no number", COMMAND "resources: {gpus: all}\n", "resources.gpus: must be" },
        { "ranks of a command", COMMAND "resources: {ranks: 2, cores: 3}\n",
          "resources.ranks: counts the processes of a model; a command starts its own: cores: 6 "
          "and command: [mpirun, --bind-to, none, -n, \"2\", ...]" },
        { "no ranks", MODEL "resources: {ranks: 0}\n",
          "resources.ranks: must be a whole number from 1 to 4096" },
        { "too many ranks", MODEL "resources: {ranks: 4097}\n",
          "resources.ranks: must be a whole number from 1 to 4096" },
        { "device", MODEL "resources: {device: tpu}\n",
          "resources.device: must be one of auto, cpu, opencl, cuda, not 'tpu'" },
        { "a gpu", MODEL "resources: {device: gpu}\n",
          "must be one of auto, cpu, opencl, cuda, not 'gpu'; a GPU is 'cuda' (NVIDIA's) or "
          "'opencl', beside gpus: 1\n" },
        { "a gpu by its number", MODEL "resources: {device: \"GPU:0\"}\n",
          "not 'GPU:0'; a GPU is 'cuda'" },
        { "strict ranks", MODEL "resources: {reproducible: strict, ranks: 9}\n",
          "resources.ranks: at most 8 with reproducible: strict" },
        { "strict command", COMMAND "resources: {reproducible: strict}\n",
          "resources.reproducible: strict is of models" },
        { "reproducible", MODEL "resources: {reproducible: yes}\n", "resources.reproducible: " },
        { "memory", MODEL "resources: {memory: 5}\n",
          "must be a size (as 512MiB, 2GiB) from 1MiB" },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_layers_are_named(void)
{
    static const struct bad_case cases[] = {
        { "no layers", HEAD "run: {model: layers, length: {max: 9}}\n" DATA OBJECTIVE BUDGET
          "parameters: {lr: {min: 0.1, max: 1}}\n", "run.layers: is missing" },
        { "layers that are none", LAYERS("5", ""), "s.yaml:3:48: run.layers: must be a list of 1" },
        { "an empty list", LAYERS("[]", ""), "run.layers: must be a list of 1" },
        { "no layer", LAYERS("[{dense: 4}, 7]", ""),
          "s.yaml:3:61: run.layers[1]: must be a layer, as {dense: 64}, not '7'" },
        { "an empty layer", LAYERS("[{}]", ""), "run.layers[0]: must be a layer" },
        { "an unknown layer", LAYERS("[{dens: 4}]", ""),
          "s.yaml:3:50: run.layers[0]: unknown key 'dens'; did you mean 'dense'?" },
        { "layers that do not go together", LAYERS("[{dense: 4, dropout: 0.5}]", ""),
          "run.layers[0]: needs one kind of layer, with options of that kind; layers are dense" },
        { "a layer's range", LAYERS("[{dropout: 1}]", ""),
          "s.yaml:3:59: run.layers[0].dropout: must be a number from 0 to 0.99, not '1'" },
        { "an option's range", LAYERS("[{attention: 2, dropout: 1}]", ""),
          "run.layers[0].dropout: must be a number from 0 to 0.99, not '1'" },
        { "a layer's word", LAYERS("[{act: rel}]", ""),
          "run.layers[0].act: must be one of relu, tanh, gelu, sigmoid, silu, leaky_relu, "
          "softmax, not 'rel'; did you mean 'relu'?" },
        { "a layer's flag", LAYERS("[{dense: 4}, {flatten: false}]", ""), "must be true" },
        { "a sum of none", LAYERS("[{dense: 4, name: stem}, {add: stemm}]", ""),
          "run.layers[1].add: no layer before it has the name 'stemm'; did you mean 'stem'?" },
        { "a sum with what has no name", LAYERS("[{dense: 4}, {act: relu}, {add: stem}]", ""),
          "run.layers[2].add: no layer before it has the name 'stem'\n" },
        { "a name twice", LAYERS("[{dense: 4, name: a}, {act: relu, name: a}]", ""),
          "run.layers[1].name: 'a' is the name of another layer" },
        { "a name that is taken", LAYERS("[{dense: 4, name: features}]", ""),
          "'features' is what the data gives" },
        { "no such parameter", LAYERS("[{dense: \"{widht}\"}, {dense: \"{width}\"}]",
          ", width: {min: 2, max: 9}"),
          "s.yaml:3:57: run.layers[0].dense: 'widht' is no parameter of the study; did you mean "
          "'width'?" },
        { "a parameter in a name", LAYERS("[{dense: 4, name: \"{a}\"}]", ", a: {values: [b]}"),
          "run.layers[0].name: cannot be a parameter's" },
        { "a parameter of another range", LAYERS("[{dense: \"{w}\"}]", ", w: {min: 0, max: 9}"),
          "parameters.w: must be a whole number from 1 to 65536" },
        { "a parameter of another type", LAYERS("[{dense: \"{w}\"}]", ", w: {min: 0.5, max: 9}"),
          "parameters.w: must be a whole number from 1 to 65536" },
        { "a parameter of other words", LAYERS("[{dense: 3}, {act: \"{f}\"}]",
          ", f: {values: [relu, rely]}"), "parameters.f: every value must be one of relu, tanh" },
        { "a parameter that may lack", LAYERS("[{dense: \"{w}\"}]",
          ", o: {values: [sgd, adam]}, w: {min: 2, max: 9, when: {o: sgd}}"),
          "parameters.w: a layer has its value, so it cannot have conditions" },
        { "no layer has it", LAYERS("[{dense: 3}]", ", w: {min: 2, max: 9}"),
          "parameters.w: is not a hyperparameter of layers, nor has a layer its value" },
        { "a slip beside it", LAYERS("[{dense: 3}, {dropout: \"{rte}\"}]",
          ", rate: {min: 0, max: 0.5}"),
          "run.layers[1].dropout: 'rte' is no parameter of the study; did you mean 'rate'?" },
        { "layers as a parameter", HEAD "run: {model: layers, length: {max: 9}}\n" DATA OBJECTIVE
          BUDGET "parameters: {layers: {min: 1, max: 4}}\n",
          "parameters.layers: cannot be searched" },
        { "layers as values", HEAD "run: {model: layers, length: {max: 9}}\n" DATA OBJECTIVE
          BUDGET "parameters: {layers: {values: [0]}}\n",
          "parameters.layers: cannot be searched" },
        { "a layer's parameter of a taken name", LAYERS("[{dense: \"{batch_size}\"}]",
          ", batch_size: {min: 2, max: 9}"),
          "run.layers[0].dense: 'batch_size' is the name of a hyperparameter; a layer's parameter "
          "needs another" },
        { "of another family", HEAD "run: {model: linear, hidden: 9, length: {max: 9}}\n" DATA
          OBJECTIVE BUDGET "parameters: {lr: {min: 0.1, max: 1}}\n",
          "run.hidden: is an option of mlp, not of linear" },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void an_option_of_a_layer_may_be_off(void)
{
    struct asy_study_spec *spec =
        parse("causal", LAYERS("[{attention: 2, causal: false}]", ""));

    if (T_TRUE(spec != NULL))
        T_HAS("kept", spec->canonical, "\"causal\":false");
    asy_study_destroy(spec);
}

static void what_cannot_be_had_together_is_named(void)
{
    static const struct bad_case cases[] = {
        { "strict batches", HEAD "run: {model: cnn, norm: batch, length: {max: 3}}\n" DATA OBJECTIVE
          "parameters: {lr: {min: 0.1, max: 0.9}}\n" BUDGET
          "resources: {reproducible: strict}\n", "run.norm: batch needs whole batches" },
        { "strict batches, searched", HEAD "run: {model: mlp, length: {max: 3}}\n" DATA OBJECTIVE
          "parameters: {norm: {values: [none, batch]}}\n" BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:6:20: parameters.norm: batch needs whole batches, which reproducible" },
        { "strict batches in a list", LAYERS("[{dense: 4}, {norm: batch}]", "")
          "resources: {reproducible: strict}\n",
          "s.yaml:3:68: run.layers[1].norm: batch needs whole batches" },
        { "strict batches in a list, searched",
          LAYERS("[{dense: 4}, {norm: \"{n}\"}]", ", n: {values: [layer, batch]}")
          "resources: {reproducible: strict}\n", "parameters.n: batch needs whole batches" },
        { "batches in pieces", HEAD "run: {model: cnn, norm: batch, accumulate: 2, length: {max: "
          "3}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:25: run.norm: batch needs whole batches, which accumulate computes in pieces" },
        { "batches in pieces, searched", HEAD "run: {model: mlp, norm: batch, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {accumulate: {values: [1, 4]}}\n" BUDGET,
          "run.norm: batch needs whole batches, which accumulate" },
        { "batches in pieces in a list",
          LAYERS("[{norm: batch}]", ", accumulate: {min: 1, max: 2}"),
          "run.layers[0].norm: batch needs whole batches, which accumulate" },
        { "strict bits of rounded sums", HEAD
          "run: {model: mlp, wire: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:3:25: run.wire: bf16 has other bits for other nodes" },
        { "rounded weights", HEAD
          "run: {model: mlp, wire: bf16, sync_every: 4, length: {max: 3}}\n" DATA OBJECTIVE PARAMS
          BUDGET, "s.yaml:3:25: run.wire: bf16 rounds gradients" },
        { "rounded weights, searched", HEAD "run: {model: mlp, sync_every: 4, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {wire: {values: [fp32, bf16]}}\n" BUDGET,
          "parameters.wire: bf16 rounds gradients" },
        { "strict bits of rounded products", HEAD
          "run: {model: mlp, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:3:30: run.precision: bf16 has not the same bits on every machine" },
        { "strict bits of rounded products, searched", HEAD "run: {model: gpt, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {precision: {values: [fp32, bf16]}}\n" BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:6:25: parameters.precision: bf16 has not the same bits" },
        { "rounded products on opencl", HEAD
          "run: {model: mlp, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {device: opencl}\n",
          "s.yaml:3:30: run.precision: bf16 is for CPUs; the device that resources.device" },
        { "rounded products on cuda", HEAD
          "run: {model: linear, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {device: cuda, gpus: 1}\n", "run.precision: bf16 is for CPUs" },
        { "rounded products with gpus", HEAD
          "run: {model: mlp, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {gpus: 0.5}\n",
          "run.precision: bf16 is for CPUs; the device that resources.gpus asks for" },
        { "rounded products with gpus, searched", HEAD "run: {model: gpt, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {precision: {values: [fp32, bf16]}}\n" BUDGET
          "resources: {gpus: 1}\n", "s.yaml:6:25: parameters.precision: bf16 is for CPUs" },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_weights_of_classes_are_named(void)
{
    static const struct bad_case cases[] = {
        { "no weights", HEAD "run: {model: mlp, class_weights: 2, length: {max: 9}}\n" DATA
          OBJECTIVE PARAMS BUDGET, "s.yaml:3:34: run.class_weights: must be a map of classes and "
          "numbers, or a list of numbers, not '2'\n" },
        { "weights of none", HEAD "run: {model: mlp, class_weights: {}, length: {max: 9}}\n" DATA
          OBJECTIVE PARAMS BUDGET, "run.class_weights: must be a map of classes" },
        { "a weight", HEAD "run: {model: cnn, class_weights: {0: 2, cat: 0}, length: {max: 9}}\n"
          DATA OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:46: run.class_weights.'cat': must be a number from 1e-06 to 1e+06, not '0'\n" },
        { "a weight in order", HEAD "run: {model: mlp, class_weights: [1, x], length: {max: 9}}\n"
          DATA OBJECTIVE PARAMS BUDGET,
          "run.class_weights[1]: must be a number from 1e-06 to 1e+06, not 'x'\n" },
        { "weights of trees", HEAD "run: {model: gbdt, class_weights: [1, 2], length: {max: 9}}\n"
          DATA OBJECTIVE PARAMS BUDGET, "run.class_weights: " },
        { "searched weights", MODEL_HEAD OBJECTIVE BUDGET
          "parameters: {class_weights: {min: 1, max: 2}}\n",
          "parameters.class_weights: cannot be searched; class_balance can" },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

/* What is offered in its place is reported then: not what is of other labels. */
static void a_wrong_metric_is_offered_those_of_its_labels(void)
{
#define ABOUT(model, task, metric) HEAD "run: {model: " model ", length: {max: 9}}\n" \
    "data: {file: d.csv, " task "}\nobjective: {metric: " metric ", goal: minimize}\n" PARAMS BUDGET
#define OF_CLASSES "train_loss, train_accuracy, val_loss, val_accuracy, val_f1, val_auc, " \
    "val_perplexity, val_top2, val_top3, val_top5, val_top10"
    static const struct bad_case cases[] = {
        { "classes", ABOUT("mlp", "task: classification", "x"), "mlp does not report 'x', but "
          OF_CLASSES "\n" },
        { "numbers", ABOUT("gbdt", "task: regression", "x"), "gbdt does not report "
          "'x', but train_loss, train_mae, train_rmse, train_r2, val_loss, val_mae, "
          "val_rmse, val_r2\n" },
        { "either", ABOUT("cnn", "label: 1", "x"), "but train_loss, train_accuracy, "
          "train_mae, train_rmse, train_r2, val_loss, val_accuracy, " },
        { "tokens", ABOUT("gpt", "format: text", "x"), "gpt does not report 'x', but "
          "train_loss, train_accuracy, train_perplexity, val_loss, val_accuracy, "
          "val_perplexity\n" },
        { "a spread", ABOUT("mlp", "split: {folds: 3}", "val_loss_std"), "'val_loss_std' says how "
          "far divisions of the data are apart; a trial is judged by their mean, 'val_loss'\n" },
        { "a spread of nothing", ABOUT("mlp", "split: {folds: 3}", "val_lo_std"),
          "mlp does not report 'val_lo_std', but " },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

T_MAIN("study rules of models", T_TEST(mistakes_in_resources_are_named),
       T_TEST(mistakes_in_layers_are_named), T_TEST(an_option_of_a_layer_may_be_off),
       T_TEST(what_cannot_be_had_together_is_named),
       T_TEST(mistakes_in_weights_of_classes_are_named),
       T_TEST(a_wrong_metric_is_offered_those_of_its_labels))
