/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_slotmem.c - what children share. See mirror_slotmem.h for the picture.
 *
 * A place has two words. Its owner is changed from 0 by the child that claims it, and back to 0 by that child or by
 * whoever settles it. Its settler is a lock for the latter: it holds the pid of the process that settles, so when that
 * one is killed in the middle the next may break the lock; settling twice does no harm, as the second time nothing is
 * left to be moved. The upper half of each word keeps a pid that comes back from being taken for the one before: in the
 * owner the load of the configuration that the child runs, in the settler a count.
 *
 * A page of shared memory costs nothing until it is touched, and for shared memory reading is touching. So nothing here
 * looks at slots and places that were never used, and new memory, which is zero, is not cleared.
 *
 * The module is unloaded at every reload, so no function of it may be a cleanup of the process pool.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <httpd.h>

#include "mirror_slotmem.h"

APLOG_USE_MODULE(proxy_mirror);

#define MAGIC       APR_UINT64_C(0x4d6972726f725631)
#define VERSION     3
#define RETAINED    "proxy_mirror_slotmem"
#define CACHE_LINE  64
#define SPARE       16 /* places for children that the MPM forks before it has seen others end */
#define SHARED      0  /* the place of those that found no other */
#define ALIGNED(n)  (((apr_size_t)(n) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE)
#define SLOT_SIZE   ALIGNED(sizeof(mirror_slot_t))
#define CELL_SIZE   ALIGNED(sizeof(mirror_cell_t))
#define STORE_SIZE  ALIGNED(sizeof(mirror_store_t))
#define LOWER(word) ((apr_uint32_t)(word))
#define UPPER(word) ((apr_uint32_t)((word) >> 32))

typedef struct header_t {
    apr_uint64_t magic;
    apr_uint32_t version;
    apr_uint32_t slot_size;
    apr_uint32_t cell_size;
    apr_uint32_t slots;
    apr_uint32_t places;
    apr_uint32_t slots_used;  /* atomic: those below were used at some time */
    apr_uint32_t places_used; /* atomic: likewise */
    apr_uint32_t load;        /* startup: how often the configuration was loaded */
    apr_uint32_t store_size;
    apr_time_t created;
    mirror_store_lock_t lock; /* of those who write to stores */
} header_t;

typedef struct place_t {
    apr_uint64_t owner;   /* atomic: load and pid of the child; 0: free. Of the shared place: 1 once it was used */
    apr_uint64_t settler; /* atomic: a count, and the pid that settles it or 0 */
} place_t;

struct mirror_table_t {
    server_rec *server;
    header_t *header;
    char *slots;
    place_t *places;
    char *cells;
    char *stores;
    apr_uint32_t load;           /* this one */
    apr_array_header_t *carried; /* startup: of carried_t, from the segment before; NULL: it is still the same */
};

/* What was set at run time in a segment that is made anew. */
typedef struct carried_t {
    const char *name;
    mirror_store_text_t text;
} carried_t;

/* What ap_retained_data_get finds after a restart, of whatever version of this module. */
typedef struct retained_t {
    apr_shm_t *shm;
} retained_t;

/* ---- the segment ---- */

static apr_size_t segment_size(apr_size_t slots, apr_size_t places)
{
    return CACHE_LINE + ALIGNED(sizeof(header_t)) + slots * SLOT_SIZE + ALIGNED(places * sizeof(place_t)) +
           places * slots * CELL_SIZE + slots * STORE_SIZE;
}

/* apr_shm puts a size in front of what it gives out, so that is not aligned. */
static header_t *header_of(apr_shm_t *shm)
{
    return (header_t *)ALIGNED((apr_uintptr_t)apr_shm_baseaddr_get(shm));
}

static mirror_table_t *table_of(apr_shm_t *shm, apr_pool_t *pconf, server_rec *s)
{
    mirror_table_t *table = apr_pcalloc(pconf, sizeof(*table));

    table->server = s;
    table->header = header_of(shm);
    table->slots = (char *)table->header + ALIGNED(sizeof(header_t));
    table->places = (place_t *)(table->slots + table->header->slots * SLOT_SIZE);
    table->cells = (char *)table->places + ALIGNED(table->header->places * sizeof(place_t));
    table->stores = table->cells + (apr_size_t)table->header->places * table->header->slots * CELL_SIZE;
    return table;
}

static int has_this_layout(const header_t *header)
{
    return header->magic == MAGIC && header->version == VERSION && header->slot_size == SLOT_SIZE &&
           header->cell_size == CELL_SIZE && header->store_size == STORE_SIZE;
}

