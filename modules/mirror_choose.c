/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_choose.c - whether a request is copied. See mirror_choose.h.
 *
 * The cheap questions come first, and the client's head is read with the first one that needs it. mirror_choose.h has
 * the order.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <mod_core.h>
#include <util_filter.h>

#include "mirror_choose.h"
#include "mirror_expr.h"
#include "mirror_sample.h"
#include "mirror_value.h"

#define STATUS_MIN   200
#define STATUS_COUNT 400

struct mirror_rules_t {
    const ap_expr_info_t *expr;       /* a condition; NULL: none */
    const ap_expr_info_t *sample_key; /* a string; NULL: none */
    int has_status;
    char status[STATUS_COUNT]; /* by status less STATUS_MIN: 1 if a copy is wanted */
};

/* ---- startup ---- */

static void read_statuses(mirror_rules_t *rules, const apr_array_header_t *list)
{
    int i, n;

    rules->has_status = list != NULL;
    for (i = 0; list && i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);

        n = (text[0] - '0') * 100 - STATUS_MIN;
        if (text[1] == 'x') {
            memset(rules->status + n, 1, 100);
        }
        else {
            rules->status[n + (text[1] - '0') * 10 + (text[2] - '0')] = 1;
        }
    }
}

static const char *parse(const ap_expr_info_t **expr, const char *name, const char *needed, const char *text,
                         unsigned flags, apr_pool_t *pool, apr_pool_t *ptemp)
{
    const char *why = text ? mirror_expr_parse(expr, text, flags, pool, ptemp) : NULL;

    return why ? apr_psprintf(pool, "%s: %s is needed; got %s (%s)", name, needed, mirror_value_quote(text, pool), why)
               : NULL;
}

static unsigned restriction(const char *text, const mirror_settings_t *trusted, const char *trusted_text)
{
    return !trusted || (text && trusted_text && !strcmp(text, trusted_text)) ? 0 : AP_EXPR_FLAG_RESTRICTED;
}

const char *mirror_choose_compile(mirror_settings_t *settings, const mirror_settings_t *trusted, apr_pool_t *pool,
                                  apr_pool_t *ptemp)
{
    mirror_rules_t *rules;
    const char *wrong;

    settings->rules = NULL;
    if (!settings->expr && !settings->sample_key && !settings->status) {
        return NULL;
    }
    rules = apr_pcalloc(pool, sizeof(*rules));
    wrong = parse(&rules->expr, "expr", "an expression", settings->expr,
                  restriction(settings->expr, trusted, trusted ? trusted->expr : NULL), pool, ptemp);
    if (!wrong) {
        wrong = parse(&rules->sample_key, "sample_key", "a string expression", settings->sample_key,
                      restriction(settings->sample_key, trusted, trusted ? trusted->sample_key : NULL) |
                          AP_EXPR_FLAG_STRING_RESULT,
                      pool, ptemp);
    }
    if (!wrong) {
        read_statuses(rules, settings->status);
        settings->rules = rules;
    }
    return wrong;
}

/* ---- request threads ---- */

int mirror_choose_sees(const request_rec *r)
{
    static const char own[] = "proxy-mirror-";
    const request_rec *prev;
    const char *pushed;

    if (r->handler && !strncmp(r->handler, own, sizeof(own) - 1)) {
        return 0;
    }
    for (prev = r->prev; prev; prev = prev->prev) {
        if (prev->status != HTTP_OK) {
            return 0; /* a document of ErrorDocument is no part of what the client asked for */
        }
    }
    if (r->connection->master) { /* mod_http2 sets it in its fixups */
        pushed = apr_table_get(r->subprocess_env, "H2_PUSHED");
        return !pushed || !*pushed;
    }
    return 1;
}

/* Whether anyone has begun to read the body: httpd's own filter then has its context. */
static int body_begun(const request_rec *r)
{
    const ap_filter_t *f;

    for (f = r->input_filters; f; f = f->next) {
        if (f->frec == ap_http_input_filter_handle) {
            return f->ctx != NULL;
        }
    }
    return 0;
}

