/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_report.h - what the response to a change of the fleet reports of the nodes.
 *
 * `Prefer: wait=SECONDS` (RFC 7240) delays the response until all live nodes have the change or refuse
 * it, at most ten seconds.
 */
#ifndef MIRROR_ADMIN_FLEET_REPORT_H
#define MIRROR_ADMIN_FLEET_REPORT_H

#include <yajl/yajl_gen.h>

#include "admin/fleet_edit.h"
#include "fleet/nodes.h"

/* ---- request threads ---- */

/* Return whether the client waits for the nodes. */
int mirror_fleet_report_waits(const request_rec *r);

/* Append "replicas": how many have confirmed what this request has written, if that is known.
 * "warnings", if there are any. If the client waits, "nodes" and "not_in_force".
 * `mirror` and `version`: the document that was written last, as for mirror_nodes_read(). Nothing is appended if the
 * store does not respond any more. */
void mirror_fleet_report_put(yajl_gen gen, const mirror_fleet_edit_t *requested,
                             const mirror_t *mirror, const mirror_document_version_t *version);

/* Append "warnings", if there are any. */
void mirror_fleet_report_put_warnings(yajl_gen gen, const mirror_nodes_t *nodes, apr_pool_t *pool);

/* Return what an administrator should know of these nodes, as texts in `pool`. */
apr_array_header_t *mirror_fleet_report_warnings(const mirror_nodes_t *nodes, apr_pool_t *pool);

#endif
