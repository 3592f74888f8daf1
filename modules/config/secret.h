/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/secret.h - passwords that a program prints, and hiding of passwords.
 */
#ifndef MIRROR_CONFIG_SECRET_H
#define MIRROR_CONFIG_SECRET_H

#include <http_config.h>

/* ---- startup ---- */

/* Replace "exec:/path/to/program arguments" by the first line of the program's output. Other
 * secrets and NULL are unchanged. The program runs once per load of the configuration, as the user
 * who starts httpd. Returns NULL, or an error message in `pool`. If the program fails on a reload,
 * the error is logged and NULL is returned. The previous secret stays, an empty one if there was
 * none. */
const char *mirror_secret_resolve(const char **secret, const char *name, apr_pool_t *pool,
                                  apr_pool_t *plog);

/* Return whether a program prints the secret; 0 for NULL. */
int mirror_secret_is_program(const char *secret);

/* Remove the passwords from the text of a processed directive, which mod_info and others show. */
void mirror_secret_hide(const ap_directive_t *directive, apr_pool_t *pool);

#endif
