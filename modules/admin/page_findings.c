/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_findings.c - the findings of comparing, on the page. See admin/page_comparison.h.
 *
 * A finding whose differences are all of fields that a rule ignores by now was counted before; it
 * stands apart, folded.
 */
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/page_comparison.h"

/* ---- which ---- */

/* Return whether rules ignore all that differs in a finding. */
static int is_ignored(const mirror_page_compared_t *compared, const mirror_found_t *finding)
{
    int i, differences = 0;

    for (i = 0; i < finding->row_count; i++) {
        if (finding->rows[i]->noise) {
            continue;
        }
        differences++;
        if (!mirror_page_rule_ignoring(compared, finding->rows[i]->field)) {
            return 0;
        }
    }
    return differences > 0 && !finding->more;
}

void mirror_page_mark_findings(mirror_page_compared_t *compared)
{
    int i;

    for (i = 0; i < compared->found->finding_count; i++) {
        compared->ignored[i] = (char)is_ignored(compared, &compared->found->findings[i]);
    }
}

static int is_shown(const mirror_page_compared_t *compared, int i, int ignored)
{
    return !compared->found->findings[i].noise && compared->ignored[i] == ignored;
}

int mirror_page_count_findings(const mirror_page_compared_t *compared, int ignored)
{
    int n = 0, i;

    for (i = 0; i < compared->found->finding_count; i++) {
        n += is_shown(compared, i, ignored);
    }
    return n;
}

/* Return a name of a finding that stays the same while it is counted: its noise does not. */
static const char *key_of(const mirror_found_t *finding, apr_pool_t *pool)
{
    const char *text = finding->group;
    apr_ssize_t len;
    unsigned hash;
    int i;

    for (i = 0; i < finding->row_count; i++) {
        if (finding->noise || !finding->rows[i]->noise) {
            text = apr_pstrcat(pool, text, " ", finding->rows[i]->field, " ",
                               mirror_kind_name(finding->rows[i]->kind), NULL);
        }
    }
    len = (apr_ssize_t)strlen(text);
    hash = apr_hashfunc_default(text, &len);
    return apr_psprintf(pool, "f-%x-%x", hash, (unsigned)len);
}

/* ---- one finding ---- */

static const char *words_of_count(apr_pool_t *p, apr_uint64_t n)
{
    return apr_pstrcat(p, mirror_page_count(p, n), n == 1 ? " response" : " responses", NULL);
}

static void put_time(request_rec *r, const char *word, apr_time_t t)
{
    const char *text = mirror_page_time(r->pool, t);

    ap_rvputs(r, word, " <time datetime=\"", text, "\">", text, "</time>", NULL);
}

/* Return how many responses of this group were compared. */
static apr_uint64_t compared_in(const mirror_findings_view_t *found, const char *group)
{
    int i;

    for (i = 0; i < found->group_count; i++) {
        if (!strcmp(found->groups[i].group, group)) {
            return found->groups[i].compared;
        }
    }
    return found->compared;
}

static void put_heading(const mirror_page_compared_t *compared, const mirror_found_t *finding)
{
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;
    apr_uint64_t all = compared_in(compared->found, finding->group);
    int differences = finding->more, i;

    all = all > finding->count ? all : finding->count;
    for (i = 0; i < finding->row_count; i++) {
        differences += finding->rows[i]->noise == NULL;
    }
    ap_rvputs(r, "<h4><code dir=\"ltr\">", mirror_page_text(p, finding->group),
              "</code></h4>\n<p><b>", mirror_page_count(p, finding->count), "</b> of ",
              words_of_count(p, all), " (", mirror_page_share(p, finding->count, all), ") differ",
              finding->row_count == 0 ? " in other fields or combinations."
              : differences > 1       ? " in these fields together:"
                                      : " in this field:",
              "</p>\n", NULL);
}

