/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/name.h - the names of mirrors, which are unique in a configuration.
 */
#ifndef MIRROR_CONFIG_NAME_H
#define MIRROR_CONFIG_NAME_H

#include "base/mirror.h"

/* ---- startup ---- */

/* Return the name of a server for messages, "www.example.com:80": with its own port, or that of the
 * first Listen. */
const char *mirror_name_server(const struct server_rec *server, apr_pool_t *pconf);

/* Check the given names, then generate the missing ones in the order of the lines. A generated name
 * consists of server, scope and host, with a number if it is taken. Settings and servers must be
 * resolved. Logs each error with file and line; returns 0 if there is one. */
int mirror_name_resolve(const apr_array_header_t *mirrors, apr_pool_t *pconf, apr_pool_t *plog);

#endif
