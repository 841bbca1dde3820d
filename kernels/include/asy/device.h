/* SPDX-License-Identifier: Apache-2.0
 * asy/device.h - networks on accelerators: programs of operations (asy/op.h) and their updates in
 * the memory of an OpenCL or CUDA device.
 *
 * What is asked for is put into the device's queue and runs in that order; only what reads waits
 * for it. A step of training (rows, gradient, update) reads nothing: asy_device_traffic() counts,
 * so that a test can hold it to that. Nothing falls back to the cpu: an operation that a device
 * cannot run is refused when the net is made.
 *
 * Batch normalisation goes by the rows at hand, or, where several have parts of a batch, by sums
 * that they join: each of its operations then reads the sums of its rows, and waits.
 *
 * Bits: the same device, driver and program give the same bits; there are no sums by atomics. They
 * are not those of the cpu.
 *
 * Libraries of drivers are loaded when a kind is first asked for, and never unloaded.
 *
 * Errors: ASY_E_NOENT: no such device, or no driver or compiler is installed, and which.
 * ASY_E_UNSUPPORTED: it is too old, or cannot do this. ASY_E_NOMEM: of the device.
 * ASY_E_GONE: the device or its driver failed, or is not there any more; all calls of the device
 * fail from then on.
 * Threads: a device and its nets belong to one thread. Ownership: create/destroy; a net borrows
 * its device. */
#ifndef ASY_DEVICE_H
#define ASY_DEVICE_H
#include <asy/error.h>
#include <asy/op.h>
#include <asy/update.h>

enum asy_device_kind { ASY_DEVICE_CPU, ASY_DEVICE_OPENCL, ASY_DEVICE_CUDA, ASY_DEVICE_KINDS };
extern const char *const asy_device_kinds[ASY_DEVICE_KINDS + 1]; /* "cpu", ..., NULL */

struct asy_device_info {
    enum asy_device_kind kind;
    char name[128], driver[128]; /* of the maker, and the version of its software */
    char address[32];            /* PCI, "0000:3b:00.0"; "": none is told */
    char uuid[48];               /* of NVIDIA, "GPU-8932f937-..."; "": none is told */
    uint64_t memory;             /* bytes */
    unsigned units;              /* of computing */
    int is_cpu;                  /* PoCL and its like */
};
/* Writes up to cap, *ret_n: how many there are. Those that variables of the driver hide
 * (CUDA_VISIBLE_DEVICES) are not there. ASY_DEVICE_CPU has none. */
ASY_MUST_CHECK int asy_device_list(enum asy_device_kind kind, struct asy_device_info *ret,
                                   size_t cap, size_t *ret_n, struct asy_error *err);

struct asy_device;
/* The index-th of the list. */
ASY_MUST_CHECK int asy_device_open(enum asy_device_kind kind, size_t index,
                                   struct asy_device **ret_device, struct asy_error *err);
void asy_device_close(struct asy_device *device); /* NULL is fine */
const struct asy_device_info *asy_device_info(const struct asy_device *device); /* borrowed */
/* Whether a call has given ASY_E_GONE: opened anew, it may be there again. */
int asy_device_is_gone(const struct asy_device *device);

/* Computes a little, and holds it against the cpu. ASY_E_CORRUPT: it is wrong; asy_kernels_init()
 * comes first. */
ASY_MUST_CHECK int asy_device_selftest(struct asy_device *device, struct asy_error *err);

/* Since the device was opened. */
struct asy_device_traffic {
    uint64_t writes, bytes_written; /* from the host's memory */
    uint64_t reads, bytes_read;     /* to it: each waits */
    uint64_t launches;              /* of kernels */
};
struct asy_device_traffic asy_device_traffic(const struct asy_device *device);

/* Arrays of a net in the device's memory, of floats. */
enum asy_device_array {
    ASY_ARRAY_PARAMS, ASY_ARRAY_GRADS, ASY_ARRAY_BUFFERS,
    ASY_ARRAY_M, ASY_ARRAY_V, /* of the optimiser */
    ASY_ARRAY_MEAN,           /* a running mean of the parameters */
};
#define ASY_DEVICE_ARRAYS 6

/* A tensor of the parameters; adapts: LAMB and LARS go by its norm. */
struct asy_device_span {
    size_t at, n;
    int adapts;
};
/* Adds up numbers of all that have a part of the batch, in place. What it fails with the gradient
 * does. */
