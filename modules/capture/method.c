/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/method.c - the method of a client's request. See capture/method.h.
 */
#include <string.h>

#include "capture/method.h"

void mirror_method_read(mirror_method_t *method, const request_rec *first)
{
    const char *line = first->the_request ? first->the_request : "",
               *end = ap_scan_http_token(line);

    if (end > line && *end == ' ') {
        method->name = line;
        method->len = end - line;
    }
    else {
        method->name = first->method;
        method->len = strlen(first->method);
    }
}

int mirror_method_is(const mirror_method_t *method, const char *name)
{
    return !strncmp(method->name, name, method->len) && !name[method->len];
}

int mirror_method_is_idempotent(const mirror_method_t *method)
{
    static const char *const names[] = { "GET",   "HEAD",   "OPTIONS", "PUT",      "DELETE",
                                         "TRACE", "COPY",   "MOVE",    "PROPFIND", "PROPPATCH",
                                         "MKCOL", "UNLOCK", "REPORT",  "SEARCH" };
    unsigned i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (mirror_method_is(method, names[i])) {
            return 1;
        }
    }
    return 0;
}
