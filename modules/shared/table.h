/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/table.h - what children share: one slot of APR shared memory per mirror, one cell per
 * mirror and child.
 *
 * One anonymous apr_shm segment in a pool of the process, found again after every restart with
 * ap_retained_data_get, so that nothing is lost over a graceful one, and old children count on in
 * the same memory as new ones:
 *
 *     header   a magic number, and how many slots and worker slots were ever used
 *     slots    one per mirror: what all children share of it
 *     worker slots   one per child: its pid; the first worker slot is shared by the children that found no
 *              other
 *     cells    for each worker slot, one per slot
 *     stores   one per slot: what the manager has set of the mirror (shared/store.h)
 *
 * A child may write anything here. Sizes, and which mirror has which slot, are in private memory of
 * each process (shared/table_state.h), and what is counted is bounded where it is read. If the
 * parent finds that something else than this module has written to the segment, it logs one line
 * and the next reload makes the segment anew.
 *
 * A child claims a worker slot for its pid and then only adds to its own cells, so a killed child leaves
 * its counts behind; what it still had under way is moved to shut_down when its worker slot is reaped.
 * Counters stay when a worker slot is freed and the next child adds to them: they only ever grow, but
 * for the gauges in_flight, connections and bytes. queued is not stored: it is seen - in_flight -
 * the sum of outcomes. For that never to be negative, a copy is counted in this order: seen,
 * in_flight up, in_flight down, outcome.
 */
#ifndef MIRROR_SHARED_TABLE_H
#define MIRROR_SHARED_TABLE_H

#include "shared/cell.h"
#include "shared/store.h"

/* What all children share of one mirror. */
struct mirror_slot_t {
    apr_uint64_t canary; /* the parent writes it, and reads it only to find that others have */
    /* atomic: which text is in its store (shared/store.h); 0: none ever was */
    apr_uint64_t version;
    apr_uint64_t config; /* atomic: mirror_t's `config` in the last load that had this mirror */
    /* atomic: mirror_clock_now()'s time until when the mirror counts as down; 0: it is up */
    apr_uint64_t down_until;
    apr_uint64_t down_drops; /* atomic: copies that ended as unreachable since it went down */

    /* base/window.h says what these hold; all atomic */
    apr_uint64_t limit_local;  /* the window of this node, and how much of it is used */
    apr_uint64_t limit_closed; /* until when which limit is used up */
    apr_uint64_t limit_shared; /* as another server counted last: used, and until when */
    /* mirror_clock_now()'s time since when that server does not answer; 0: it does */
    apr_uint64_t limit_silent;
};

/* Sums over all children. */
typedef struct mirror_totals_t {
    mirror_cell_t sum;
    apr_uint64_t queued;
} mirror_totals_t; /* sum.seen is always queued + sum.in_flight + the sum of the outcomes */

/* ---- startup, parent ---- */

/* Find the segment of an earlier load, or make one with `slots` slots. A segment of another layout
 * version, one with fewer slots than are asked for, and a damaged one is replaced, with one line in
 * the log: counts then begin at 0, and what children of earlier loads still count is not seen. What
 * the manager had set is kept over the growth of slots. `server` is for the log and
 * its process pool. The segment lives as long as the process; *table is in pconf. Errors:
 * apr_shm_create's, APR_ENOMEM. */
apr_status_t mirror_table_open(mirror_table_t **table, apr_pool_t *pconf, struct server_rec *server,
                               int slots);

/* The slot called `name` (at most 64 bytes), a new one if there is none. When all are taken, that
 * of a mirror which is gone for good is used again: neither this load nor the one before had it,
 * nor does any child that still runs. APR_ENOSPC: there is none. */
apr_status_t mirror_table_slot(mirror_slot_t **slot, mirror_table_t *table, const char *name);

/* All mirrors have their slots: let go of the segment that this load has replaced. */
void mirror_table_complete(mirror_table_t *table);

/* ---- parent ---- */

/* The child `pid` was started with this table. */
void mirror_table_child_started(mirror_table_t *table, apr_int64_t pid);

/* The child `pid` has ended, as the caller knows: end what it still had as shut_down and free its
 * worker slot, and what else it held. Safe to call for any pid, and more than once. */
void mirror_table_child_ended(mirror_table_t *table, apr_int64_t pid);

/* ---- child, main thread ---- */

/* Claim a worker slot for this process (settling those of dead ones when none is free). If there is none
 * left, it is the one that all such children share, with one warning: what such a child has under
 * way when it is killed is then never reaped. Always succeeds. Before any other thread of the
 * child calls in here. */
apr_status_t mirror_table_claim(int *worker_slot, mirror_table_t *table);

/* Give the worker slot back after the last count; what is under way is ended as shut_down. */
void mirror_table_release(mirror_table_t *table, int worker_slot);

mirror_cell_t *mirror_table_cell(mirror_table_t *table, int worker_slot, const mirror_slot_t *slot);

/* ---- any thread ---- */

/* Whether the configuration was not loaded anew since this process was started. */
int mirror_table_is_newest(const mirror_table_t *table);

/* The store of a slot, and the lock of those who write to any of the table's. */
mirror_store_t *mirror_table_store(mirror_table_t *table, const mirror_slot_t *slot);
mirror_store_lock_t *mirror_table_store_lock(mirror_table_t *table);

/* Reap the worker slots whose process is gone, whoever that was. Costs a system call per child. */
void mirror_table_reap_ended(mirror_table_t *table);

/* Places below this number were used at some time. */
apr_uint32_t mirror_table_worker_slots(mirror_table_t *table);

/* Sum up a mirror over all worker slots, as they are. */
void mirror_totals_sum(mirror_totals_t *totals, mirror_table_t *table, const mirror_slot_t *slot);

#endif
