/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/section.c - sections of the configuration. See config/section.h.
 *
 * The lines are kept in pconf, as the registry is, from the directives to check_config.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "config/section.h"

APLOG_USE_MODULE(proxy_mirror);

#define LINES_KEY "mod_proxy_mirror:lines"

/* A ProxyMirror line. */
typedef struct section_line_t {
    const char *place;      /* equal for lines whose sections replace each other */
    const void *scope;      /* equal for lines of one section */
    const mirror_t *mirror; /* NULL: off */
    const char *file;
    int line;
} section_line_t;

/* ---- directives ---- */

const char *mirror_section_describe(const ap_directive_t *section, apr_pool_t *pool)
{
    const char *scope = "", *args, *word;
    apr_size_t len;

    for (; section; section = section->parent) {
        if (!ap_cstr_casecmp(section->directive, "<VirtualHost")) {
            continue;
        }
        len = strlen(section->args);
        while (len && (section->args[len - 1] == '>' || apr_isspace(section->args[len - 1]))) {
            len--;
        }
        args = apr_pstrmemdup(pool, section->args, len);
        if (!ap_cstr_casecmp(section->directive, "<If") ||
            !ap_cstr_casecmp(section->directive, "<ElseIf") ||
            !ap_cstr_casecmp(section->directive, "<Else")) {
            word = apr_pstrcat(pool, section->directive + 1, len ? " " : "", args, NULL);
        }
        else {
            do {
                word = ap_getword_conf(pool, &args);
            } while (!strcmp(word, "~"));
        }
        scope = apr_pstrcat(pool, word, *scope ? " " : "", scope, NULL);
    }
    return scope;
}

/* Return a text that is equal for lines that apply to the same requests. NULL = unknown: an <Else>
 * depends on the sections before it. */
static const char *place_of(const cmd_parms *cmd)
{
    const char *place = mirror_section_describe(cmd->directive->parent, cmd->pool);
    const ap_directive_t *section;

    for (section = cmd->directive->parent; section; section = section->parent) {
        if (!ap_cstr_casecmpn(section->directive, "<Else", 5)) {
            return NULL;
        }
        if (ap_cstr_casecmp(section->directive, "<VirtualHost")) {
            char *kind = apr_pstrdup(cmd->pool, section->directive);

            ap_str_tolower(kind);
            place = apr_pstrcat(cmd->pool, kind, " ", place, NULL);
        }
    }
    return apr_psprintf(cmd->pool, "%pp %s", cmd->server, place);
}

void mirror_section_add(const cmd_parms *cmd, const void *scope, const mirror_t *mirror)
{
    const char *place = place_of(cmd);
    apr_array_header_t *lines;
    section_line_t *line;
    void *found = NULL;

    if (!place) {
        return;
    }
    apr_pool_userdata_get(&found, LINES_KEY, cmd->pool);
    lines = found ? found : apr_array_make(cmd->pool, 8, sizeof(section_line_t));
    if (!found) {
        apr_pool_userdata_setn(lines, LINES_KEY, NULL, cmd->pool);
    }
    line = apr_array_push(lines);
    line->place = place;
    line->scope = scope;
    line->mirror = mirror;
    line->file = apr_pstrdup(cmd->pool, cmd->directive->filename);
    line->line = cmd->directive->line_num;
}

/* ---- check_config ---- */

void mirror_section_check(apr_pool_t *pconf, apr_pool_t *plog)
{
    apr_hash_t *last = apr_hash_make(plog);
    apr_array_header_t *lines;
    void *found = NULL;
    int i;

    apr_pool_userdata_get(&found, LINES_KEY, pconf);
    lines = found;
    for (i = 0; lines && i < lines->nelts; i++) {
        section_line_t *line = &APR_ARRAY_IDX(lines, i, section_line_t);

        apr_hash_set(last, line->place, APR_HASH_KEY_STRING, line);
    }
    for (i = 0; lines && i < lines->nelts; i++) {
        const section_line_t *line = &APR_ARRAY_IDX(lines, i, section_line_t);
        const section_line_t *later = apr_hash_get(last, line->place, APR_HASH_KEY_STRING);

        if (later->scope != line->scope && (line->mirror || later->mirror)) {
            ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, plog,
                          "PM0104: %s:%d: ProxyMirror %s: has no effect because a later section "
                          "for the same scope (%s:%d) overrides it",
                          line->file, line->line, line->mirror ? line->mirror->name : "off",
                          later->file, later->line);
        }
    }
}
