/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/header_list.h - the built-in list: how the fields of a header name are compared.
 */
#ifndef MIRROR_COMPARE_HEADER_LIST_H
#define MIRROR_COMPARE_HEADER_LIST_H

#include "compare/header_form.h"

typedef enum {
    MIRROR_HEADER_LIST_SKIP = 1,    /* hop by hop, framing, or derived from the body */
    MIRROR_HEADER_LIST_CODING = 2,  /* skipped if the bodies were decoded */
    MIRROR_HEADER_LIST_EACH = 4,    /* each field is a value of its own, in any order */
    MIRROR_HEADER_LIST_RELATIVE = 8 /* a date, to be seen relative to Date */
} mirror_header_list_flag_e;

typedef struct mirror_header_list_row_t {
    const char *name;               /* lower case */
    unsigned flags;                 /* of mirror_header_list_flag_e */
    mirror_header_form_fn *meaning; /* values that mean the same; NULL: the bytes count */
    mirror_header_form_fn *steady;  /* what is no noise; NULL: all that `meaning` has */
} mirror_header_list_row_t;

/* ---- any thread ---- */

/* The row of a name in lower case. Of a name that is not on the list it has neither flags nor forms.
 * Static. */
const mirror_header_list_row_t *mirror_header_list_find(const char *name);

#endif
