/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_mirror.h - one mirror on the page: its state, figures, limit, outcomes, forms and
 * settings.
 *
 * What page.js keeps up to date has a data- attribute that says what it is: data-mirror a mirror's
 * name, and in there data-field a figure, data-outcome and data-attribute a row, data-when what is
 * shown in one state only.
 */
#ifndef MIRROR_ADMIN_PAGE_MIRROR_H
#define MIRROR_ADMIN_PAGE_MIRROR_H

#include <httpd.h>

#include "admin/page_view.h"

/* ---- request threads ---- */

/* The state in words, with the words of all others hidden. */
void mirror_page_put_state(request_rec *r, mirror_view_state_e state);

/* The whole of one mirror, with forms if there is a `nonce`. `location` is escaped for HTML
 * already, as the path of the manager in a URL. */
void mirror_page_put_mirror(request_rec *r, const mirror_view_t *view, const char *nonce,
                            const char *location);

/* admin/page_forms.c: its forms. */
void mirror_page_put_forms(request_rec *r, const mirror_view_t *view, const char *nonce,
                           const char *location);

#endif
