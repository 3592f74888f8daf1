/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/metrics.h - metrics in Prometheus's text format 0.0.4.
 */
#ifndef MIRROR_ADMIN_METRICS_H
#define MIRROR_ADMIN_METRICS_H

#include <httpd.h>

#include "base/mirror.h"

/* Send the metrics of all mirrors, summed up over all children. Request threads. A mirror without a
 * slot in shared memory is not up, and its counts are 0. */
int mirror_metrics_respond(request_rec *r, const mirror_registry_t *registry);

#endif
