/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/name.c - the names of mirrors. See config/name.h.
 */
#include <string.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <ap_listen.h>

#include "config/name.h"

APLOG_USE_MODULE(proxy_mirror);

#define NAME_MAX_LEN 64

const char *mirror_name_server(const struct server_rec *server, apr_pool_t *pconf)
{
    const server_rec *s = server;
    apr_port_t port = s->port                                   ? s->port
                      : ap_listeners && ap_listeners->bind_addr ? ap_listeners->bind_addr->port
                                                                : DEFAULT_HTTP_PORT;

    return apr_psprintf(pconf, "%s:%u", s->server_hostname ? s->server_hostname : "localhost",
                        (unsigned)port);
}

/* Return a name that is not in `names`: server, scope and host, and a number if that is taken. */
static const char *make_name(const mirror_t *mirror, apr_hash_t *names, apr_pool_t *pconf)
{
    const char *source =
        apr_psprintf(pconf, "%.*s %s %s", (int)(strrchr(mirror->server, ':') - mirror->server),
                     mirror->server, mirror->scope, mirror->settings->target.authority);
    char base[NAME_MAX_LEN + 1];
    const char *name = base, *suffix;
    apr_size_t len = 0;
    int in_run = 0, n;

    for (; *source && len < NAME_MAX_LEN; source++) {
        int allowed = apr_isalnum(*source) || strchr("._-", *source);

        if (allowed || !in_run) {
            base[len++] = allowed ? *source : '-';
        }
        in_run = !allowed;
    }
    base[len] = '\0';
    for (n = 2; apr_hash_get(names, name, APR_HASH_KEY_STRING); n++) {
        suffix = apr_psprintf(pconf, "-%d", n);
        name = apr_psprintf(pconf, "%.*s%s", (int)(NAME_MAX_LEN - strlen(suffix)), base, suffix);
    }
    return apr_pstrdup(pconf, name);
}

int mirror_name_resolve(const apr_array_header_t *mirrors, apr_pool_t *pconf, apr_pool_t *plog)
{
    apr_hash_t *names = apr_hash_make(plog);
    int ok = 1, i;

    for (i = 0; i < mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(mirrors, i, const mirror_t *);
        const mirror_t *first =
            mirror->name ? apr_hash_get(names, mirror->name, APR_HASH_KEY_STRING) : NULL;

        if (first) {
            ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, plog,
                          "PM0102: %s:%d: ProxyMirror name: must be unique, got \"%s\", which is "
                          "also the name of the mirror in %s:%d",
                          mirror->file, mirror->line, mirror->name, first->file, first->line);
            ok = 0;
        }
        else if (mirror->name) {
            apr_hash_set(names, mirror->name, APR_HASH_KEY_STRING, mirror);
        }
    }
    for (i = 0; i < mirrors->nelts; i++) {
        mirror_t *mirror = APR_ARRAY_IDX(mirrors, i, mirror_t *);

        if (!mirror->name) {
            mirror->name = make_name(mirror, names, pconf);
            mirror->settings->name = mirror->name;
            apr_hash_set(names, mirror->name, APR_HASH_KEY_STRING, mirror);
        }
    }
    return ok;
}
