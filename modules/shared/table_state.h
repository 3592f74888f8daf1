/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/table_state.h - the inside of shared memory and of what each process keeps of it, for
 * the files of this wing alone.
 *
 * Code that runs in a child may write anything to shared memory, at any time; the parent is root.
 * So nothing of which an address, a size or the bound of a loop is made is read from there, but
 * from a mirror_table_segment_t: private memory of the parent, which a child inherits as a copy
 * of its own. The parent alone changes it.
 */
#ifndef MIRROR_SHARED_TABLE_STATE_H
#define MIRROR_SHARED_TABLE_STATE_H

#include <apr_shm.h>

#include "shared/table.h"

#define MIRROR_TABLE_MAGIC      APR_UINT64_C(0x4d6972726f725634)
#define MIRROR_TABLE_SHARED     0 /* the worker slot of those that found no other */
#define MIRROR_TABLE_ALIGNED(n) (((apr_size_t)(n) + 63) / 64 * 64) /* to a cache line */
#define MIRROR_TABLE_LOWER(w)   ((apr_uint32_t)(w))
#define MIRROR_TABLE_UPPER(w)   ((apr_uint32_t)((w) >> 32))

#define MIRROR_TABLE_HEADER_SIZE      MIRROR_TABLE_ALIGNED(sizeof(mirror_table_header_t))
#define MIRROR_TABLE_SLOT_SIZE        MIRROR_TABLE_ALIGNED(sizeof(mirror_slot_t))
#define MIRROR_TABLE_WORKER_SLOT_SIZE sizeof(mirror_table_worker_slot_t)
#define MIRROR_TABLE_CELL_SIZE        MIRROR_TABLE_ALIGNED(sizeof(mirror_cell_t))
#define MIRROR_TABLE_STORE_SIZE       MIRROR_TABLE_ALIGNED(sizeof(mirror_store_t))

/* ---- in shared memory ---- */

typedef struct mirror_table_header_t {
    /* the parent writes these three, and reads them only to find that others have */
    apr_uint64_t magic;
    apr_uint32_t slots_used;        /* atomic: for children of earlier loads */
    apr_uint32_t load;              /* atomic: the newest */
    apr_uint32_t worker_slots_used; /* atomic: worker slots below were used at some time */
    mirror_store_lock_t lock;       /* of children that write to stores */
} mirror_table_header_t;

typedef struct mirror_table_worker_slot_t {
    apr_uint64_t owner;  /* atomic: load and pid of the child; 0: free */
    apr_uint64_t reaper; /* atomic: a count, and the pid that reaps it or 0 */
} mirror_table_worker_slot_t;

/* ---- private ---- */

typedef struct mirror_table_mirror_t {
    char name[68];     /* NUL-ended */
    apr_uint32_t load; /* the last load of the configuration that had this mirror */
} mirror_table_mirror_t;

/* A child that runs, as the MPM told. */
typedef struct mirror_table_child_t {
    apr_uint32_t pid;
    apr_uint32_t load; /* that it runs */
} mirror_table_child_t;

typedef struct mirror_table_segment_t {
    apr_pool_t *pool; /* has this, and the shared memory */
    mirror_table_header_t *header;
    char *slots;
    mirror_table_worker_slot_t *worker_slots;
    char *cells;
    char *stores;
    apr_size_t size; /* from the header to the end */
    apr_uint32_t slots_max;
    apr_uint32_t worker_slots_max;
    apr_uint32_t slots_used;        /* slots below have a mirror */
    apr_uint32_t load;              /* how often the configuration was loaded */
    int told;                       /* the log has the line of damage */
    mirror_table_mirror_t *mirrors; /* by slot */
    apr_array_header_t *children;   /* of mirror_table_child_t, since this segment was made */
} mirror_table_segment_t;

struct mirror_table_t {
    struct server_rec *server;
    mirror_table_segment_t *segment;
    mirror_table_segment_t
        *former; /* startup: what this load has replaced, while texts are moved from it; or NULL */
    apr_uint32_t load; /* this one */
    int is_child;      /* this process has claimed a worker slot */
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

static inline mirror_cell_t *mirror_table_cell_at(const mirror_table_segment_t *segment,
                                                  apr_uint32_t worker_slot, apr_uint32_t index)
{
    return (mirror_cell_t *)(segment->cells +
                             ((apr_size_t)worker_slot * segment->slots_max + index) *
                                 MIRROR_TABLE_CELL_SIZE);
}

/* parent: the oldest load that a child runs. */
apr_uint32_t mirror_table_oldest_load(mirror_table_segment_t *segment);

/* parent, startup: free the worker slots and locks of processes that are no children of ours, and so of
 * what a child has written there to keep others out. */
void mirror_table_tidy(mirror_table_t *table);

/* parent: what in shared memory is not as the parent and children write it, for people; NULL:
 * nothing was found. */
const char *mirror_table_damage(const mirror_table_segment_t *segment);

/* parent: log that once. Returns whether damage was ever found. */
int mirror_table_report_damage(mirror_table_segment_t *segment, struct server_rec *server);

#endif
