/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/change.h - changing a mirror while httpd runs: PUT, PATCH and DELETE of its resource, and
 * the page's forms.
 *
 * A form is posted to the resource of the mirror, LOCATION/mirrors/NAME, as
 * application/x-www-form-urlencoded. Fields:
 *
 *     nonce      that of the page: random, made anew with each load of the configuration, the same
 *                in all children
 *     action     "set", which is the default, or "reset": back to what the configuration file says
 *     etag       the ETag of what the form was made from (mirror_json_etag(), with its quotes);
 *                with another one now, nothing is changed and the answer is 412; optional
 *     ATTRIBUTE  any number of them, for "set": the value as the word in a directive (host: the
 *                URL); an empty one resets the attribute to its default, as null does in JSON
 *
 * To a browser, which accepts text/html, the response is 303 to LOCATION, or the page, which tells
 * the error; to all others it is JSON, as that to PATCH is.
 */
#ifndef MIRROR_ADMIN_CHANGE_H
#define MIRROR_ADMIN_CHANGE_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* Answer with the page, with forms if this client may change something. `failed`: why the form that
 * it has sent has changed nothing; NULL: none was sent. */
int mirror_change_send_page(request_rec *r, const mirror_registry_t *registry, const char *location,
                            const char *failed);

/* Answer a PUT, PATCH, DELETE or POST of the resource of `mirror`, a manager's whose own location
 * is `location`. */
int mirror_change_handle(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror,
                         const char *location);

#endif
