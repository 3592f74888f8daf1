/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/share.c - division of a bounded resource. See copy/share.h.
 *
 * Each change is added to the counters first, then checked, and taken back if it exceeds the bound.
 * So of two concurrent changes both may be rejected where one would fit, but the bound is never
 * exceeded. Additions to `own` are ordered, so the units beyond the reserve add up to those of the
 * mirror.
 */
#include "copy/share.h"

void mirror_share_init(mirror_pot_t *pot, apr_uint64_t size, int mirrors)
{
    pot->size = size;
    pot->reserve = mirrors > 1 ? size / (2 * (apr_uint64_t)mirrors) : size;
    pot->common = size - pot->reserve * (apr_uint64_t)(mirrors > 1 ? mirrors : 1);
    pot->used = 0;
    pot->lent = 0;
}

/* Return the part of `own` units beyond the reserve. */
static apr_uint64_t beyond(const mirror_pot_t *pot, apr_uint64_t own)
{
    return own > pot->reserve ? own - pot->reserve : 0;
}

/* Return the maximum of units of one mirror, if `used` units are taken. */
static apr_uint64_t share(const mirror_pot_t *pot, apr_uint64_t used)
{
    apr_uint64_t left = used < pot->size ? pot->size - used : 0;

    return left > pot->reserve ? left : pot->reserve;
}

void mirror_share_force(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n)
{
    apr_uint64_t had = apr_atomic_add64(own, n);

    apr_atomic_add64(&pot->used, n);
    apr_atomic_add64(&pot->lent, beyond(pot, had + n) - beyond(pot, had));
}

int mirror_share_take(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n)
{
    apr_uint64_t used, had, more;
    /* negative while a thread releases units that another one has not yet added */
    apr_int64_t lent;

    if (n > pot->size) {
        return 0;
    }
    used = apr_atomic_add64(&pot->used, n);
    had = apr_atomic_add64(own, n);
    more = beyond(pot, had + n) - beyond(pot, had);
    if (more == 0) {
        return 1;
    }
    lent = (apr_int64_t)(apr_atomic_add64(&pot->lent, more) + more);
    if (lent > (apr_int64_t)pot->common || had + n > share(pot, used)) {
        mirror_share_give(pot, own, n);
        return 0;
    }
    return 1;
}

void mirror_share_give(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n)
{
    apr_uint64_t had = apr_atomic_add64(own, 0 - n);
    apr_uint64_t less = beyond(pot, had) - beyond(pot, had - n);

    if (less > 0) {
        apr_atomic_sub64(&pot->lent, less);
    }
    apr_atomic_sub64(&pot->used, n);
}

int mirror_share_fits(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n)
{
    apr_uint64_t most = share(pot, apr_atomic_read64(&pot->used)), had = apr_atomic_read64(own);

    return had <= most && n <= most - had;
}

int mirror_share_fits_half(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n)
{
    apr_uint64_t most = share(pot, apr_atomic_read64(&pot->used)) / 2, had = apr_atomic_read64(own);

    return had <= most && n <= most - had;
}
