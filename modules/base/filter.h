/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/filter.h - filters that only this module can add.
 *
 * A filter that is registered has a name, and any author of an .htaccess file may name it
 * (SetInputFilter, AddOutputFilterByType, FilterProvider ...). httpd then calls it without a
 * context. The filters made here are never registered: httpd finds no filter of that name, and adds
 * none.
 */
#ifndef MIRROR_BASE_FILTER_H
#define MIRROR_BASE_FILTER_H

#include <util_filter.h>

/* ---- startup ---- */

/* Make a filter for ap_add_input_filter_handle() or ap_add_output_filter_handle(), in `pool`,
 * which is pconf. `name` is for httpd's log only; it is a constant in lower case. */
ap_filter_rec_t *mirror_filter_input(const char *name, ap_in_filter_func function, int type,
                                     apr_pool_t *pool);
ap_filter_rec_t *mirror_filter_output(const char *name, ap_out_filter_func function, int type,
                                      apr_pool_t *pool);

#endif
