/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/comparison_json.h - the results of comparing as JSON.
 */
#ifndef MIRROR_ADMIN_COMPARISON_JSON_H
#define MIRROR_ADMIN_COMPARISON_JSON_H

#include <httpd.h>

#include "shared/findings.h"

/* ---- request threads ---- */

/* Send all results of a mirror; with `may_change`, also values, if its settings keep any. Returns what a
 * handler returns. */
int mirror_comparison_json_send(request_rec *r, const mirror_registry_t *registry,
                                const mirror_t *mirror, const mirror_findings_view_t *view,
                                int may_change);

#endif
