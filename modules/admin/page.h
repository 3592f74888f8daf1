/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page.h - the page of the manager: the mirrors for people.
 *
 * Drawn here with the figures of the moment, it can be read and used without JavaScript: changes
 * are plain forms. page.js makes it live: it asks for the JSON each second, writes the figures
 * where they stand, and draws charts. page.css and page.js are files of their own below the
 * location, so that Content-Security-Policy can forbid all else.
 */
#ifndef MIRROR_ADMIN_PAGE_H
#define MIRROR_ADMIN_PAGE_H

#include <httpd.h>

#include "base/mirror.h"

/* Who looks, from where. */
typedef struct mirror_page_visit_t {
    /* the path of the location as in r->uri, without a slash at its end, and with one at its
     * front */
    const char *location;
    const char *nonce; /* for forms; NULL: there are none */
    /* without a nonce: why this visitor may change nothing; NULL: as nobody may here */
    const char *refusal;
    const char *failed; /* why the form that was just sent has changed nothing; NULL: none was */
} mirror_page_visit_t;

/* ---- request threads ---- */

/* Answer with the page. */
int mirror_page_send(request_rec *r, const mirror_registry_t *registry,
                     const mirror_page_visit_t *visit);

/* Whether `path`, which follows the location, is one of the files that belong to the page
 * ("/page.css"). */
int mirror_page_has_file(const char *path);

/* Answer with that file. */
int mirror_page_send_file(request_rec *r, const char *path);

#endif
