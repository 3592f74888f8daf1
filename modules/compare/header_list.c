/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/header_list.c - the built-in list. See compare/header_list.h.
 *
 * Names are exact, so that "date" is not found in "x-candidate-id". Not on the list, as they belong
 * to the application: CORS, X-CSRF-Token, Link.
 */
#include <string.h>

#include "compare/header_list.h"

#define SKIP(name)                                                                                 \
    {                                                                                              \
        name, MIRROR_HEADER_LIST_SKIP, NULL, NULL                                                  \
    }
#define PRESENCE(name)                                                                             \
    {                                                                                              \
        name, 0, NULL, mirror_header_form_nothing                                                  \
    }

/* clang-format off */
static const mirror_header_list_row_t list[] = {
    SKIP("connection"),
    SKIP("keep-alive"),
    SKIP("te"),
    SKIP("trailer"),
    SKIP("transfer-encoding"),
    SKIP("upgrade"),
    SKIP("via"),
    SKIP("alt-svc"),
    SKIP("content-length"),
    SKIP("content-md5"),
    SKIP("digest"),
    SKIP("content-digest"),
    SKIP("repr-digest"),

    PRESENCE("date"),
    PRESENCE("age"),
    PRESENCE("server"),
    PRESENCE("x-powered-by"),
    PRESENCE("x-request-id"),
    PRESENCE("request-id"),
    PRESENCE("x-correlation-id"),
    PRESENCE("x-runtime"),
    PRESENCE("traceparent"),
    PRESENCE("tracestate"),
    PRESENCE("b3"),
    PRESENCE("x-b3-traceid"),
    PRESENCE("x-b3-spanid"),
    PRESENCE("x-b3-parentspanid"),
    PRESENCE("x-b3-sampled"),
    PRESENCE("x-datadog-trace-id"),
    PRESENCE("x-datadog-parent-id"),
    PRESENCE("x-amzn-trace-id"),
    PRESENCE("x-cloud-trace-context"),
    PRESENCE("sentry-trace"),
    PRESENCE("x-response-time"),
    PRESENCE("server-timing"),
    PRESENCE("cf-ray"),
    PRESENCE("x-served-by"),
    PRESENCE("x-cache"),
    PRESENCE("x-cache-hits"),
    PRESENCE("x-timer"),
    PRESENCE("x-amz-request-id"),
    PRESENCE("x-amz-cf-id"),
    PRESENCE("x-amz-id-2"),
    PRESENCE("report-to"),
    PRESENCE("nel"),
    PRESENCE("ratelimit-remaining"),
    PRESENCE("ratelimit-reset"),
    PRESENCE("x-ratelimit-remaining"),
    PRESENCE("x-ratelimit-reset"),
    PRESENCE("x-ratelimit-used"),

    { "accept-ranges", 0, mirror_header_form_token_set, NULL },
    { "allow", 0, mirror_header_form_method_set, NULL },
    { "cache-control", 0, mirror_header_form_token_set, NULL },
    { "content-encoding", MIRROR_HEADER_LIST_CODING, NULL, NULL },
    { "content-location", 0, NULL, mirror_header_form_path },
    { "content-security-policy", 0, NULL, mirror_header_form_csp },
    { "content-security-policy-report-only", 0, NULL, mirror_header_form_csp },
    { "content-type", 0, mirror_header_form_media_type, NULL },
    { "etag", 0, NULL, mirror_header_form_etag },
    { "expires", MIRROR_HEADER_LIST_RELATIVE, mirror_header_form_date, NULL },
    { "last-modified", 0, mirror_header_form_date, NULL },
    { "location", 0, NULL, mirror_header_form_path },
    { "retry-after", 0, mirror_header_form_date, NULL },
    { "set-cookie", MIRROR_HEADER_LIST_EACH, mirror_header_form_cookie, mirror_header_form_cookie_names },
    { "sunset", 0, mirror_header_form_date, NULL },
    { "vary", 0, mirror_header_form_token_set, NULL },
    { "www-authenticate", 0, NULL, mirror_header_form_challenge },
};
/* clang-format on */

const mirror_header_list_row_t *mirror_header_list_find(const char *name)
{
    static const mirror_header_list_row_t proxy = SKIP("proxy-*"), other = { "", 0, NULL, NULL };
    apr_size_t i;

    for (i = 0; i < sizeof(list) / sizeof(*list); i++) {
        if (!strcmp(list[i].name, name)) {
            return &list[i];
        }
    }
    return !strncmp(name, "proxy-", 6) ? &proxy : &other;
}
