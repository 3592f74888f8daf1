/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/header_edit.h - ProxyMirrorHeader: changes of the headers of copies.
 *
 * The actions do what those of mod_headers' RequestHeader do, by the same functions of APR's
 * tables. Values are ap_expr strings; in the one that edit puts in, $0 to $9 are what the regular
 * expression found.
 */
#ifndef MIRROR_CAPTURE_HEADER_EDIT_H
#define MIRROR_CAPTURE_HEADER_EDIT_H

#include <httpd.h>

#include "base/mirror.h"

typedef struct mirror_header_edit_t mirror_header_edit_t;

/* ---- startup ---- */

/* Read what follows the name of the directive. *edit is in `pool`. Returns NULL, or what is wrong.
 * */
const char *mirror_header_edit_parse(mirror_header_edit_t **edit, const char *args,
                                     apr_pool_t *pool, apr_pool_t *ptemp);

/* ---- request threads ---- */

/* Apply `edits` (of mirror_header_edit_t *), in their order, to `headers`. An edit whose expression
 * fails is left out. Nothing that is put in can end a header line. */
void mirror_header_edit_apply(apr_table_t *headers, const apr_array_header_t *edits, request_rec *r,
                              mirror_lane_t *lane);

#endif
