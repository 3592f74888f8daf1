/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/scope.c - directives of sections and servers. See settings/scope.h.
 */
#include <httpd.h>
#include <http_config.h>

#include <apr_strings.h>

#include "attributes/attributes.h"
#include "settings/scope.h"

extern module AP_MODULE_DECLARE_DATA proxy_mirror_module;

#define REGISTRY_KEY "mod_proxy_mirror:registry"

mirror_registry_t *mirror_scope_get_registry(apr_pool_t *pconf)
{
    mirror_registry_t *registry;
    void *found = NULL;

    apr_pool_userdata_get(&found, REGISTRY_KEY, pconf);
    if (found) {
        return found;
    }
    registry = apr_pcalloc(pconf, sizeof(*registry));
    registry->mirrors = apr_array_make(pconf, 8, sizeof(mirror_t *));
    registry->logs = apr_array_make(pconf, 2, sizeof(mirror_log_t *));
    registry->memory = 64 * 1024 * 1024;
    registry->compare_memory = 32 * 1024 * 1024;
    registry->spool_size = MIRROR_SCOPE_SPOOL_SIZE;
    registry->threads = 8;
    registry->slots = 256;
    registry->drain_timeout = apr_time_from_sec(5);
    apr_pool_userdata_setn(registry, REGISTRY_KEY, NULL, pconf);
    return registry;
}

/* ---- create and merge ---- */

void *mirror_scope_create_server(apr_pool_t *p, server_rec *s)
{
    mirror_scope_server_t *config = apr_pcalloc(p, sizeof(*config));

    (void)s;
    config->registry = mirror_scope_get_registry(p);
    return config;
}

void *mirror_scope_merge_server(apr_pool_t *p, void *base, void *over)
{
    const mirror_scope_server_t *inner = over;
    mirror_scope_server_t *merged = apr_pmemdup(p, base, sizeof(*merged));

    mirror_attributes_merge(&merged->defaults, &inner->defaults);
    merged->stops += inner->stops;
    merged->log = inner->log ? inner->log : merged->log;
    return merged;
}

void *mirror_scope_create(apr_pool_t *p, char *dir)
{
    (void)dir;
    return apr_pcalloc(p, sizeof(mirror_scope_t));
}

static apr_array_header_t *append(apr_pool_t *p, apr_array_header_t *outer,
                                  apr_array_header_t *inner)
{
    return !inner ? outer : !outer ? inner : apr_array_append(p, outer, inner);
}

/* Also called for requests. Scopes are immutable, so `base` or `over` is returned if it is equal to
 * the result. Mirrors are replaced; header edits and rules are appended to those of
 * the outer scope. */
void *mirror_scope_merge(apr_pool_t *p, void *base, void *over)
{
    const mirror_scope_t *outer = base, *inner = over;
    const mirror_scope_t *mirrors = inner->mirrors || inner->off ? inner : outer;
    const mirror_scope_t *other = mirrors == inner ? outer : inner;
    mirror_scope_t *merged;

    if (!other->headers && !other->rules) {
        return mirrors == inner ? over : base;
    }
    merged = apr_pmemdup(p, mirrors, sizeof(*merged));
    merged->headers = append(p, outer->headers, inner->headers);
    merged->rules = append(p, outer->rules, inner->rules);
    return merged;
}

mirror_registry_t *mirror_scope_registry(const server_rec *s)
{
    const mirror_scope_server_t *config =
        ap_get_module_config(s->module_config, &proxy_mirror_module);

    return config->registry;
}

const mirror_scope_t *mirror_scope_of(const request_rec *r)
{
    const mirror_scope_t *scope = ap_get_module_config(r->per_dir_config, &proxy_mirror_module);

    return scope && (scope->mirrors || scope->off) ? scope : NULL;
}

const apr_array_header_t *mirror_scope_mirrors(const mirror_scope_t *scope)
{
    return scope->mirrors;
}

const apr_array_header_t *mirror_scope_headers(const mirror_scope_t *scope)
{
    return scope->headers;
}

const apr_array_header_t *mirror_scope_rules(const mirror_scope_t *scope)
{
    return scope->rules;
}

const apr_array_header_t *mirror_scope_rules_of(const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_scope_t *server =
        ap_get_module_config(mirror->vhost->lookup_defaults, &proxy_mirror_module);
    apr_array_header_t *outer = server ? server->rules : NULL;

    return mirror->section ? append(pool, outer, mirror->section->rules) : outer;
}

const mirror_log_t *mirror_scope_log(const server_rec *s)
{
    const mirror_scope_server_t *config =
        ap_get_module_config(s->module_config, &proxy_mirror_module);

    return config->log;
}
