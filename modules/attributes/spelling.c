/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/spelling.c - the name that was meant by a mistyped one. See attributes/spelling.h.
 *
 * It is the one that needs the fewest corrections: a letter that is missing, one too
 * many, a wrong one, or two that are swapped (the distance of Damerau and Levenshtein). Case does
 * not count, and '-' counts as '_'.
 */
#include <apr_lib.h>
#include <string.h>

#include "attributes/spelling.h"

#define NAME_MAX_LENGTH 32 /* a longer name is no mistyped one */

static int letter(char c)
{
    return c == '-' ? '_' : apr_tolower(c);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Return the number of corrections that make `b` of `a`. Both have at most NAME_MAX_LENGTH
 * characters. */
static int distance(const char *a, const char *b)
{
    /* row i: the distances of the first i characters of `a`; the current one and two before */
    int rows[3][NAME_MAX_LENGTH + 1];
    int i, j, len = (int)strlen(b);

    for (j = 0; j <= len; j++) {
        rows[0][j] = j;
    }
    for (i = 1; a[i - 1]; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

        row[0] = i;
        for (j = 1; j <= len; j++) {
            int differs = letter(a[i - 1]) != letter(b[j - 1]);

            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + differs);
            if (i > 1 && j > 1 && letter(a[i - 1]) == letter(b[j - 2]) &&
                letter(a[i - 2]) == letter(b[j - 1])) {
                row[j] = least(row[j], second[j - 2] + 1);
            }
        }
    }
    return rows[(i - 1) % 3][len];
}

const char *mirror_spelling_nearest(const char *name, const apr_array_header_t *names)
{
    apr_size_t len = strlen(name);
    int most = len < 3 ? 0 : len < 6 ? 1 : len < 12 ? 2 : 3;
    const char *best = NULL;
    int i;

    for (i = 0; i < names->nelts && len <= NAME_MAX_LENGTH; i++) {
        const char *other = APR_ARRAY_IDX(names, i, const char *);
        int n = strlen(other) <= NAME_MAX_LENGTH ? distance(name, other) : most + 1;

        if (n <= most) {
            best = other;
            most = n - 1;
        }
    }
    return best;
}
