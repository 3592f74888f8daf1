/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/worker_slots.c - the worker slots of children, and the running children. See
 * shared/table.h.
 *
 * A worker slot has two words. The child that claims it changes its owner from 0; that child, or
 * the process that reaps it, changes the owner back to 0. Its reaper is the lock of reaping: it
 * contains the pid of the reaping process. If that process is killed, the next one may break the
 * lock. A second reap is harmless, because no counts are left to move. No process waits for the
 * lock. The upper half of each word detects a reused pid: in the owner it is the load of the
 * configuration that the child runs, in the reaper a count.
 *
 * The parent records running children and their loads in its own memory, as the MPM reports them.
 */
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "shared/table_state.h"

APLOG_USE_MODULE(proxy_mirror);

#define LOWER    MIRROR_TABLE_LOWER
#define UPPER    MIRROR_TABLE_UPPER
#define FIRST    (MIRROR_TABLE_SHARED + 1) /* the first worker slot of a single child */
#define ATTEMPTS 100 /* maximum attempts at a word that other processes change */

/* ---- settling ---- */

/* Return the number of slots ever used, also of loads that are newer than this child's. */
static apr_uint32_t slots_used(const mirror_table_t *table)
{
    const mirror_table_segment_t *segment = table->segment;
    apr_uint32_t used = table->is_child ? apr_atomic_read32(&segment->header->slots_used) : 0;

    return used <= segment->slots_used ? segment->slots_used
           : used < segment->slots_max ? used
                                       : segment->slots_max;
}

/* Pairs that are chosen and not decided were lost. */
static void reap_pairs(mirror_table_t *table, mirror_cell_t *cell, apr_uint32_t i)
{
    apr_uint64_t lost = mirror_cell_decide_rest(cell);

    if (lost > 0) {
        mirror_table_note_findings(mirror_table_slot_at(table->segment, i));
        mirror_findings_skip(mirror_table_findings_at(table->segment, i), MIRROR_SKIP_SHUT_DOWN,
                             lost);
    }
}

/* The gauges of a child's servers. */
static void reap_servers(mirror_table_t *table, apr_uint32_t worker_slot, apr_uint32_t i)
{
    mirror_server_counts_t *counts = mirror_table_server_counts_at(table->segment, worker_slot, i);
    int place;

    if (apr_atomic_read64(&mirror_table_slot_at(table->segment, i)->serves) == 0) {
        return;
    }
    for (place = 0; place < MIRROR_SERVERS_PLACES; place++) {
        apr_atomic_set64(&counts[place].in_flight, 0);
        apr_atomic_set64(&counts[place].connections, 0);
    }
}

static void reap_cells(mirror_table_t *table, apr_uint32_t worker_slot)
{
    apr_uint32_t slots = slots_used(table), i;

    for (i = 0; i < slots; i++) {
        mirror_cell_t *cell = mirror_table_cell_at(table->segment, worker_slot, i);

        apr_atomic_set64(&cell->in_flight, 0);
        apr_atomic_set64(&cell->connections, 0);
        apr_atomic_set64(&cell->bytes, 0);
        apr_atomic_add64(&cell->outcomes[MIRROR_OUTCOME_SHUT_DOWN], mirror_cell_unfinished(cell));
        reap_pairs(table, cell, i);
        reap_servers(table, worker_slot, i);
    }
}

/* The locks of stores and findings that the process `pid` had; it has ended. */
static void release_locks(mirror_table_t *table, apr_uint32_t pid)
{
    mirror_table_segment_t *segment = table->segment;
    apr_uint32_t i;

    mirror_store_lock_release(&segment->header->lock, pid);
    for (i = 0; i < segment->slots_used; i++) {
        if (apr_atomic_read64(&mirror_table_slot_at(segment, i)->compares) != 0) {
            mirror_findings_release(mirror_table_findings_at(segment, i), pid);
        }
    }
}

static int lock(mirror_table_worker_slot_t *worker_slot)
{
    apr_uint64_t reaper = apr_atomic_read64(&worker_slot->reaper);
    apr_uint64_t mine = (apr_uint64_t)(UPPER(reaper) + 1) << 32 | (apr_uint32_t)getpid();

    return !mirror_store_is_alive(LOWER(reaper)) &&
           apr_atomic_cas64(&worker_slot->reaper, mine, reaper) == reaper;
}

