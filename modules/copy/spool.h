/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/spool.h - where long bodies wait: in files without a name.
 *
 * A SPOOL is the file of one copy. It is made with its first bytes by the request that captures
 * them, and belongs to whoever owns the copy. It has no name, so the system takes its space back
 * when it is closed, however the process ends; and no program that httpd starts inherits it.
 *
 * What a child may have is bounded: the bytes in all files (ProxyMirrorSpool), and the files, which
 * take half of the descriptors that are for mirrors at most, so that there are always some left to
 * send with. Each mirror has its share of both (copy/share.h). At a bound, or when the file
 * system refuses, the body is not kept; the sender tells the log.
 */
#ifndef MIRROR_COPY_SPOOL_H
#define MIRROR_COPY_SPOOL_H

#include <apr_network_io.h>

#include "base/mirror.h"

/* What one of them takes in memory. */
#define MIRROR_SPOOL_COST 9216

/* ---- startup ---- */

/* NULL if files can be made in the folder `dir` by this process, else what is wrong, for people, in
 * `pool`. A disk that is full is none of that, as it would end a server at a reload. Whether
 * children can, with another user, shows when they start. */
const char *mirror_spool_refuse(const char *dir, apr_pool_t *pool);

/* child start, main thread: child->spools, in `pool`, as the registry says. A folder in which this
 * process cannot make files is a line in the log of `server`, and is tried again
 * for each body. */
void mirror_spool_start(mirror_child_t *child, apr_pool_t *pool, struct server_rec *server);

/* ---- request threads ---- */

/* Whether `bytes` more would fit into the lane's share now; nothing is reserved. If not, that
 * counts as refused. */
int mirror_spool_has_room(mirror_lane_t *lane, apr_off_t bytes);

/* Append what `iov` has, to a new file if *spool is NULL. Never more than the page cache takes is
 * waited for. Errors: there is no room, or what the file system says; then the copy has to end.
 * *spool is the caller's, also with an error if it is not NULL. */
apr_status_t mirror_spool_append(mirror_spool_t **spool, mirror_lane_t *lane,
                                 const struct iovec *iov, int n);

/* ---- the owner ---- */

apr_off_t mirror_spool_length(const mirror_spool_t *spool);

/* Send up to *len bytes that begin at `offset`, which is before the end, on a socket that does not
 * wait; *len is how many it took. APR_ENOTIMPL: this system, file system or socket cannot; read
 * and send then. APR_EAGAIN: the socket is full. Other errors: apr_socket_sendfile's. */
apr_status_t mirror_spool_send(mirror_spool_t *spool, apr_socket_t *socket, apr_off_t offset,
                               apr_size_t *len);

/* Read up to *len bytes that begin at `offset`, which is before the end; *len is how many came, 1
 * or more. Errors: those of a disk; logged. */
apr_status_t mirror_spool_read(mirror_spool_t *spool, apr_off_t offset, char *buffer,
                               apr_size_t *len);

/* Close it, and give its room back; a long one later, by a thread that may wait. NULL: nothing. */
void mirror_spool_end(mirror_spool_t *spool);

/* child end, main thread: whether that thread may run still, and so needs our code. */
int mirror_spool_may_be_closing(const mirror_child_t *child);

/* ---- sender thread ---- */

/* Whether any body was refused that the log was not told of. */
int mirror_spool_has_refused(const mirror_child_t *child);

/* How many were since this was asked last, and in `what`, of `size` bytes, why the last one was. */
apr_uint32_t mirror_spool_take_refused(mirror_child_t *child, char *what, apr_size_t size);

#endif