static int fits(const header_t *header, int slots)
{
    return has_this_layout(header) && header->slots >= (apr_uint32_t)slots;
}

static apr_uint32_t places_needed(void)
{
    int daemons = 0;

    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &daemons) != APR_SUCCESS || daemons < 1) {
        daemons = 256;
    }
    return 1 + (apr_uint32_t)daemons + SPARE;
}

static apr_status_t create(apr_shm_t **shm, apr_pool_t *process, int slots)
{
    apr_uint32_t places = places_needed();
    apr_status_t rv = apr_shm_create(shm, segment_size((apr_uint32_t)slots, places), NULL, process);
    header_t *header;

    if (rv == APR_SUCCESS) {
        header = header_of(*shm);
        header->magic = MAGIC;
        header->version = VERSION;
        header->slot_size = SLOT_SIZE;
        header->cell_size = CELL_SIZE;
        header->store_size = STORE_SIZE;
        header->slots = (apr_uint32_t)slots;
        header->places = places;
        header->places_used = SHARED + 1;
        header->created = apr_time_now();
        rv = mirror_store_lock_init(&header->lock);
    }
    return rv;
}

static mirror_slot_t *slot_at(const mirror_table_t *table, apr_uint32_t index)
{
    return (mirror_slot_t *)(table->slots + index * SLOT_SIZE);
}

mirror_store_t *mirror_slotmem_store(mirror_table_t *table, const mirror_slot_t *slot)
{
    return (mirror_store_t *)(table->stores + slot->index * STORE_SIZE);
}

mirror_store_lock_t *mirror_slotmem_store_lock(mirror_table_t *table)
{
    return &table->header->lock;
}

/* What is stored of a slot, for the last time: its mirror is of no configuration from now on, and its version moves on, so
 * that a child which still has the segment refuses a change of it, and says of none that it was made. */
static void take_stored(mirror_store_text_t *text, mirror_table_t *table, mirror_slot_t *slot, apr_pool_t *pool)
{
    mirror_store_t *store = mirror_slotmem_store(table, slot);
    apr_status_t rv;

    apr_atomic_set64(&slot->config, 0);
    do {
        mirror_store_read(text, &slot->version, store, pool);
        rv = mirror_store_write(&slot->version, store, mirror_slotmem_store_lock(table), text->version, text->config,
                                text->text);
    } while (APR_STATUS_IS_EAGAIN(rv));
}

/* What the segment before has in its stores, if it can be read. */
static apr_array_header_t *carry(apr_shm_t *former, apr_pool_t *pconf, server_rec *s)
{
    apr_array_header_t *carried = apr_array_make(pconf, 4, sizeof(carried_t));
    mirror_table_t *table;
    apr_uint32_t i;

    if (!has_this_layout(header_of(former))) {
        return carried;
    }
    table = table_of(former, pconf, s);
    for (i = 0; i < table->header->slots_used; i++) {
        mirror_slot_t *slot = slot_at(table, i);
        carried_t one;

        take_stored(&one.text, table, slot, pconf);
        if (one.text.text != NULL) {
            one.name = apr_pstrdup(pconf, slot->name);
            APR_ARRAY_PUSH(carried, carried_t) = one;
        }
    }
    return carried;
}

apr_status_t mirror_slotmem_open(mirror_table_t **table, apr_pool_t *pconf, void *server, int slots)
{
    server_rec *s = server;
    retained_t *retained = ap_retained_data_get(RETAINED);
    apr_array_header_t *carried = NULL;
    apr_shm_t *former = NULL;
    apr_status_t rv;

    if (retained == NULL) {
        retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    }
    if (retained->shm != NULL && !fits(header_of(retained->shm), slots)) {
        former = retained->shm;
        retained->shm = NULL;
    }
    if (retained->shm == NULL) {
        rv = create(&retained->shm, s->process->pool, slots);
        if (rv != APR_SUCCESS) {
            retained->shm = former;
            return rv;
        }
    }
    if (former != NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "PM0200: the shared memory of mirrors is made anew, as ProxyMirrorSlots has grown or the module "
                     "is of another version; all counts begin at 0");
        carried = carry(former, pconf, s);
        apr_shm_destroy(former); /* here; children that run still have it */
    }
    *table = table_of(retained->shm, pconf, s);
    (*table)->carried = carried;
    (*table)->load = ++(*table)->header->load;
    return APR_SUCCESS;
}

