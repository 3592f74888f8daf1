/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/secret.h - passwords that a program prints, and keeping passwords from being shown.
 */
#ifndef MIRROR_CONFIG_SECRET_H
#define MIRROR_CONFIG_SECRET_H

#include <http_config.h>

/* ---- startup ---- */

/* In place of "exec:/path/to/program arguments", what that prints in its first line; other secrets,
 * and NULL, stay as they are. The program runs once for each load of the configuration, as the
 * user who starts httpd. Returns NULL, or what is wrong, in `pool`. When it fails on a reload,
 * that is logged, the secret of the load before is kept (an empty one, if there was none), and
 * NULL returned. */
const char *mirror_secret_resolve(const char **secret, const char *name, apr_pool_t *pool,
                                  apr_pool_t *plog);

/* Whether a program is to print it; NULL is no secret. */
int mirror_secret_is_program(const char *secret);

/* The directive has been read: take the passwords out of the text that mod_info and others show. */
void mirror_secret_hide(const ap_directive_t *directive, apr_pool_t *pool);

#endif
