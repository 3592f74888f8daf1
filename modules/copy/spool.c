/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/spool.c - long bodies in unlinked files. See copy/spool.h.
 */
#include <apr_portable.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <httpd.h>
#include <http_log.h>

#include "base/closer.h"
#include "base/queue.h"
#include "copy/share.h"
#include "copy/spool.h"

APLOG_USE_MODULE(proxy_mirror);

/* A reason of rejections that is not an error of the file system. */
#define FAULT_SIZE 0
/* Longer files are closed by the closer thread: closing takes more than half a millisecond. */
#define MIRROR_LONG_FILE (8 << 20)

/* The spools of one child. */
struct mirror_spools_t {
    mirror_child_t *child;
    server_rec *server;
    const char *dir;    /* NULL = no temporary folder was found */
    mirror_pot_t bytes; /* in all files */
    mirror_pot_t files; /* open ones */
    mirror_closer_t *closer;
    apr_uint32_t refused; /* atomic: rejected bodies that were not logged yet */
    apr_uint32_t fault;   /* atomic: reason of the last rejection: an apr_status_t, or FAULT_SIZE */
};

struct mirror_spool_t {
    /* queue link to the closer; first member, so an item can be cast to its spool */
    mirror_queue_item_t item;
    mirror_spools_t *spools;
    apr_pool_t *pool; /* request thread, then the last holder's owner, then the closer */
    apr_file_t *file;
    apr_off_t length;
    mirror_lane_t *lane;  /* of the last holder */
    apr_uint64_t charged; /* bytes, for that one */
};

/* ---- a file without a name ---- */

#ifdef O_TMPFILE
/* Return whether the system or file system does not support unlinked files. */
static int is_unknown(int error)
{
    return error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT;
}
#endif

static apr_status_t open_unnamed(int *fd, const char *dir, apr_pool_t *pool)
{
    char *name;

#ifdef O_TMPFILE
    *fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0 || !is_unknown(errno)) {
        return *fd >= 0 ? APR_SUCCESS : errno;
    }
#endif
    name = apr_pstrcat(pool, dir, "/proxy-mirror.XXXXXX", NULL);
    /* a program that starts at the same time would inherit a file of apr_file_mktemp */
    *fd = mkostemp(name, O_CLOEXEC);
    if (*fd < 0) {
        return errno;
    }
    if (unlink(name) != 0) {
        apr_status_t rv = errno;

        close(*fd);
        return rv;
    }
    return APR_SUCCESS;
}

static apr_status_t try_dir(const char *dir, apr_pool_t *pool)
{
    int fd;
    apr_status_t rv = open_unnamed(&fd, dir, pool);

    if (rv == APR_SUCCESS) {
        close(fd);
    }
    return rv;
}

/* ---- resources of a file ---- */

/* Take a descriptor. A mirror without a file gets one beyond its share and beyond the bound, as
 * with connections: hanging mirrors keep theirs, and there may be more mirrors than files. */
static int take_descriptor(mirror_lane_t *lane)
{
    mirror_child_t *child = lane->child;
    mirror_pot_t *files = &child->spools->files;
    int first = apr_atomic_read64(&lane->files) == 0;

    if (apr_atomic_inc32(&child->descriptors) < (first ? 2 : 1) * child->descriptors_max) {
        if (mirror_share_take(files, &lane->files, 1)) {
            return 1;
        }
        if (first) {
            mirror_share_force(files, &lane->files, 1);
            return 1;
        }
    }
    apr_atomic_dec32(&child->descriptors);
    return 0;
}

static void give_descriptor_back(mirror_lane_t *lane)
{
    mirror_share_give(&lane->child->spools->files, &lane->files, 1);
    apr_atomic_dec32(&lane->child->descriptors);
}

void mirror_spool_release(mirror_lane_t *lane, apr_uint64_t charged)
{
    if (charged > 0) {
        mirror_share_give(&lane->child->spools->bytes, &lane->spooled, charged);
        give_descriptor_back(lane);
    }
}

/* Close the file of a spool, and give its room back. */
static void close_spool(mirror_queue_item_t *item)
{
    mirror_spool_t *spool = (mirror_spool_t *)item;
    mirror_lane_t *lane = spool->lane;
    apr_uint64_t charged = spool->charged;

    apr_file_close(spool->file);
    apr_pool_destroy(spool->pool);
    mirror_spool_release(lane, charged);
}

