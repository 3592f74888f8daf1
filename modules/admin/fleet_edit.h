/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_edit.h - one change of one document of the fleet, whatever the form of request and
 * response: read it, edit it, check it on this node, write it if it has not changed meanwhile.
 *
 * If another change was written first, all is repeated. A change is in force on this node when the
 * function returns, and on the others with their next poll.
 */
#ifndef MIRROR_ADMIN_FLEET_EDIT_H
#define MIRROR_ADMIN_FLEET_EDIT_H

#include <httpd.h>

#include "fleet/write.h"

/* A requested change. */
typedef struct mirror_fleet_edit_t {
    request_rec *r; /* who requests it, and the pool of the result */
    const mirror_registry_t *registry;
    mirror_remote_t *remote;
    /* Edit the override of the store, as in mirror_settings_edit_t. NULL = delete the document. */
    const char *(*edit)(mirror_override_t *override, const mirror_t *mirror, void *baton,
                        apr_pool_t *pool);
    /* Return whether this is the expected version in the store. NULL = any. */
    int (*expects)(const mirror_document_version_t *version, void *baton);
    void *baton;
    int replaces;       /* 1 = the edit starts from nothing */
    int drops_empty;    /* 1 = a document without attributes is deleted */
    int is_conditional; /* 1 = if another change is written first, the status is 412 */
    int is_for_others; /* 1 = the settings that this node has of its own must not keep it from them */
} mirror_fleet_edit_t;

typedef struct mirror_fleet_edited_t {
    int status;                 /* HTTP_OK, or that of the error; with one, nothing was changed, or
                                   with HTTP_GATEWAY_TIME_OUT that is not known */
    const char *why;            /* error message; NULL with HTTP_OK */
    int is_changed;             /* 0 = it was so before */
    mirror_document_t document; /* that is now in the store, with HTTP_OK */
} mirror_fleet_edited_t;

/* ---- request threads ---- */

/* Return whether this httpd is a node of a fleet, and can change it. */
int mirror_fleet_edit_is_possible(const mirror_registry_t *registry);

/* Apply a change to the document of `mirror`. */
void mirror_fleet_edit_apply(mirror_fleet_edited_t *result, const mirror_fleet_edit_t *requested,
                             const mirror_t *mirror);

#endif
