/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/table.c - the segment, and the assignment of slots to mirrors. See shared/table.h.
 *
 * A page of shared memory is allocated when it is first touched, and a read is a touch. So this
 * file does not read slots and worker slots that were never used, and does not clear new memory,
 * which is zero.
 *
 * The module is unloaded at every reload, so no function of it may be a cleanup of the process
 * pool. Retained data may stem from another version of the module: only kept_t, and the list of
 * texts (shared/texts.h) if its own layout is the same, can be read then.
 */
#include <string.h>

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <httpd.h>

#include "shared/table_state.h"

APLOG_USE_MODULE(proxy_mirror);

#define KEPT    "mod_proxy_mirror:segment"
#define VERSION 12
#define SPARE   16 /* worker slots for children that the MPM forks before earlier ones have ended */
#define SEGMENT mirror_table_segment_t

/* The retained data (ap_retained_data_get), private to the parent. */
typedef struct kept_t {
    /* layout of `segment` and its members; if it differs, only `pool` is valid */
    apr_uint32_t layout[6];
    apr_pool_t *pool; /* pool of the segment, with the list of its texts; NULL = none */
    SEGMENT *segment;
} kept_t;

/* ---- the segment ---- */

static void layout_of(apr_uint32_t layout[6])
{
    layout[0] = VERSION;
    layout[1] = sizeof(SEGMENT) + sizeof(mirror_table_child_t);
    layout[2] = MIRROR_TABLE_HEADER_SIZE + MIRROR_TABLE_WORKER_SLOT_SIZE;
    layout[3] = MIRROR_TABLE_SLOT_SIZE;
    layout[4] = MIRROR_TABLE_CELL_SIZE + MIRROR_TABLE_FLEET_SIZE;
    layout[5] = (apr_uint32_t)(MIRROR_TABLE_LOST_SIZE + MIRROR_TABLE_STORE_SIZE +
                               MIRROR_TABLE_FINDINGS_SIZE + MIRROR_TABLE_SERVERS_SIZE +
                               MIRROR_TABLE_COUNTS_SIZE);
}

static int has_this_layout(const kept_t *kept)
{
    apr_uint32_t layout[6];

    layout_of(layout);
    return memcmp(layout, kept->layout, sizeof(layout)) == 0 &&
           mirror_texts_find(kept->pool) != NULL;
}

static apr_uint32_t worker_slots_needed(void)
{
    int daemons = 0;

    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &daemons) != APR_SUCCESS || daemons < 1) {
        daemons = 256;
    }
    return 1 + (apr_uint32_t)daemons + SPARE;
}

/* Return the bytes from the header to the end. */
static apr_uint64_t size_needed(apr_uint64_t slots, apr_uint64_t worker_slots)
{
    return MIRROR_TABLE_HEADER_SIZE + slots * MIRROR_TABLE_SLOT_SIZE +
           MIRROR_TABLE_ALIGNED(worker_slots * MIRROR_TABLE_WORKER_SLOT_SIZE) +
           worker_slots * slots * (MIRROR_TABLE_CELL_SIZE + MIRROR_TABLE_COUNTS_SIZE) +
           slots * (MIRROR_TABLE_LOST_SIZE + 2 * MIRROR_TABLE_STORE_SIZE +
                    MIRROR_TABLE_FINDINGS_SIZE + MIRROR_TABLE_SERVERS_SIZE) +
           MIRROR_TABLE_STORE_SIZE + MIRROR_TABLE_FLEET_SIZE;
}

/* Set the addresses of the parts. apr_shm prepends a size, which it never reads, so `base` is not
 * aligned. */
