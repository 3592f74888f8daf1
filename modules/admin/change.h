/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/change.h - changes of a mirror at run time: PUT, PATCH and DELETE of its resource, and the
 * page's forms.
 *
 * A form is posted to the resource of the mirror, LOCATION/mirrors/NAME, as
 * application/x-www-form-urlencoded. Fields:
 *
 *     nonce      the nonce of the page: random, new with each load of the configuration, the same
 *                in all children
 *     action     "set" (the default); "reset": drop the override, so the file applies; "add_rule" or
 *                "remove_rule": a rule of compare_rules; "restart_comparison": forget what comparing
 *                has found
 *     rule       for "add_rule" and "remove_rule": FIELD ACTION [VALUE]. A rule that ignores a field
 *                replaces one by which it matters, and the reverse
 *     layer      "node" (the default), or "fleet": the change is for all nodes; not for
 *                "restart_comparison", as each node has its own results
 *     etag       the ETag on which the form is based (mirror_json_etag(), with its quotes); if
 *                it has changed, the response is 412; optional
 *     ATTRIBUTE  repeatable, for "set": the value as in a directive (host: the URL); an empty
 *                value resets the attribute to its default, like null in JSON
 *
 * For a browser, which accepts text/html, the response is 303 to LOCATION, or the page with an
 * error message. For other clients it is JSON, as for PATCH.
 */
#ifndef MIRROR_ADMIN_CHANGE_H
#define MIRROR_ADMIN_CHANGE_H

#include <httpd.h>

#include "admin/page.h"
#include "settings/change.h"

/* ---- request threads ---- */

/* Send the page, with forms if this client may change mirrors. `failed`: error message about the
 * submitted form; NULL = none. */
int mirror_change_send_page(request_rec *r, const mirror_registry_t *registry, const char *location,
                            const char *failed);

/* The same; sets the visit's nonce or refusal. */
int mirror_change_send_visit(request_rec *r, const mirror_registry_t *registry,
                             mirror_page_visit_t *visit);

/* Return whether a browser has sent a form and displays the response. */
int mirror_change_is_for_people(const request_rec *r);

/* Return the status of the response to a change with this outcome. */
int mirror_change_status(mirror_settings_outcome_e outcome);

/* Log a change that was made. `reset`: 1 = the override was dropped. */
void mirror_change_log(request_rec *r, const mirror_t *mirror, int reset,
                       const mirror_settings_t *before, const mirror_settings_t *after);

/* Handle a PUT, PATCH, DELETE or POST of the resource of `mirror`. `location`: path of the
 * manager. */
int mirror_change_handle(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror,
                         const char *location);

#endif
