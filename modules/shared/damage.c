/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/damage.c - detection of foreign data in shared memory. See shared/table.h.
 *
 * Only states that the module's own code cannot produce count as damage. Detection is not a
 * protection: the parent bounds all values that it reads, with or without damage. Damage is logged,
 * and the next reload replaces the segment.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "shared/table_state.h"

APLOG_USE_MODULE(proxy_mirror);

#define PID_MAX 0x7fffffff

static int header_is_damaged(const mirror_table_segment_t *segment)
{
    mirror_table_header_t *header = segment->header;
    apr_uint32_t worker_slots = apr_atomic_read32(&header->worker_slots_used);

    return apr_atomic_read64(&header->magic) != MIRROR_TABLE_MAGIC ||
           apr_atomic_read32(&header->slots_used) != segment->slots_used ||
           apr_atomic_read32(&header->load) != segment->load || worker_slots < 1 ||
           worker_slots > segment->worker_slots_max ||
           MIRROR_TABLE_LOWER(apr_atomic_read64(&header->lock)) > PID_MAX;
}

static int worker_slot_is_damaged(const mirror_table_segment_t *segment,
                                  mirror_table_worker_slot_t *worker_slot)
{
    apr_uint64_t owner = apr_atomic_read64(&worker_slot->owner);
    apr_uint32_t load = MIRROR_TABLE_UPPER(owner), pid = MIRROR_TABLE_LOWER(owner);

    return (owner != 0 && (load < 1 || load > segment->load || pid < 1 || pid > PID_MAX)) ||
           MIRROR_TABLE_LOWER(apr_atomic_read64(&worker_slot->reaper)) > PID_MAX;
}

const char *mirror_table_damage(const mirror_table_segment_t *segment)
{
    apr_uint32_t i, worker_slots;

    if (header_is_damaged(segment)) {
        return "the header";
    }
    for (i = 0; i < segment->slots_used; i++) {
        if (apr_atomic_read64(&mirror_table_slot_at(segment, i)->canary) != MIRROR_TABLE_MAGIC) {
            return "a mirror slot";
        }
    }
    worker_slots = apr_atomic_read32(&segment->header->worker_slots_used);
    worker_slots =
        worker_slots < segment->worker_slots_max ? worker_slots : segment->worker_slots_max;
    for (i = MIRROR_TABLE_SHARED + 1; i < worker_slots; i++) {
        if (worker_slot_is_damaged(segment, &segment->worker_slots[i])) {
            return "the list of child processes";
        }
    }
    return NULL;
}

int mirror_table_report_damage(mirror_table_segment_t *segment, struct server_rec *server)
{
    const char *what = mirror_table_damage(segment);

    if (what && !segment->logged) {
        segment->logged = 1;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "PM0202: the shared memory of mirrors is damaged: code outside this module "
                     "has overwritten %s; the next restart or reload creates it again, resets all "
                     "counters to 0 and all mirrors to the configuration file",
                     what);
    }
    return segment->logged; /* even if the data was overwritten since */
}
