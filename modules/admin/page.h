/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page.h - the HTML page of the manager.
 *
 * The server renders the page with current figures. It works without JavaScript: changes are plain
 * forms. page.js requests the JSON each second, updates the figures and draws charts. page.css and
 * page.js are separate files below the location, so that Content-Security-Policy can forbid inline
 * content.
 */
#ifndef MIRROR_ADMIN_PAGE_H
#define MIRROR_ADMIN_PAGE_H

#include <httpd.h>

#include "base/mirror.h"

/* The question on a page. */
typedef enum {
    MIRROR_PAGE_QUESTION_NOTHING,
    MIRROR_PAGE_QUESTION_STOP,   /* whether to stop all mirrors */
    MIRROR_PAGE_QUESTION_RESTORE /* whether to restore the store of the fleet */
} mirror_page_question_e;

/* The visitor and the location of a page. */
typedef struct mirror_page_visit_t {
    /* path of the location as in r->uri, with a leading and without a trailing slash */
    const char *location;
    const char *nonce; /* nonce of the forms; NULL = no forms */
    /* without a nonce: why this visitor may not change mirrors; NULL = changes are never allowed
     * here */
    const char *refusal;
    const char *failed; /* error message about the submitted form; NULL = none */
    int partly;         /* 1 = some mirrors were changed before it failed */
    int question;       /* mirror_page_question_e */
} mirror_page_visit_t;

/* ---- request threads ---- */

/* Send the page; with the query "comparison" only its sections about comparing. */
int mirror_page_send(request_rec *r, const mirror_registry_t *registry,
                     const mirror_page_visit_t *visit);

/* Return whether `path`, relative to the location, is a file of the page, such as "/page.css". */
int mirror_page_has_file(const char *path);

/* Send that file. */
int mirror_page_send_file(request_rec *r, const char *path);

#endif
