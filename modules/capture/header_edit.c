/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/header_edit.c - ProxyMirrorHeader. See capture/header_edit.h.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>

#include "attributes/expr.h"
#include "attributes/value.h"
#include "capture/header_edit.h"
#include "capture/header_name.h"

/* An edit that is applied to a request. */
typedef struct edit_run_t {
    const mirror_header_edit_t *edit;
    request_rec *r;
    mirror_lane_t *lane;
    apr_table_t *results; /* of edit */
} edit_run_t;

typedef void action_t(apr_table_t *headers, edit_run_t *run);

struct mirror_header_edit_t {
    action_t *action;
    int every; /* edit*: replace every match, not only the first */
    const char *name;
    ap_regex_t *regex;           /* edit's */
    const ap_expr_info_t *value; /* NULL = the action has no value */
};

/* ---- values ---- */

static int is_control(char c)
{
    return apr_iscntrl(c) && c != '\t';
}

/* Evaluate the value; NULL if that fails. `match`, `source`: see mirror_expr_string(). */
static const char *value_of(const edit_run_t *run, ap_regmatch_t *match, const char *source)
{
    const char *text =
        mirror_expr_string(run->r, run->edit->value, match, source, run->lane, MIRROR_EXPR_HEADER);
    const char *p = text;
    char *clean;

    while (p && *p && !is_control(*p)) {
        p++;
    }
    if (!p || !*p) {
        return text;
    }
    clean = apr_pstrdup(run->r->pool, text);
    text = clean;
    for (; *clean; clean++) {
        if (is_control(*clean)) {
            *clean = ' ';
        }
    }
    return text;
}

/* ---- actions ---- */

static void do_set(apr_table_t *headers, edit_run_t *run)
{
    const char *value = value_of(run, NULL, NULL);

    if (value) {
        apr_table_setn(headers, run->edit->name, value);
    }
}

static void do_add(apr_table_t *headers, edit_run_t *run)
{
    const char *value = value_of(run, NULL, NULL);

    if (value) {
        apr_table_addn(headers, run->edit->name, value);
    }
}

static void do_append(apr_table_t *headers, edit_run_t *run)
{
    const char *value = value_of(run, NULL, NULL);

    if (value) {
        apr_table_mergen(headers, run->edit->name, value);
    }
}

/* Return whether the list has the element `value`. A comma in quotes does not end an element. Text
 * after an element belongs to it up to the comma, as in RequestHeader. */
static int has_element(const char *list, const char *value)
{
    apr_size_t len = strlen(value);

    while (*list) {
        const char *start;
        int quoted = 0;

        for (; apr_isspace(*list); list++) {
        }
        for (start = list; *list && (quoted || *list != ','); list++) {
            quoted ^= *list == '"';
        }
        if ((apr_size_t)(list - start) == len && !memcmp(start, value, len)) {
            return 1;
        }
        list += *list == ',';
    }
    return 0;
}

static void do_merge(apr_table_t *headers, edit_run_t *run)
{
    const char *list = apr_table_get(headers, run->edit->name);
    const char *value = value_of(run, NULL, NULL);

    if (value && (!list || !has_element(list, value))) {
        apr_table_mergen(headers, run->edit->name, value);
    }
}

static void do_unset(apr_table_t *headers, edit_run_t *run)
{
    apr_table_unset(headers, run->edit->name);
}

static void put_piece(apr_array_header_t *pieces, const char *text, apr_size_t len)
{
    if (len) {
        APR_ARRAY_PUSH(pieces, const char *) = apr_pstrmemdup(pieces->pool, text, len);
    }
}

/* Return `value` with the first match or all matches replaced; `value` itself without a match; NULL
 * if the expression fails. The text after a match is matched separately, so ^ matches there again,
 * as in RequestHeader. */
static const char *edited(const edit_run_t *run, const char *value)
{
    apr_array_header_t *pieces = NULL;
    ap_regmatch_t match[AP_MAX_REG_MATCH];

    while (!ap_regexec(run->edit->regex, value, AP_MAX_REG_MATCH, match, 0)) {
        const char *replacement = value_of(run, match, value);
        apr_size_t end = (apr_size_t)match[0].rm_eo;

        if (!replacement) {
            return NULL;
        }
        if (!pieces) {
            pieces = apr_array_make(run->r->pool, 8, sizeof(const char *));
        }
        put_piece(pieces, value, (apr_size_t)match[0].rm_so);
        APR_ARRAY_PUSH(pieces, const char *) = replacement;
        /* empty match: advance by one character */
        if (end == (apr_size_t)match[0].rm_so && value[end]) {
            put_piece(pieces, value + end++, 1);
        }
        value += end;
        if (!run->edit->every || !*value) {
            break;
        }
    }
    if (!pieces) {
        return value;
    }
    APR_ARRAY_PUSH(pieces, const char *) = value;
    return apr_array_pstrcat(run->r->pool, pieces, 0);
}

static int edit_one(void *baton, const char *name, const char *value)
{
    edit_run_t *run = baton;
    const char *result = edited(run, value);

    apr_table_addn(run->results, name, result ? result : value);
    return 1;
}

static void do_edit(apr_table_t *headers, edit_run_t *run)
{
    const char *name = run->edit->name;

    if (apr_table_get(headers, name)) {
        run->results = apr_table_make(run->r->pool, 4);
        apr_table_do(edit_one, run, headers, name, NULL);
        apr_table_unset(headers, name);
        apr_table_overlap(headers, run->results, APR_OVERLAP_TABLES_ADD);
    }
}

