/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/missing.c - requirements of settings on httpd. See settings/settings.h.
 */
#include <apr_strings.h>

#include "base/tls.h"
#include "limit/limit.h"
#include "settings/settings.h"

const char *mirror_settings_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                    apr_pool_t *pool)
{
    const char *missing = NULL;

    if (settings->target.tls) {
        missing = mirror_tls_missing(apr_psprintf(pool, "%s %s:// mirror",
                                                  settings->target.grpc ? "a" : "an",
                                                  settings->target.scheme),
                                     mirror->vhost, settings->target.url, pool);
    }
    return missing ? missing : mirror_limit_missing(mirror, settings, pool);
}
