/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_rules.c - rules of comparing on the page: those in force, and buttons that set one.
 * See admin/page_comparison.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/comparison_view.h"
#include "admin/page_comparison.h"
#include "settings/compare_rule.h"
#include "settings/rules.h"

#define DEPTH_MAX 128
#define IGNORING  (MIRROR_RULE_IGNORE)
/* As attributes/line.c has it: there is no escape for that. */
#define NOTE_VARIABLE                                                                              \
    "<small>httpd replaces ${NAME} in this line if NAME is defined (Define, environment)."         \
    "</small>\n"

/* ---- the rule of a field ---- */

/* Read a segment of a pointer, up to a slash or the end, to a step. Returns its end. */
static const char *read_step(mirror_step_t *step, const char *segment, apr_pool_t *pool)
{
    apr_size_t len = strcspn(segment, "/"), i;
    char *name = apr_palloc(pool, len + 1), *to = name;

    memset(step, 0, sizeof(*step));
    if (len == 1 && *segment == '*') {
        return segment + len; /* an element, or a name that is not shown */
    }
    for (i = 0; i < len; i++) {
        if (segment[i] == '~' && i + 1 < len) {
            i++;
            *to++ = segment[i] == '1' ? '/' : segment[i] == '2' ? '*' : '~';
        }
        else {
            *to++ = segment[i];
        }
    }
    step->name = name;
    step->len = (apr_size_t)(to - name);
    return segment + len;
}

/* Return the rule that ignores the field of a row. */
static const mirror_compare_rule_t *find_rule(const apr_array_header_t *rules, const char *field,
                                              apr_pool_t *pool)
{
    mirror_step_t steps[DEPTH_MAX];
    int depth = 0;

    if (!strcmp(field, "status")) {
        return mirror_compare_rule_status(rules, IGNORING, NULL);
    }
    if (!strncmp(field, "header/", 7)) {
        return mirror_compare_rule_header(rules, IGNORING, field + 7, strlen(field + 7), NULL);
    }
    if (strncmp(field, "body", 4) != 0) {
        return NULL;
    }
    for (field += 4; *field == '/' && depth < DEPTH_MAX; depth++) {
        field = read_step(&steps[depth], field + 1, pool);
    }
    return *field ? NULL : mirror_compare_rule_body(rules, IGNORING, steps, depth, NULL);
}

const char *mirror_page_rule_ignoring(const mirror_page_compared_t *compared, const char *field)
{
    const mirror_rules_t *own = compared->view->settings->rules;
    apr_pool_t *p = compared->r->pool;
    const mirror_compare_rule_t *rule = find_rule(compared->lines, field, p);

    if (!rule && own) {
        rule = find_rule(own->compare, field, p);
    }
    return rule ? mirror_compare_rule_text(rule) : NULL;
}

/* ---- buttons ---- */

void mirror_page_put_button(const mirror_page_compared_t *compared, const char *action,
                            const char *rule, const char *label, const char *title)
{
    apr_pool_t *p = compared->r->pool;

    ap_rvputs(compared->r, compared->form, "<input type=\"hidden\" name=\"action\" value=\"",
              action, "\">", NULL);
    if (rule) {
        ap_rvputs(compared->r, "<input type=\"hidden\" name=\"rule\" value=\"",
                  ap_escape_html(p, rule), "\">", NULL);
    }
    if (rule && compared->view->has_fleet) {
        ap_rputs(compared->view->settings->layer == MIRROR_LAYER_NODE
                     ? MIRROR_PAGE_LAYERS_NODE_FIRST
                     : MIRROR_PAGE_LAYERS,
                 compared->r);
    }
    ap_rvputs(compared->r, "<button title=\"", title, "\">", label, NULL);
    if (rule) {
        ap_rvputs(compared->r, "<span class=\"unseen\">: ", mirror_page_text(p, rule), "</span>",
                  NULL);
    }
    ap_rputs("</button></form>\n", compared->r);
}

/* Return the rule "FIELD ACTION" in its canonical form; NULL if there is none, as for a field that was
 * cut, and for actions that the field has not. */
static const char *make_rule(const char *field, const char *action, apr_pool_t *pool)
{
    mirror_compare_rule_t *rule;

    if (strstr(field, "...") && strlen(field) >= MIRROR_FINDINGS_TEXT - 4) {
        return NULL;
    }
    return mirror_compare_rule_parse(&rule, apr_pstrcat(pool, field, " ", action, NULL), pool)
               ? NULL
               : mirror_compare_rule_text(rule);
}

/* Return whether a rule of file or manager has this text. */
static int is_in_force(const mirror_page_compared_t *compared, const char *text)
{
    const mirror_rules_t *own = compared->view->settings->rules;

    return mirror_comparison_view_has_rule(compared->lines, text) ||
           (own && mirror_comparison_view_has_rule(own->compare, text));
}

static void put_line(const mirror_page_compared_t *compared, const char *rule)
{
    ap_rvputs(compared->r, "<code class=\"line\" dir=\"ltr\">ProxyMirrorCompare ",
              mirror_page_text(compared->r->pool, rule), "</code>\n",
              strstr(rule, "${") ? NOTE_VARIABLE : "", NULL);
}

/* Return whether a field stands for several: its last segment is not shown, or some are left out. */
static int is_wide(const char *field)
{
    apr_size_t len = strlen(field);

    return (len > 1 && !strcmp(field + len - 2, "/*")) || strstr(field, "/**") != NULL;
}

