/* SPDX-License-Identifier: Apache-2.0
 * endpoints.c - see endpoints.h. */
#include "endpoints.h"
#include <string.h>

#define FIRST 4

/* The first `most` that are not empty from *i on. */
static void write_list(struct asy_jsonw *w, const char *key, const struct asy_discovery *at,
                       size_t *i, size_t most)
{
    asy_jsonw_open(w, key, '[');
    for (size_t n = 0; *i < ASY_ENDPOINTS_MAX && n < most; ++*i)
        if (*at->endpoints[*i]) {
            asy_jsonw_str(w, NULL, at->endpoints[*i]);
            n++;
        }
    asy_jsonw_close(w, ']');
}

void asy__endpoints_write(struct asy_jsonw *w, const struct asy_discovery *at)
{
    size_t i = 0;

    write_list(w, "endpoints", at, &i, FIRST);
    while (i < ASY_ENDPOINTS_MAX && !*at->endpoints[i])
        i++;
    if (i < ASY_ENDPOINTS_MAX)
        write_list(w, "more_endpoints", at, &i, ASY_ENDPOINTS_MAX - FIRST);
}

static int take_list(const struct asy_json *list, size_t most, struct asy_discovery *at, size_t *n)
{
    if (asy_json_type(list) != ASY_JSON_ARRAY || asy_json_len(list) > most)
        return 0;
    for (size_t i = 0; i < asy_json_len(list); i++, ++*n) {
        const char *text = asy_json_str(asy_json_at(list, i), "");

        if (!*text || strlen(text) >= sizeof at->endpoints[*n])
            return 0;
        memcpy(at->endpoints[*n], text, strlen(text) + 1);
    }
    return 1;
}

int asy__endpoints_take(const struct asy_json *root, struct asy_discovery *ret_at)
{
    const struct asy_json *list = asy_json_get(root, "endpoints");
    const struct asy_json *more = asy_json_get(root, "more_endpoints");
    size_t n = 0;

    memset(ret_at->endpoints, 0, sizeof ret_at->endpoints);
    return list && take_list(list, FIRST, ret_at, &n) &&
           (!more || take_list(more, ASY_ENDPOINTS_MAX - FIRST, ret_at, &n));
}

int asy__text_take(const struct asy_json *root, const char *key, char *ret, size_t size)
{
    const char *text = asy_json_str(asy_json_get(root, key), NULL);

    if (!text || strlen(text) >= size)
        return 0;
    memcpy(ret, text, strlen(text) + 1);
    return 1;
}
