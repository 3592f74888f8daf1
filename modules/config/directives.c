/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/directives.c - directives, merging, startup checks. See config/directives.h.
 *
 * A directive checks its own arguments and returns an error message, to which httpd adds file and
 * line. Checks that need the whole configuration (defaults, names, room) run in check_config, when
 * httpd has merged the servers and set their names.
 *
 * httpd reads its configuration twice at the start and once at each reload, each time into a
 * cleared pconf. The registry is attached to pconf, so each pass starts with an empty registry.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <stddef.h>

#include "attributes/attributes.h"
#include "attributes/limit_settings.h"
#include "attributes/relations.h"
#include "base/clock.h"
#include "base/hash.h"
#include "capture/header_edit.h"
#include "config/console.h"
#include "config/directives.h"
#include "config/fleet_directive.h"
#include "config/name.h"
#include "config/registry.h"
#include "config/secret.h"
#include "config/section.h"
#include "copy/log.h"
#include "settings/compare_rule.h"
#include "settings/peer.h"
#include "settings/rules.h"
#include "settings/scope.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

/* A ProxyMirror line. */
typedef struct config_line_t {
    mirror_t mirror; /* first member, so a mirror can be cast to its line */
    server_rec *server;
    mirror_settings_t given; /* by the line itself */
} config_line_t;

/* ---- ProxyMirror ---- */

static config_line_t *add_line(cmd_parms *cmd, mirror_scope_t *dir)
{
    mirror_registry_t *registry = mirror_scope_get_registry(cmd->pool);
    config_line_t *line = apr_pcalloc(cmd->pool, sizeof(*line));

    line->server = cmd->server;
    line->mirror.scope = mirror_section_describe(cmd->directive->parent, cmd->pool);
    line->mirror.section = *line->mirror.scope ? dir : NULL;
    line->mirror.file = apr_pstrdup(cmd->pool, cmd->directive->filename);
    line->mirror.line = cmd->directive->line_num;
    line->mirror.index = registry->mirrors->nelts;
    APR_ARRAY_PUSH(registry->mirrors, mirror_t *) = &line->mirror;
    if (!dir->mirrors) {
        dir->mirrors = apr_array_make(cmd->pool, 2, sizeof(mirror_t *));
    }
    APR_ARRAY_PUSH(dir->mirrors, mirror_t *) = &line->mirror;
    mirror_section_add(cmd, dir, &line->mirror);
    return line;
}

/* Prefix an error message with the name of the directive. */
static const char *complain(cmd_parms *cmd, const char *wrong)
{
    return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, " ", wrong, NULL) : NULL;
}

static const char *set_off(cmd_parms *cmd, mirror_scope_t *dir, const char *args)
{
    if (*args) {
        /* without the value, which may be a password */
        args = apr_pstrmemdup(cmd->pool, args, strcspn(args, "= "));
        return complain(cmd, apr_pstrcat(cmd->pool, "off: must be the only argument, got ",
                                         mirror_value_quote(args, cmd->pool), NULL));
    }
    if (dir->mirrors) {
        return complain(cmd, "off: must not be in the same scope as a mirror");
    }
    dir->off = 1;
    mirror_section_add(cmd, dir, NULL);
    return NULL;
}

static const char *set_mirror(cmd_parms *cmd, void *config, const char *args)
{
    mirror_scope_t *dir = config;
    mirror_settings_t given = { 0 };
    const char *word;
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_LIMIT | NOT_IN_HTACCESS);

    if (wrong) {
        return wrong;
    }
    mirror_secret_hide(cmd->directive, cmd->pool);
    wrong = mirror_attributes_next_word(&word, &args, cmd->pool);
    if (wrong) {
        return complain(cmd, wrong);
    }
    if (!word) {
        return complain(cmd, "URL: must be a URL or off, got nothing");
    }
    if (!ap_cstr_casecmp(word, "off")) {
        for (; apr_isspace(*args); args++) {
        }
        return set_off(cmd, dir, args);
    }
    if (dir->off) {
        return complain(cmd, "URL: must not be in the same scope as ProxyMirror off");
    }
    wrong = mirror_attributes_set_url(&given, word, cmd->pool);
    if (!wrong) {
        wrong = mirror_attributes_set_line(&given, args, MIRROR_ATTRIBUTE_NO_WORD, cmd->pool);
    }
    if (!wrong) {
        wrong = mirror_rules_compile(&given, NULL, cmd->pool, cmd->temp_pool);
    }
    if (wrong) {
        return complain(cmd, wrong);
    }
    add_line(cmd, dir)->given = given;
    return NULL;
}

