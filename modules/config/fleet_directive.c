/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/fleet_directive.c - the directive ProxyMirrorFleet. See config/fleet_directive.h.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_strings.h>
#include <string.h>

#include "attributes/limit_settings.h"
#include "attributes/relations.h"
#include "config/fleet_directive.h"
#include "config/secret.h"
#include "fleet/fleet.h"
#include "redis/redis_route.h"
#include "settings/scope.h"

APLOG_USE_MODULE(proxy_mirror);

#define INTERVAL     "interval="
#define NAME_ALLOWED "name: must be 1 to 64 letters, digits, '.', '_' or '-', got "

static int is_name(const char *text)
{
    apr_size_t len =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return len >= 1 && len <= 64 && !text[len];
}

static const char *set_interval(mirror_fleet_t *fleet, const char *text, apr_pool_t *pool)
{
    static const mirror_value_rule_t rule = { &mirror_value_time,
                                              apr_time_from_msec(100),
                                              apr_time_from_sec(60),
                                              "must be a time such as 500ms, from 100ms to 60s",
                                              NULL,
                                              NULL };

    return mirror_value_from_text(&fleet->interval, &rule, "interval", text, pool);
}

/* Set interval, or append the text of an attribute of the store to *line. */
static const char *set_word(mirror_fleet_t *fleet, const char **line, const char *word,
                            const char *text, apr_pool_t *pool)
{
    const char *name = apr_pstrmemdup(pool, word, strcspn(word, "="));

    if (!strncmp(word, INTERVAL, strlen(INTERVAL))) {
        return set_interval(fleet, word + strlen(INTERVAL), pool);
    }
    if (!mirror_attributes_is_of_store(name)) {
        return apr_pstrcat(pool,
                           "attributes: must be interval, policy, redis_... or sentinel_..., got ",
                           mirror_value_quote(name, pool), NULL);
    }
    *line = apr_pstrcat(pool, *line, text, NULL);
    return NULL;
}

static const char *set_words(mirror_fleet_t *fleet, const char *args, apr_pool_t *pool)
{
    const char *word = NULL, *before, *start, *wrong, *line = "";

    do {
        before = word;
        start = args;
        wrong = mirror_attributes_next_word(&word, &args, pool);
        if (!wrong && word) {
            wrong = set_word(fleet, &line, word,
                             apr_pstrmemdup(pool, start, (apr_size_t)(args - start)), pool);
        }
    } while (!wrong && word);
    return wrong ? mirror_attributes_hide_rest(wrong, before, start, pool)
                 : mirror_attributes_set_line(&fleet->given, line, MIRROR_ATTRIBUTE_NO_STORE, pool);
}

const char *mirror_fleet_directive_set(cmd_parms *cmd, void *unused, const char *args)
{
    mirror_registry_t *registry = mirror_scope_get_registry(cmd->pool);
    mirror_fleet_t *fleet = apr_pcalloc(cmd->pool, sizeof(*fleet));
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)unused;
    if (wrong) {
        return wrong;
    }
    mirror_secret_hide(cmd->directive, cmd->pool);
    if (registry->fleet) {
        return apr_psprintf(cmd->pool, "%s must be set once, also at line %d of %s", cmd->cmd->name,
                            registry->fleet->line, registry->fleet->file);
    }
    fleet->interval = apr_time_from_msec(500);
    fleet->file = apr_pstrdup(cmd->pool, cmd->directive->filename);
    fleet->line = cmd->directive->line_num;
    wrong = mirror_attributes_next_word(&fleet->name, &args, cmd->pool);
    if (!wrong && (!fleet->name || !is_name(fleet->name))) {
        wrong =
            apr_pstrcat(cmd->pool, NAME_ALLOWED,
                        fleet->name ? mirror_value_quote(fleet->name, cmd->pool) : "nothing", NULL);
    }
    if (!wrong) {
        wrong = set_words(fleet, args, cmd->pool);
    }
    registry->fleet = fleet;
    return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, " ", wrong, NULL) : NULL;
}

/* ---- check_config ---- */

/* A password of another layer would be sent to a server that it is not for, so the attributes are
 * the directive's own, or all those of ProxyMirrorDefaults. */
static mirror_settings_t *resolve(const mirror_fleet_t *fleet, const mirror_settings_t *defaults,
                                  apr_pool_t *pconf)
{
    mirror_settings_t *settings = apr_pcalloc(pconf, sizeof(*settings));

    mirror_attributes_defaults(settings, pconf);
    mirror_attributes_merge(settings, fleet->given.set ? &fleet->given : defaults);
    settings->name = "fleet";
    settings->enable_limit_count = 0;
    return settings;
}

static void check_settings(apr_array_header_t *faults, mirror_fleet_t *fleet, apr_pool_t *pconf)
{
    static const char *const names[] = { "redis_password", "sentinel_password" };
    const char **secrets[2];
    const char *wrong;
    int i;

    secrets[0] = &fleet->settings->redis_password;
    secrets[1] = &fleet->settings->sentinel_password;
    for (i = 0; i < 2; i++) {
        wrong = mirror_secret_resolve(secrets[i], names[i], pconf, faults->pool);
        if (wrong) {
            APR_ARRAY_PUSH(faults, const char *) = wrong;
        }
    }
    mirror_relations_check(faults, fleet->settings);
    if (!strcmp(mirror_limit_settings_policies[fleet->settings->policy], "local")) {
        APR_ARRAY_PUSH(faults, const char *) =
            "policy: must be redis, redis-cluster or redis-sentinel, here or in "
            "ProxyMirrorDefaults, got local";
    }
}

int mirror_fleet_directive_check(mirror_registry_t *registry, apr_pool_t *pconf, apr_pool_t *plog,
                                 struct server_rec *main_server)
{
    mirror_scope_server_t *server =
        ap_get_module_config(main_server->module_config, &proxy_mirror_module);
    apr_array_header_t *faults = apr_array_make(plog, 2, sizeof(const char *));
    mirror_fleet_t *fleet = registry->fleet;
    int i;

    if (!fleet) {
        return 1;
    }
    fleet->server = main_server;
    fleet->settings = resolve(fleet, &server->defaults, pconf);
    check_settings(faults, fleet, pconf);
    for (i = 0; i < faults->nelts; i++) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
                      "PM0107: %s:%d: ProxyMirrorFleet %s", fleet->file, fleet->line,
                      APR_ARRAY_IDX(faults, i, const char *));
    }
    if (!faults->nelts) {
        mirror_fleet_complete(fleet, pconf);
    }
    return faults->nelts == 0;
}

int mirror_fleet_directive_has_needs(const mirror_registry_t *registry, apr_pool_t *plog)
{
    const mirror_fleet_t *fleet = registry->fleet;
    const char *missing =
        fleet ? mirror_redis_route_missing(fleet->server, fleet->settings, plog) : NULL;

    if (missing) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
                      "PM0108: %s:%d: ProxyMirrorFleet %s: %s", fleet->file, fleet->line,
                      fleet->name, missing);
    }
    return !missing;
}
