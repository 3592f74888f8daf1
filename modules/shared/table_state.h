/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/table_state.h - the layout of shared memory and the private state of each process; only
 * for files of modules/shared.
 *
 * Code in a child may write anything to shared memory, at any time; the parent is root. So
 * addresses, sizes and loop bounds are never read from shared memory. They are in a
 * mirror_table_segment_t: private memory of the parent, of which a child inherits a copy. Only the
 * parent changes it.
 */
#ifndef MIRROR_SHARED_TABLE_STATE_H
#define MIRROR_SHARED_TABLE_STATE_H

#include <apr_shm.h>

#include "shared/table.h"
#include "shared/texts.h"

#define MIRROR_TABLE_MAGIC      APR_UINT64_C(0x4d6972726f725634)
#define MIRROR_TABLE_SHARED     0 /* the worker slot shared by children without one of their own */
#define MIRROR_TABLE_ALIGNED(n) (((apr_size_t)(n) + 63) / 64 * 64) /* to a cache line */
#define MIRROR_TABLE_LOWER(w)   ((apr_uint32_t)(w))
#define MIRROR_TABLE_UPPER(w)   ((apr_uint32_t)((w) >> 32))

#define MIRROR_TABLE_HEADER_SIZE      MIRROR_TABLE_ALIGNED(sizeof(mirror_table_header_t))
#define MIRROR_TABLE_SLOT_SIZE        MIRROR_TABLE_ALIGNED(sizeof(mirror_slot_t))
#define MIRROR_TABLE_WORKER_SLOT_SIZE sizeof(mirror_table_worker_slot_t)
#define MIRROR_TABLE_CELL_SIZE        MIRROR_TABLE_ALIGNED(sizeof(mirror_cell_t))
#define MIRROR_TABLE_LOST_SIZE        MIRROR_TABLE_ALIGNED(mirror_lost_size())
#define MIRROR_TABLE_STORE_SIZE       MIRROR_TABLE_ALIGNED(sizeof(mirror_store_t))
#define MIRROR_TABLE_FLEET_SIZE       MIRROR_TABLE_ALIGNED(sizeof(mirror_fleet_words_t))
#define MIRROR_TABLE_FINDINGS_SIZE    MIRROR_TABLE_ALIGNED(mirror_findings_size())
#define MIRROR_TABLE_SERVERS_SIZE                                                                  \
    MIRROR_TABLE_ALIGNED(MIRROR_SERVERS_PLACES * sizeof(mirror_server_words_t))
#define MIRROR_TABLE_COUNTS_SIZE                                                                   \
    MIRROR_TABLE_ALIGNED(MIRROR_SERVERS_PLACES * sizeof(mirror_server_counts_t))

/* ---- in shared memory ---- */

typedef struct mirror_table_header_t {
    /* written by the parent; read only to detect foreign writes */
    apr_uint64_t magic;
    apr_uint32_t slots_used;        /* atomic; read by children of earlier loads */
    apr_uint32_t load;              /* atomic: number of the newest load */
    apr_uint32_t worker_slots_used; /* atomic: number of worker slots ever used */
    mirror_store_lock_t lock;       /* lock of children that write to stores */
} mirror_table_header_t;

typedef struct mirror_table_worker_slot_t {
    apr_uint64_t owner;  /* atomic: load and pid of the child; 0 = free */
    apr_uint64_t reaper; /* atomic: a count, and the pid of the reaping process or 0 */
} mirror_table_worker_slot_t;

/* ---- private ---- */

/* A running child, as reported by the MPM. */
typedef struct mirror_table_child_t {
    apr_uint32_t pid;
    apr_uint32_t load; /* number of the load that the child runs */
} mirror_table_child_t;

