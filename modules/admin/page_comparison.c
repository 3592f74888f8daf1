/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_comparison.c - what comparing has found about one mirror. See
 * admin/page_comparison.h.
 */
#include <stdlib.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/comparison_view.h"
#include "admin/page_comparison.h"
#include "settings/scope.h"

/* ---- words ---- */

static const struct {
    const char *sign, *label;
} states[] = {
    [MIRROR_OVERALL_NOTHING] = { "\xe2\x97\x8b", "Nothing compared" },
    [MIRROR_OVERALL_COLLECTING] = { "\xe2\x97\x90", "Collecting" },
    [MIRROR_OVERALL_ALIKE] = { "\xe2\x97\x8f", "Alike" },
    [MIRROR_OVERALL_DIFFERS] = { "\xe2\x96\xb2", "Differs" },
};

/* They stand behind a number. */
static const char *const skip_words[MIRROR_SKIP_COUNT] = {
    [MIRROR_SKIP_NO_ANSWER] = "without a response of the mirror",
    [MIRROR_SKIP_PRIMARY_INCOMPLETE] = "the client left",
    [MIRROR_SKIP_PRIMARY_BROKEN] = "the backend broke off",
    [MIRROR_SKIP_PRIMARY_REPLACED] = "replaced by an error page of httpd",
    [MIRROR_SKIP_CACHED] = "from the cache",
    [MIRROR_SKIP_RANGE] = "made a range by httpd",
    [MIRROR_SKIP_CONDITIONAL] = "304 on one side, 2xx on the other",
    [MIRROR_SKIP_STREAMED] = "streamed",
    [MIRROR_SKIP_TOO_LARGE] = "too large",
    [MIRROR_SKIP_MEMORY] = "no memory left for comparing",
    [MIRROR_SKIP_BUSY] = "too many at once",
    [MIRROR_SKIP_TIMEOUT] = "one response came too late",
    [MIRROR_SKIP_UNDECODABLE] = "cannot be decoded",
    [MIRROR_SKIP_DECODED_TOO_LARGE] = "too large when decoded",
    [MIRROR_SKIP_TOO_DEEP] = "JSON nested too deep",
    [MIRROR_SKIP_TOO_MANY_NODES] = "JSON with too many values",
    [MIRROR_SKIP_NO_REFERENCE] = "without a response of the reference",
    [MIRROR_SKIP_SHUT_DOWN] = "a process of this server ended",
};

/* ---- the sentence ---- */

static apr_uint64_t sum_of(const apr_uint64_t *counts, int n)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < n; i++) {
        sum += counts[i];
    }
    return sum;
}

/* Return the reason with the highest count that is at most `most`, and behind `after` if it is as
 * high; -1 = none. */
static int next_skip(const apr_uint64_t *skips, int after)
{
    int best = -1, i;

    for (i = 0; i < MIRROR_SKIP_COUNT; i++) {
        int is_later =
            after < 0 || skips[i] < skips[after] || (skips[i] == skips[after] && i > after);

        if (skips[i] > 0 && is_later && (best < 0 || skips[i] > skips[best])) {
            best = i;
        }
    }
    return best;
}

/* Print "212 were not compared (150 too large, 62 the client left)." */
static void put_skipped(const mirror_page_compared_t *compared)
{
    const apr_uint64_t *skips = compared->found->skips;
    apr_uint64_t all = sum_of(skips, MIRROR_SKIP_COUNT);
    request_rec *r = compared->r;
    int skip = next_skip(skips, -1);
    const char *before = " (";

    if (all == 0) {
        return;
    }
    ap_rvputs(r, " ", mirror_page_count(r->pool, all),
              all == 1 ? " was not compared" : " were not compared", NULL);
    for (; skip >= 0; skip = next_skip(skips, skip)) {
        ap_rvputs(r, before, mirror_page_count(r->pool, skips[skip]), " ", skip_words[skip], NULL);
        before = ", ";
    }
    ap_rputs(").", r);
}

/* Return how many of the responses that differ are in findings that are no noise. */
static apr_uint64_t count_explained(const mirror_findings_view_t *found)
{
    apr_uint64_t n = 0, most = found->verdicts[MIRROR_VERDICT_DIFFERENT];
    int i;

    for (i = 0; i < found->finding_count; i++) {
        n += found->findings[i].noise ? 0 : found->findings[i].count;
    }
    return n < most ? n : most;
}