static const char *set_defaults(cmd_parms *cmd, void *unused, const char *args)
{
    mirror_scope_server_t *config =
        ap_get_module_config(cmd->server->module_config, &proxy_mirror_module);
    mirror_settings_t given = { 0 };
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)unused;
    if (wrong) {
        return wrong;
    }
    mirror_secret_hide(cmd->directive, cmd->pool);
    wrong = mirror_attributes_set_line(
        &given, args, MIRROR_ATTRIBUTE_NO_WORD | MIRROR_ATTRIBUTE_NO_DEFAULT, cmd->pool);
    if (!wrong && !given.set) {
        wrong = "attributes: must be attribute=value, got nothing";
    }
    if (!wrong) {
        wrong = mirror_rules_compile(&given, NULL, cmd->pool, cmd->temp_pool);
    }
    if (wrong) {
        return complain(cmd, wrong);
    }
    mirror_attributes_merge(&config->defaults, &given);
    config->stops +=
        mirror_attributes_is_set(&given, mirror_attributes_find("enabled")) && !given.enabled;
    return NULL;
}

static const char *set_log(cmd_parms *cmd, void *unused, const char *name)
{
    mirror_scope_server_t *config =
        ap_get_module_config(cmd->server->module_config, &proxy_mirror_module);

    (void)unused;
    return complain(cmd, mirror_log_make(&config->log, config->registry, name,
                                         mirror_console_is_reload(), cmd->pool, cmd->temp_pool));
}

/* ---- ProxyMirrorHeader ---- */

static const char *set_header(cmd_parms *cmd, void *config, const char *args)
{
    mirror_scope_t *dir = config;
    mirror_header_edit_t *edit;
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_LIMIT | NOT_IN_HTACCESS);

    if (wrong) {
        return wrong;
    }
    wrong = mirror_header_edit_parse(&edit, args, cmd->pool, cmd->temp_pool);
    if (wrong) {
        return complain(cmd, wrong);
    }
    if (!dir->headers) {
        dir->headers = apr_array_make(cmd->pool, 2, sizeof(mirror_header_edit_t *));
    }
    APR_ARRAY_PUSH(dir->headers, mirror_header_edit_t *) = edit;
    return NULL;
}

/* ---- ProxyMirrorCompare ---- */

/* Lines of one section; as many compare_rules fit beside them (MIRROR_PAIR_RULES_MAX). */
#define RULES_MAX 256

static const char *set_compare(cmd_parms *cmd, void *config, const char *args)
{
    mirror_scope_t *dir = config;
    mirror_compare_rule_t *rule;
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_LIMIT | NOT_IN_HTACCESS);

    if (wrong) {
        return wrong;
    }
    wrong = mirror_compare_rule_parse(&rule, args, cmd->pool);
    if (wrong) {
        return complain(cmd, wrong);
    }
    if (!dir->rules) {
        dir->rules = apr_array_make(cmd->pool, 2, sizeof(mirror_compare_rule_t *));
    }
    if (dir->rules->nelts == RULES_MAX) {
        return complain(
            cmd, apr_psprintf(cmd->pool, "must be used at most %d times in a section", RULES_MAX));
    }
    APR_ARRAY_PUSH(dir->rules, mirror_compare_rule_t *) = rule;
    return NULL;
}