typedef struct mirror_table_segment_t {
    apr_pool_t *pool; /* pool of this structure and of the shared memory */
    mirror_table_header_t *header;
    char *slots;
    mirror_table_worker_slot_t *worker_slots;
    char *cells;
    char *lost;
    char *stores;
    char *fleet_stores; /* one more than slots: the last one is of the node's state */
    mirror_fleet_words_t *fleet;
    char *findings;
    char *servers;
    char *server_counts; /* by worker slot, then by slot */
    apr_size_t size;     /* bytes from the header to the end */
    apr_uint32_t slots_max;
    apr_uint32_t worker_slots_max;
    apr_uint32_t slots_used; /* number of slots with a mirror */
    apr_uint32_t load;       /* number of loads of the configuration */
    int logged;              /* 1 if damage was logged */
    apr_uint32_t *loads;     /* by slot: number of the last load with its mirror */
    mirror_texts_t *texts;   /* the names of mirrors, and where their texts are */
    /* of mirror_table_child_t, started since this segment was created */
    apr_array_header_t *children;
} mirror_table_segment_t;

struct mirror_table_t {
    struct server_rec *server;
    mirror_table_segment_t *segment;
    /* startup: the texts of the replaced segment, while they are moved; else NULL */
    mirror_texts_t *former;
    mirror_table_segment_t *former_segment; /* it, if it has this layout; else NULL */
    apr_uint32_t load;                      /* number of the load of this table */
    int is_child;                           /* 1 if this process has claimed a worker slot */
};

static inline mirror_slot_t *mirror_table_slot_at(const mirror_table_segment_t *segment,
                                                  apr_uint32_t index)
{
    return (mirror_slot_t *)(segment->slots + index * MIRROR_TABLE_SLOT_SIZE);
}

static inline mirror_store_t *mirror_table_store_at(const mirror_table_segment_t *segment,
                                                    apr_uint32_t index)
{
    return (mirror_store_t *)(segment->stores + index * MIRROR_TABLE_STORE_SIZE);
}

static inline mirror_store_t *mirror_table_fleet_store_at(const mirror_table_segment_t *segment,
                                                          apr_uint32_t index)
{
    return (mirror_store_t *)(segment->fleet_stores + index * MIRROR_TABLE_STORE_SIZE);
}

static inline mirror_findings_t *mirror_table_findings_at(const mirror_table_segment_t *segment,
                                                          apr_uint32_t index)
{
    return (mirror_findings_t *)(segment->findings + index * MIRROR_TABLE_FINDINGS_SIZE);
}

static inline mirror_cell_t *mirror_table_cell_at(const mirror_table_segment_t *segment,
                                                  apr_uint32_t worker_slot, apr_uint32_t index)
{
    return (mirror_cell_t *)(segment->cells +
                             ((apr_size_t)worker_slot * segment->slots_max + index) *
                                 MIRROR_TABLE_CELL_SIZE);
}

static inline mirror_server_words_t *mirror_table_servers_at(const mirror_table_segment_t *segment,
                                                             apr_uint32_t index)
{
    return (mirror_server_words_t *)(segment->servers + index * MIRROR_TABLE_SERVERS_SIZE);
}

static inline mirror_server_counts_t *mirror_table_server_counts_at(
    const mirror_table_segment_t *segment, apr_uint32_t worker_slot, apr_uint32_t index)
{
    return (mirror_server_counts_t *)(segment->server_counts +
                                      ((apr_size_t)worker_slot * segment->slots_max + index) *
                                          MIRROR_TABLE_COUNTS_SIZE);
}

/* Return the number of the oldest load that a child runs. Parent. */
apr_uint32_t mirror_table_oldest_load(mirror_table_segment_t *segment);

/* Free the worker slots and locks of processes that are not children of this parent. Parent,
 * startup. A child may have written such entries to block other children. */
void mirror_table_tidy(mirror_table_t *table);

/* Return a description of foreign data in shared memory; NULL if none was found. Parent. */
const char *mirror_table_damage(const mirror_table_segment_t *segment);

/* Log damage once. Returns whether damage was ever found. Parent. */
int mirror_table_report_damage(mirror_table_segment_t *segment, struct server_rec *server);

#endif
