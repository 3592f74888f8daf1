/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_store.c - the store of the fleet, for one request. See admin/fleet_store.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <http_protocol.h>

#include "admin/fleet_store.h"
#include "admin/json.h"
#include "fleet/poller.h"

#define TRIES 8

static apr_status_t close_remote(void *remote)
{
    mirror_remote_close(remote);
    return APR_SUCCESS;
}

mirror_remote_t *mirror_fleet_store_open(request_rec *r, const mirror_registry_t *registry)
{
    mirror_remote_t *remote =
        mirror_remote_create(registry->fleet, mirror_poller_given_up(registry->child), r->pool);

    apr_pool_pre_cleanup_register(r->pool, remote, close_remote);
    return remote;
}

int mirror_fleet_store_refuse(request_rec *r, const mirror_remote_t *remote)
{
    apr_table_setn(r->headers_out, "Retry-After", "2");
    return mirror_json_error(
        r, HTTP_SERVICE_UNAVAILABLE,
        apr_psprintf(r->pool, "fleet: its store must respond, got: %s", remote->fault));
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

int mirror_fleet_store_read(mirror_document_t *document, request_rec *r, mirror_remote_t *remote,
                            const char *mirror)
{
    const char *index, *text, *wrong = NULL;
    int again = 1, tries;

    for (tries = 0; again && tries < TRIES; tries++) {
        if (mirror_remote_get(&index, remote, MIRROR_FLEET_INDEX, mirror, r->pool) != APR_SUCCESS ||
            mirror_remote_get(&text, remote, MIRROR_FLEET_DOCS, mirror, r->pool) != APR_SUCCESS) {
            return mirror_fleet_store_refuse(r, remote);
        }
        wrong = read_once(document, index, text, &again, r->pool);
    }
    if (!wrong) {
        return OK;
    }
    /* a change may replace a document that is unusable, by its version */
    document->attributes = NULL;
    if (document->version.revision && (r->method_number == M_PUT || r->method_number == M_DELETE)) {
        return OK;
    }
    return mirror_json_error(
        r, HTTP_BAD_GATEWAY,
        apr_psprintf(r->pool, "fleet: its store must have a valid document, got: %s", wrong));
}