/* Print which findings explain the responses that differ. */
static void put_explained(const mirror_page_compared_t *compared)
{
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;
    int open = mirror_page_count_findings(compared, 0);
    int ignored = mirror_page_count_findings(compared, 1);
    apr_uint64_t different = compared->found->verdicts[MIRROR_VERDICT_DIFFERENT];
    apr_uint64_t explained = count_explained(compared->found), rest = different - explained;

    if (open + ignored > 0) {
        ap_rvputs(r, " ",
                  open + ignored == 1 ? "1 finding explains"
                                      : apr_psprintf(p, "%d findings explain", open + ignored),
                  " ", rest ? mirror_page_count(p, explained) : "the", rest ? " of the " : " ",
                  mirror_page_count(p, different),
                  different == 1 ? " that differs." : " that differ.", NULL);
    }
    if (rest > 0) {
        ap_rvputs(r, " ", mirror_page_count(p, rest), rest == 1 ? " differs" : " differ",
                  " only in what turned out to be noise later.", NULL);
    }
    if (ignored > 0) {
        ap_rvputs(r,
                  open ? apr_psprintf(p, " A rule ignores %d of the findings now.", ignored)
                       : " Rules ignore all of that now.",
                  " Start anew, to count without it.", NULL);
    }
}

/* Print the share that is the same, and how many of these are so except for what does not count. */
static void put_share(const mirror_page_compared_t *compared)
{
    static const struct {
        mirror_verdict_e verdict;
        const char *words;
    } except[] = {
        { MIRROR_VERDICT_NOISE, " except for noise" },
        { MIRROR_VERDICT_IGNORED, " except for what rules ignore" },
    };
    const apr_uint64_t *verdicts = compared->found->verdicts;
    apr_uint64_t all = compared->found->compared;
    apr_uint64_t same =
        all - verdicts[MIRROR_VERDICT_DIFFERENT] - verdicts[MIRROR_VERDICT_UNEXAMINED];
    request_rec *r = compared->r;
    const char *n = mirror_page_count(r->pool, all);
    int i;

    ap_rvputs(r, "<b>",
              all == 1      ? same ? "The one compared response is the same"
                                   : "The one compared response is not the same"
              : same == all ? apr_psprintf(r->pool, "All %s compared responses are the same", n)
                            : apr_psprintf(r->pool, "%s of %s compared responses are the same",
                                           mirror_page_share(r->pool, same, all), n),
              "</b>", NULL);
    for (i = 0; i < 2; i++) {
        apr_uint64_t part = verdicts[except[i].verdict];

        if (part > 0) {
            ap_rvputs(r, ", ", part == same ? "" : mirror_page_count(r->pool, part),
                      part == same ? "" : " of them", except[i].words + (part == same), NULL);
        }
    }
    ap_rputs(".", r);
}

static void put_sentence(const mirror_page_compared_t *compared, mirror_overall_e state)
{
    const mirror_findings_view_t *found = compared->found;
    apr_uint64_t unexamined = found->verdicts[MIRROR_VERDICT_UNEXAMINED];
    request_rec *r = compared->r;

    ap_rputs("<p class=\"sentence\">", r);
    if (state == MIRROR_OVERALL_NOTHING) {
        ap_rputs("No response was compared yet.", r);
    }
    else {
        put_share(compared);
    }
    if (found->verdicts[MIRROR_VERDICT_DIFFERENT] > 0) {
        put_explained(compared);
    }
    if (unexamined > 0) {
        ap_rvputs(r, " ", mirror_page_count(r->pool, unexamined),
                  unexamined == 1 ? " differs" : " differ",
                  " too, and there was no time to find out where.", NULL);
    }
    if (state == MIRROR_OVERALL_COLLECTING) {
        ap_rvputs(r, " A verdict needs ", apr_psprintf(r->pool, "%d", MIRROR_FINDINGS_MIN),
                  unexamined
                      ? " responses that were looked into, also of those that differ; these are "
                      : " responses; these are ",
                  mirror_page_count(r->pool, mirror_findings_examined(found)), ".", NULL);
    }
    put_skipped(compared);
    ap_rputs("</p>\n", r);
}

/* ---- what is compared, and how noise is detected ---- */

/* Return in how many responses the rows differ, with a reference beside, or with none. */
static apr_uint64_t count_rows(const mirror_findings_view_t *found, int with_reference)
{
    apr_uint64_t n = 0;
    int i;

    for (i = 0; i < found->row_count; i++) {
        n += with_reference ? sum_of(found->rows[i].sides + 1, MIRROR_SIDE_COUNT - 1)
                            : found->rows[i].sides[MIRROR_SIDE_TWO_WAY];
    }
    return n;
}