static void unlock(mirror_table_worker_slot_t *worker_slot)
{
    apr_uint64_t reaper = apr_atomic_read64(&worker_slot->reaper);

    apr_atomic_cas64(&worker_slot->reaper, (apr_uint64_t)UPPER(reaper) << 32, reaper);
}

/* Reap the worker slot if its owner still is `owner`, unless another process reaps it. `known`: the
 * child has certainly ended, though another process may have its pid. */
static void reap_worker_slot(mirror_table_t *table, apr_uint32_t i, apr_uint64_t owner, int known)
{
    mirror_table_worker_slot_t *worker_slot = &table->segment->worker_slots[i];

    if (lock(worker_slot)) {
        if (apr_atomic_read64(&worker_slot->owner) == owner &&
            (known || !mirror_store_is_alive(LOWER(owner)))) {
            reap_cells(table, i);
            apr_atomic_cas64(&worker_slot->owner, 0, owner);
        }
        unlock(worker_slot);
    }
}

/* Reap the worker slot of an ended process. Only the first match is reaped: a process has one
 * worker slot, and foreign writes may have copied its pid to others. */
static void reap(mirror_table_t *table, apr_uint32_t pid)
{
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;

    for (i = FIRST; i < worker_slots; i++) {
        apr_uint64_t owner = apr_atomic_read64(&table->segment->worker_slots[i].owner);

        if (owner != 0 && LOWER(owner) == pid) {
            reap_worker_slot(table, i, owner, 1);
            return;
        }
    }
}

void mirror_table_reap_ended(mirror_table_t *table)
{
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;

    for (i = FIRST; i < worker_slots; i++) {
        apr_uint64_t owner = apr_atomic_read64(&table->segment->worker_slots[i].owner);

        if (owner != 0 && !mirror_store_is_alive(LOWER(owner))) {
            reap_worker_slot(table, i, owner, 0);
        }
    }
}

/* ---- parent: which children there are ---- */

/* Return the index of the child in the list; -1 if it is missing. */
static int find_child(const apr_array_header_t *children, apr_uint32_t pid)
{
    int i = children->nelts - 1;

    while (i >= 0 && APR_ARRAY_IDX(children, i, mirror_table_child_t).pid != pid) {
        i--;
    }
    return i;
}

static void remove_child(apr_array_header_t *children, int i)
{
    mirror_table_child_t *last = apr_array_pop(children);

    if (i < children->nelts) {
        APR_ARRAY_IDX(children, i, mirror_table_child_t) = *last;
    }
}

apr_uint32_t mirror_table_oldest_load(mirror_table_segment_t *segment)
{
    apr_uint32_t oldest = segment->load;
    int i;

    for (i = segment->children->nelts - 1; i >= 0; i--) {
        const mirror_table_child_t *child =
            &APR_ARRAY_IDX(segment->children, i, mirror_table_child_t);

        /* the child ended while no mirror was configured */
        if (!mirror_store_is_alive(child->pid)) {
            remove_child(segment->children, i);
        }
        else if (child->load < oldest) {
            oldest = child->load;
        }
    }
    return oldest;
}

void mirror_table_child_started(mirror_table_t *table, apr_int64_t pid)
{
    apr_array_header_t *children = table->segment->children;
    mirror_table_child_t child;
    int i;

    child.pid = (apr_uint32_t)pid;
    child.load = table->load;
    i = find_child(children, child.pid);
    if (i < 0) {
        APR_ARRAY_PUSH(children, mirror_table_child_t) = child;
    }
    else {
        APR_ARRAY_IDX(children, i, mirror_table_child_t) = child;
    }
}

void mirror_table_child_ended(mirror_table_t *table, apr_int64_t pid)
{
    mirror_table_segment_t *segment = table->segment;
    int i = find_child(segment->children, (apr_uint32_t)pid);

    if (i >= 0) {
        remove_child(segment->children, i);
    }
    release_locks(table, (apr_uint32_t)pid);
    reap(table, (apr_uint32_t)pid);
    mirror_table_report_damage(segment, table->server);
}

