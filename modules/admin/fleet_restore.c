/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_restore.c - restoring the documents of a fleet. See admin/fleet_restore.h.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/fleet_restore.h"
#include "admin/fleet_store.h"
#include "admin/guard.h"
#include "admin/json.h"
#include "attributes/value.h"
#include "fleet/nodes.h"
#include "fleet/write.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* Write the documents that are stored on this node. Returns how it ended; *count documents. */
static mirror_write_e restore_all(int *count, const mirror_registry_t *registry,
                                  mirror_remote_t *remote, request_rec *r)
{
    apr_uint64_t epoch = 0;
    mirror_write_e outcome = MIRROR_WRITE_DONE;
    int i;

    *count = 0;
    for (i = 0; outcome == MIRROR_WRITE_DONE && i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);
        mirror_write_t write = { 0 };
        mirror_store_text_t text;

        if (!mirror->slot) {
            continue;
        }
        mirror_store_read(&text, &mirror->slot->fleet_version,
                          mirror_table_fleet_store(registry->table, mirror->slot), r->pool);
        if (!mirror_document_of_store(&write.document, text.text, r->pool)) {
            continue;
        }
        write.mirror = mirror->name;
        write.changes = "restored after the store was emptied";
        write.restores = 1;
        write.epoch = epoch;
        outcome = mirror_write_document(&write, remote, r->pool);
        epoch = write.epoch ? write.epoch : epoch;
        *count += outcome == MIRROR_WRITE_DONE;
    }
    return outcome;
}

/* Log and report that `count` mirrors were restored. */
static int send_restored(request_rec *r, const mirror_registry_t *registry, int count)
{
    yajl_gen gen;

    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "PM0904: the store of the fleet %s was restored, %d mirrors, by %s from %s",
                  registry->fleet->name, count,
                  r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user",
                  r->useragent_ip);
    gen = mirror_json_create(r->pool);
    yajl_gen_map_open(gen);
    mirror_json_put_count(gen, "restored", (apr_uint64_t)count);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

int mirror_fleet_restore_handle(request_rec *r, const mirror_registry_t *registry)
{
    mirror_fleet_words_t *words = mirror_table_fleet(registry->table);
    const char *why = mirror_guard_refuse(r);
    mirror_remote_head_t head;
    mirror_remote_t *remote;
    mirror_write_e outcome;
    int count, status = ap_discard_request_body(r);

    if (status != OK) {
        return status;
    }
    if (why) {
        mirror_access_log(r, NULL, why);
        return mirror_json_error(r, HTTP_FORBIDDEN, why);
    }
    remote = mirror_fleet_store_open(r, registry);
    if (mirror_remote_head(&head, remote) != APR_SUCCESS) {
        return mirror_fleet_store_refuse(r, remote);
    }
    if (apr_atomic_read64(&words->epoch) == 0 && mirror_nodes_know_more(remote, r->pool)) {
        return mirror_json_error(r, HTTP_CONFLICT,
                                 "fleet: must be restored on a node that has its settings, got one "
                                 "that has started since its store was emptied");
    }
    outcome = head.epoch ? MIRROR_WRITE_PRESENT : restore_all(&count, registry, remote, r);
    if (outcome == MIRROR_WRITE_PRESENT || outcome == MIRROR_WRITE_DIFFERS) {
        return mirror_json_error(r, HTTP_CONFLICT,
                                 "fleet: its store must be empty, got settings in it");
    }
    if (outcome != MIRROR_WRITE_DONE) {
        return mirror_fleet_store_refuse(r, remote);
    }
    if (count == 0) { /* nothing was set: the store may begin anew */
        apr_atomic_set64(&words->epoch, 0);
    }
    return send_restored(r, registry, count);
}
