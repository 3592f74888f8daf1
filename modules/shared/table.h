/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/table.h - shared memory of all children: one slot per mirror, one cell per mirror and
 * child.
 *
 * The segment is one anonymous apr_shm segment in the process pool. ap_retained_data_get() finds it
 * again after a restart. So a graceful restart loses no counts, and old and new children count in
 * the same memory.
 *
 *     header        a magic number, and the numbers of slots and worker slots ever used
 *     slots         one per mirror: its state for all children
 *     worker slots  one per child: its pid; the first one is shared by children that found
 *                   no free one
 *     cells         for each worker slot, one per slot
 *     lost          one ring per slot: its last losses (shared/lost.h)
 *     stores        one per slot: the manager's override of the mirror (shared/store.h)
 *     fleet stores  one per slot: the fleet's document of the mirror; and one for the state of this
 *                   node as the fleet sees it
 *     findings      one area per slot: results of comparisons (shared/findings.h); untouched, and
 *                   so without memory, if the mirror does not compare
 *     servers       one row of places per slot, and for each worker slot one row of counters per slot
 *                   (shared/servers.h); untouched if the mirror has one server
 *
 * A child may write anything here. Sizes, and the assignment of slots to mirrors, are in private
 * memory of each process (shared/table_state.h). Counts are bounded where they are read. If the
 * parent finds foreign data in the segment, it logs one line, and the next reload replaces the
 * segment.
 *
 * A child claims a worker slot for its pid and then adds only to its own cells. A killed child
 * leaves its counts behind; its pending copies move to shut_down when its worker slot is reaped.
 * Counters stay when a worker slot is freed, and the next child adds to them. So counters only
 * grow, except the gauges in_flight, connections and bytes.
 *
 * `queued` is not stored. It is seen - in_flight - the sum of outcomes. It is never negative,
 * because a copy is counted in this order: seen, in_flight up, in_flight down, outcome.
 */
#ifndef MIRROR_SHARED_TABLE_H
#define MIRROR_SHARED_TABLE_H

#include "shared/cell.h"
#include "shared/findings.h"
#include "shared/lost.h"
#include "shared/servers.h"
#include "shared/store.h"

/* The fleet as this node knows it, shared by all children. All words are atomic. The times are of
 * mirror_clock_now(). */
typedef struct mirror_fleet_words_t {
    apr_uint64_t name;       /* hash of the fleet that the others are of; 0 = none */
    apr_uint64_t leader;     /* load and pid of the child that polls; 0 = none */
    apr_uint64_t beat;       /* when the leader last began a poll */
    apr_uint64_t fetched;    /* 1 once the first poll has ended, with or without success */
    apr_uint64_t load;       /* load whose settings the documents were judged with */
    apr_uint64_t epoch;      /* of the store, 0 = unknown; with the next two the head in force */
    apr_uint64_t revision;   /* of the newest change */
    apr_uint64_t id;         /* of the newest change */
    apr_uint64_t down_since; /* since when the store does not respond; 0 = it does */
    apr_uint64_t up_since;   /* since when it responds; 0 = never did */
    apr_uint64_t checked;    /* when the store last responded; 0 = never */
    apr_uint64_t emptied;    /* 1 if the store was emptied */
    apr_uint64_t refused;    /* number of documents that this node refuses */
    apr_uint64_t state;      /* version of the text of mirror_table_fleet_state() */
    apr_uint64_t start;      /* random, of this start of httpd; 0 = not yet set */
    apr_uint64_t twin;       /* 1 if another node with this node's name was reported */
    apr_uint64_t held_until; /* until when the node does not begin an empty store; 0 = not held */
    apr_uint64_t touched;    /* 1 if a request has stored a document since the last poll began */
} mirror_fleet_words_t;

/* The state of one mirror, shared by all children. */
struct mirror_slot_t {
    apr_uint64_t canary; /* written by the parent; read only to detect foreign writes */
    /* atomic: version of the text in its store (shared/store.h); 0 = never written */
    apr_uint64_t version;
    apr_uint64_t fleet_version; /* atomic: the same for the fleet's document */
    apr_uint64_t
        fleet_refused;   /* atomic: hash of the document whose refusal was logged; 0 = none */
    apr_uint64_t config; /* atomic: mirror_t's `config` in the last load with this mirror */
    /* atomic: time (mirror_clock_now()) until which the mirror is down; 0 = up */
    apr_uint64_t down_until;
    /* atomic: copies that ended as unreachable since the mirror went down */
    apr_uint64_t down_drops;

    /* atomic; see base/window.h for the format */
    apr_uint64_t limit_local;  /* the window of this node: its start and its count */
    apr_uint64_t limit_closed; /* the used-up limit and the end of its window */
    apr_uint64_t limit_shared; /* as last reported by another server: count and end of the window */
    /* time (mirror_clock_now()) since which that server has not responded; 0 = it responds */
    apr_uint64_t limit_silent;

    apr_uint64_t compares; /* atomic: 1: its findings may be in use (mirror_table_note_findings) */
    apr_uint64_t serves;   /* atomic: 1: its servers may be in use (mirror_table_note_servers) */
};

/* Sums over all children. */
typedef struct mirror_totals_t {
    mirror_cell_t sum;
    apr_uint64_t queued;
} mirror_totals_t; /* invariant: sum.seen = queued + sum.in_flight + the sum of the outcomes */

/* ---- startup, parent ---- */

