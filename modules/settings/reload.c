/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/reload.c - the parent's update of overrides at a reload. See settings/settings.h.
 *
 * The parent is root, and children write the stored text. So the parent compares one number and
 * exchanges one word; children parse the text when they start.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "settings/settings.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

void mirror_settings_reload(const mirror_t *mirror, const mirror_registry_t *registry,
                            struct server_rec *server)
{
    mirror_slot_t *slot = mirror->slot;
    apr_uint64_t before = apr_atomic_read64(&slot->config);
    apr_uint64_t fleet = apr_atomic_read64(&slot->fleet_version);

    if (registry->fleet && before != 0 && before != mirror->config && fleet != 0 &&
        (fleet & 1) == 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                     "PM0938: mirror %s: its line or a default that it uses has changed; the "
                     "settings of the fleet stay over it",
                     mirror->name);
    }
    apr_atomic_set64(&slot->config, mirror->config);
    if (before != mirror->config) { /* it may have other servers; now no old child sets it down */
        apr_atomic_set64(&slot->down_until, 0);
        apr_atomic_set64(&slot->down_drops, 0);
    }
    if (mirror_store_drop_others(&slot->version, mirror_table_store(registry->table, slot),
                                 mirror->config)) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                     "PM0910: mirror %s is reset to the configuration file; its changes by the "
                     "manager are discarded because its line or a default that it uses has changed",
                     mirror->name);
    }
}

void mirror_settings_report_gone(const mirror_registry_t *registry, struct server_rec *server)
{
    apr_uint32_t place = 0;
    const char *name;

    while ((name = mirror_table_next_gone(registry->table, &place)) != NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_NOTICE, 0, server,
            "PM0913: mirror %s is no longer in the configuration; its changes by the manager "
            "or the fleet do not apply to a mirror with another name: if it was stopped and "
            "has another name now, it copies again",
            name);
    }
}
