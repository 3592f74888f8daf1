/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/primary.h - the response of the primary, as its handler produced it, for pairs that are
 * compared (compare/pair.h).
 *
 * The filter stands above all that changes a response (SUBSTITUTE, DEFLATE, ranges, chunks), below
 * the handler. It looks at buckets, and passes them on as they are: it reads none that would wait,
 * and no file into memory but a copy of a short one.
 */
#ifndef MIRROR_CAPTURE_PRIMARY_H
#define MIRROR_CAPTURE_PRIMARY_H

#include <httpd.h>

#include "capture/entries.h"

/* ---- startup ---- */

/* Make the filter, in `p`, which is pconf. */
void mirror_primary_register(apr_pool_t *p);

/* ---- request threads ---- */

/* Put the filter on the way of `r`, if an entry waits for the response and it is not there. */
void mirror_primary_add(mirror_entries_t *entries, request_rec *r);

/* The request is over; `last` is what it was internally redirected to at last. End the primary's
 * half of each pair. */
void mirror_primary_last_call(mirror_entries_t *entries, const request_rec *last);

/* The request is gone before it was over: end what is left. */
void mirror_primary_abandon(mirror_entries_t *entries);

#endif
