/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/choose.c - the decision whether a request is copied. See capture/choose.h.
 *
 * Cheap checks run first. The first check that needs the client's head parses it.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <mod_core.h>
#include <util_filter.h>

#include "attributes/expr.h"
#include "attributes/value.h"
#include "capture/choose.h"
#include "capture/sample.h"
#include "settings/rules.h"
#include "settings/settings.h"

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
            return 0; /* a document of ErrorDocument is not the client's request */
        }
    }
    if (r->connection->master) { /* mod_http2 sets it in its fixups */
        pushed = apr_table_get(r->subprocess_env, "H2_PUSHED");
        return !pushed || !*pushed;
    }
    return 1;
}

/* Return whether reading of the body has begun: httpd's own filter then has its context. */
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

/* Return the availability of the body. A filter that replays the body (mod_request's, or a web
 * application firewall's) may have read it before the handler; the handler then reads as many bytes
 * as were announced. The handler before an internal redirect may have read the body and changed the
 * method to GET. */
static mirror_choose_body_e body_of(const request_rec *r, const mirror_head_t *head)
{
    if (r->prev && !mirror_method_is(&head->method, r->method)) {
        return MIRROR_BODY_LOST;
    }
    if (!head->chunked && head->content_length <= 0) {
        return MIRROR_BODY_NONE;
    }
    if (!body_begun(r)) {
        return MIRROR_BODY_PENDING;
    }
    return head->chunked || head->encoded ? MIRROR_BODY_LOST : MIRROR_BODY_REPLAYED;
}

static mirror_outcome_e choose_body(const mirror_choice_t *choice,
                                    const mirror_settings_t *settings)
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

int mirror_choose_has_method(mirror_choice_t *choice, const apr_array_header_t *methods)
{
    int i;

    if (!choice->method.name) {
        mirror_method_read(&choice->method, choice->first);
    }
    if (!methods) {
        return !mirror_method_is(&choice->method, "CONNECT") &&
               !mirror_method_is(&choice->method, "TRACE");
    }
    for (i = 0; i < methods->nelts; i++) {
        if (mirror_method_is(&choice->method, APR_ARRAY_IDX(methods, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

/* Return whether a request is in a sample: of `random_ratio`, or with sample_key, of `key_ratio`. */
static int draw(const mirror_choice_t *choice, mirror_lane_t *lane,
                const mirror_settings_t *settings, apr_int64_t random_ratio, apr_int64_t key_ratio)
{
    const ap_expr_info_t *expr = settings->rules ? settings->rules->sample_key : NULL;
    const char *key;

    if (!expr) {
        return mirror_sample_random(&lane->child->sample, random_ratio);
    }
    key = mirror_expr_string(choice->r, expr, NULL, NULL, lane, MIRROR_EXPR_SAMPLE_KEY);
    return key && mirror_sample_key(key, key_ratio);
}

static int is_sampled(const mirror_choice_t *choice, mirror_lane_t *lane,
                      const mirror_settings_t *settings)
{
    if (settings->sample_ratio >= MIRROR_RATIO_ALL || settings->sample_ratio == 0) {
        return settings->sample_ratio != 0;
    }
    return draw(choice, lane, settings, settings->sample_ratio, settings->sample_ratio);
}

static void read_head(mirror_choice_t *choice, mirror_lane_t *lane)
{
    choice->head = mirror_head_read(choice->r, choice->first, choice->id);
    choice->body = body_of(choice->r, choice->head);
    if (choice->edits) {
        mirror_head_edit(choice->head, choice->r, choice->edits, lane);
    }
}

mirror_outcome_e mirror_choose(mirror_choice_t *choice, mirror_lane_t *lane,
                               const mirror_settings_t *settings)
{
    const mirror_rules_t *rules = settings->rules;

    if (!mirror_settings_are_on(settings, choice->r->request_time)) {
        return MIRROR_OUTCOME_DISABLED;
    }
    if (!mirror_choose_has_method(choice, settings->methods)) {
        return MIRROR_OUTCOME_FILTERED;
    }
    if (rules && rules->expr &&
        !mirror_expr_matches(choice->r, rules->expr, lane, MIRROR_EXPR_EXPR)) {
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

int mirror_choose_compares(mirror_choice_t *choice, mirror_lane_t *lane,
                           const mirror_settings_t *settings)
{
    apr_int64_t ratio = settings->compare_ratio;

    /* whole millionths, so that the product fits */
    return ratio >= MIRROR_RATIO_ALL || draw(choice, lane, settings, ratio,
                                             settings->sample_ratio / 1000 * (ratio / 1000) / 1000);
}
