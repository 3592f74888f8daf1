/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/headers_state.h - fields of a block, for the files of headers alone.
 */
#ifndef MIRROR_COMPARE_HEADERS_STATE_H
#define MIRROR_COMPARE_HEADERS_STATE_H

#include <string.h>

#include "compare/header_form.h"
#include "compare/headers.h"

/* What a row's field has before the name. */
#define MIRROR_HEADERS_PREFIX "header/"

typedef struct mirror_headers_field_t {
    const char *text; /* MIRROR_HEADERS_PREFIX and the name in lower case: the row's field */
    mirror_header_form_t value;
    int at; /* its place in the block */
} mirror_headers_field_t;

/* Fields of one block, or those of one name. */
typedef struct mirror_headers_fields_t {
    mirror_headers_field_t *list;
    int count;
} mirror_headers_fields_t;

/* ---- any thread ---- */

static inline const char *mirror_headers_read_name(const mirror_headers_field_t *field)
{
    return field->text + strlen(MIRROR_HEADERS_PREFIX);
}

/* Read the fields of a block, up to an empty line, sorted by name. In `pool`. */
mirror_headers_fields_t mirror_headers_read_block(const char *block, apr_size_t len,
                                                  apr_pool_t *pool);

/* The fields of the name at `first`; of a name in lower case, which there may be none of. */
mirror_headers_fields_t mirror_headers_read_at(const mirror_headers_fields_t *fields, int first);
mirror_headers_fields_t mirror_headers_read_named(const mirror_headers_fields_t *fields,
                                                  const char *name);

#endif
