/* SPDX-License-Identifier: Apache-2.0
 * tokens.h - data that is one sequence of tokens: the characters of a text, or the whole numbers of
 * an array.
 *
 * A text is UTF-8; its tokens are its characters, numbered in the order of their code points. The
 * vocabulary is that of the whole file, and is stored with a model, so that another file's
 * characters have the same numbers. An array is an NPY of one dimension, and its numbers are the
 * tokens. Parts lie one behind the other: first what is trained on, then validation, then test.
 * With folds what is before the test part is cut into so many pieces of equal length, each of which
 * is validated on in turn; training has what lies before and behind it, as two pieces.
 *
 * The file is read twice, and never held as a whole: the tokens, two bytes each, are in memory, or
 * mapped where that does not hold them. */
#ifndef ASY__TOKENS_H
#define ASY__TOKENS_H
#include "data.h"

#define ASY__VOCABULARY_MAX 65536

int asy__format_is_tokens(enum asy__format format);
/* Arguments as those of asy__data_load() and asy__data_load_into(). */
ASY_MUST_CHECK int asy__tokens_load(const struct asy__data_spec *spec,
                                    const struct asy__schema *model, const char *folder,
                                    struct asy__data *ret, struct asy_error *err);
/* The parts of data->n_rows tokens, in the data's pieces, and how many tokens each has, in start.
 * ASY_E_INVAL: they are too few, or are to be divided in a way that a text is not. */
ASY_MUST_CHECK int asy__tokens_split(const struct asy__data_spec *spec, struct asy__data *data,
                                     struct asy_error *err);
/* Whether each part has a window of `context` tokens, before rows become such. ASY_E_INVAL: one has
 * none. */
ASY_MUST_CHECK int asy__tokens_fit(const struct asy__data *data, size_t context,
                                   struct asy_error *err);
/* Rows become windows of `context` tokens, each with the token that follows it as its label: of
 * validation and test one behind the other, of each piece of training so many that they may all
 * begin up to context - 1 tokens later. What is left over at an end is in none. ASY_E_INVAL: a part
 * has none at all, as asy__tokens_fit() says. */
ASY_MUST_CHECK int asy__tokens_window(struct asy__data *data, size_t context,
                                      struct asy_error *err);
/* x, label [context], =: window `row`, so many tokens later. */
void asy__tokens_row(const struct asy__data *data, size_t row, size_t later, float *x,
                     int32_t *label);
/* Puts windows at.. into data's room (x, label), which is for as many as asy__tokens_at_once()
 * says. */
void asy__tokens_rows(const struct asy__data *data, size_t at, size_t rows);
size_t asy__tokens_at_once(size_t context);
#endif
