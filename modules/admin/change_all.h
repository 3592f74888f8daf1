/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/change_all.h - a change of all mirrors at once: PATCH and DELETE of /mirrors and of
 * /fleet/mirrors, and the page's form "Stop all".
 *
 *     PATCH    {"enabled": false} or {"enabled": true}: sets `enabled` of each mirror
 *     DELETE   drops the override of each mirror, so the file applies
 *     POST     a form with the fields `nonce` and `action`: "stop" and "start" set `enabled`;
 *              "resume" goes back to the `enabled` of the file and keeps all else; "reset" as
 *              DELETE. "stop" requires confirm=yes; without it a browser gets the page with the
 *              question. `layer`: "node" (the default), or "fleet"
 *
 * Each mirror is one transaction (settings/change.h). The response lists each mirror with its
 * result: "changed", "unchanged", or "failed" with the reason. If one failed, the response has the
 * status of the first failure, and "error".
 *
 * On a node of a fleet, /mirrors changes this node alone. For the fleet, each mirror is one change of
 * its document (admin/fleet_edit.h); "stop", "start" and "resume" also remove `enabled` from the own
 * settings of this node, so the fleet's is in force here.
 */
#ifndef MIRROR_ADMIN_CHANGE_ALL_H
#define MIRROR_ADMIN_CHANGE_ALL_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* Handle a PATCH, DELETE or POST of /mirrors. `location`: path of the manager. */
int mirror_change_all_handle(request_rec *r, const mirror_registry_t *registry,
                             const char *location);

/* Handle a PATCH or DELETE of /fleet/mirrors, on a node of a fleet. */
int mirror_change_all_handle_fleet(request_rec *r, const mirror_registry_t *registry);

#endif