/* Print that the reference is no second primary, if it is so for more than one response of twenty. */
static void put_unlike(request_rec *r, const mirror_findings_view_t *found)
{
    if (found->reference_unlike > found->compared / 20) {
        ap_rvputs(
            r, " <strong>The reference is unlike the primary: in ",
            mirror_page_count(r->pool, found->reference_unlike),
            " responses it has another status.</strong> Noise is guessed for these. Give it the "
            "configuration and the data of the primary.",
            NULL);
    }
}

/* Print "Compared: status and body". */
static void put_parts(request_rec *r, int parts)
{
    static const char *const words[MIRROR_PART_COUNT] = {
        [MIRROR_PART_STATUS] = "status",
        [MIRROR_PART_HEADER] = "headers",
        [MIRROR_PART_BODY] = "body",
    };
    const char *before = "Compared: ";
    int i;

    for (i = 0; i < MIRROR_PART_COUNT; i++) {
        if (parts & 1 << i) {
            ap_rvputs(r, before, words[i], NULL);
            before = parts >> (i + 1) >> 1 ? ", " : " and ";
        }
    }
}

static void put_terms(const mirror_page_compared_t *compared)
{
    const mirror_settings_t *settings = compared->view->settings;
    const mirror_findings_view_t *found = compared->found;
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;

    ap_rputs("<p class=\"terms\">", r);
    if (settings->compare) {
        put_parts(r, settings->compare);
        ap_rvputs(r, " of ", mirror_page_percent(p, settings->compare_ratio), " of the copies.",
                  NULL);
    }
    else {
        ap_rputs("Comparing is off; this is what it found before.", r);
    }
    if (found->since > 0) {
        const char *since = mirror_page_time(p, found->since);

        ap_rvputs(r, " Counted since <time datetime=\"", since, "\">", since, "</time>.", NULL);
    }
    if (compared->reference) {
        ap_rvputs(r, " Reference: ", ap_escape_html(p, compared->reference), ".", NULL);
        put_unlike(r, found);
    }
    if (compared->reference && count_rows(found, 0) > 0) {
        ap_rputs(" Without <code>methods</code> of its own, the reference receives idempotent "
                 "requests only, so noise of others, such as POST, is guessed.",
                 r);
    }
    else if (found->row_count > 0 && count_rows(found, 1) == 0) {
        ap_rputs(
            " No reference took part, so noise is guessed: ids and times that differ in nearly "
            "all of 50 or more responses.",
            r);
    }
    if (found->truncated_fields + found->truncated_groups > 0) {
        ap_rvputs(r, " There is no room for all: ", mirror_page_count(p, found->truncated_fields),
                  " responses with further fields and ",
                  mirror_page_count(p, found->truncated_groups),
                  " of further groups are counted as (more).", NULL);
    }
    ap_rputs("</p>\n", r);
}

/* ---- statuses and latencies ---- */

static void put_statuses(const mirror_page_compared_t *compared)
{
    const mirror_findings_view_t *found = compared->found;
    request_rec *r = compared->r;
    int i;

    if (found->pair_count == 0) {
        return;
    }
    ap_rputs("<table class=\"statuses\"><caption>Statuses that differ</caption><thead><tr>"
             "<th scope=\"col\">Primary</th><th scope=\"col\">Mirror</th>"
             "<th scope=\"col\" class=\"n\">Responses</th></tr></thead>\n<tbody>\n",
             r);
    for (i = 0; i < found->pair_count; i++) {
        const mirror_found_pair_t *pair = &found->pairs[i];

        if (pair->primary || pair->mirror) {
            ap_rvputs(r, "<tr><td>",
                      apr_psprintf(r->pool, "%d</td><td>%d", pair->primary, pair->mirror), NULL);
        }
        else {
            ap_rputs("<tr><td colspan=\"2\">others", r);
        }
        ap_rvputs(r, "</td><td class=\"n\">", mirror_page_count(r->pool, pair->count),
                  "</td></tr>\n", NULL);
    }
    ap_rputs("</tbody></table>\n", r);
}

static const double quantiles[] = { 0.5, 0.9, 0.99 };

