/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/comparison.c - the results of comparing, as JSON. See admin/comparison.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/comparison.h"
#include "admin/comparison_view.h"
#include "admin/comparison_json.h"
#include "admin/guard.h"
#include "admin/json.h"
#include "attributes/value.h"
#include "base/clock.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

/* The caller's defaults of /verdict. */
#define MIN_DEFAULT MIRROR_FINDINGS_MIN

/* ---- /verdict?min=N&max_different=RATIO ---- */

typedef struct parameters_t {
    apr_int64_t min;
    apr_int64_t max_different; /* billionths */
} parameters_t;

static const char *read_parameter(parameters_t *parameters, const char *name, const char *value,
                                  apr_pool_t *pool)
{
    static const mirror_value_rule_t min = { &mirror_value_number,
                                             1,
                                             APR_INT32_MAX,
                                             "must be an integer from 1 to 2147483647",
                                             NULL,
                                             NULL };
    static const mirror_value_rule_t ratio = { &mirror_value_ratio,
                                               0,
                                               MIRROR_RATIO_ALL,
                                               "must be a number from 0 to 1, or 0% to 100%",
                                               NULL,
                                               NULL };

    if (!strcmp(name, "min")) {
        return mirror_value_from_text(&parameters->min, &min, name, value, pool);
    }
    if (!strcmp(name, "max_different")) {
        return mirror_value_from_text(&parameters->max_different, &ratio, name, value, pool);
    }
    return apr_psprintf(pool, "query: must have min and max_different only, got %s",
                        mirror_value_quote(name, pool));
}

/* Decode a value. "0.1%" is what a person writes, and means the same as "0.1%25". */
static const char *decode_value(char *value, apr_pool_t *pool)
{
    apr_size_t len = strlen(value);
    int percent = len > 0 && value[len - 1] == '%';

    if (percent) {
        value[len - 1] = '\0';
    }
    if (ap_unescape_urlencoded(value) != OK) {
        return NULL;
    }
    return percent ? apr_pstrcat(pool, value, "%", NULL) : value;
}

/* Returns NULL, or what is wrong. */
static const char *read_query(parameters_t *parameters, const char *query, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, query ? query : ""), *last, *pair;
    const char *wrong = NULL;

    for (pair = apr_strtok(text, "&", &last); pair && !wrong; pair = apr_strtok(NULL, "&", &last)) {
        char *value = strchr(pair, '=');
        const char *decoded;

        if (value) {
            *value++ = '\0';
        }
        else {
            value = pair + strlen(pair);
        }
        decoded = decode_value(value, pool);
        if (!decoded) {
            return apr_psprintf(pool, "%s: must be percent-encoded, got %s",
                                mirror_value_quote(pair, pool), mirror_value_quote(value, pool));
        }
        wrong = read_parameter(parameters, pair, decoded, pool);
    }
    return wrong;
}

/* Whether more than `ratio` (billionths) of the pairs are different, if those that there was no time to
 * look into are as the others whose bytes differ. */
static int exceeds(const mirror_findings_view_t *view, apr_int64_t ratio)
{
    double looked = (double)(mirror_findings_examined(view) - view->verdicts[MIRROR_VERDICT_SAME]);
    double unequal = looked + (double)view->verdicts[MIRROR_VERDICT_UNEXAMINED];

    return (double)view->verdicts[MIRROR_VERDICT_DIFFERENT] * unequal * MIRROR_RATIO_ALL >
           (double)ratio * (double)view->compared * looked;
}

static int respond_verdict(request_rec *r, const mirror_findings_view_t *view)
{
    parameters_t parameters = { MIN_DEFAULT, 0 };
    const char *wrong = read_query(&parameters, r->args, r->pool);
    apr_uint64_t different = view->verdicts[MIRROR_VERDICT_DIFFERENT];
    apr_uint64_t examined = mirror_findings_examined(view);
    mirror_overall_e verdict = MIRROR_OVERALL_ALIKE;
    yajl_gen gen;

    if (wrong) {
        return mirror_json_error(r, HTTP_BAD_REQUEST, wrong);
    }
    if (examined < (apr_uint64_t)parameters.min) {
        verdict = MIRROR_OVERALL_COLLECTING;
    }
    else if (exceeds(view, parameters.max_different)) {
        verdict = MIRROR_OVERALL_DIFFERS;
    }
    else if (!mirror_findings_is_sample(view)) {
        verdict = MIRROR_OVERALL_COLLECTING;
    }
    gen = mirror_json_create(r->pool);
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "verdict");
    mirror_json_put_key(gen, mirror_overall_name(verdict));
    mirror_json_put_count(gen, "compared", examined);
    mirror_json_put_count(gen, "different", different);
    mirror_json_put_count(gen, "no_answer", view->skips[MIRROR_SKIP_NO_ANSWER]);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

/* ---- the resource ---- */

const char *mirror_comparison_restart(request_rec *r, const mirror_registry_t *registry,
                                      const mirror_t *mirror)
{
    mirror_findings_t *findings = mirror_comparison_view_findings(registry, mirror);

    if (findings &&
        mirror_findings_reset(findings, mirror_clock_to_wall(mirror_clock_now())) != APR_SUCCESS) {
        return "comparison: is in use by other requests; try again later";
    }
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "PM0902: mirror %s: the comparison is started anew by %s from %s", mirror->name,
                  r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user",
                  r->useragent_ip);
    return NULL;
}

static int start_anew(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror)
{
    const char *why = mirror_guard_refuse(r);

    if (why) {
        mirror_access_log(r, mirror->name, why);
        return mirror_json_error(r, HTTP_FORBIDDEN, why);
    }
    why = mirror_comparison_restart(r, registry, mirror);
    if (why) {
        return mirror_json_error(r, HTTP_SERVICE_UNAVAILABLE, why);
    }
    r->status = HTTP_NO_CONTENT;
    ap_set_content_length(r, 0);
    return OK;
}

int mirror_comparison_handle(request_rec *r, const mirror_registry_t *registry,
                             const mirror_t *mirror, const char *rest, int may_change)
{
    static const char read[] = "GET, HEAD";
    mirror_findings_view_t view;

    if (*rest && strcmp(rest, "/verdict")) {
        return mirror_json_error(r, HTTP_NOT_FOUND,
                                 apr_psprintf(r->pool,
                                              "%s: no such resource; there are /comparison and "
                                              "/comparison/verdict",
                                              rest));
    }
    if (!*rest && may_change && r->method_number == M_DELETE) {
        return start_anew(r, registry, mirror);
    }
    if (r->method_number != M_GET) {
        return mirror_json_refuse_method(r, !*rest && may_change ? "GET, HEAD, DELETE" : read);
    }
    mirror_comparison_view_look(&view, r, registry, mirror);
    if (!mirror_settings_borrow(registry, mirror, r->pool)->compare) {
        memset(&view, 0, sizeof(view)); /* whatever was found before */
    }
    return *rest ? respond_verdict(r, &view)
                 : mirror_comparison_json_send(r, registry, mirror, &view, may_change);
}
