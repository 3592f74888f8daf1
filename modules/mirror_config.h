/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_config.h - directives, merging, startup checks.
 *
 * Every ProxyMirror line that is read is registered, in the order of the files; which of them hold for a request is in
 * its per-directory configuration. All of it is in pconf and never changes after startup.
 */
#ifndef MIRROR_CONFIG_H
#define MIRROR_CONFIG_H

#include <httpd.h>
#include <http_config.h>

#include "mirror.h"

/* What a section, a server, or what is merged of several says of mirrors. */
typedef struct mirror_scope_t mirror_scope_t;

/* ---- startup: the module record's ---- */

extern const command_rec mirror_config_commands[];
void *mirror_config_create_dir(apr_pool_t *p, char *dir);
void *mirror_config_merge_dir(apr_pool_t *p, void *base, void *over);
void *mirror_config_create_server(apr_pool_t *p, server_rec *s);
void *mirror_config_merge_server(apr_pool_t *p, void *base, void *over);

/* check_config hook: resolve every mirror's settings (its line, then the defaults of its server, of the main server, of
 * the table) and its name, check relations and names. Logs each fault with file and line; !OK stops the start. */
int mirror_config_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* ---- any thread ---- */

/* The registry; never NULL once the configuration was read. */
mirror_registry_t *mirror_config_registry(const server_rec *s);

/* The scope that holds for `r` where it is now: NULL if it has neither a ProxyMirror line nor
 * ProxyMirror off. It is never changed, and lives as long as r->per_dir_config. */
const mirror_scope_t *mirror_config_scope(const request_rec *r);

/* The mirrors of a scope; NULL: ProxyMirror off. Of mirror_t *. */
const apr_array_header_t *mirror_config_mirrors(const mirror_scope_t *scope);

/* How the headers of a scope's copies are changed, of mirror_header_edit_t *; NULL: not at all. */
const apr_array_header_t *mirror_config_headers(const mirror_scope_t *scope);

/* Where its server logs copies; NULL: nowhere. */
const mirror_log_t *mirror_config_log(const server_rec *s);

#endif
