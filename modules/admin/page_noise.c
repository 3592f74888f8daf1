/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_noise.c - what is taken for noise, on the page. See admin/page_comparison.h.
 *
 * Rows of one field and kind in several groups are one line. The longest list is bounded; the JSON
 * has the rest.
 */
#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/page_comparison.h"

#define LINES_MAX 100

typedef struct noise_t {
    const mirror_found_row_t *row;
    apr_uint64_t count;
    int groups;
} noise_t;

const char *mirror_page_kind(mirror_kind_e kind)
{
    static const char *const words[MIRROR_KIND_COUNT] = {
        [MIRROR_KIND_STATUS] = "another status",
        [MIRROR_KIND_MISSING] = "missing in the mirror's response",
        [MIRROR_KIND_EXTRA] = "only in the mirror's response",
        [MIRROR_KIND_VALUE] = "another value",
        [MIRROR_KIND_TYPE] = "a value of another type",
        [MIRROR_KIND_NULL] = "null in one of the responses",
        [MIRROR_KIND_LENGTH] = "another length",
        [MIRROR_KIND_ORDER] = "the same elements in another order",
        [MIRROR_KIND_DUPLICATE] = "twice in one of the responses",
        [MIRROR_KIND_SYNTAX] = "no valid JSON in one of the responses",
        [MIRROR_KIND_ENCODING] = "cannot be decoded in one of the responses",
        [MIRROR_KIND_CONTENT_TYPE] = "another media type",
        [MIRROR_KIND_TEXT] = "another text",
        [MIRROR_KIND_BYTES] = "other bytes",
    };

    return kind < MIRROR_KIND_COUNT ? words[kind] : "?";
}

static int is_guessed(const mirror_found_row_t *row)
{
    return !strcmp(row->noise, "guessed");
}

static int is_by_rule(const mirror_found_row_t *row)
{
    return !strcmp(row->noise, "rule");
}

static const char *words_for(const mirror_found_row_t *row)
{
    return is_guessed(row)
               ? "a guess: it looks like an id or a time, changes, and nearly always differs"
           : !strcmp(row->noise, "built_in") ? "this header differs by nature (built-in list)"
           : is_by_rule(row)                 ? "a rule allows it"
                                             : "in the reference it differs as often";
}

/* Add a row to the line of its field, kind and reason, or to a new one. */
static int add_row(noise_t *lines, int n, const mirror_found_row_t *row)
{
    int i;

    for (i = 0; i < n; i++) {
        const mirror_found_row_t *other = lines[i].row;

        if (other->kind == row->kind && !strcmp(other->field, row->field) &&
            !strcmp(other->noise, row->noise)) {
            lines[i].count += row->count;
            lines[i].groups++;
            return n;
        }
    }
    lines[n].row = row;
    lines[n].count = row->count;
    lines[n].groups = 1;
    return n + 1;
}

static void put_line(const mirror_page_compared_t *compared, const noise_t *line)
{
    const mirror_found_row_t *row = line->row;
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;
    unsigned offers = is_guessed(row)                   ? MIRROR_PAGE_IGNORE | MIRROR_PAGE_MATTERS
                      : !strcmp(row->noise, "built_in") ? MIRROR_PAGE_MATTERS
                      : is_by_rule(row)                 ? 0
                                                        : MIRROR_PAGE_IGNORE;

    ap_rvputs(r, "<li data-key=\"", mirror_page_text(p, row->noise), " ",
              mirror_kind_name(row->kind), " ", mirror_page_text(p, row->field),
              "\"><p><code dir=\"ltr\">", mirror_page_text(p, row->field),
              "</code>: ", mirror_page_kind(row->kind), NULL);
    ap_rvputs(r, "; in ", mirror_page_count(p, line->count),
              line->count == 1 ? " response" : " responses", "<br><small>", NULL);
    if (line->groups == 1) {
        ap_rvputs(r, "<code dir=\"ltr\">", mirror_page_text(p, row->group), "</code>; ", NULL);
    }
    ap_rvputs(r, words_for(row), "</small></p>", NULL);
    mirror_page_put_offers(compared, row->field, offers, "offers");
    ap_rputs("</li>\n", r);
}

void mirror_page_put_noise(const mirror_page_compared_t *compared)
{
    const mirror_findings_view_t *found = compared->found;
    noise_t *lines =
        apr_palloc(compared->r->pool, (apr_size_t)(found->row_count + 1) * sizeof(*lines));
    int n = 0, guessed = 0, i;

    for (i = 0; i < found->row_count; i++) {
        if (found->rows[i].noise) {
            n = add_row(lines, n, &found->rows[i]);
        }
    }
    if (n == 0) {
        return;
    }
    for (i = 0; i < n; i++) {
        guessed += is_guessed(lines[i].row);
    }
    ap_rvputs(compared->r, "<details data-key=\"noise\"><summary>Noise, which does not count: ",
              mirror_page_count(compared->r->pool, (apr_uint64_t)n), n == 1 ? " field" : " fields",
              guessed ? apr_psprintf(compared->r->pool, ", %d of them a guess", guessed) : "",
              "</summary>\n<ul class=\"noise\">\n", NULL);
    for (i = 0; i < n && i < LINES_MAX; i++) {
        put_line(compared, &lines[i]);
    }
    ap_rputs("</ul>\n", compared->r);
    if (n > LINES_MAX) {
        ap_rputs("<p>The JSON has the others.</p>\n", compared->r);
    }
    ap_rputs("</details>\n", compared->r);
}