typedef int asy_device_join_f(void *arg, double *sums, size_t n, struct asy_error *err);
struct asy_device_net_desc {
    const struct asy_op *train, *eval; /* [n_train], [n_eval], copied; no train: it evaluates */
    size_t n_train, n_eval;
    size_t features, outputs;        /* floats of a row */
    size_t labels;                   /* of a row: 1, or of each token */
    size_t out;                      /* where in WORK eval leaves the outputs */
    size_t train_rows, eval_rows;    /* the most of one pass */
    size_t n_params, n_buffers, n_work; /* floats */
    int keeps_m, keeps_v, keeps_mean;
    int adds; /* gradients will be added up: their memory is taken with the net, not when one is */
    /* Of sums of batch normalisation, asy_batch_sums_len() of them, operation after operation of
     * train; NULL: the batch is here as a whole. They all run the program, be it on no rows. */
    asy_device_join_f *join;
    void *join_arg;
    size_t judged, scores; /* see asy_device_net_judge(): rows, and of each its last shares */
    const float *class_weights; /* [n_classes], copied; NULL: ones */
    size_t n_classes;
    const struct asy_device_span *spans; /* [n_spans], copied: all tensors of the parameters */
    size_t n_spans;
};
struct asy_device_net;
/* ASY_E_UNSUPPORTED: an operation that devices do not have, by its name. ASY_E_TOOBIG: it would not
 * fit into all of the device's memory beside the nets that are there, with both sizes, or the
 * device gives no array of such a size. ASY_E_NOMEM: there is not so much now. Arrays are zeros. */
ASY_MUST_CHECK int asy_device_net_create(struct asy_device *device,
                                         const struct asy_device_net_desc *desc,
                                         struct asy_device_net **ret_net, struct asy_error *err);
void asy_device_net_destroy(struct asy_device_net *net); /* NULL is fine */
/* x may be changed after the call. */
ASY_MUST_CHECK int asy_device_net_write(struct asy_device_net *net, enum asy_device_array array,
                                        const float *x, size_t n, struct asy_error *err);
ASY_MUST_CHECK int asy_device_net_read(struct asy_device_net *net, enum asy_device_array array,
                                       float *x, size_t n, struct asy_error *err);

/* Rows for the next pass, from the host: x [rows][features], and label [rows][labels] or target
 * [rows], each NULL if the loss has no use for it. They may be changed after the call. */
ASY_MUST_CHECK int asy_device_net_rows(struct asy_device_net *net, size_t rows, const float *x,
                                       const int32_t *label, const float *target,
                                       struct asy_error *err);
/* All rows of a data set, to be picked from: as above; kept until the next call or destroy.
 * ASY_E_NOMEM, ASY_E_TOOBIG: the device does not hold them, and nothing has changed. */
ASY_MUST_CHECK int asy_device_net_hold(struct asy_device_net *net, size_t rows, const float *x,
                                       const int32_t *label, const float *target,
                                       struct asy_error *err);
/* Rows for the next pass, by their numbers in what is held. */
ASY_MUST_CHECK int asy_device_net_pick(struct asy_device_net *net, size_t rows, const uint32_t *row,
                                       struct asy_error *err);

/* GRADS = the gradient (add: +=) of the rows at hand, the sums of the training loss +=. */
ASY_MUST_CHECK int asy_device_net_gradient(struct asy_device_net *net, int add,
                                           const struct asy_op_step *step, struct asy_error *err);
/* Outputs of the rows at hand by `params` (PARAMS or MEAN); loss, if not NULL, adds to the sums of
 * evaluation, leaving what asy_op_loss() does; ret [rows][outputs], NULL: not wanted, then nothing
 * is read. */
ASY_MUST_CHECK int asy_device_net_outputs(struct asy_device_net *net, enum asy_device_array params,
                                          const struct asy_op *loss, size_t rows, float *ret,
                                          struct asy_error *err);
/* Of the rows whose outputs were last made, by a loss of classes: keeps what each was taken for,
 * behind those that are kept. ASY_E_INVAL: more than desc.judged in all. */
ASY_MUST_CHECK int asy_device_net_judge(struct asy_device_net *net, size_t rows,
                                        struct asy_error *err);
/* Reads and forgets that, of *ret_rows: ret [rows][2] = the class that had the most, the first of
 * equal ones, and how many stood before the label's; scores [rows][desc.scores] = the shares of its
 * last classes. Nothing is read if no rows are kept. */
ASY_MUST_CHECK int asy_device_net_judged(struct asy_device_net *net, uint32_t *ret, float *scores,
                                         size_t *ret_rows, struct asy_error *err);
/* Reads the sums, and sets them to zero; of no rows nothing is read. */
ASY_MUST_CHECK int asy_device_net_sums(struct asy_device_net *net, int of_training,
                                       double ret[ASY_SUMS], struct asy_error *err);

enum asy_device_rule {
    ASY_RULE_SGD, ASY_RULE_ADAMW, ASY_RULE_ADAM_L2, ASY_RULE_LAMB, ASY_RULE_LARS,
};
/* One update of all parameters by GRADS, as the functions of asy/kernels.h and asy/update.h. */
struct asy_device_update {
    enum asy_device_rule rule;
    struct asy_sgd sgd;   /* of SGD and LARS */
    struct asy_adam adam; /* of the others */
    double trust;         /* LARS: its coefficient */
    double clip;          /* the greatest norm of the whole gradient; 0: any */
    double mean_rate;     /* MEAN += rate (PARAMS - MEAN); 0: MEAN is left alone */
    uint64_t step;        /* from 1 */
};
ASY_MUST_CHECK int asy_device_net_update(struct asy_device_net *net,
                                         const struct asy_device_update *update,
                                         struct asy_error *err);
#endif