void mirror_page_put_offers(const mirror_page_compared_t *compared, const char *field,
                            unsigned offers, const char *key)
{
    static const struct {
        mirror_page_offer_e offer;
        const char *action, *label, *title;
    } all[] = {
        { MIRROR_PAGE_IGNORE, "ignore", "Ignore", "Do not compare this field any more" },
        { MIRROR_PAGE_MATTERS, "compare", "It matters",
          "Never take a difference of this field for noise" },
    };
    const char *rules[2] = { NULL, NULL };
    request_rec *r = compared->r;
    int i;

    for (i = 0; i < 2; i++) {
        rules[i] = offers & all[i].offer ? make_rule(field, all[i].action, r->pool) : NULL;
    }
    if (!rules[0] && !rules[1]) {
        return;
    }
    ap_rvputs(r, "<div class=\"offers\" data-key=\"", key, "\">", NULL);
    for (i = 0; compared->form && i < 2; i++) {
        if (rules[i] && !is_in_force(compared, rules[i])) {
            mirror_page_put_button(compared, "add_rule", rules[i], all[i].label, all[i].title);
        }
    }
    if (is_wide(field)) {
        ap_rputs("<small>A rule for this covers every name and element that stands at a "
                 "<code>*</code>.</small>\n",
                 r);
    }
    ap_rputs("<details><summary>To make it permanent</summary><p>Copy a line to the configuration "
             "file, beside <code>ProxyMirror</code>:</p>\n",
             r);
    for (i = 0; i < 2; i++) {
        if (rules[i]) {
            put_line(compared, rules[i]);
        }
    }
    ap_rputs("</details></div>\n", r);
}

/* ---- rules in force ---- */

static const char *responses(apr_pool_t *p, apr_uint64_t n)
{
    return apr_pstrcat(p, mirror_page_count(p, n), n == 1 ? " response" : " responses", NULL);
}

/* Print in how many responses a rule had an effect. */
static void put_effect(const mirror_page_compared_t *compared, const mirror_compare_rule_t *rule)
{
    request_rec *r = compared->r;
    apr_pool_t *p = r->pool;
    mirror_found_rule_t counted;
    const char *all;

    switch (
        mirror_comparison_view_rule(&counted, compared->found, rule, compared->view->settings)) {
    case MIRROR_COMPARISON_RULE_USED:
        ap_rvputs(r, "; had an effect in ", mirror_page_count(p, counted.hits), " of ",
                  responses(p, counted.compared), NULL);
        break;
    case MIRROR_COMPARISON_RULE_MATCHES_NOTHING:
        all = responses(p, counted.compared);
        ap_rvputs(r, "; <b class=\"nothing\">matches nothing</b>: no effect in ", all,
                  ". Its field never differs, or is misspelled", NULL);
        break;
    default:
        ap_rputs("; no effect yet", r);
        break;
    }
    if (counted.failures > 0) {
        ap_rvputs(r, "; failed in ", responses(p, counted.failures),
                  ", because its regular expression takes too long", NULL);
    }
}

static void put_rule(const mirror_page_compared_t *compared, const mirror_compare_rule_t *rule,
                     int removable)
{
    const char *text = mirror_compare_rule_text(rule);

    ap_rputs("<li>", compared->r);
    put_line(compared, text);
    ap_rputs(removable ? "<small>set by the manager" : "<small>from the configuration file",
             compared->r);
    put_effect(compared, rule);
    ap_rputs("</small>\n", compared->r);
    if (removable && compared->form) {
        mirror_page_put_button(compared, "remove_rule", text, "Remove",
                               "Compare as if this rule had not been set");
    }
    ap_rputs("</li>\n", compared->r);
}

/* `kept`: those of them that the configuration file gives; NULL = none. */
static void put_list(const mirror_page_compared_t *compared, const apr_array_header_t *rules,
                     const apr_array_header_t *kept)
{
    int i;

    for (i = 0; rules && i < rules->nelts; i++) {
        const mirror_compare_rule_t *rule = APR_ARRAY_IDX(rules, i, const mirror_compare_rule_t *);

        put_rule(compared, rule,
                 !mirror_comparison_view_has_rule(kept, mirror_compare_rule_text(rule)));
    }
}

void mirror_page_put_rules(const mirror_page_compared_t *compared)
{
    const mirror_settings_t *settings = compared->view->settings;
    const apr_array_header_t *own = settings->rules ? settings->rules->compare : NULL;
    const mirror_rules_t *file = compared->view->mirror->settings->rules;
    request_rec *r = compared->r;
    int n = (compared->lines ? compared->lines->nelts : 0) + (own ? own->nelts : 0);

    if (n == 0) {
        return;
    }
    ap_rvputs(
        r, "<details data-key=\"rules\" open><summary>Rules in force: ",
        mirror_page_count(r->pool, (apr_uint64_t)n),
        "</summary>\n<p class=\"terms\">A rule says how a field is compared. Rules set by "
        "the manager ",
        compared->view->has_fleet ? "for this node " : "",
        "end when httpd stops; a line in the configuration file stays.</p>\n<ul class=\"rules\">\n",
        NULL);
    put_list(compared, compared->lines, compared->lines);
    put_list(compared, own, file ? file->compare : NULL);
    ap_rputs("</ul></details>\n", r);
}