static void put_latency(request_rec *r, const char *label, const apr_uint64_t *buckets)
{
    int i;

    ap_rvputs(r, "<tr><th scope=\"row\">", label, "</th>", NULL);
    for (i = 0; i < 3; i++) {
        ap_rvputs(r, "<td class=\"n\">",
                  mirror_page_ms(r->pool, mirror_cell_quantile(buckets, quantiles[i])), "</td>",
                  NULL);
    }
    ap_rputs("</tr>\n", r);
}

/* Return "at most 5 ms slower": a bucket's bound is all that is known. */
static const char *difference_text(apr_pool_t *p, double ms)
{
    return apr_pstrcat(p, ms < 0 ? "\xe2\x88\x92" : "+", mirror_page_ms(p, ms < 0 ? -ms : ms),
                       NULL);
}

static void put_latencies(const mirror_page_compared_t *compared)
{
    const mirror_found_latency_t *latency = &compared->found->latency;
    request_rec *r = compared->r;
    double ms;
    int i;

    if (!mirror_comparison_view_difference(&ms, latency, 0.5)) {
        return;
    }
    ap_rputs(
        "<table class=\"latencies\"><caption>Time until the response is complete; the difference "
        "is per request</caption><thead><tr>"
        "<td></td><th scope=\"col\" class=\"n\">median</th><th scope=\"col\" class=\"n\">"
        "90%</th><th scope=\"col\" class=\"n\">99%</th></tr></thead>\n<tbody>\n",
        r);
    put_latency(r, "Primary", latency->primary);
    put_latency(r, "Mirror", latency->mirror);
    ap_rputs("<tr title=\"Mirror less primary, request by request; at most this much\">"
             "<th scope=\"row\">Difference</th>",
             r);
    for (i = 0; i < 3; i++) {
        ap_rvputs(r, "<td class=\"n\">",
                  mirror_comparison_view_difference(&ms, latency, quantiles[i])
                      ? difference_text(r->pool, ms)
                      : "",
                  "</td>", NULL);
    }
    ap_rputs("</tr>\n</tbody></table>\n", r);
}

/* ---- all of it ---- */

static void put_all(const mirror_page_compared_t *compared, const char *name)
{
    mirror_overall_e state = mirror_findings_overall(compared->found);
    request_rec *r = compared->r;

    ap_rvputs(r, "<section class=\"comparison\" id=\"c-", name, "\" aria-label=\"Comparison of ",
              name, "\">\n<div class=\"compared\">\n<h3>Comparison <span class=\"verdict ",
              mirror_overall_name(state), "\"><span aria-hidden=\"true\">", states[state].sign,
              "</span> ", states[state].label, "</span></h3>\n", NULL);
    put_sentence(compared, state);
    put_terms(compared);
    mirror_page_put_findings(compared);
    mirror_page_put_noise(compared);
    mirror_page_put_rules(compared);
    ap_rputs("<div class=\"tables\">\n", r);
    put_statuses(compared);
    put_latencies(compared);
    ap_rputs("</div>\n", r);
    if (compared->form && compared->found->since > 0) {
        mirror_page_put_button(compared, "restart_comparison", NULL, "Start anew",
                               "Forget all of this, and count from now on");
    }
    ap_rputs("</div>\n<p role=\"status\"></p>\n</section>\n", r);
}

void mirror_page_put_comparison(request_rec *r, const mirror_view_t *view, const char *nonce,
                                const char *location)
{
    const char *name = ap_escape_html(r->pool, view->mirror->name);
    mirror_page_compared_t compared = { 0 };
    mirror_findings_view_t found;

    mirror_comparison_view_look(&found, r, mirror_scope_registry(r->server), view->mirror);
    if ((!view->settings->compare || view->settings->role == MIRROR_ROLE_REFERENCE) &&
        found.compared == 0 && sum_of(found.skips, MIRROR_SKIP_COUNT) == 0) {
        return;
    }
    compared.r = r;
    compared.view = view;
    compared.found = &found;
    compared.reference =
        mirror_comparison_view_reference(r, mirror_scope_registry(r->server), view->mirror);
    compared.lines = mirror_scope_rules_of(view->mirror, r->pool);
    mirror_page_mark_findings(&compared);
    compared.with_values = nonce && mirror_comparison_view_keeps_values(view->settings);
    if (nonce) {
        compared.form =
            apr_pstrcat(r->pool, "<form method=\"post\" action=\"", location, "/mirrors/", name,
                        "\"><input type=\"hidden\" name=\"nonce\" "
                        "value=\"",
                        ap_escape_html(r->pool, nonce), "\">", NULL);
    }
    put_all(&compared, name);
}
