/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_mirror.h - one mirror on the page: state, figures, limit, outcomes, forms and
 * settings.
 *
 * Elements that page.js updates have data- attributes: data-mirror for a mirror's name; inside it
 * data-field for a figure, data-outcome and data-attribute for a row, data-when for content that is
 * shown in one state only.
 */
#ifndef MIRROR_ADMIN_PAGE_MIRROR_H
#define MIRROR_ADMIN_PAGE_MIRROR_H

#include <httpd.h>

#include "admin/page_view.h"

/* ---- request threads ---- */

/* Print the label of the state, and hidden ones of all other states. */
void mirror_page_put_state(request_rec *r, mirror_view_state_e state);

/* Print one mirror, with forms if `nonce` is not NULL. `location`: path of the manager in a URL,
 * escaped for HTML. */
void mirror_page_put_mirror(request_rec *r, const mirror_view_t *view, const char *nonce,
                            const char *location);

/* Print the forms of a mirror. In admin/page_forms.c. */
void mirror_page_put_forms(request_rec *r, const mirror_view_t *view, const char *nonce,
                           const char *location);

#endif