/* ---- startup, child start ---- */

static int is_lasting(apr_status_t rv)
{
    return rv == EACCES || rv == EPERM || rv == EROFS || rv == ENOENT || rv == ENOTDIR ||
           rv == ELOOP || rv == ENAMETOOLONG;
}

const char *mirror_spool_refuse(const char *dir, apr_pool_t *pool)
{
    apr_finfo_t info;
    char reason[128];
    apr_status_t rv;

    if (*dir != '/') {
        return "it is not an absolute path";
    }
    rv = apr_stat(&info, dir, APR_FINFO_TYPE, pool);
    if (rv == APR_SUCCESS && info.filetype != APR_DIR) {
        return "it is not a folder";
    }
    if (rv == APR_SUCCESS) {
        rv = try_dir(dir, pool);
    }
    return is_lasting(rv) ? apr_pstrcat(pool, "files cannot be created there: ",
                                        apr_strerror(rv, reason, sizeof(reason)), NULL)
                          : NULL;
}

void mirror_spool_start(mirror_child_t *child, apr_pool_t *pool, struct server_rec *server)
{
    mirror_spools_t *spools = apr_pcalloc(pool, sizeof(*spools));
    apr_status_t rv = APR_SUCCESS;

    spools->child = child;
    spools->server = server;
    spools->closer = mirror_closer_create(pool, close_spool);
    spools->dir = child->registry->spool_dir;
    mirror_share_init(&spools->bytes, (apr_uint64_t)child->registry->spool_size,
                      child->registry->mirrors->nelts);
    mirror_share_init(&spools->files, (child->descriptors_max + 1) / 2,
                      child->registry->mirrors->nelts);
    if (!spools->dir) {
        rv = apr_temp_dir_get(&spools->dir, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = try_dir(spools->dir, pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, spools->server,
                     "PM0500: this child process cannot create files in %s (ProxyMirrorSpool); a "
                     "request with a body over 64 KiB is copied only if the body fits into memory",
                     spools->dir ? spools->dir : "any temporary folder");
    }
    child->spools = spools;
}

/* ---- refusing ---- */

/* The sender logs the rejection. It may have no copy, so it is woken. Returns the fault. */
static apr_status_t refuse(mirror_spools_t *spools, apr_status_t fault)
{
    apr_atomic_set32(&spools->fault, (apr_uint32_t)fault);
    apr_atomic_inc32(&spools->refused);
    mirror_queue_wake(spools->child->queue);
    return fault;
}

int mirror_spool_has_refused(const mirror_child_t *child)
{
    return child->spools && apr_atomic_read32(&child->spools->refused) > 0;
}

apr_uint32_t mirror_spool_take_refused(mirror_child_t *child, char *what, apr_size_t size)
{
    mirror_spools_t *spools = child->spools;
    apr_uint32_t refused = apr_atomic_xchg32(&spools->refused, 0);
    apr_status_t fault = (apr_status_t)apr_atomic_read32(&spools->fault);
    char reason[128];

    if (fault == FAULT_SIZE) {
        apr_snprintf(what, size,
                     "bodies over 64 KiB use all %" APR_UINT64_T_FMT " bytes of ProxyMirrorSpool%s",
                     spools->bytes.size,
                     spools->bytes.common > 0 ? ", or the bodies of one mirror use its share" : "");
    }
    else {
        apr_snprintf(what, size,
                     "a body over 64 KiB cannot be written to %s (ProxyMirrorSpool): %s",
                     spools->dir ? spools->dir : "any temporary folder",
                     apr_strerror(fault, reason, sizeof(reason)));
    }
    return refused;
}

/* ---- writing ---- */

static apr_status_t create(mirror_spool_t **out, mirror_spools_t *spools)
{
    apr_pool_t *pool;
    mirror_spool_t *spool;
    apr_status_t rv;
    int fd;

    if (!spools->dir) {
        return APR_ENOENT;
    }
    pool = mirror_memory_pool_create("mirror_spool"); /* request thread, then the last owner */
    rv = open_unnamed(&fd, spools->dir, pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    spool = apr_pcalloc(pool, sizeof(*spool));
    spool->spools = spools;
    spool->pool = pool;
    apr_os_file_put(&spool->file, &fd, APR_FOPEN_READ | APR_FOPEN_WRITE, pool);
    *out = spool;
    return APR_SUCCESS;
}

int mirror_spool_has_room(mirror_lane_t *lane, apr_off_t bytes)
{
    mirror_spools_t *spools = lane->child->spools;

    if (!spools) {
        return 0;
    }
    if (!mirror_share_fits(&spools->bytes, &lane->spooled, (apr_uint64_t)bytes)) {
        refuse(spools, FAULT_SIZE);
        return 0;
    }
    return 1;
}

/* Write all bytes. apr_file_writev_full() may write a part twice after a short write, as on a disk
 * that becomes full. */
static apr_status_t write_all(apr_file_t *file, const struct iovec *iov, int n)
{
    apr_size_t done;
    apr_status_t rv = apr_file_writev(file, iov, (apr_size_t)n, &done);
    int i;

    for (i = 0; i < n && rv == APR_SUCCESS; i++) {
        apr_size_t part = done < iov[i].iov_len ? done : iov[i].iov_len;

        if (part < iov[i].iov_len) {
            rv = apr_file_write_full(file, (const char *)iov[i].iov_base + part,
                                     iov[i].iov_len - part, NULL);
        }
        done -= part;
    }
    return rv;
}

int mirror_spool_charge(mirror_lane_t *lane, apr_uint64_t *charged, apr_size_t bytes)
{
    mirror_spools_t *spools = lane->child->spools;

    if (!spools) {
        return 0;
    }
    if (!mirror_share_take(&spools->bytes, &lane->spooled, bytes)) {
        refuse(spools, FAULT_SIZE);
        return 0;
    }
    if (*charged == 0 && !take_descriptor(lane)) {
        mirror_share_give(&spools->bytes, &lane->spooled, bytes);
        refuse(spools, EMFILE);
        return 0;
    }
    *charged += bytes;
    return 1;
}

apr_status_t mirror_spool_append(mirror_spool_t **spool, mirror_child_t *child,
                                 const struct iovec *iov, int n)
{
    apr_status_t rv = *spool ? APR_SUCCESS : create(spool, child->spools);
    int i;

    if (rv == APR_SUCCESS) {
        rv = write_all((*spool)->file, iov, n);
    }
    if (rv != APR_SUCCESS) {
        return refuse(child->spools, rv);
    }
    for (i = 0; i < n; i++) {
        (*spool)->length += (apr_off_t)iov[i].iov_len;
    }
    return APR_SUCCESS;
}

/* ---- reading ---- */

apr_off_t mirror_spool_length(const mirror_spool_t *spool)
{
    return spool->length;
}

apr_status_t mirror_spool_send(mirror_spool_t *spool, apr_socket_t *socket, apr_off_t offset,
                               apr_size_t *len)
{
#if APR_HAS_SENDFILE
    apr_status_t rv = apr_socket_sendfile(socket, spool->file, NULL, &offset, len, 0);

    /* Disk errors are reported when the file is read. */
    return rv == EINVAL || rv == ENOSYS || rv == EOPNOTSUPP || rv == EIO || APR_STATUS_IS_EOF(rv)
               ? APR_ENOTIMPL
               : rv;
#else
    (void)spool;
    (void)socket;
    (void)offset;
    (void)len;
    return APR_ENOTIMPL;
#endif
}

apr_status_t mirror_spool_read(mirror_spool_t *spool, apr_off_t offset, char *buffer,
                               apr_size_t *len)
{
    apr_status_t rv = apr_file_seek(spool->file, APR_SET, &offset);

    if (rv == APR_SUCCESS) {
        rv = apr_file_read(spool->file, buffer, len);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, spool->spools->server,
                     "PM0501: a body in %s (ProxyMirrorSpool) cannot be read", spool->spools->dir);
    }
    return rv;
}

/* ---- the end ---- */

void mirror_spool_end(mirror_spool_t *spool, mirror_lane_t *lane, apr_uint64_t charged)
{
    spool->lane = lane;
    spool->charged = charged;
    /* An ending child starts no threads. */
    if (spool->length > MIRROR_LONG_FILE && !apr_atomic_read32(&lane->child->closed)) {
        mirror_closer_push(spool->spools->closer, &spool->item);
    }
    else {
        close_spool(&spool->item);
    }
}

int mirror_spool_may_be_closing(const mirror_child_t *child)
{
    return child->spools && mirror_closer_has_run(child->spools->closer);
}