/* Return whether a process with this id may hold a lock in this segment. */
static int is_ours(const mirror_table_segment_t *segment, apr_uint32_t pid)
{
    return find_child(segment->children, pid) >= 0;
}

static void tidy_locks(mirror_table_segment_t *segment)
{
    apr_uint32_t holder = LOWER(apr_atomic_read64(&segment->header->lock)), i;

    if (holder != 0 && !is_ours(segment, holder)) {
        mirror_store_lock_release(&segment->header->lock, holder);
    }
    for (i = 0; i < segment->slots_used; i++) {
        mirror_findings_t *area = mirror_table_findings_at(segment, i);

        if (apr_atomic_read64(&mirror_table_slot_at(segment, i)->compares) == 0) {
            continue;
        }
        holder = mirror_findings_holder(area);
        if (holder != 0 && !is_ours(segment, holder)) {
            mirror_findings_release(area, holder);
        }
    }
}

void mirror_table_tidy(mirror_table_t *table)
{
    mirror_table_segment_t *segment = table->segment;
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;

    tidy_locks(segment);
    for (i = FIRST; i < worker_slots; i++) {
        apr_uint32_t reaper = LOWER(apr_atomic_read64(&segment->worker_slots[i].reaper));
        apr_uint64_t owner = apr_atomic_read64(&segment->worker_slots[i].owner);

        if (reaper != 0 && !is_ours(segment, reaper)) {
            unlock(&segment->worker_slots[i]);
        }
        if (owner != 0 && !is_ours(segment, LOWER(owner))) {
            reap_worker_slot(table, i, owner, 1);
        }
    }
}

/* ---- child ---- */

/* Reap what an earlier process with our pid left behind. Other processes cannot detect that it
 * ended. */
static void reap_former_self(mirror_table_t *table, apr_uint32_t self)
{
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;

    for (i = FIRST; i < worker_slots; i++) {
        if (LOWER(apr_atomic_read64(&table->segment->worker_slots[i].reaper)) == self) {
            unlock(&table->segment->worker_slots[i]);
        }
    }
    release_locks(table, self);
    reap(table, self);
}

static void note_used(mirror_table_header_t *header, apr_uint32_t worker_slots)
{
    apr_uint32_t used = apr_atomic_read32(&header->worker_slots_used);
    int attempt;

    for (attempt = 0; attempt < ATTEMPTS && used < worker_slots; attempt++) {
        apr_atomic_cas32(&header->worker_slots_used, worker_slots, used);
        used = apr_atomic_read32(&header->worker_slots_used);
    }
}

static int claim_free(int *worker_slot, mirror_table_t *table, apr_uint64_t owner)
{
    mirror_table_segment_t *segment = table->segment;
    apr_uint32_t i;

    for (i = FIRST; i < segment->worker_slots_max; i++) {
        if (apr_atomic_cas64(&segment->worker_slots[i].owner, owner, 0) == 0) {
            note_used(segment->header, i + 1);
            *worker_slot = (int)i;
            return 1;
        }
    }
    return 0;
}

void mirror_table_claim(int *worker_slot, mirror_table_t *table)
{
    apr_uint32_t self = (apr_uint32_t)getpid();
    apr_uint64_t owner = (apr_uint64_t)table->load << 32 | self;
    int attempt;

    table->is_child = 1;
    reap_former_self(table, self);
    for (attempt = 0; attempt < 2; attempt++) {
        if (claim_free(worker_slot, table, owner)) {
            return;
        }
        mirror_table_reap_ended(table);
    }
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, table->server,
        "PM0201: all %u worker slots in shared memory are in use; this child process shares one",
        (unsigned)table->segment->worker_slots_max - FIRST);
    *worker_slot = MIRROR_TABLE_SHARED;
}

void mirror_table_release(mirror_table_t *table, int worker_slot)
{
    if (worker_slot != MIRROR_TABLE_SHARED) {
        reap_cells(table, (apr_uint32_t)worker_slot);
        apr_atomic_set64(&table->segment->worker_slots[worker_slot].owner, 0);
    }
}
