/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/metrics.h - the mirrors for Prometheus, in its text format 0.0.4.
 */
#ifndef MIRROR_ADMIN_METRICS_H
#define MIRROR_ADMIN_METRICS_H

#include <httpd.h>

#include "base/mirror.h"

/* request threads: answer `r` with the metrics of all mirrors, summed up over all children. A
 * mirror that has no slot of shared memory is not up, and counts nothing. */
int mirror_metrics_answer(request_rec *r, const mirror_registry_t *registry);

#endif
