/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/filter.h - filters that only this module can add.
 *
 * Any author of an .htaccess file can add a registered filter by its name (SetInputFilter,
 * AddOutputFilterByType, FilterProvider ...). httpd then calls the filter without a context.
 * Filters created here are not registered: httpd finds no filter of that name and adds none.
 */
#ifndef MIRROR_BASE_FILTER_H
#define MIRROR_BASE_FILTER_H

#include <util_filter.h>

/* ---- startup ---- */

/* Create a filter for ap_add_input_filter_handle() or ap_add_output_filter_handle(). `pool` is
 * pconf. `name` is a lower-case constant and appears only in httpd's log. */
ap_filter_rec_t *mirror_filter_input(const char *name, ap_in_filter_func function, int type,
                                     apr_pool_t *pool);
ap_filter_rec_t *mirror_filter_output(const char *name, ap_out_filter_func function, int type,
                                      apr_pool_t *pool);

/* ---- request threads ---- */

/* Return the filter of `record` in the chain that begins with `f`; NULL = missing. */
ap_filter_t *mirror_filter_find(ap_filter_t *f, const ap_filter_rec_t *record);

#endif
