/* SPDX-License-Identifier: Apache-2.0
 * graph.h - an ONNX file in the making: inputs, nodes, constants, outputs, then its bytes.
 *
 * Errors are sticky, as in asy/buf.h: once memory is short all calls do nothing, names are "", and
 * packing says so.
 *
 * Ownership: create/destroy; texts and whole numbers are copied, floats and the texts of lists are
 * borrowed. Names that are returned live as long as the graph. Threads: one owner. */
#ifndef ASY__GRAPH_H
#define ASY__GRAPH_H
#include <asy/buf.h>

#define ASY__GRAPH_BYTES_MAX ((size_t)INT32_MAX) /* of a protobuf message */

struct asy__graph;
enum asy__graph_type { ASY__GRAPH_F32 = 1, ASY__GRAPH_I64 = 7, ASY__GRAPH_TEXT = 8 }; /* ONNX's */

ASY_MUST_CHECK int asy__graph_create(struct asy__graph **ret_graph, struct asy_error *err);
void asy__graph_destroy(struct asy__graph *graph); /* NULL is fine */

/* Memory of the graph, zero; NULL: there is none. */
void *asy__graph_room(struct asy__graph *graph, size_t n, size_t size);

/* [N][dims[0]] ... [dims[n - 1]]; 0: as many tokens, T, as there are. */
void asy__graph_input(struct asy__graph *graph, const char *name, enum asy__graph_type type,
                      const size_t *dims, size_t n);
void asy__graph_output(struct asy__graph *graph, const char *name, enum asy__graph_type type,
                       const size_t *dims, size_t n);
void asy__graph_meta(struct asy__graph *graph, const char *key, const char *value);

/* Constants; their names, which are prefixed with "/". dims [n_dims]. */
const char *asy__graph_floats(struct asy__graph *graph, const char *name, const float *data,
                              const size_t *dims, size_t n_dims);
const char *asy__graph_ints(struct asy__graph *graph, const char *name, const int64_t *data,
                            size_t n);
const char *asy__graph_texts(struct asy__graph *graph, const char *name,
                             const char *const *texts, size_t n);
const char *asy__graph_float(struct asy__graph *graph, float value); /* scalars */
const char *asy__graph_int(struct asy__graph *graph, int64_t value);

/* A node of one output, whose name is returned; inputs: ends with NULL. name NULL: the next
 * "/op_number". Attributes that follow are its. */
const char *asy__graph_node(struct asy__graph *graph, const char *op, const char *name,
                            const char *const *inputs);
#define ASY__NODE(graph, op, ...)                                                                  \
    asy__graph_node(graph, op, NULL, (const char *const[]){ __VA_ARGS__, NULL })
void asy__graph_ml(struct asy__graph *graph); /* the last node is of the domain ai.onnx.ml */
void asy__graph_attr_int(struct asy__graph *graph, const char *name, int64_t value);
void asy__graph_attr_float(struct asy__graph *graph, const char *name, float value);
void asy__graph_attr_text(struct asy__graph *graph, const char *name, const char *text);
/* Lists: room for them, to be filled; NULL: there is none. */
int64_t *asy__graph_attr_ints(struct asy__graph *graph, const char *name, size_t n);
float *asy__graph_attr_floats(struct asy__graph *graph, const char *name, size_t n);
void asy__graph_attr_texts(struct asy__graph *graph, const char *name, const char *const *texts,
                           size_t n);

/* Appends the file. name: of the graph. ASY_E_TOOBIG: over ASY__GRAPH_BYTES_MAX. */
ASY_MUST_CHECK int asy__graph_pack(struct asy__graph *graph, const char *name, const char *about,
                                   const char *version, struct asy_buf *ret,
                                   struct asy_error *err);
#endif