/* Find the segment of an earlier load, or create one with `slots` slots. A segment with another
 * layout version, with fewer slots, or with damage is replaced, and one line is logged. Counts then
 * start at 0, and later counts of older children are not visible. Overrides and the fleet's documents are
 * moved to the slots of their mirrors, except after damage or if their own layout differs
 * (shared/texts.h); findings are moved if only the number of slots grows. `server` provides the log and its process pool. The segment lives as long
 * as the process; *table is allocated in pconf. Errors: those of apr_shm_create(), APR_ENOMEM. */
apr_status_t mirror_table_open(mirror_table_t **table, apr_pool_t *pconf, struct server_rec *server,
                               int slots);

/* Return the slot of `name` (at most 64 bytes), or a new one. If all slots are taken, the slot of a
 * removed mirror is reused: neither this load, nor the previous one, nor a running child has that
 * mirror. Errors: APR_ENOSPC if there is no such slot. */
apr_status_t mirror_table_slot(mirror_slot_t **slot, mirror_table_t *table, const char *name);

/* Return the name of the next mirror with texts that the load before had and this load has not, or
 * NULL. *place is 0 at first. Call it when all mirrors have their slots. */
const char *mirror_table_next_gone(const mirror_table_t *table, apr_uint32_t *place);

/* Release the segment that this load has replaced. Call it when all mirrors have their slots. */
void mirror_table_complete(mirror_table_t *table);

/* ---- parent ---- */

/* Record that the child `pid` was started with this table. */
void mirror_table_child_started(mirror_table_t *table, apr_int64_t pid);

/* Reap the child `pid`, which has ended. Its pending copies end as shut_down; its worker slot and
 * locks are freed. Any pid is allowed, also repeatedly. */
void mirror_table_child_ended(mirror_table_t *table, apr_int64_t pid);

/* ---- child, main thread ---- */

/* Claim a worker slot for this process. If no worker slot is free, those of dead processes are
 * reaped. If still none is free, the child uses the shared one and logs one warning; pending copies
 * of such a child are never reaped if it is killed. Always succeeds. Call it before other threads
 * of the child use the table. */
void mirror_table_claim(int *worker_slot, mirror_table_t *table);

/* Release the worker slot after the last count. Pending copies end as shut_down. */
void mirror_table_release(mirror_table_t *table, int worker_slot);

mirror_cell_t *mirror_table_cell(mirror_table_t *table, int worker_slot, const mirror_slot_t *slot);

/* ---- any thread ---- */

/* Return the ring of the last losses of a slot. Touches no memory of it. */
mirror_lost_t *mirror_table_lost(mirror_table_t *table, const mirror_slot_t *slot);

/* The findings of a slot, for who writes them. Touches no memory of them. */
mirror_findings_t *mirror_table_findings(mirror_table_t *table, const mirror_slot_t *slot);

/* The same for readers; NULL: nothing was ever compared. */
mirror_findings_t *mirror_table_findings_used(mirror_table_t *table, const mirror_slot_t *slot);

/* Mark the findings of a slot as used. Required before the first write to them, also before a skipped
 * pair is counted. If they are marked already, the call costs one read. */
void mirror_table_note_findings(mirror_slot_t *slot);

/* Return the MIRROR_SERVERS_PLACES places of the servers of a slot, and one child's counters of them.
 * Touch no memory of them. */
mirror_server_words_t *mirror_table_servers(mirror_table_t *table, const mirror_slot_t *slot);
mirror_server_counts_t *mirror_table_server_counts(mirror_table_t *table, int worker_slot,
                                                   const mirror_slot_t *slot);

/* Mark the servers of a slot as used. Required before the first write to them or to counters of
 * them. If they are marked already, the call costs one read. */
void mirror_table_note_servers(mirror_slot_t *slot);

/* Set the counters of the server at `place` to 0 in all children: the place has another server now.
 * The gauges stay. */
void mirror_table_clear_server(mirror_table_t *table, const mirror_slot_t *slot, int place);

/* Sum the counters of the server at `place` over all children. 0 if the slot's servers are not
 * used. */
void mirror_table_sum_server(mirror_server_counts_t *sum, mirror_table_t *table,
                             const mirror_slot_t *slot, int place);

/* Return whether no newer configuration was loaded since this process started. */
int mirror_table_is_newest(const mirror_table_t *table);

/* Return the store of a slot, and the lock of all writers to stores of the table. */
mirror_store_t *mirror_table_store(mirror_table_t *table, const mirror_slot_t *slot);
mirror_store_lock_t *mirror_table_store_lock(mirror_table_t *table);

/* Return the store of the fleet's document of a slot; its version is slot->fleet_version. */
mirror_store_t *mirror_table_fleet_store(mirror_table_t *table, const mirror_slot_t *slot);

/* Return what this node knows of the fleet, and the store of the node's state as JSON, whose version
 * is the word `state`. */
mirror_fleet_words_t *mirror_table_fleet(mirror_table_t *table);
mirror_store_t *mirror_table_fleet_state(mirror_table_t *table);

/* Return the number of the load of this process. */
apr_uint32_t mirror_table_load(const mirror_table_t *table);

/* Reap the worker slots of all processes that have ended. Costs one system call per child. */
void mirror_table_reap_ended(mirror_table_t *table);

/* Return the number of worker slots that were ever used; they have the lowest indexes. */
apr_uint32_t mirror_table_worker_slots(mirror_table_t *table);

/* Sum up the counters of a mirror over all worker slots. */
void mirror_totals_sum(mirror_totals_t *totals, mirror_table_t *table, const mirror_slot_t *slot);

#endif