/* Beside a reference: how often which of the three stood alone. */
static void put_evidence(const mirror_page_compared_t *compared, const mirror_found_row_t *row)
{
    static const char *const words[MIRROR_SIDE_COUNT] = {
        [MIRROR_SIDE_MIRROR_ALONE] = "the mirror alone differed from the primary",
        [MIRROR_SIDE_REFERENCE_ALONE] = "the reference alone",
        [MIRROR_SIDE_PRIMARY_ALONE] = "the primary alone",
        [MIRROR_SIDE_ALL_DIFFER] = "all three",
    };
    request_rec *r = compared->r;
    apr_uint64_t beside = 0;
    int i;

    for (i = MIRROR_SIDE_MIRROR_ALONE; i < MIRROR_SIDE_COUNT; i++) {
        beside += row->sides[i];
    }
    if (beside == 0) {
        if (compared->reference) {
            ap_rputs("<br>Evidence: none; the reference did not take part", r);
        }
        return;
    }
    ap_rputs("<br>Evidence: ", r);
    for (i = MIRROR_SIDE_MIRROR_ALONE; i < MIRROR_SIDE_COUNT; i++) {
        if (row->sides[i] > 0 || i <= MIRROR_SIDE_REFERENCE_ALONE) {
            ap_rvputs(r, i > MIRROR_SIDE_MIRROR_ALONE ? ", " : "", words[i], " in ",
                      mirror_page_count(r->pool, row->sides[i]), NULL);
        }
    }
}

static void put_row(const mirror_page_compared_t *compared, const mirror_found_t *finding,
                    const mirror_found_row_t *row)
{
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;
    const char *rule = mirror_page_rule_ignoring(compared, row->field);

    ap_rvputs(r, "<li data-key=\"", mirror_kind_name(row->kind), " ",
              mirror_page_text(p, row->field), "\"><p><code dir=\"ltr\">",
              mirror_page_text(p, row->field), "</code>: <b>", mirror_page_kind(row->kind), "</b>",
              NULL);
    if (row->part == MIRROR_PART_STATUS && finding->example_count > 0) {
        ap_rputs(apr_psprintf(p, ", such as %d \xe2\x86\x92 %d", finding->examples[0].status[0],
                              finding->examples[0].status[1]),
                 r);
    }
    if (row->count > finding->count) {
        ap_rvputs(r, "; in all findings here: ", words_of_count(p, row->count), NULL);
    }
    put_evidence(compared, row);
    if (rule) {
        ap_rvputs(r, "<br><small>Ignored now, by <code dir=\"ltr\">", mirror_page_text(p, rule),
                  "</code>. It was counted before that.</small>", NULL);
    }
    ap_rputs("</p>\n", r);
    if (!rule) {
        mirror_page_put_offers(compared, row->field, MIRROR_PAGE_IGNORE | MIRROR_PAGE_MATTERS,
                               "offers");
    }
    ap_rputs("</li>\n", r);
}

static void put_value(request_rec *r, const char *text)
{
    if (text) {
        ap_rvputs(r, "<code dir=\"ltr\">", mirror_page_text(r->pool, text), "</code>", NULL);
    }
    else {
        ap_rputs("nothing", r);
    }
}

/* Print a line of the table for each value of an example. */
static void put_values(request_rec *r, const mirror_found_example_t *example)
{
    int i;

    for (i = 0; i < example->value_count; i++) {
        const mirror_found_value_t *value = &example->values[i];

        ap_rvputs(r, "<tr class=\"values\"><td></td><td><code dir=\"ltr\">",
                  mirror_page_text(r->pool, value->row->field), "</code></td><td colspan=\"2\">",
                  NULL);
        put_value(r, value->sides[0]);
        ap_rputs(" \xe2\x86\x92 ", r);
        put_value(r, value->sides[1]);
        ap_rputs("</td></tr>\n", r);
    }
}

