/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/write.h - writing to the store of the fleet: a script with compare-and-set, and one that
 * restores.
 *
 * The script compares the version in the index, counts the revision, and writes head, index,
 * document and log, all or nothing. So of two changes that start from one version, one fails.
 */
#ifndef MIRROR_FLEET_WRITE_H
#define MIRROR_FLEET_WRITE_H

#include "fleet/remote.h"

typedef enum {
    MIRROR_WRITE_DONE,
    MIRROR_WRITE_DIFFERS, /* the version in the index is not the expected one */
    MIRROR_WRITE_EMPTIED, /* the store has no head, although this node knows one */
    MIRROR_WRITE_HELD,    /* the store has no head, and this node may not begin it yet */
    MIRROR_WRITE_PRESENT, /* a restore, and the store has a head */
    MIRROR_WRITE_FAILED,  /* nothing was written; the remote's `fault` has the reason */
    MIRROR_WRITE_UNKNOWN  /* the reply was lost: it may have been written */
} mirror_write_e;

typedef struct mirror_write_t {
    const char *mirror;
    /* the new document, without a revision; the write sets the revision and an id */
    mirror_document_t document;
    mirror_document_version_t expected; /* revision 0 = none */
    const char *changes;                /* for the log of changes */
    int knows_epoch;                    /* 1 if this node has seen a head */
    int is_held;                        /* 1 if this node may not begin a store (fleet/hold.h) */
    /* result: a reply was lost, and so many changes were written since, or the log cannot be read,
     * that this one may have been written before them */
    int is_doubtful;
    apr_uint64_t epoch; /* for a new store, 0 = random; then that of the store, 0 = unknown */
} mirror_write_t;

/* ---- request threads ---- */

/* Write a document. If the reply is lost, the index is read to find out. */
mirror_write_e mirror_write_document(mirror_write_t *write, mirror_remote_t *remote,
                                     apr_pool_t *pool);

/* Write the documents of `writes`, an array of mirror_write_t with `mirror`, `document` and `changes`, to a
 * store without a head or without an index: all of them at once, or none. There is at least one. */
mirror_write_e mirror_write_restore(const apr_array_header_t *writes, mirror_remote_t *remote,
                                    apr_pool_t *pool);

/* Return how many replicas have confirmed all writes of this remote. If there are replicas, the
 * function waits for the first one, at most 200 ms. -1: not known, as without permission for WAIT. A
 * confirmed write can still be lost in a failover, only less likely. */
int mirror_write_replicas(mirror_remote_t *remote, apr_pool_t *pool);

#endif