const command_rec mirror_directives_commands[] = {
    AP_INIT_RAW_ARGS(
        "ProxyMirror", set_mirror, NULL, RSRC_CONF | ACCESS_CONF,
        "URL of a server that receives a copy of each request, then attribute=value ...; or off"),
    AP_INIT_RAW_ARGS(
        "ProxyMirrorHeader", set_header, NULL, RSRC_CONF | ACCESS_CONF,
        "set|append|merge|add|unset|edit|edit* header [regex] [value]: changes a header of copies"),
    AP_INIT_RAW_ARGS(
        "ProxyMirrorCompare", set_compare, NULL, RSRC_CONF | ACCESS_CONF,
        "status|header/name|body[/pointer] ignore|presence|match|mask|within|unordered|"
        "key|compare|secret [value]: how a field of responses is compared"),
    AP_INIT_RAW_ARGS("ProxyMirrorDefaults", set_defaults, NULL, RSRC_CONF,
                     "attribute=value ...: defaults for the mirrors of this server"),
    AP_INIT_TAKE1("ProxyMirrorMemory", mirror_registry_set, NULL, RSRC_CONF,
                  "Maximum memory for copies in one child process, 1M to 1024G (default 64M)"),
    AP_INIT_TAKE1("ProxyMirrorCompareMemory", mirror_registry_set, NULL, RSRC_CONF,
                  "Maximum memory for responses to compare in one child process, 1M to 1024G "
                  "(default 32M)"),
    AP_INIT_TAKE12("ProxyMirrorSpool", mirror_registry_spool, NULL, RSRC_CONF,
                   "Folder for pending bodies over 64 KiB, and their maximum total size (default "
                   "the temporary folder)"),
    AP_INIT_TAKE1("ProxyMirrorThreads", mirror_registry_set, NULL, RSRC_CONF,
                  "Maximum number of helper threads of a child process, 4 to 256 (default 8)"),
    AP_INIT_TAKE1("ProxyMirrorSlots", mirror_registry_set, NULL, RSRC_CONF,
                  "Maximum number of mirrors in shared memory, 1 to 65536 (default 256)"),
    AP_INIT_TAKE1("ProxyMirrorDrainTimeout", mirror_registry_set, NULL, RSRC_CONF,
                  "Maximum time that a stopping child process sends its pending copies, 0 to 1h "
                  "(default 5s)"),
    AP_INIT_ITERATE("ProxyMirrorAllowHost", mirror_registry_allow, NULL, RSRC_CONF,
                    "name or name:port ...: hosts that the manager may set (default those of the "
                    "configuration)"),
    AP_INIT_TAKE1("ProxyMirrorId", mirror_registry_set, NULL, RSRC_CONF,
                  "Identifier of this instance for loop detection; the same on all nodes of a "
                  "fleet (default random)"),
    AP_INIT_RAW_ARGS("ProxyMirrorFleet", mirror_fleet_directive_set, NULL, RSRC_CONF,
                     "name of the fleet of this httpd, then attribute=value ... of its store"),
    AP_INIT_TAKE1("ProxyMirrorLog", set_log, NULL, RSRC_CONF,
                  "File, or '|' and a program, that receives one line of JSON for each copy"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};

/* ---- check_config ---- */

/* Resolve a password of a mirror, *secret, and of its defaults. `given`: by its own line; NULL =
 * none. */
static void resolve_secret(apr_array_header_t *faults, const char **secret, const char **defaults,
                           const char *given, const char *name, apr_pool_t *pconf)
{
    const char *wrong = mirror_secret_resolve(secret, name, pconf, faults->pool);

    if (wrong) {
        APR_ARRAY_PUSH(faults, const char *) = wrong;
    }
    if (!given) {
        *defaults = *secret;
    }
    else if (mirror_secret_is_program(*defaults)) {
        /* do not run a program whose password the line does not use */
        *defaults = NULL;
    }
}

/* Return the hash of the file's settings of a mirror. A change of the default of `enabled` is one for
 * every mirror, and so is another line "ProxyMirrorDefaults enabled=false", even if that was the default:
 * it also stops a mirror that the manager has enabled over the file. */
static apr_uint64_t hash_config(const mirror_settings_t *settings,
                                const mirror_settings_t *defaults, int stops, apr_pool_t *pool)
{
    apr_uint64_t hash = mirror_attributes_hash(settings, pool);

    for (; stops > 0; stops--) {
        hash = mirror_hash_add(hash, 0x300);
    }
    hash = defaults->enabled ? hash : ~hash;
    return hash ? hash : 1;
}

/* Merge the layers of a mirror's settings and check them. Returns 0 if there is an error. */
static int resolve_settings(config_line_t *line, apr_pool_t *pconf, apr_pool_t *plog)
{
    const mirror_scope_server_t *server =
        ap_get_module_config(line->server->module_config, &proxy_mirror_module);
    apr_array_header_t *faults = apr_array_make(plog, 2, sizeof(const char *));
    apr_array_header_t *warnings = apr_array_make(plog, 2, sizeof(const char *));
    mirror_settings_t *settings = apr_palloc(pconf, sizeof(*settings));
    const char *wrong;
    int i;

    mirror_attributes_defaults(settings, pconf);
    mirror_attributes_merge(settings, &server->defaults);
    line->mirror.defaults = apr_pmemdup(pconf, settings, sizeof(*settings));
    mirror_attributes_merge(settings, &line->given);
    line->mirror.config = hash_config(settings, line->mirror.defaults, server->stops, plog);
    line->mirror.settings = settings;
    line->mirror.name = settings->name;
    line->mirror.vhost = line->server;
    line->mirror.server = mirror_name_server(line->server, pconf);
    resolve_secret(faults, &settings->redis_password, &line->mirror.defaults->redis_password,
                   line->given.redis_password, "redis_password", pconf);
    resolve_secret(faults, &settings->sentinel_password, &line->mirror.defaults->sentinel_password,
                   line->given.sentinel_password, "sentinel_password", pconf);
    wrong = mirror_rules_compile(settings, NULL, pconf, plog);
    if (wrong) {
        APR_ARRAY_PUSH(faults, const char *) = wrong;
    }
    mirror_relations_check(faults, settings);
    mirror_relations_check_effect(warnings, &line->given, settings);
    mirror_relations_check_sense(warnings, settings, mirror_clock_to_wall(mirror_clock_now()));
    for (i = 0; i < faults->nelts; i++) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
                      "PM0100: %s:%d: ProxyMirror %s", line->mirror.file, line->mirror.line,
                      APR_ARRAY_IDX(faults, i, const char *));
    }
    for (i = 0; i < warnings->nelts; i++) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, plog,
                      "PM0101: %s:%d: ProxyMirror %s", line->mirror.file, line->mirror.line,
                      APR_ARRAY_IDX(warnings, i, const char *));
    }
    return faults->nelts == 0;
}

