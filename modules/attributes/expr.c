/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/expr.c - httpd's expressions. See attributes/expr.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "attributes/expr.h"

APLOG_USE_MODULE(proxy_mirror);

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Return NULL, or the part of `text` that httpd's scanner cannot scan. The scanner ends the process
 * at such text: a quote in an argument, %{name:it's}, and a trailing backslash. */
static const char *refuse_unscannable(const char *text)
{
    int depth = 0; /* depth of nested arguments */

    for (; *text; text++) {
        if (*text == '\\') {
            if (!*++text) {
                return "it ends with a backslash";
            }
        }
        else if (text[0] == '%' && text[1] == '{') {
            apr_size_t len = strspn(text + 2, LETTERS);

            len += strspn(text + 2 + len, LETTERS "_0123456789");
            if (len && text[2 + len] == ':') {
                depth++;
                text += 2 + len;
            }
            else if (len && text[2 + len] == '}') {
                text += 2 + len;
            }
        }
        else if (depth && *text == '}') {
            depth--;
        }
        else if (depth && (*text == '"' || *text == '\'')) {
            return "a quote in %{...:...} must be preceded by a backslash";
        }
    }
    return NULL;
}

/* Reject httpd's -U, -F and -A. They run a subrequest for each request, with its authorization and
 * RewriteMap programs, and reveal which files exist. httpd does not count them as restricted. */
static int lookup_restricted(ap_expr_lookup_parms *parms)
{
    const char *name = parms->name;

    if (parms->type == AP_EXPR_FUNC_OP_UNARY &&
        (!strcmp(name, "U") || !strcmp(name, "F") || !strcmp(name, "A"))) {
        *parms->err = apr_psprintf(parms->ptemp, "-%s not available in restricted context", name);
        return !OK;
    }
    return ap_expr_lookup_default(parms);
}

const char *mirror_expr_parse(const ap_expr_info_t **expr, const char *text, unsigned flags,
                              apr_pool_t *pool, apr_pool_t *ptemp)
{
    ap_expr_info_t *info = apr_pcalloc(pool, sizeof(*info));
    const char *why = refuse_unscannable(text);

    if (why) {
        return why;
    }
    info->filename = "ProxyMirror"; /* for httpd messages that name a file */
    info->flags = flags | AP_EXPR_FLAG_DONT_VARY;
    info->module_index = APLOG_MODULE_INDEX;
    why = ap_expr_parse(pool, ptemp, info, text,
                        flags & AP_EXPR_FLAG_RESTRICTED ? lookup_restricted : NULL);
    if (!why) {
        *expr = info;
    }
    return why;
}

/* A request with this configuration logs nothing. */
static const struct ap_logconf silence = { NULL, -1 };

static void log_failure(request_rec *r, mirror_lane_t *lane, mirror_expr_e which, const char *why)
{
    static const char *const names[] = { "expr", "sample_key", "ProxyMirrorHeader",
                                         "compare_group" };
    static const char *const results[] = { "the request is not copied", "the request is not copied",
                                           "the header is not changed",
                                           "the group is that of method and path" };

    if (apr_atomic_xchg32(&lane->logged[which], 1) == 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "PM0310: mirror %s: %s: evaluation of the expression failed: %s; %s; further "
                      "failures are not logged",
                      lane->mirror->name, names[which], why, results[which]);
    }
}

int mirror_expr_matches(request_rec *r, const ap_expr_info_t *expr, mirror_lane_t *lane,
                        mirror_expr_e which)
{
    const struct ap_logconf *log = r->log;
    const char *why = NULL;
    int matches;

    r->log = &silence;
    matches = ap_expr_exec(r, expr, &why);
    r->log = log;
    if (why || matches < 0) {
        log_failure(r, lane, which, why ? why : "no reason given");
        return 0;
    }
    return matches;
}

const char *mirror_expr_string(request_rec *r, const ap_expr_info_t *expr, ap_regmatch_t *match,
                               const char *source, mirror_lane_t *lane, mirror_expr_e which)
{
    const struct ap_logconf *log = r->log;
    const char *why = NULL, *string;

    r->log = &silence;
    string = match ? ap_expr_str_exec_re(r, expr, AP_MAX_REG_MATCH, match, &source, &why)
                   : ap_expr_str_exec(r, expr, &why);
    r->log = log;
    if (why || !string) {
        log_failure(r, lane, which, why ? why : "no reason given");
        return NULL;
    }
    return string;
}
