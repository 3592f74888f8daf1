/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/scope.h - the mirrors of a section or server of the configuration, and the registry of a
 * load.
 *
 * All objects are in pconf and do not change after startup. httpd reads its configuration twice at
 * the start and once at each reload, each time into a cleared pconf. The registry is attached to
 * pconf, so each pass starts with an empty registry.
 */
#ifndef MIRROR_SETTINGS_SCOPE_H
#define MIRROR_SETTINGS_SCOPE_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* The directives of a section or server, or the merged directives of several. */
typedef struct mirror_scope_t {
    apr_array_header_t *mirrors; /* of mirror_t *; NULL = none */
    int off;                     /* 1 after ProxyMirror off */
    apr_array_header_t *headers; /* of mirror_header_edit_t *; NULL = none */
    apr_array_header_t *rules;   /* of mirror_compare_rule_t *; NULL = none */
} mirror_scope_t;

/* The directives of a server. */
typedef struct mirror_scope_server_t {
    mirror_registry_t *registry;
    mirror_settings_t defaults; /* ProxyMirrorDefaults, merged with the main server's */
    int stops;                  /* ProxyMirrorDefaults with enabled=false, also the main server's */
    mirror_log_t *log;          /* ProxyMirrorLog; NULL = none */
} mirror_scope_server_t;

/* The default size of ProxyMirrorSpool, in bytes. */
#define MIRROR_SCOPE_SPOOL_SIZE (256 * 1024 * (apr_int64_t)1024)

/* ---- startup ---- */

/* Return the registry of this load. The first call creates it with its defaults. pconf owns it. */
mirror_registry_t *mirror_scope_get_registry(apr_pool_t *pconf);

/* The configuration functions of the module record. */
void *mirror_scope_create(apr_pool_t *p, char *dir);
void *mirror_scope_merge(apr_pool_t *p, void *base, void *over);
void *mirror_scope_create_server(apr_pool_t *p, server_rec *s);
void *mirror_scope_merge_server(apr_pool_t *p, void *base, void *over);

/* ---- any thread ---- */

/* Return the registry; never NULL once the configuration was read. */
mirror_registry_t *mirror_scope_registry(const server_rec *s);

/* Return the current scope of `r`; NULL if it has neither a ProxyMirror line nor ProxyMirror off. A
 * scope never changes, and lives as long as r->per_dir_config. */
const mirror_scope_t *mirror_scope_of(const request_rec *r);

/* Return the mirrors of a scope, of mirror_t *; NULL = ProxyMirror off. */
const apr_array_header_t *mirror_scope_mirrors(const mirror_scope_t *scope);

/* Return the header edits of a scope, of mirror_header_edit_t *; NULL = none. */
const apr_array_header_t *mirror_scope_headers(const mirror_scope_t *scope);

/* Return the rules for comparing responses of a scope, of mirror_compare_rule_t *; NULL = none. */
const apr_array_header_t *mirror_scope_rules(const mirror_scope_t *scope);

/* Return those of the mirror's server and section, as a request has them that is in no section within
 * that one; NULL = none. The array may be in `pool`. */
const apr_array_header_t *mirror_scope_rules_of(const mirror_t *mirror, apr_pool_t *pool);

/* Return the ProxyMirrorLog of a server, which may not be open (mirror_log_if_open()); NULL =
 * none. */
const mirror_log_t *mirror_scope_log(const server_rec *s);

#endif