static mirror_cell_t *cell_at(const mirror_table_t *table, apr_uint32_t place, apr_uint32_t index)
{
    return (mirror_cell_t *)(table->cells + ((apr_size_t)place * table->header->slots + index) * CELL_SIZE);
}

mirror_cell_t *mirror_slotmem_cell(mirror_table_t *table, int place, const mirror_slot_t *slot)
{
    return cell_at(table, (apr_uint32_t)place, slot->index);
}

apr_uint32_t mirror_slotmem_places(mirror_table_t *table)
{
    return apr_atomic_read32(&table->header->places_used);
}

/* ---- slots ---- */

/* The oldest load that a child runs, or may run. */
static apr_uint32_t oldest_load(mirror_table_t *table)
{
    apr_uint32_t oldest = table->load;
    apr_uint32_t i;

    if (apr_atomic_read64(&table->places[SHARED].owner) != 0) {
        return 0; /* nobody knows who uses it */
    }
    for (i = SHARED + 1; i < apr_atomic_read32(&table->header->places_used); i++) {
        apr_uint64_t owner = apr_atomic_read64(&table->places[i].owner);

        if (owner != 0 && UPPER(owner) < oldest) {
            oldest = UPPER(owner);
        }
    }
    return oldest;
}

/* A slot whose mirror is gone for good, emptied; NULL if there is none. The load before does not count as gone, because
 * a name that comes later in this configuration could be one of its. */
static mirror_slot_t *reclaim(mirror_table_t *table)
{
    apr_uint32_t oldest, i, place;

    mirror_slotmem_settle_ended(table);
    oldest = oldest_load(table);
    for (i = 0; i < table->header->slots; i++) {
        mirror_slot_t *slot = slot_at(table, i);

        if (slot->load + 1 < table->load && slot->load < oldest) {
            for (place = 0; place < apr_atomic_read32(&table->header->places_used); place++) {
                mirror_cell_t *cell = cell_at(table, place, i);

                apr_atomic_set64(&cell->seen, 0); /* first, for mirror_slotmem_unfinished() in another process */
                memset(cell, 0, sizeof(*cell));
            }
            apr_atomic_set64(&slot->down_until, 0);
            apr_atomic_set64(&slot->down_drops, 0);
            apr_atomic_set64(&slot->limit_local, 0);
            apr_atomic_set64(&slot->limit_closed, 0);
            apr_atomic_set64(&slot->limit_shared, 0);
            apr_atomic_set64(&slot->limit_silent, 0);
            apr_atomic_set64(&slot->version, 0); /* nothing is stored */
            return slot;
        }
    }
    return NULL;
}

/* A new slot gets what was stored for its mirror in the segment before. */
static void give_carried(mirror_table_t *table, mirror_slot_t *slot)
{
    int i;

    for (i = 0; table->carried != NULL && i < table->carried->nelts; i++) {
        const carried_t *carried = &APR_ARRAY_IDX(table->carried, i, carried_t);

        if (strcmp(carried->name, slot->name) == 0) {
            mirror_store_write(&slot->version, mirror_slotmem_store(table, slot), &table->header->lock, 0,
                               carried->text.config, carried->text.text);
        }
    }
}

apr_status_t mirror_slotmem_slot(mirror_slot_t **slot, mirror_table_t *table, const char *name)
{
    header_t *header = table->header;
    apr_uint32_t i;

    for (i = 0; i < header->slots_used; i++) {
        *slot = slot_at(table, i);
        if (strcmp((*slot)->name, name) == 0) {
            (*slot)->load = table->load;
            return APR_SUCCESS;
        }
    }
    if (i < header->slots) {
        *slot = slot_at(table, i);
    }
    else if ((*slot = reclaim(table)) == NULL) {
        return APR_ENOSPC;
    }
    (*slot)->load = table->load;
    apr_cpystrn((*slot)->name, name, sizeof((*slot)->name));
    if (i < header->slots) {
        (*slot)->index = i;
        apr_atomic_set32(&header->slots_used, i + 1);
    }
    give_carried(table, *slot);
    return APR_SUCCESS;
}

/* ---- places ---- */