void mirror_header_edit_apply(apr_table_t *headers, const apr_array_header_t *edits, request_rec *r,
                              mirror_lane_t *lane)
{
    edit_run_t run = { NULL, r, lane, NULL };
    int i;

    for (i = 0; i < edits->nelts; i++) {
        run.edit = APR_ARRAY_IDX(edits, i, const mirror_header_edit_t *);
        run.edit->action(headers, &run);
    }
}

/* ---- startup ---- */

static const struct {
    const char *name;
    action_t *action;
    int words; /* number of words after the header's name */
    int every;
} actions[] = { { "set", do_set, 1, 0 },     { "append", do_append, 1, 0 },
                { "merge", do_merge, 1, 0 }, { "add", do_add, 1, 0 },
                { "unset", do_unset, 0, 0 }, { "edit", do_edit, 2, 0 },
                { "edit*", do_edit, 2, 1 } };

#define ACTIONS (sizeof(actions) / sizeof(*actions))

/* Parse the name, and remove a trailing colon. Returns NULL or an error message. */
static const char *read_name(mirror_header_edit_t *edit, char *name, apr_pool_t *pool)
{
    apr_size_t len = strlen(name);

    if (len > 1 && name[len - 1] == ':') {
        name[--len] = '\0';
    }
    if (!len || *ap_scan_http_token(name)) {
        return apr_pstrcat(pool, "name: must be a header name, got ",
                           mirror_value_quote(name, pool), NULL);
    }
    if (mirror_header_name_is_fixed(name)) {
        return apr_pstrcat(
            pool, "name: must be a header that can be changed (to set Host, use host_header), got ",
            mirror_value_quote(name, pool), NULL);
    }
    edit->name = name;
    return NULL;
}

/* Return whether ap_expr converts this backslash sequence to a control character; `p` is after the
 * backslash. */
static int is_control_escape(const char *p)
{
    int i, value = 0;

    if (*p < '0' || *p > '7') {
        return *p && strchr("nrtbf", *p);
    }
    for (i = 0; i < 3 && p[i] >= '0' && p[i] <= '7'; i++) {
        value = value * 8 + (p[i] - '0');
    }
    return value < 0x20 || value == 0x7f;
}

static const char *read_value(mirror_header_edit_t *edit, const char *text, apr_pool_t *pool,
                              apr_pool_t *ptemp)
{
    const char *why = NULL, *p;

    for (p = text; *p && !why; p++) {
        if (apr_iscntrl(*p)) {
            why = "it has a control character";
        }
        else if (*p == '\\' && p[1]) {
            why = is_control_escape(++p) ? "it has an escaped control character" : NULL;
        }
    }
    if (!why) {
        why = mirror_expr_parse(&edit->value, text, AP_EXPR_FLAG_STRING_RESULT, pool, ptemp);
    }
    return why ? apr_psprintf(
                     pool,
                     "value: must be a string expression without control characters, got %s (%s)",
                     mirror_value_quote(text, pool), why)
               : NULL;
}

static const char *read_regex(mirror_header_edit_t *edit, const char *text, apr_pool_t *pool)
{
    edit->regex = ap_pregcomp(pool, text, AP_REG_EXTENDED);
    return edit->regex ? NULL
                       : apr_pstrcat(pool, "edit: must be a valid regular expression, got ",
                                     mirror_value_quote(text, pool), NULL);
}

/* Check the number of words. Returns NULL or an error message. `args`: rest of the arguments. */
static const char *check_count(const char *action, int needed, int found, const char *args,
                               apr_pool_t *pool)
{
    static const char *const what[] = { "a header name", "a header name and a value",
                                        "a header name, a regular expression and a replacement" };

    if (found < needed) {
        return apr_psprintf(pool, "%s: must have %s, got %d of %d", action, what[needed - 1], found,
                            needed);
    }
    return *args ? apr_psprintf(pool,
                                "%s: must have %s, got %s in addition (quote an argument that "
                                "contains spaces)",
                                action, what[needed - 1], mirror_value_quote(args, pool))
                 : NULL;
}

const char *mirror_header_edit_parse(mirror_header_edit_t **out, const char *args, apr_pool_t *pool,
                                     apr_pool_t *ptemp)
{
    mirror_header_edit_t *edit = apr_pcalloc(pool, sizeof(*edit));
    const char *action = ap_getword_conf(pool, &args), *wrong;
    char *words[3] = { NULL, NULL, NULL };
    apr_size_t i;
    int count = 0;

    for (i = 0; i < ACTIONS && apr_cstr_casecmp(action, actions[i].name); i++) {
    }
    if (i == ACTIONS) {
        return apr_pstrcat(
            pool, "action: must be one of set, append, merge, add, unset, edit, edit*, got ",
            mirror_value_quote(action, pool), NULL);
    }
    for (; *args && count < actions[i].words + 1; count++) {
        words[count] = ap_getword_conf(pool, &args);
    }
    wrong = check_count(actions[i].name, actions[i].words + 1, count, args, pool);
    if (!wrong) {
        wrong = read_name(edit, words[0], pool);
    }
    if (!wrong && actions[i].words == 2) {
        wrong = read_regex(edit, words[1], pool);
    }
    if (!wrong && actions[i].words) {
        wrong = read_value(edit, words[actions[i].words], pool, ptemp);
    }
    edit->action = actions[i].action;
    edit->every = actions[i].every;
    *out = edit;
    return wrong;
}
