/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/spelling.c - the message about a name that is no attribute. See attributes/spelling.h.
 *
 * Proposed is the attribute that needs the fewest corrections: a letter that is missing, one too
 * many, a wrong one, or two that are swapped (the distance of Damerau and Levenshtein). Case does
 * not count, and '-' counts as '_'.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "attributes/attributes.h"
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

/* Return the allowed attribute that `name` resembles most; NULL if it resembles none. */
static const char *nearest(const char *name, unsigned forbidden)
{
    const mirror_attribute_t *row;
    const char *best = NULL;
    int len = (int)strlen(name);
    int most = len < 3 ? 0 : len < 6 ? 1 : len < 12 ? 2 : 3;

    for (row = mirror_attributes; row->name && len <= NAME_MAX_LENGTH; row++) {
        int n = row->flags & forbidden ? most + 1 : distance(name, row->name);

        if (n <= most) {
            best = row->name;
            most = n - 1; /* the first of several that are equally near */
        }
    }
    return best;
}

/* Return "a, b, c": the attributes that are allowed where `forbidden` ones are not. */
static const char *list_names(unsigned forbidden, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *list = NULL;

    for (row = mirror_attributes; row->name; row++) {
        if (!(row->flags & forbidden)) {
            list = list ? apr_pstrcat(pool, list, ", ", row->name, NULL) : row->name;
        }
    }
    return list;
}

const char *mirror_spelling_unknown(const char *name, unsigned forbidden, apr_pool_t *pool)
{
    const char *meant = nearest(name, forbidden);

    return apr_pstrcat(pool, "unknown attribute ", mirror_value_quote(name, pool),
                       meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : ".",
                       " Attributes: ", list_names(forbidden, pool), NULL);
}
