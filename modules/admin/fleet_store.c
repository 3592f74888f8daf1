/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_store.c - the store of the fleet, for one request. See admin/fleet_store.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <http_protocol.h>

#include "admin/fleet_store.h"
#include "admin/json.h"
#include "base/clock.h"
#include "fleet/poller.h"

#define TRIES       8
#define REQUEST_MAX apr_time_from_sec(30) /* of all commands of a request */

static apr_status_t close_remote(void *remote)
{
    mirror_remote_close(remote);
    return APR_SUCCESS;
}

mirror_remote_t *mirror_fleet_store_open(request_rec *r, const mirror_registry_t *registry)
{
    mirror_remote_t *remote =
        mirror_remote_create(registry->fleet, mirror_poller_given_up(registry->child), r->pool);

    remote->deadline = mirror_clock_now() + REQUEST_MAX;
    apr_pool_pre_cleanup_register(r->pool, remote, close_remote);
    return remote;
}

const char *mirror_fleet_store_fault(const mirror_remote_t *remote, apr_pool_t *pool)
{
    return apr_psprintf(pool, "fleet: its store must respond, got: %s", remote->fault);
}

void mirror_fleet_store_note_retry(request_rec *r, int status)
{
    if (status == HTTP_SERVICE_UNAVAILABLE && !apr_table_get(r->headers_out, "Retry-After")) {
        apr_table_setn(r->headers_out, "Retry-After", "2");
    }
}

int mirror_fleet_store_send_error(request_rec *r, int status, const char *why)
{
    mirror_fleet_store_note_retry(r, status);
    return mirror_json_error(r, status, why);
}

const char *mirror_fleet_store_hold(request_rec *r, int seconds)
{
    apr_table_setn(r->headers_out, "Retry-After", apr_itoa(r->pool, seconds));
    return apr_psprintf(
        r->pool,
        "fleet: its store must have been empty for some seconds, as other nodes may "
        "have its settings, got one that has just come back; retry in %d s",
        seconds);
}

int mirror_fleet_store_refuse(request_rec *r, const mirror_remote_t *remote)
{
    return mirror_fleet_store_send_error(r, HTTP_SERVICE_UNAVAILABLE,
                                         mirror_fleet_store_fault(remote, r->pool));
}

const char *mirror_fleet_store_etag(const mirror_document_version_t *version, apr_pool_t *pool)
{
    return version->revision && !version->is_deleted
               ? apr_pstrcat(pool, "\"", mirror_document_print_version(version, pool), "\"", NULL)
               : NULL;
}

/* Returns NULL, or why the store's entries are unusable. *again: they may have changed meanwhile. */
static const char *read_once(mirror_document_t *document, const char *index, const char *text,
                             int *again, apr_pool_t *pool)
{
    mirror_document_version_t version = { 0, 0, 0 };
    const char *wrong;

    *again = 0;
    memset(document, 0, sizeof(*document));
    if (!index) {
        return NULL;
    }
    if (!mirror_document_read_version(&version, index)) {
        return "the version in the index is malformed";
    }
    wrong = text ? mirror_document_parse(document, text, pool) : "there is no document";
    if (!wrong && !mirror_document_is_same(&document->version, &version)) {
        *again = 1;
        wrong = "the document is of another version than the index has";
    }
    document->version = version;
    return wrong;
}

int mirror_fleet_store_read(mirror_document_t *document, const char **why, mirror_remote_t *remote,
                            const char *mirror, apr_pool_t *pool)
{
    const char *index, *text, *wrong = NULL;
    int again = 1, tries;

    for (tries = 0; again && tries < TRIES; tries++) {
        if (mirror_remote_get(&index, remote, MIRROR_FLEET_INDEX, mirror, pool) != APR_SUCCESS ||
            mirror_remote_get(&text, remote, MIRROR_FLEET_DOCS, mirror, pool) != APR_SUCCESS) {
            *why = mirror_fleet_store_fault(remote, pool);
            return HTTP_SERVICE_UNAVAILABLE;
        }
        wrong = read_once(document, index, text, &again, pool);
    }
    if (!wrong) {
        return OK;
    }
    document->attributes = NULL;
    *why = apr_psprintf(pool, "fleet: its store must have a valid document, got: %s", wrong);
    return HTTP_BAD_GATEWAY;
}