static void lay_out(SEGMENT *segment, void *base)
{
    segment->header = (mirror_table_header_t *)MIRROR_TABLE_ALIGNED((apr_uintptr_t)base);
    segment->slots = (char *)segment->header + MIRROR_TABLE_HEADER_SIZE;
    segment->worker_slots =
        (mirror_table_worker_slot_t *)(segment->slots +
                                       segment->slots_max * MIRROR_TABLE_SLOT_SIZE);
    segment->cells =
        (char *)segment->worker_slots +
        MIRROR_TABLE_ALIGNED(segment->worker_slots_max * MIRROR_TABLE_WORKER_SLOT_SIZE);
    segment->lost = segment->cells + (apr_size_t)segment->worker_slots_max * segment->slots_max *
                                         MIRROR_TABLE_CELL_SIZE;
    segment->stores = segment->lost + segment->slots_max * MIRROR_TABLE_LOST_SIZE;
    segment->fleet_stores = segment->stores + segment->slots_max * MIRROR_TABLE_STORE_SIZE;
    segment->fleet =
        (mirror_fleet_words_t *)(segment->fleet_stores +
                                 (segment->slots_max + (apr_size_t)1) * MIRROR_TABLE_STORE_SIZE);
    segment->findings = (char *)segment->fleet + MIRROR_TABLE_FLEET_SIZE;
    segment->servers = segment->findings + segment->slots_max * MIRROR_TABLE_FINDINGS_SIZE;
    segment->server_counts = segment->servers + segment->slots_max * MIRROR_TABLE_SERVERS_SIZE;
}

/* Create the list of the segment's texts. */
static void list_texts(SEGMENT *segment)
{
    mirror_fleet_words_t *words = segment->fleet;
    mirror_texts_t *texts = mirror_texts_create(segment->pool, segment->slots_max);

    texts->fleet[0] = &words->name;
    texts->fleet[1] = &words->epoch;
    texts->fleet[2] = &words->revision;
    texts->fleet[3] = &words->id;
    texts->fleet[4] = &words->emptied;
    texts->load = &segment->header->load;
    segment->texts = texts;
}

/* Create a segment and retain it in place of the former one, which the caller then owns. */
static apr_status_t create(kept_t *kept, apr_pool_t *process, apr_uint32_t slots)
{
    apr_uint32_t worker_slots = worker_slots_needed();
    apr_uint64_t size = size_needed(slots, worker_slots);
    apr_pool_t *pool;
    SEGMENT *segment;
    apr_shm_t *shm;
    apr_status_t rv = APR_ENOMEM;

    apr_pool_create(&pool, process);
    apr_pool_tag(pool, "mirror_table");
    if (size < (APR_SIZE_MAX >> 1)) {
        rv = apr_shm_create(&shm, (apr_size_t)size + 64, NULL, pool);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    segment = apr_pcalloc(pool, sizeof(*segment));
    segment->pool = pool;
    segment->size = (apr_size_t)size;
    segment->slots_max = slots;
    segment->worker_slots_max = worker_slots;
    lay_out(segment, apr_shm_baseaddr_get(shm));
    segment->loads = apr_pcalloc(pool, slots * sizeof(*segment->loads));
    list_texts(segment);
    segment->children = apr_array_make(pool, 16, sizeof(mirror_table_child_t));
    segment->header->magic = MIRROR_TABLE_MAGIC;
    segment->header->worker_slots_used = MIRROR_TABLE_SHARED + 1;
    layout_of(kept->layout);
    kept->pool = pool;
    kept->segment = segment;
    return APR_SUCCESS;
}

/* Log why the segment is replaced, and what that costs. */
static void report(server_rec *s, int readable, const mirror_texts_t *texts)
{
    const char *why = "the module has another version; all counters and comparisons are reset to "
                      "0; the changes by the manager and the settings of the fleet are kept";

    if (readable) {
        why = "ProxyMirrorSlots was increased; all counters are reset to 0";
    }
    else if (!texts) {
        why = "the module has another version; all counters are reset to 0, and the changes by the "
              "manager are discarded: mirrors that it stopped are enabled again if the "
              "configuration file enables them";
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 "PM0200: the shared memory of mirrors is created again because %s", why);
}

/* Replace the retained segment by a new one. The table gets the former one, to move texts from. */
static apr_status_t replace(mirror_table_t *table, kept_t *kept, int slots, int damaged)
{
    kept_t before = *kept;
    int readable = has_this_layout(&before);
    mirror_texts_t *texts = mirror_texts_find(before.pool);
    apr_status_t rv = create(kept, table->server->process->pool, (apr_uint32_t)slots);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!damaged) {
        report(table->server, readable, texts);
    }
    if (readable) {
        kept->segment->load = before.segment->load;
    }
    if (texts) {
        mirror_texts_close(texts);
    }
    if (texts && !damaged) {
        mirror_texts_copy_fleet(kept->segment->texts, texts);
        table->former = texts;
        table->former_segment = readable ? before.segment : NULL;
    }
    else {
        apr_pool_destroy(before.pool); /* unmapped here only; running children keep it */
    }
    return APR_SUCCESS;
}