static void put_examples(const mirror_page_compared_t *compared, const mirror_found_t *finding)
{
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;
    int i;

    if (finding->example_count == 0) {
        return;
    }
    ap_rvputs(r, "<details data-key=\"examples\"><summary>",
              finding->example_count == 1 ? "1 example"
                                          : apr_psprintf(p, "%d examples", finding->example_count),
              "</summary>\n<table class=\"examples\"><thead><tr><th scope=\"col\">Time</th>"
              "<th scope=\"col\">Request</th><th scope=\"col\">Primary \xe2\x86\x92 mirror</th>"
              "<th scope=\"col\">Request id</th></tr></thead>\n<tbody>\n",
              NULL);
    for (i = 0; i < finding->example_count; i++) {
        const mirror_found_example_t *example = &finding->examples[i];

        put_time(r, "<tr><td>", example->time);
        ap_rvputs(r, "</td><td><code dir=\"ltr\">", mirror_page_text(p, example->method), " ",
                  mirror_page_text(p, example->path),
                  "</code></td><td data-label=\"Primary \xe2\x86\x92 mirror: \">",
                  apr_psprintf(p, "%d \xe2\x86\x92 %d", example->status[0], example->status[1]),
                  "</td><td data-label=\"Request id: \">", NULL);
        if (example->request_id) {
            ap_rvputs(r, "<code dir=\"ltr\">", mirror_page_text(p, example->request_id), "</code>",
                      NULL);
        }
        else {
            ap_rputs("none", r);
        }
        ap_rputs("</td></tr>\n", r);
        if (compared->with_values) {
            put_values(r, example);
        }
    }
    ap_rputs("</tbody></table></details>\n", r);
}

/* Print the fields of a finding that are no differences. */
static void put_noise(request_rec *r, const mirror_found_t *finding)
{
    const char *before = "<p><small>Together with noise: ";
    int i;

    for (i = 0; i < finding->row_count; i++) {
        const mirror_found_row_t *row = finding->rows[i];

        if (row->noise) {
            ap_rvputs(r, before, "<code dir=\"ltr\">", mirror_page_text(r->pool, row->field),
                      "</code>", NULL);
            before = ", ";
        }
    }
    ap_rputs(*before == '<' ? "" : "</small></p>\n", r);
}

static void put_finding(const mirror_page_compared_t *compared, const mirror_found_t *finding)
{
    request_rec *r = compared->r;
    int i;

    ap_rvputs(r, "<li data-key=\"", key_of(finding, r->pool), "\">", NULL);
    put_heading(compared, finding);
    if (finding->row_count > 0) {
        ap_rputs("<ul class=\"fields\">\n", r);
        for (i = 0; i < finding->row_count; i++) {
            if (!finding->rows[i]->noise) {
                put_row(compared, finding, finding->rows[i]);
            }
        }
        ap_rputs(finding->more ? "<li>and others</li></ul>\n" : "</ul>\n", r);
        put_noise(r, finding);
    }
    put_time(r, "<p class=\"when\">First", finding->first);
    put_time(r, ", last", finding->last);
    ap_rputs("</p>\n", r);
    put_examples(compared, finding);
    ap_rputs("</li>\n", r);
}

/* ---- all of them ---- */

static void put_list(const mirror_page_compared_t *compared, int ignored)
{
    int i;

    ap_rputs("<ol class=\"findings\">\n", compared->r);
    for (i = 0; i < compared->found->finding_count; i++) {
        if (is_shown(compared, i, ignored)) {
            put_finding(compared, &compared->found->findings[i]);
        }
    }
    ap_rputs("</ol>\n", compared->r);
}

void mirror_page_put_findings(const mirror_page_compared_t *compared)
{
    int ignored = mirror_page_count_findings(compared, 1);

    if (mirror_page_count_findings(compared, 0) > 0) {
        put_list(compared, 0);
    }
    if (ignored > 0) {
        ap_rvputs(compared->r, "<details data-key=\"ignored\"><summary>",
                  mirror_page_count(compared->r->pool, (apr_uint64_t)ignored),
                  ignored == 1 ? " finding" : " findings", " that a rule ignores now</summary>\n",
                  NULL);
        put_list(compared, 1);
        ap_rputs("</details>\n", compared->r);
    }
}
