/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool.h - the connection pool of one mirror, and the copies that wait for a connection.
 *
 * A pool is for one host. The first copy whose settings have another host creates a new pool, which
 * replaces the former one. The former pool ends when its last copy has ended. All other changes of
 * settings apply to the existing pool.
 *
 * Only the sender thread uses pools. Each copy that is put into a pool ends with an outcome. Helper
 * threads open connections (send/opener.c), in tasks of several, and return them as reports.
 *
 * All pools of a sender share the helpers and the descriptors. Bounds ensure that no pool starves
 * the others.
 */
#ifndef MIRROR_SEND_POOL_H
#define MIRROR_SEND_POOL_H

#include "send/send.h"

/* Create one pool for each of the child's lanes, in `memory`. Child start, main thread.
 * Errors: APR_ENOMEM. */
apr_status_t mirror_pool_create_all(mirror_send_t *send, apr_pool_t *memory);

/* ---- sender thread ---- */

/* Put `copy` into its pool, which owns it from here. mirror_pool_dispatch_all() sends it. */
void mirror_pool_put(mirror_send_t *send, mirror_copy_t *copy);

/* Return the settings in force for the copies of a mirror. `index`: mirror index. */
const mirror_settings_t *mirror_pool_settings(const mirror_send_t *send, int index);

/* Take back a connection from a helper. */
void mirror_pool_report(mirror_send_t *send, mirror_connection_t *connection);

/* Send waiting copies, and open missing connections. */
void mirror_pool_dispatch_all(mirror_send_t *send);

/* End all copies as shut_down and close all connections. */
void mirror_pool_close_all(mirror_send_t *send);

#endif