apr_status_t mirror_table_open(mirror_table_t **out, apr_pool_t *pconf, struct server_rec *server,
                               int slots)
{
    kept_t *kept = ap_retained_data_get(KEPT);
    mirror_table_t *table = apr_pcalloc(pconf, sizeof(*table));
    apr_status_t rv = APR_SUCCESS;
    int readable, damaged;

    if (kept == NULL) {
        kept = ap_retained_data_create(KEPT, sizeof(*kept));
    }
    readable = kept->pool != NULL && has_this_layout(kept);
    damaged = readable && mirror_table_report_damage(kept->segment, server);
    table->server = server;
    if (kept->pool == NULL) {
        rv = create(kept, server->process->pool, (apr_uint32_t)slots);
    }
    else if (!readable || damaged || kept->segment->slots_max < (apr_uint32_t)slots) {
        rv = replace(table, kept, slots, damaged);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    table->segment = kept->segment;
    table->load = ++kept->segment->load;
    apr_atomic_set32(&kept->segment->header->load, table->load);
    mirror_table_tidy(table);
    *out = table;
    return APR_SUCCESS;
}

/* Return whether the load before had the mirror at `place` of the texts, and this load has not. */
static int is_gone(const mirror_table_t *table, const mirror_texts_t *texts, apr_uint32_t place)
{
    const SEGMENT *segment = table->segment;

    if (texts != segment->texts) {
        return mirror_texts_index(segment->texts, texts->places[place].name) ==
               segment->texts->used;
    }
    return segment->loads[place] + 1 == table->load;
}

const char *mirror_table_next_gone(const mirror_table_t *table, apr_uint32_t *place)
{
    const mirror_texts_t *texts = table->former ? table->former : table->segment->texts;

    while (*place < texts->used) {
        apr_uint32_t i = (*place)++;

        if (mirror_texts_are_any(&texts->places[i]) && is_gone(table, texts, i)) {
            return texts->places[i].name;
        }
    }
    return NULL;
}

void mirror_table_complete(mirror_table_t *table)
{
    if (table->former != NULL) {
        apr_pool_destroy(table->former->pool);
        table->former = NULL;
        table->former_segment = NULL;
    }
}

int mirror_table_is_newest(const mirror_table_t *table)
{
    return apr_atomic_read32(&table->segment->header->load) == table->load;
}

/* ---- parts of the segment ---- */

static apr_uint32_t index_of(const mirror_table_t *table, const mirror_slot_t *slot)
{
    return (apr_uint32_t)(((const char *)slot - table->segment->slots) / MIRROR_TABLE_SLOT_SIZE);
}

mirror_store_t *mirror_table_store(mirror_table_t *table, const mirror_slot_t *slot)
{
    return mirror_table_store_at(table->segment, index_of(table, slot));
}

mirror_lost_t *mirror_table_lost(mirror_table_t *table, const mirror_slot_t *slot)
{
    return (mirror_lost_t *)(table->segment->lost + index_of(table, slot) * MIRROR_TABLE_LOST_SIZE);
}

mirror_store_t *mirror_table_fleet_store(mirror_table_t *table, const mirror_slot_t *slot)
{
    return mirror_table_fleet_store_at(table->segment, index_of(table, slot));
}

mirror_store_t *mirror_table_fleet_state(mirror_table_t *table)
{
    return mirror_table_fleet_store_at(table->segment, table->segment->slots_max);
}

mirror_fleet_words_t *mirror_table_fleet(mirror_table_t *table)
{
    return table->segment->fleet;
}

apr_uint32_t mirror_table_load(const mirror_table_t *table)
{
    return table->load;
}

mirror_findings_t *mirror_table_findings(mirror_table_t *table, const mirror_slot_t *slot)
{
    return mirror_table_findings_at(table->segment, index_of(table, slot));
}

mirror_findings_t *mirror_table_findings_used(mirror_table_t *table, const mirror_slot_t *slot)
{
    mirror_slot_t *same = mirror_table_slot_at(table->segment, index_of(table, slot));

    return apr_atomic_read64(&same->compares) != 0 ? mirror_table_findings(table, slot) : NULL;
}

void mirror_table_note_findings(mirror_slot_t *slot)
{
    if (apr_atomic_read64(&slot->compares) == 0) {
        apr_atomic_set64(&slot->compares, 1);
    }
}

mirror_server_words_t *mirror_table_servers(mirror_table_t *table, const mirror_slot_t *slot)
{
    return mirror_table_servers_at(table->segment, index_of(table, slot));
}

mirror_server_counts_t *mirror_table_server_counts(mirror_table_t *table, int worker_slot,
                                                   const mirror_slot_t *slot)
{
    return mirror_table_server_counts_at(table->segment, (apr_uint32_t)worker_slot,
                                         index_of(table, slot));
}

void mirror_table_note_servers(mirror_slot_t *slot)
{
    if (apr_atomic_read64(&slot->serves) == 0) {
        apr_atomic_set64(&slot->serves, 1);
    }
}

mirror_store_lock_t *mirror_table_store_lock(mirror_table_t *table)
{
    return &table->segment->header->lock;
}

mirror_cell_t *mirror_table_cell(mirror_table_t *table, int worker_slot, const mirror_slot_t *slot)
{
    return mirror_table_cell_at(table->segment, (apr_uint32_t)worker_slot, index_of(table, slot));
}

apr_uint32_t mirror_table_worker_slots(mirror_table_t *table)
{
    apr_uint32_t used = apr_atomic_read32(&table->segment->header->worker_slots_used);

    return used < table->segment->worker_slots_max ? used : table->segment->worker_slots_max;
}

/* ---- slots ---- */

static void clear_servers(mirror_table_t *table, mirror_slot_t *slot, apr_uint32_t worker_slots)
{
    apr_uint32_t worker_slot;

    memset(mirror_table_servers(table, slot), 0, MIRROR_TABLE_SERVERS_SIZE);
    for (worker_slot = 0; worker_slot < worker_slots; worker_slot++) {
        memset(mirror_table_server_counts(table, (int)worker_slot, slot), 0,
               MIRROR_TABLE_COUNTS_SIZE);
    }
}

/* Clear the slot of a removed mirror. */
static void clear(mirror_table_t *table, mirror_slot_t *slot)
{
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), worker_slot;
    apr_uint64_t compares = apr_atomic_read64(&slot->compares);

    for (worker_slot = 0; worker_slot < worker_slots; worker_slot++) {
        mirror_cell_t *cell = mirror_table_cell(table, (int)worker_slot, slot);

        compares |= apr_atomic_read64(&cell->chosen);
        /* first, for mirror_cell_unfinished() and the like in another process */
        apr_atomic_set64(&cell->seen, 0);
        apr_atomic_set64(&cell->chosen, 0);
        memset(cell, 0, sizeof(*cell));
    }
    if (compares != 0) {
        memset(mirror_table_findings(table, slot), 0, mirror_findings_size());
    }
    if (apr_atomic_read64(&slot->serves) != 0) {
        clear_servers(table, slot, worker_slots);
    }
    memset(mirror_table_lost(table, slot), 0, mirror_lost_size());
    apr_atomic_set64(&slot->serves, 0);
    apr_atomic_set64(&slot->compares, 0);
    apr_atomic_set64(&slot->config, 0);
    apr_atomic_set64(&slot->down_until, 0);
    apr_atomic_set64(&slot->down_drops, 0);
    apr_atomic_set64(&slot->limit_local, 0);
    apr_atomic_set64(&slot->limit_closed, 0);
    apr_atomic_set64(&slot->limit_shared, 0);
    apr_atomic_set64(&slot->limit_silent, 0);
    apr_atomic_set64(&slot->version, 0); /* no text is stored */
    apr_atomic_set64(&slot->fleet_version, 0);
    apr_atomic_set64(&slot->fleet_refused, 0);
}

