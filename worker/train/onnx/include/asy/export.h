/* SPDX-License-Identifier: Apache-2.0
 * asy/export.h - stored models for those who do not have Assay: as ONNX files, and as C.
 *
 * An export takes what a table has, and does itself what was done to the training data: missing
 * values, scales, categories. docs/guide/export.md says what goes in and what comes out.
 *
 * Threads: any; nothing here has state. */
#ifndef ASY_EXPORT_H
#define ASY_EXPORT_H
#include <asy/buf.h>

enum asy_export_format {
    ASY_EXPORT_ONNX, /* operators of opset 17, and of ai.onnx.ml 3 where they are needed */
    ASY_EXPORT_C,    /* a header in C99, for models of at most ASY_EXPORT_C_MAX numbers */
};
#define ASY_EXPORT_C_MAX ((size_t)1 << 20)
#define ASY_EXPORT_C_STACK ((size_t)1 << 20) /* bytes that a header's function may keep there */

/* "onnx" or "c". ASY_E_INVAL: neither. */
ASY_MUST_CHECK int asy_export_format(const char *name, enum asy_export_format *ret,
                                     struct asy_error *err);
/* Appends the whole file to ret. version: of the program, to be written into it.
 * ASY_E_TOOBIG: an ONNX file would have over 2 GiB, or C over its limit; ASY_E_UNSUPPORTED: this
 * model cannot be said in that format, and why; errors of reading the model name its path. */
ASY_MUST_CHECK int asy_export(const char *model_path, enum asy_export_format format,
                              const char *version, struct asy_buf *ret, struct asy_error *err);
const char *asy_export_protobuf_version(void); /* of protobuf-c, as loaded */
#endif
