/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/settings.h - the settings that are in force for a mirror, and references to them.
 *
 * They are the file's until the manager sets something. From then on each child makes a set of its
 * own of what is stored in shared memory (shared/store.h), when the first request finds that the
 * version there has moved on, in an APR pool of the set's own. Whoever uses a set holds a
 * reference, and the last one frees it. So settings change as a whole, with the next request in
 * every child, and what was begun with a set ends with it.
 *
 * A request thread compiles outside the mutex. Those that come meanwhile do not wait: they compile
 * too, and the first set is kept.
 */
#ifndef MIRROR_SETTINGS_SETTINGS_H
#define MIRROR_SETTINGS_SETTINGS_H

#include "base/mirror.h"

/* ---- any thread ---- */

/* One more reference, and one less. The file's are not counted. */
void mirror_settings_keep(const mirror_settings_t *settings);
void mirror_settings_drop(const mirror_settings_t *settings);

/* Make settings of a text that the manager has set (settings/override.h; NULL: none). *settings is
 * the caller's reference. Returns NULL, or what is wrong with them, in `pool`. */
const char *mirror_settings_make(mirror_settings_t **settings, const mirror_t *mirror,
                                 const char *text, apr_uint64_t version, apr_pool_t *pool);

/* NULL, or what these settings of the mirror need of httpd and have not got, for people, in `pool`.
 * At startup to be asked in post_config, after mod_ssl's and mod_proxy's. */
const char *mirror_settings_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                    apr_pool_t *pool);

/* ---- parent, startup: settings/reload.c ---- */

/* Make known what the file says of the mirror, which has its slot, and forget what was set of it if
 * the file says something else now; the log is told. What was set is not read here: the parent is
 * root, and children have written it. */
void mirror_settings_reload(const mirror_t *mirror, const mirror_registry_t *registry,
                            struct server_rec *server);

/* ---- child start, main thread ---- */

/* Make ready the lane, of which mirror and child are set. Forget what was set of its mirror if that
 * cannot be in force with this configuration; the log is told once. Errors:
 * apr_thread_mutex_create's. */
apr_status_t mirror_settings_init(mirror_lane_t *lane, apr_pool_t *pool);

/* ---- request threads ---- */

/* A reference to what is in force for the lane's mirror. */
const mirror_settings_t *mirror_settings_acquire(mirror_lane_t *lane);

/* The same, until `pool` ends; in a child that mirrors nothing the file's. */
const mirror_settings_t *mirror_settings_borrow(const mirror_registry_t *registry,
                                                const mirror_t *mirror, apr_pool_t *pool);

/* ---- sender thread ---- */

/* Whether nothing newer than these is in force. */
int mirror_settings_are_current(const mirror_settings_t *settings, const mirror_lane_t *lane);

#endif
