/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/header_edit.h - ProxyMirrorHeader: edits of the headers of copies.
 *
 * The actions are those of mod_headers' RequestHeader, with the same functions of APR's tables.
 * Values are ap_expr strings. In the replacement of `edit`, $0 to $9 are the matches of the regular
 * expression.
 */
#ifndef MIRROR_CAPTURE_HEADER_EDIT_H
#define MIRROR_CAPTURE_HEADER_EDIT_H

#include <httpd.h>

#include "base/mirror.h"

typedef struct mirror_header_edit_t mirror_header_edit_t;

/* ---- startup ---- */

/* Parse the arguments of the directive. *edit is in `pool`. Returns NULL or an error message. */
const char *mirror_header_edit_parse(mirror_header_edit_t **edit, const char *args,
                                     apr_pool_t *pool, apr_pool_t *ptemp);

/* ---- request threads ---- */

/* Apply `edits` (of mirror_header_edit_t *), in their order, to `headers`. An edit whose expression
 * fails is skipped. Inserted values cannot end a header line. */
void mirror_header_edit_apply(apr_table_t *headers, const apr_array_header_t *edits, request_rec *r,
                              mirror_lane_t *lane);

#endif