/* Return the index of a slot whose mirror was removed; slots_max if there is none. A mirror of the
 * previous load does not count as removed, because this configuration may still define it. */
static apr_uint32_t find_gone(mirror_table_t *table)
{
    SEGMENT *segment = table->segment;
    apr_uint32_t oldest = mirror_table_oldest_load(segment), i;

    for (i = 0; i < segment->slots_max; i++) {
        apr_uint32_t load = segment->loads[i];

        if (load + 1 < table->load && load < oldest) {
            break;
        }
    }
    return i;
}

static void move_findings(mirror_table_t *table, mirror_slot_t *slot, apr_uint32_t former)
{
    SEGMENT *segment = table->former_segment;

    if (segment && apr_atomic_read64(&mirror_table_slot_at(segment, former)->compares) != 0) {
        mirror_findings_move(mirror_table_findings(table, slot),
                             mirror_table_findings_at(segment, former));
        mirror_table_note_findings(slot);
    }
}

/* Note that slot `i` is the mirror's. It gets what was stored and found for it in the segment
 * before. */
static void name_slot(mirror_table_t *table, apr_uint32_t i, const char *name)
{
    mirror_texts_place_t *place = &table->segment->texts->places[i];
    mirror_slot_t *slot = mirror_table_slot_at(table->segment, i);
    apr_uint32_t former = table->former ? mirror_texts_index(table->former, name) : 0;

    apr_cpystrn(place->name, name, sizeof(place->name));
    place->config = &slot->config;
    place->version = &slot->version;
    place->store = mirror_table_store_at(table->segment, i);
    place->fleet_version = &slot->fleet_version;
    place->fleet_store = mirror_table_fleet_store_at(table->segment, i);
    if (table->former && former < table->former->used) {
        mirror_texts_move(place, &table->former->places[former]);
        move_findings(table, slot, former);
    }
}

apr_status_t mirror_table_slot(mirror_slot_t **slot, mirror_table_t *table, const char *name)
{
    SEGMENT *segment = table->segment;
    apr_uint32_t i = mirror_texts_index(segment->texts, name);

    if (i < segment->slots_used) {
        segment->loads[i] = table->load;
        *slot = mirror_table_slot_at(segment, i);
        return APR_SUCCESS;
    }
    if (i == segment->slots_max && (i = find_gone(table)) == segment->slots_max) {
        return APR_ENOSPC;
    }
    *slot = mirror_table_slot_at(segment, i);
    if (i < segment->slots_used) {
        clear(table, *slot);
    }
    else {
        segment->slots_used = i + 1;
        (*slot)->canary = MIRROR_TABLE_MAGIC;
        apr_atomic_set32(&segment->header->slots_used, i + 1);
    }
    segment->loads[i] = table->load;
    name_slot(table, i, name);
    segment->texts->used = segment->slots_used;
    return APR_SUCCESS;
}
