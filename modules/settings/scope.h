/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/scope.h - what a section or a server of the configuration says of mirrors, and the
 * registry of a load.
 *
 * All of it is in pconf and never changes after startup. httpd reads its configuration twice at
 * the start and once at each reload, each time into a cleared pconf. The registry hangs on that
 * pool, so each time begins with an empty one.
 */
#ifndef MIRROR_SETTINGS_SCOPE_H
#define MIRROR_SETTINGS_SCOPE_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* What a section, a server, or what is merged of several says of mirrors. */
typedef struct mirror_scope_t {
    apr_array_header_t *mirrors; /* of mirror_t *; NULL: none */
    int off;                     /* ProxyMirror off */
    apr_array_header_t *headers; /* of mirror_header_edit_t *; NULL: none */
} mirror_scope_t;

/* What a server says of mirrors. */
typedef struct mirror_scope_server_t {
    mirror_registry_t *registry;
    mirror_settings_t defaults; /* ProxyMirrorDefaults; after merging with the main server's */
    mirror_log_t *log;          /* ProxyMirrorLog; NULL: none */
} mirror_scope_server_t;

/* The default size of ProxyMirrorSpool; bytes. */
#define MIRROR_SCOPE_SPOOL_SIZE (256 * 1024 * (apr_int64_t)1024)

/* ---- startup ---- */

/* The registry of this load; made with its defaults when it is asked for first. It hangs on pconf.
 * */
mirror_registry_t *mirror_scope_get_registry(apr_pool_t *pconf);

/* The module record's functions. */
void *mirror_scope_create(apr_pool_t *p, char *dir);
void *mirror_scope_merge(apr_pool_t *p, void *base, void *over);
void *mirror_scope_create_server(apr_pool_t *p, server_rec *s);
void *mirror_scope_merge_server(apr_pool_t *p, void *base, void *over);

/* ---- any thread ---- */

/* The registry; never NULL once the configuration was read. */
mirror_registry_t *mirror_scope_registry(const server_rec *s);

/* The scope that holds for `r` where it is now: NULL if it has neither a ProxyMirror line nor
 * ProxyMirror off. It is never changed, and lives as long as r->per_dir_config. */
const mirror_scope_t *mirror_scope_of(const request_rec *r);

/* The mirrors of a scope; NULL: ProxyMirror off. Of mirror_t *. */
const apr_array_header_t *mirror_scope_mirrors(const mirror_scope_t *scope);

/* How the headers of a scope's copies are changed, of mirror_header_edit_t *; NULL: not at all. */
const apr_array_header_t *mirror_scope_headers(const mirror_scope_t *scope);

/* Return the ProxyMirrorLog of a server, which may not be open (mirror_log_if_open()); NULL: it has
 * none. */
const mirror_log_t *mirror_scope_log(const server_rec *s);

#endif