/* Before the handler, the body may have been read by a filter that replays it (mod_request's, or that of a web
 * application firewall): then the handler reads as many bytes as were announced. What handled the request before an
 * internal redirect may have read the body and then have made a GET of the request. */
static mirror_choose_body_e body_of(const request_rec *r, const mirror_head_t *head)
{
    if (r->prev && !mirror_method_is(&head->method, r->method)) {
        return MIRROR_BODY_LOST;
    }
    if (!head->chunked && head->content_length <= 0) {
        return MIRROR_BODY_NONE;
    }
    if (!body_begun(r)) {
        return MIRROR_BODY_COMES;
    }
    return head->chunked || head->encoded ? MIRROR_BODY_LOST : MIRROR_BODY_REPLAYED;
}

static mirror_outcome_e choose_body(const mirror_choice_t *choice, const mirror_settings_t *settings)
{
    if (!settings->body || choice->body == MIRROR_BODY_NONE) {
        return MIRROR_OUTCOME_NONE;
    }
    if (choice->body == MIRROR_BODY_LOST) {
        return MIRROR_OUTCOME_INCOMPLETE;
    }
    if (!choice->head->chunked && choice->head->content_length > settings->max_body) {
        return MIRROR_OUTCOME_TOO_LARGE;
    }
    return MIRROR_OUTCOME_NONE;
}

static int has_method(mirror_choice_t *choice, const apr_array_header_t *methods)
{
    int i;

    if (!choice->method.name) {
        mirror_method_read(&choice->method, choice->first);
    }
    if (!methods) {
        return !mirror_method_is(&choice->method, "CONNECT") && !mirror_method_is(&choice->method, "TRACE");
    }
    for (i = 0; i < methods->nelts; i++) {
        if (mirror_method_is(&choice->method, APR_ARRAY_IDX(methods, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

static int is_sampled(const mirror_choice_t *choice, mirror_lane_t *lane, const mirror_settings_t *settings)
{
    const ap_expr_info_t *expr = settings->rules ? settings->rules->sample_key : NULL;
    const char *key;

    if (settings->sample_ratio >= MIRROR_SAMPLE_ALL || settings->sample_ratio == 0) {
        return settings->sample_ratio != 0;
    }
    if (!expr) {
        return mirror_sample_random(&lane->child->sample, settings->sample_ratio);
    }
    key = mirror_expr_string(choice->r, expr, NULL, NULL, lane, MIRROR_EXPR_SAMPLE_KEY);
    return key && mirror_sample_key(key, settings->sample_ratio);
}

static void read_head(mirror_choice_t *choice, mirror_lane_t *lane)
{
    choice->head = mirror_head_read(choice->r, choice->first, choice->id);
    choice->body = body_of(choice->r, choice->head);
    if (choice->edits) {
        mirror_head_edit(choice->head, choice->r, choice->edits, lane);
    }
}

mirror_outcome_e mirror_choose(mirror_choice_t *choice, mirror_lane_t *lane, const mirror_settings_t *settings)
{
    const mirror_rules_t *rules = settings->rules;

    if (!settings->enabled) {
        return MIRROR_OUTCOME_DISABLED;
    }
    if (!has_method(choice, settings->methods)) {
        return MIRROR_OUTCOME_FILTERED;
    }
    if (rules && rules->expr && !mirror_expr_holds(choice->r, rules->expr, lane, MIRROR_EXPR_EXPR)) {
        return MIRROR_OUTCOME_FILTERED;
    }
    if (!is_sampled(choice, lane, settings)) {
        return MIRROR_OUTCOME_SAMPLED_OUT;
    }
    if (!choice->head) {
        read_head(choice, lane);
    }
    if (choice->head->websocket) {
        return MIRROR_OUTCOME_UPGRADE;
    }
    if (choice->head->looped) {
        return MIRROR_OUTCOME_LOOPED;
    }
    return choose_body(choice, settings);
}

int mirror_choose_status(const mirror_settings_t *settings, int status)
{
    int n = status - STATUS_MIN;

    if (!settings->rules || !settings->rules->has_status) {
        return 1;
    }
    return n >= 0 && n < STATUS_COUNT && settings->rules->status[n];
}
