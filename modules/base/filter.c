/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/filter.c - filters that only this module can add. See base/filter.h.
 *
 * add_any_filter_handle() of httpd's util_filter.c uses the given record without a lookup by name.
 * Other readers of a record use its type and functions, and its name for messages.
 */
#include <httpd.h>
#include <http_config.h>

#include "base/filter.h"

/* At run time httpd's record may be longer than at compile time. Further members are 0, as in
 * httpd's own records. */
#define ROOM_TO_GROW 128

static ap_filter_rec_t *make(const char *name, int type, apr_pool_t *pool)
{
    ap_filter_rec_t *filter = apr_pcalloc(pool, sizeof(*filter) + ROOM_TO_GROW);

    filter->name = name;
    filter->ftype = (ap_filter_type)type;
    return filter;
}

ap_filter_rec_t *mirror_filter_input(const char *name, ap_in_filter_func function, int type,
                                     apr_pool_t *pool)
{
    ap_filter_rec_t *filter = make(name, type, pool);

    filter->filter_func.in_func = function;
#if AP_MODULE_MAGIC_AT_LEAST(20160312, 0)
    filter->direction = AP_FILTER_INPUT;
#endif
    return filter;
}

ap_filter_rec_t *mirror_filter_output(const char *name, ap_out_filter_func function, int type,
                                      apr_pool_t *pool)
{
    ap_filter_rec_t *filter = make(name, type, pool);

    filter->filter_func.out_func = function;
#if AP_MODULE_MAGIC_AT_LEAST(20160312, 0)
    filter->direction = AP_FILTER_OUTPUT;
#endif
    return filter;
}

ap_filter_t *mirror_filter_find(ap_filter_t *f, const ap_filter_rec_t *record)
{
    while (f && f->frec != record) {
        f = f->next;
    }
    return f;
}
