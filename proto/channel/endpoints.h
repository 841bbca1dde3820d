/* SPDX-License-Identifier: Apache-2.0
 * endpoints.h - a coordinator's endpoints, and texts, in the JSON files that tell of them.
 *
 * The first four stand under "endpoints", further ones under "more_endpoints": readers of the first
 * versions refuse a longer list, and ignore a key that they do not know. */
#ifndef ASY__ENDPOINTS_H
#define ASY__ENDPOINTS_H
#include <asy/json.h>
#include <asy/keys.h>

void asy__endpoints_write(struct asy_jsonw *w, const struct asy_discovery *at);
/* Whether all of them are texts that fit; without gaps, and "" from their end on. */
int asy__endpoints_take(const struct asy_json *root, struct asy_discovery *ret_at);
/* Copies a member to [size] bytes; whether it is a text that fits. */
int asy__text_take(const struct asy_json *root, const char *key, char *ret, size_t size);
#endif
