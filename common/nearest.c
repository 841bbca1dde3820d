/* SPDX-License-Identifier: Apache-2.0
 * nearest.c - "did you mean": the edit distance in which inserting, dropping, changing a character
 * and swapping two neighbours cost 1 each, and letter case costs nothing. */
#include <asy/parse.h>
#include <string.h>

#define WORD_MAX 64u

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Both words have at most WORD_MAX characters. Three rows of the table are kept. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    unsigned rows[3][WORD_MAX + 1];

    for (size_t j = 0; j <= n_b; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);

            row[j] = least(up[j - 1] + (x != y), least(up[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
                row[j] = least(row[j], up2[j - 2] + 1);
        }
    }
    return rows[n_a % 3][n_b];
}

const char *asy_nearest(const char *word, size_t len, const char *const *candidates, size_t n)
{
    const char *found = NULL;
    unsigned best = (unsigned)(len / 3) + 1; /* found must be below */

    if (len == 0 || len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t n_cand = candidates[i] ? strlen(candidates[i]) : SIZE_MAX;
        unsigned d;

        if (n_cand > WORD_MAX || (d = distance(word, len, candidates[i], n_cand)) >= best)
            continue;
        best = d;
        found = candidates[i];
    }
    return found;
}
