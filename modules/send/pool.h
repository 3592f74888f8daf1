/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool.h - the connection pool of one mirror, and the copies that wait for one of its
 * connections.
 *
 * A pool is for one host. With the first copy whose settings have another one a new pool takes the
 * mirror's place; the former one ends its copies and then itself. All else that settings may
 * change holds in the same pool from then on.
 *
 * Everything here is the sender thread's. A copy that is put in comes out as an outcome.
 * Connections are opened by helper threads (send/opener.c), in tasks of several, and come back as
 * reports.
 *
 * All pools of a sender share the helpers and the descriptors, and are limited so that none
 * starves the others.
 */
#ifndef MIRROR_SEND_POOL_H
#define MIRROR_SEND_POOL_H

#include "send/send.h"

/* child start, main thread: one pool for each of the child's lanes, in `memory`. */
void mirror_pool_create_all(mirror_send_t *send, apr_pool_t *memory);

/* ---- sender thread ---- */

/* Own `copy` from here. It is sent by mirror_pool_dispatch_all(). */
void mirror_pool_put(mirror_send_t *send, mirror_copy_t *copy);

/* The settings that are in force for the copies of a mirror, by its index. */
const mirror_settings_t *mirror_pool_settings(const mirror_send_t *send, int index);

/* Take back a connection that a helper was given. */
void mirror_pool_report(mirror_send_t *send, mirror_connection_t *connection);

/* Send what can be sent, open what is missing. */
void mirror_pool_dispatch_all(mirror_send_t *send);

/* End all copies as shut_down and close all connections. */
void mirror_pool_close_all(mirror_send_t *send);

#endif
