/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/settings.h - the settings in force for a mirror, and references to them.
 *
 * The file's settings are in force until a layer over them is stored (settings/layers.h): by the
 * manager of this node, or by the fleet. Then each child creates its own settings from the stored
 * texts, when the first request detects a newer version. These settings have an APR pool of their own and are reference counted; the last drop
 * frees them. So all settings change together, with the next request in every child. A copy keeps
 * the settings it was created with.
 *
 * A request thread compiles outside the mutex. Other request threads do not wait: they also
 * compile, and the first result is kept.
 */
#ifndef MIRROR_SETTINGS_SETTINGS_H
#define MIRROR_SETTINGS_SETTINGS_H

#include "settings/layers.h"

/* ---- any thread ---- */

/* Add or drop a reference. The file's settings are not counted. */
void mirror_settings_keep(const mirror_settings_t *settings);
void mirror_settings_drop(const mirror_settings_t *settings);

/* Make settings from these layers over the file; NULL = the file alone. The caller owns one
 * reference to *settings. Returns NULL, or an error message in `pool`. */
const char *mirror_settings_make(mirror_settings_t **settings, const mirror_t *mirror,
                                 const mirror_layers_t *layers, apr_pool_t *pool);

/* Check the requirements of these settings on httpd. At startup call it in post_config, after
 * mod_ssl's and mod_proxy's. Returns NULL, or a message in `pool`. */
const char *mirror_settings_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                    apr_pool_t *pool);

/* ---- parent, startup: settings/reload.c ---- */

/* Publish the hash of the file's settings of the mirror, which has its slot. If the file's settings
 * have changed, the mirror counts as up, the override is dropped and a line is logged. The override is not parsed here,
 * because the parent is root and children write the text. */
void mirror_settings_reload(const mirror_t *mirror, const mirror_registry_t *registry,
                            struct server_rec *server);

/* Log a line for each mirror with changes that this load has lost, as by another name: the changes do
 * not follow it. Call it when all mirrors have their slots. */
void mirror_settings_report_gone(const mirror_registry_t *registry, struct server_rec *server);

/* ---- child start, main thread ---- */

/* Initialize the lane, whose mirror and child are set. If the stored override is invalid with this
 * configuration, the override is dropped and one line is logged. Errors: those of
 * apr_thread_mutex_create(). */
apr_status_t mirror_settings_init(mirror_lane_t *lane, apr_pool_t *pool);

/* ---- request threads ---- */

/* Return a reference to the settings in force for the lane's mirror. The caller owns the
 * reference. */
const mirror_settings_t *mirror_settings_acquire(mirror_lane_t *lane);

/* Return the settings in force; the reference is dropped when `pool` ends. In a child without
 * mirrors the result is the file's settings. */
const mirror_settings_t *mirror_settings_borrow(const mirror_registry_t *registry,
                                                const mirror_t *mirror, apr_pool_t *pool);

/* Return whether anything is copied at `wall`, a time of the wall clock: `enabled`, and before
 * `until`. */
static inline int mirror_settings_are_on(const mirror_settings_t *settings, apr_time_t wall)
{
    return settings->enabled && (settings->until == 0 || wall < settings->until);
}

/* ---- sender thread ---- */

/* Return whether no newer settings are in force, and no reload has changed those of the file. */
int mirror_settings_are_current(const mirror_settings_t *settings, const mirror_lane_t *lane);

/* ---- whether settings can be in force in this httpd; any thread of a child ---- */

/* The fleet's layer in shared memory was valid when it was stored, but may not be after a reload or an
 * upgrade. It is kept, as a later reload may allow it again; every reader leaves out what is not valid. */

/* Return why valid settings of `mirror` cannot be in force in this httpd; NULL if they can. `before`:
 * those in force, whose requirements are met. */
const char *mirror_judge_settings(const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_t *before, const mirror_settings_t *after,
                                  apr_pool_t *pool);

/* Return why the override `fleet` cannot be the fleet's layer: it must be valid over the file alone.
 * NULL = it can, as can none. */
const char *mirror_judge_fleet(const mirror_registry_t *registry, const mirror_t *mirror,
                               const char *fleet, apr_pool_t *pool);

/* Return what is in force of the override `fleet`: all if it can be the fleet's layer; otherwise only
 * what stops the mirror. NULL = nothing. */
const char *mirror_judge_rest(const mirror_registry_t *registry, const mirror_t *mirror,
                              const char *fleet, apr_pool_t *pool);

/* As mirror_layers_read(), with what is in force of the fleet's layer. */
void mirror_judge_layers(mirror_layers_t *layers, const mirror_registry_t *registry,
                         const mirror_t *mirror, apr_pool_t *pool);

#endif
