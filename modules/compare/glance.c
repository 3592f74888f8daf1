/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/glance.c - a cheap look at two blocks of header fields. See compare/glance.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "compare/glance.h"
#include "compare/header_list.h"
#include "settings/compare_rule.h"

#define NAME_MAX_LENGTH 40 /* no name of the built-in list is longer */

/* The length of the line at `at`, without its line end; *next is behind that. */
static apr_size_t line_length(const char **next, const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (apr_size_t)(end - at));
    apr_size_t len = (apr_size_t)((lf ? lf : end) - at);

    *next = lf ? lf + 1 : end;
    return len > 0 && at[len - 1] == '\r' ? len - 1 : len;
}

/* Whether the values of both fields may differ. A folded line has no name. */
static int may_differ(const apr_array_header_t *rules, const char *a, apr_size_t a_len,
                      const char *b, apr_size_t b_len)
{
    char name[NAME_MAX_LENGTH + 1];
    const mirror_header_list_row_t *row;
    apr_size_t len = 0;

    for (; len < a_len && len < b_len && len < NAME_MAX_LENGTH && a[len] != ':'; len++) {
        name[len] = mirror_ascii_lower(a[len]);
        if (name[len] != mirror_ascii_lower(b[len])) {
            return 0;
        }
    }
    if (len == 0 || len >= a_len || len >= b_len || a[len] != ':' || b[len] != ':') {
        return 0;
    }
    name[len] = '\0';
    row = mirror_header_list_find(name);
    return (row->flags & MIRROR_HEADER_LIST_SKIP || row->steady == mirror_header_form_nothing) &&
           !mirror_compare_rule_header(rules, MIRROR_RULE_COMPARE, name, len, NULL);
}

int mirror_glance_heads(const apr_array_header_t *rules, const char *a, apr_size_t a_len,
                        const char *b, apr_size_t b_len)
{
    const char *a_end = a + a_len, *b_end = b + b_len;

    while (a_len && b_len && a < a_end && b < b_end) {
        const char *a_next, *b_next;
        apr_size_t a_line = line_length(&a_next, a, a_end);
        apr_size_t b_line = line_length(&b_next, b, b_end);

        if ((a_line != b_line || memcmp(a, b, a_line)) &&
            !may_differ(rules, a, a_line, b, b_line)) {
            return 0;
        }
        a = a_next;
        b = b_next;
    }
    return a == a_end && b == b_end;
}