/* EPERM: it lives, as another user. */
static int is_alive(apr_uint32_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

static void settle_cells(mirror_table_t *table, apr_uint32_t place)
{
    apr_uint32_t i;

    for (i = 0; i < apr_atomic_read32(&table->header->slots_used); i++) {
        mirror_cell_t *cell = cell_at(table, place, i);

        apr_atomic_set64(&cell->in_flight, 0);
        apr_atomic_set64(&cell->connections, 0);
        apr_atomic_set64(&cell->bytes, 0);
        apr_atomic_add64(&cell->outcomes[MIRROR_OUTCOME_SHUT_DOWN], mirror_slotmem_unfinished(cell));
    }
}

static int lock(place_t *place)
{
    apr_uint64_t settler = apr_atomic_read64(&place->settler);
    apr_uint64_t mine = (apr_uint64_t)(UPPER(settler) + 1) << 32 | (apr_uint32_t)getpid();

    return (LOWER(settler) == 0 || !is_alive(LOWER(settler))) &&
           apr_atomic_cas64(&place->settler, mine, settler) == settler;
}

static void unlock(place_t *place)
{
    apr_uint64_t settler = apr_atomic_read64(&place->settler);

    apr_atomic_cas64(&place->settler, (apr_uint64_t)UPPER(settler) << 32, settler);
}

/* Settle the place if its owner still is `owner`, unless somebody is just doing so. `known`: that child has ended for
 * sure, though a process may have its pid. */
static void settle_place(mirror_table_t *table, apr_uint32_t i, apr_uint64_t owner, int known)
{
    place_t *place = &table->places[i];

    if (lock(place)) {
        if (apr_atomic_read64(&place->owner) == owner && (known || !is_alive(LOWER(owner)))) {
            settle_cells(table, i);
            apr_atomic_cas64(&place->owner, 0, owner);
        }
        unlock(place);
    }
}

void mirror_slotmem_settle(mirror_table_t *table, apr_int64_t pid)
{
    apr_uint32_t i;

    for (i = SHARED + 1; i < apr_atomic_read32(&table->header->places_used); i++) {
        apr_uint64_t owner = apr_atomic_read64(&table->places[i].owner);

        if (owner != 0 && LOWER(owner) == pid) {
            settle_place(table, i, owner, 1);
        }
    }
}

void mirror_slotmem_settle_ended(mirror_table_t *table)
{
    apr_uint32_t i;

    for (i = SHARED + 1; i < apr_atomic_read32(&table->header->places_used); i++) {
        apr_uint64_t owner = apr_atomic_read64(&table->places[i].owner);

        if (owner != 0 && !is_alive(LOWER(owner))) {
            settle_place(table, i, owner, 0);
        }
    }
}

/* What an earlier process left that had the pid which is now ours: nobody else would find it dead. */
static void settle_former_self(mirror_table_t *table, apr_uint32_t self)
{
    apr_uint32_t i;

    for (i = SHARED + 1; i < apr_atomic_read32(&table->header->places_used); i++) {
        if (LOWER(apr_atomic_read64(&table->places[i].settler)) == self) {
            unlock(&table->places[i]);
        }
    }
    mirror_slotmem_settle(table, self);
}

static int claim_free(int *place, mirror_table_t *table, apr_uint64_t owner)
{
    header_t *header = table->header;
    apr_uint32_t i, used;

    for (i = SHARED + 1; i < header->places; i++) {
        if (apr_atomic_cas64(&table->places[i].owner, owner, 0) == 0) {
            do {
                used = apr_atomic_read32(&header->places_used);
            } while (used <= i && apr_atomic_cas32(&header->places_used, i + 1, used) != used);
            *place = (int)i;
            return 1;
        }
    }
    return 0;
}

apr_status_t mirror_slotmem_claim(int *place, mirror_table_t *table)
{
    apr_uint32_t self = (apr_uint32_t)getpid();
    apr_uint64_t owner = (apr_uint64_t)table->load << 32 | self;
    int attempt;

    settle_former_self(table, self);
    for (attempt = 0; attempt < 2; attempt++) {
        if (claim_free(place, table, owner)) {
            return APR_SUCCESS;
        }
        mirror_slotmem_settle_ended(table);
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, table->server,
                 "PM0201: none of the %u places for children in shared memory is free; this child shares one",
                 (unsigned)table->header->places - 1);
    apr_atomic_set64(&table->places[SHARED].owner, 1);
    *place = SHARED;
    return APR_SUCCESS;
}

void mirror_slotmem_release(mirror_table_t *table, int place)
{
    if (place != SHARED) {
        settle_cells(table, (apr_uint32_t)place);
        apr_atomic_set64(&table->places[place].owner, 0);
    }
}