/* Check the requirements of mirrors on httpd for `httpd -t`, which does not run post_config. A
 * missing SSLProxyEngine is detected if it is off for the mirror, or nowhere on. Returns 0 if a
 * requirement is missing. */
static int has_needs(const mirror_registry_t *registry, apr_pool_t *plog)
{
    int ok = 1, i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);
        const char *missing = mirror_settings_missing(mirror, mirror->settings, plog);

        if (missing) {
            ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
                          "PM0105: %s:%d: ProxyMirror %s: %s", mirror->file, mirror->line,
                          mirror->name, missing);
            ok = 0;
        }
    }
    return ok;
}

/* Whether each mirror that another one names is there. */
static int has_peers(const mirror_registry_t *registry, apr_pool_t *plog)
{
    int ok = 1, i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);
        const char *wrong = mirror_peer_refuse(registry, mirror, mirror->settings, plog);

        if (wrong) {
            ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
                          "PM0106: %s:%d: ProxyMirror %s", mirror->file, mirror->line, wrong);
            ok = 0;
        }
    }
    return ok;
}

int mirror_directives_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    mirror_registry_t *registry = mirror_scope_registry(s);
    int ok = 1, i;

    (void)ptemp;
    for (i = 0; i < registry->mirrors->nelts; i++) {
        ok &= resolve_settings((config_line_t *)APR_ARRAY_IDX(registry->mirrors, i, mirror_t *),
                               pconf, plog);
    }
    ok &= mirror_name_resolve(registry->mirrors, pconf, plog);
    ok &= has_peers(registry, plog);
    mirror_section_check(pconf, plog);
    for (i = 0; i < registry->mirrors->nelts; i++) {
        mirror_limit_settings_identify(APR_ARRAY_IDX(registry->mirrors, i, mirror_t *)->settings);
    }
    if (registry->mirrors->nelts > registry->slots) {
        const mirror_t *mirror =
            APR_ARRAY_IDX(registry->mirrors, registry->slots, const mirror_t *);

        ap_log_perror(
            APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
            "PM0103: %s:%d: ProxyMirror: must be at most %d mirrors (ProxyMirrorSlots), got %d",
            mirror->file, mirror->line, registry->slots, registry->mirrors->nelts);
        ok = 0;
    }
    mirror_registry_complete(registry, pconf);
    ok &= mirror_fleet_directive_check(registry, pconf, plog, s);
    if (ok && mirror_console_is_test()) {
        ok = has_needs(registry, plog) & mirror_fleet_directive_has_needs(registry, plog);
    }
    return ok ? OK : !OK;
}
