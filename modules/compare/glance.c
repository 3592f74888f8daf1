/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/glance.c - a cheap look at two blocks of header fields. See compare/glance.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "compare/glance.h"
#include "compare/header_list.h"
#include "settings/compare_rule.h"

#define PREFIX          "header/"
#define ANY_RULE        ~0U
#define NAME_MAX_LENGTH 40 /* no name of the built-in list is longer */
#define LINES_MAX       64

typedef struct line_t {
    const char *text;
    apr_size_t len;  /* without the line end */
    apr_size_t name; /* bytes before the colon */
    int is_paired;
} line_t;

typedef struct glance_t {
    mirror_rows_t *rows;
    const apr_array_header_t *rules;
    line_t lines[2][LINES_MAX];
    int counts[2];
} glance_t;

/* ---- lines ---- */

/* The length of the line at `at`, without its line end; *next is behind that. */
static apr_size_t line_length(const char **next, const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (apr_size_t)(end - at));
    apr_size_t len = (apr_size_t)((lf ? lf : end) - at);

    *next = lf ? lf + 1 : end;
    return len > 0 && at[len - 1] == '\r' ? len - 1 : len;
}

/* Read the lines of a block, up to an empty one. Returns 0 if there are too many, or if one is folded or
 * has no name. */
static int read_lines(glance_t *glance, int side, const char *block, apr_size_t len)
{
    const char *at = len ? block : "", *end = at + len, *next, *colon;
    int n = 0;

    for (; at < end; at = next, n++) {
        line_t *line = &glance->lines[side][n];
        apr_size_t length = line_length(&next, at, end);

        if (length == 0) {
            break;
        }
        colon = memchr(at, ':', length);
        if (n == LINES_MAX || !colon || mirror_ascii_is_blank(*at)) {
            return 0;
        }
        line->text = at;
        line->len = length;
        line->name = (apr_size_t)(colon - at);
        line->is_paired = 0;
    }
    glance->counts[side] = n;
    return 1;
}

static int have_one_name(const line_t *a, const line_t *b)
{
    apr_size_t i = 0;

    if (a->name != b->name) {
        return 0;
    }
    while (i < a->name && mirror_ascii_lower(a->text[i]) == mirror_ascii_lower(b->text[i])) {
        i++;
    }
    return i == a->name;
}

static int have_one_value(const line_t *a, const line_t *b)
{
    return a->len - a->name == b->len - b->name &&
           !memcmp(a->text + a->name, b->text + b->name, a->len - a->name);
}

/* The first line of the mirror with the name of `line` that has no partner yet. */
static line_t *partner_of(glance_t *glance, const line_t *line)
{
    int i;

    for (i = 0; i < glance->counts[1]; i++) {
        line_t *other = &glance->lines[1][i];

        if (!other->is_paired && have_one_name(line, other)) {
            other->is_paired = 1;
            return other;
        }
    }
    return NULL;
}

/* ---- what may differ ---- */

/* Whether a line may have another value, or no partner; another value is a row. */
static int may_differ(const glance_t *glance, const line_t *line, int has_partner)
{
    char field[sizeof(PREFIX) + NAME_MAX_LENGTH] = PREFIX, *name = field + strlen(PREFIX);
    const mirror_header_list_row_t *row;
    apr_size_t i;

    if (line->name > NAME_MAX_LENGTH) {
        return 0;
    }
    for (i = 0; i < line->name; i++) {
        name[i] = mirror_ascii_lower(line->text[i]);
    }
    name[line->name] = '\0';
    row = mirror_header_list_find(name);
    if (mirror_compare_rule_header(glance->rules, ANY_RULE, name, line->name, NULL)) {
        return 0;
    }
    if (row->flags & MIRROR_HEADER_LIST_SKIP) {
        return 1;
    }
    if (!has_partner || row->steady != mirror_header_form_nothing) {
        return 0;
    }
    mirror_rows_add(glance->rows, MIRROR_PART_HEADER, MIRROR_KIND_VALUE, field, NULL, 1);
    return 1;
}

int mirror_glance_heads(mirror_rows_t *rows, const apr_array_header_t *rules, const char *a,
                        apr_size_t a_len, const char *b, apr_size_t b_len)
{
    glance_t glance;
    int i;

    glance.rows = rows;
    glance.rules = rules;
    if (!read_lines(&glance, 0, a, a_len) || !read_lines(&glance, 1, b, b_len)) {
        return 0;
    }
    for (i = 0; i < glance.counts[0]; i++) {
        const line_t *line = &glance.lines[0][i], *partner = partner_of(&glance, line);

        if (!(partner && have_one_value(line, partner)) &&
            !may_differ(&glance, line, partner != NULL)) {
            return 0;
        }
    }
    for (i = 0; i < glance.counts[1]; i++) {
        if (!glance.lines[1][i].is_paired && !may_differ(&glance, &glance.lines[1][i], 0)) {
            return 0;
        }
    }
    return 1;
}
