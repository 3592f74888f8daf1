/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/spool.h - long bodies in unlinked files.
 *
 * A SPOOL is the file of one content (copy/content.h). The request that captures the body creates it
 * with the first bytes. The holders of the content own the spool. The file has no name, so the system
 * frees its space when it is closed, however the process ends. The file is close-on-exec.
 *
 * The bytes of all files (ProxyMirrorSpool) and their number are bounded for each child. Files take
 * at most half of the descriptors for mirrors, so some are always left for connections. Each mirror
 * has its share of both (copy/share.h). At a bound, or after an error of the file system, the body
 * is dropped, and the sender logs it.
 */
#ifndef MIRROR_COPY_SPOOL_H
#define MIRROR_COPY_SPOOL_H

#include <apr_network_io.h>

#include "base/mirror.h"

/* The memory of a spool, bytes. */
#define MIRROR_SPOOL_COST 9216

/* ---- startup ---- */

/* Check whether this process can create files in the folder `dir`. Returns NULL, or an error
 * message in `pool`. A full disk is not an error, because it would end a server at a reload.
 * Children may run as another user and check again at their start. */
const char *mirror_spool_refuse(const char *dir, apr_pool_t *pool);

/* Create child->spools in `pool`, as configured in the registry. Child start, main thread. If this
 * process cannot create files in the folder, one line is logged to `server`, and each body tries
 * again. */
void mirror_spool_start(mirror_child_t *child, apr_pool_t *pool, struct server_rec *server);

/* ---- request threads ---- */

/* Return whether `bytes` more fit into the lane's share. Nothing is reserved. A negative result
 * counts as a rejection. */
int mirror_spool_has_room(mirror_lane_t *lane, apr_off_t bytes);

/* Charge `bytes` to the lane's share, and a file if *charged is 0. *charged: bytes of one holder.
 * Returns 0 and takes nothing if there is no room, which counts as a rejection. */
int mirror_spool_charge(mirror_lane_t *lane, apr_uint64_t *charged, apr_size_t bytes);

/* Append `iov`, to a new file if *spool is NULL. Blocks no longer than a write to the page cache.
 * Errors: those of the file system; the copies must then end. If *spool is not NULL, the caller owns
 * it, also after an error. */
apr_status_t mirror_spool_append(mirror_spool_t **spool, mirror_child_t *child,
                                 const struct iovec *iov, int n);

/* ---- the owner ---- */

apr_off_t mirror_spool_length(const mirror_spool_t *spool);

/* Send up to *len bytes from `offset`, which is before the end, on a non-blocking socket. *len:
 * sent bytes. APR_ENOTIMPL: the system, file system or socket does not support it; use
 * mirror_spool_read(). APR_EAGAIN: the socket is full. Other errors: those of
 * apr_socket_sendfile(). */
apr_status_t mirror_spool_send(mirror_spool_t *spool, apr_socket_t *socket, apr_off_t offset,
                               apr_size_t *len);

/* Read up to *len bytes from `offset`, which is before the end. *len: read bytes, 1 or more.
 * Errors: those of a disk; logged. */
apr_status_t mirror_spool_read(mirror_spool_t *spool, apr_off_t offset, char *buffer,
                               apr_size_t *len);

/* Release what was charged to the lane for one holder; 0 = nothing. */
void mirror_spool_release(mirror_lane_t *lane, apr_uint64_t charged);

/* Close the spool, then release what was charged for its last holder. The closer thread closes a
 * large file. */
void mirror_spool_end(mirror_spool_t *spool, mirror_lane_t *lane, apr_uint64_t charged);

/* Return whether the closer thread may still run code of the module. Child end, main thread. */
int mirror_spool_may_be_closing(const mirror_child_t *child);

/* ---- sender thread ---- */

/* Return whether there are rejected bodies that were not logged yet. */
int mirror_spool_has_refused(const mirror_child_t *child);

/* Return the number of rejected bodies since the last call, and write the last reason to `what` of
 * `size` bytes. */
apr_uint32_t mirror_spool_take_refused(mirror_child_t *child, char *what, apr_size_t size);

#endif
